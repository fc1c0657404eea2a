"""``/proc/net/sockstat`` and ``sockstat6``, see proc_pid_net(5): sockets in use by protocol."""

from __future__ import annotations


def parse_sockstat(text: str) -> dict[str, dict[str, int]]:
    """By protocol, as ``TCP`` or ``sockets``: each count by its name.

    Raises ValueError if a line is not a protocol with one or more pairs of name and number.
    """
    protocols: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        protocol, *fields = line.split(" ")
        if not fields or len(fields) % 2:
            raise ValueError(f"expected pairs of name and number after the protocol, got {line!r}")
        protocols[protocol.removesuffix(":")] = {
            name: int(number) for name, number in zip(fields[::2], fields[1::2], strict=True)
        }
    return protocols
