"""``/proc/net/arp``, see proc_pid_net(5): which IPv4 neighbours are known by which device."""

from __future__ import annotations

from collections import Counter

COLUMNS = 6
"""Address, hardware type, flags, hardware address, mask, device."""

PROXY_FLAGS = "0xc"
"""Permanent and published: not a neighbour, but an address that this host answers for."""


def count_neighbours(text: str, proxies: bool = False) -> dict[str, int]:
    """How many entries each device has; those that the host itself answers for only with *proxies*.

    Raises ValueError if a line after the heading does not have six columns.
    """
    devices: list[str] = []
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) != COLUMNS:
            raise ValueError(f"net/arp: expected {COLUMNS} columns, got {line!r}")
        if proxies or columns[2] != PROXY_FLAGS:
            devices.append(columns[5])
    return Counter(devices)
