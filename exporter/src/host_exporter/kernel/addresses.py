"""The IP addresses of the network devices, asked of the kernel by netlink: no file has those of IPv4.

See rtnetlink(7). Only the network that this process is in can be asked.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

NLMSG_ERROR = 2
NLMSG_DONE = 3
RTM_NEWADDR = 20
RTM_GETADDR = 22
NLM_F_REQUEST_DUMP = 0x301
IFA_ADDRESS = 1
IFA_LOCAL = 2

_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length with itself, type, flags, number, sender."""

_ADDRESS = struct.Struct("=BBBBI")
"""struct ifaddrmsg: address family, prefix length, flags, scope, index of the device."""

_ATTRIBUTE = struct.Struct("=HH")
"""struct rtattr: length with itself, type."""

ANSWER_BYTES = 65_536
"""The kernel answers in pieces of at most half of this."""


class Address(NamedTuple):
    """One address of a device."""

    device: str
    address: str
    prefix_length: int
    scope: str


def addresses() -> list[Address]:
    """All addresses of the network that this process is in. Raises OSError."""
    names = dict(socket.if_nameindex())
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        length = _HEADER.size + len(body)
        kernel.send(_HEADER.pack(length, RTM_GETADDR, NLM_F_REQUEST_DUMP, 1, 0) + body)
        found: list[Address] = []
        while True:
            answer = kernel.recv(ANSWER_BYTES)
            found += parse_addresses(answer, names)
            if _ends(answer):
                return found


def parse_addresses(answer: bytes, names: Mapping[int, str]) -> list[Address]:
    """The addresses in one piece of the kernel's answer; *names* are the devices by their index.

    A device without a name went in between and is left out. Raises OSError if the kernel refused.
    """
    found = []
    for kind, body in _messages(answer):
        if kind == NLMSG_ERROR:
            number = -struct.unpack_from("=i", body)[0]
            raise OSError(number, "netlink: the addresses were refused")
        if kind != RTM_NEWADDR:
            continue
        family, prefix_length, _, _, index = _ADDRESS.unpack_from(body)
        attributes = dict(_attributes(body[_ADDRESS.size :]))
        # Of a link between two hosts IFA_ADDRESS is the other end.
        raw = attributes.get(IFA_LOCAL, attributes.get(IFA_ADDRESS))
        if raw is None or index not in names or family not in {socket.AF_INET, socket.AF_INET6}:
            continue
        address = ipaddress.ip_address(raw)
        found.append(Address(names[index], str(address), prefix_length, scope_of(address)))
    return found


def scope_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """How far an address reaches: ``link-local``, ``global``, or empty where neither is said of it."""
    if address.is_loopback or address.is_link_local:
        return "link-local"
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        return ""
    return "global"


def _ends(answer: bytes) -> bool:
    return any(kind == NLMSG_DONE for kind, _ in _messages(answer))


def _messages(answer: bytes) -> Iterator[tuple[int, bytes]]:
    while len(answer) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(answer)
        if length < _HEADER.size:
            raise ValueError(f"netlink: expected a length of at least {_HEADER.size}, got {length}")
        yield kind, answer[_HEADER.size : length]
        answer = answer[_aligned(length) :]


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    while len(body) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(body)
        if length < _ATTRIBUTE.size:
            raise ValueError(f"netlink: expected a length of at least {_ATTRIBUTE.size}, got {length}")
        yield kind, body[_ATTRIBUTE.size : length]
        body = body[_aligned(length) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3
