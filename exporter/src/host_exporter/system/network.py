"""The group ``network``: the sums over all interfaces, and the first one that is in use."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from host_exporter.paths import HostPaths
from host_exporter.procfs.netdev import parse_netdev

COLUMNS = {
    "bytes_sent": "transmit_bytes",
    "bytes_recv": "receive_bytes",
    "packets_sent": "transmit_packets",
    "packets_recv": "receive_packets",
    "errin": "receive_errs",
    "errout": "transmit_errs",
    "dropin": "receive_drop",
    "dropout": "transmit_drop",
}

SIOCGIFADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK = 0x8915, 0x8919, 0x891B
"""Asked of the kernel directly: psutil's table of all addresses would cost 4 MiB of memory for one of them."""

ADDRESS = slice(20, 24)
"""Where the answer has it: after the name, the address family and the port."""

NO_ADDRESS = "0.0.0.0"  # noqa: S104 - not listened on: it stands for a broadcast address that is not set
IFF_UP = 1
RUNNING_STATES = ("up", "unknown")
"""Drivers that do not tell, such as those of tunnels, are ``unknown`` for ever."""

DUPLEX = ("full", "half")


class Address(NamedTuple):
    """An IPv4 address as the document shows it."""

    ipv4: str | None
    netmask: str | None
    broadcast: str | None


UNKNOWN_ADDRESS = Address(None, None, None)


def io_counters(paths: HostPaths) -> Mapping[str, Any]:
    """``io_counters``: sums over all interfaces since the host started, loopback included."""
    columns, devices = parse_netdev(paths.read_network("dev"))
    index = {name: position for position, name in enumerate(columns)}
    return {
        "io_counters": {
            field: sum(numbers[index[column]] for numbers in devices.values())
            for field, column in COLUMNS.items()
        }
    }


def primary_interface(paths: HostPaths, procfs: str) -> Mapping[str, Any]:
    """``primary_interface``: the first running one that has an IPv4 address and is not loopback, or null.

    Linux tells addresses only of the network that one is in. Where the host's is another one, an interface
    that IPv4 is routed through counts, and the three fields of its address are null.
    """
    address_of = own_address if in_host_network(procfs) else routed(paths.read_network("route")).get
    for name in parse_netdev(paths.read_network("dev")).devices:
        if name.lower().startswith("lo") or not _running(paths, name):
            continue
        address = address_of(name)
        if address is not None:
            return {"primary_interface": _interface(paths, name, address)}
    return {"primary_interface": None}


def in_host_network(procfs: str) -> bool:
    """Whether the interfaces that *procfs* shows are those of this process' own network.

    Each network has its own file ``net/dev``, and no two files of one kernel's procfs share an inode number.
    """
    if procfs.rstrip("/") == "/proc":
        return True
    try:
        return Path(procfs, "1/net/dev").stat().st_ino == Path("/proc/self/net/dev").stat().st_ino
    except OSError:
        return False


def own_address(name: str) -> Address | None:
    """The first IPv4 address of an interface in this process' own network, see netdevice(7)."""
    request = struct.pack("16s24x", os.fsencode(name))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            address, netmask, broadcast = (
                socket.inet_ntoa(fcntl.ioctl(any_socket, number, request)[ADDRESS])
                for number in (SIOCGIFADDR, SIOCGIFNETMASK, SIOCGIFBRDADDR)
            )
        except OSError:  # it has none, or is gone
            return None
    return Address(address, netmask, None if broadcast == NO_ADDRESS else broadcast)


def routed(text: str) -> dict[str, Address]:
    """The interfaces in ``/proc/net/route``, see route(8), whose addresses it does not tell."""
    return {line.split(None, 1)[0]: UNKNOWN_ADDRESS for line in text.splitlines()[1:] if line.strip()}


def _running(paths: HostPaths, name: str) -> bool:
    flags = _attribute(paths, name, "flags")
    return (
        flags is not None
        and bool(int(flags, 16) & IFF_UP)
        and _attribute(paths, name, "operstate") in RUNNING_STATES
    )


def _interface(paths: HostPaths, name: str, address: Address) -> dict[str, Any]:
    speed, mtu = (int(_attribute(paths, name, file) or 0) for file in ("speed", "mtu"))
    duplex = _attribute(paths, name, "duplex")
    return {
        "name": name,
        **address._asdict(),
        "speed_mbps": speed if speed > 0 else None,
        "mtu": mtu,
        "duplex": duplex if duplex in DUPLEX else "unknown",
    }


def _attribute(paths: HostPaths, name: str, file: str) -> str | None:
    """The text of a file of the interface, or None: reading the speed of one without a link is an error."""
    try:
        return paths.read_sys(f"class/net/{name}/{file}").strip()
    except OSError:
        return None
