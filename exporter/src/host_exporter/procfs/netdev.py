"""``/proc/net/dev``, see proc_pid_net(5)."""

from __future__ import annotations

from typing import NamedTuple


class NetDev(NamedTuple):
    """Columns as ``receive_bytes`` or ``transmit_errs``, and each device's numbers in their order."""

    columns: tuple[str, ...]
    devices: dict[str, list[int]]


def parse_netdev(text: str) -> NetDev:
    """Columns come from the heading, as kernels differ in them.

    Raises ValueError if the heading does not have the three parts face, receive and transmit.
    """
    _, heading, *lines = text.splitlines() or ["", ""]
    parts = heading.split("|")
    if len(parts) != 3:
        raise ValueError(f"expected the heading face|...|... in the second line, got {heading!r}")
    _, received, sent = parts
    columns = (
        *(f"receive_{name}" for name in received.split()),
        *(f"transmit_{name}" for name in sent.split()),
    )
    devices = {}
    for line in lines:
        device, _, numbers = line.partition(":")
        devices[device.strip()] = [int(number) for number in numbers.split()]
    return NetDev(columns, devices)
