"""``/proc/net/ip_vs_stats`` and ``/proc/net/ip_vs``: the kernel's load balancer and the servers behind it."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

PROTOCOLS = frozenset({"TCP", "UDP", "SCTP"})
MARK = "FWM"
"""A service of packets with a firewall mark, instead of an address."""


class Totals(NamedTuple):
    """Sums since the start, over all services."""

    connections: int
    incoming_packets: int
    outgoing_packets: int
    incoming_bytes: int
    outgoing_bytes: int


class Service(NamedTuple):
    """What clients connect to; address and port, or the mark, are as they are shown."""

    protocol: str
    address: str
    port: str
    mark: str


class Backend(NamedTuple):
    """One server of a service."""

    service: Service
    address: str
    port: str
    weight: int
    active_connections: int
    inactive_connections: int


def parse_totals(text: str) -> Totals:
    """Raises ValueError if the third line does not hold five hexadecimal numbers."""
    lines = text.splitlines()
    numbers = lines[2].split() if len(lines) > 2 else []
    if len(numbers) != len(Totals._fields):
        raise ValueError(f"net/ip_vs_stats: expected five numbers in the third line, got {numbers}")
    return Totals(*(int(number, 16) for number in numbers))


def parse_backends(text: str) -> list[Backend]:
    """In the kernel's order. Raises ValueError if a line is neither a heading, a service nor a server."""
    service: Service | None = None
    backends = []
    for line in text.splitlines():
        fields = line.split()
        if not fields or fields[0] in {"IP", "Prot"} or fields[1:2] == ["RemoteAddress:Port"]:
            continue
        try:
            if fields[0] in PROTOCOLS:
                service = Service(fields[0], *_address(fields[1]), mark="")
            elif fields[0] == MARK:
                service = Service(MARK, "", "0", fields[1])
            elif fields[0] == "->" and service is not None:
                weight, active, inactive = (int(field) for field in fields[3:6])
                backends.append(Backend(service, *_address(fields[1]), weight, active, inactive))
            else:
                raise ValueError("neither a service nor a server of one")
        except (IndexError, ValueError) as error:
            raise ValueError(f"net/ip_vs: {error} in {line!r}") from error
    return backends


def _address(field: str) -> tuple[str, str]:
    """``C0A80016:0CEA`` or ``[2620:0000:…:0001]:0CEA`` → address and port."""
    address, _, port = field.rpartition(":")
    if address.startswith("["):
        return str(ipaddress.IPv6Address(address.strip("[]"))), str(int(port, 16))
    return str(ipaddress.IPv4Address(bytes.fromhex(address))), str(int(port, 16))
