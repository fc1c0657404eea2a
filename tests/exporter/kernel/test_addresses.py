from __future__ import annotations

import ipaddress
import socket
import struct

import psutil
import pytest

from host_exporter.kernel.addresses import Address, addresses, parse_addresses, scope_of

IFA_ADDRESS, IFA_LOCAL, IFA_LABEL = 1, 2, 3
NAMES = {1: "lo", 2: "ppp0"}


def attribute(kind: int, content: bytes) -> bytes:
    padding = b"\0" * (-len(content) % 4)
    return struct.pack("=HH", 4 + len(content), kind) + content + padding


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


def new_address(family: int, prefix_length: int, index: int, *attributes: bytes) -> bytes:
    head = struct.pack("=BBBBI", family, prefix_length, 0, 0, index)
    return message(20, head + b"".join(attributes))


def test_addresses_of_both_ip_versions_are_found() -> None:
    answer = (
        new_address(
            socket.AF_INET,
            8,
            1,
            attribute(IFA_ADDRESS, bytes([127, 0, 0, 1])),
            attribute(IFA_LOCAL, bytes([127, 0, 0, 1])),
            attribute(IFA_LABEL, b"lo\0"),
        )
        + new_address(
            socket.AF_INET6, 64, 2, attribute(IFA_ADDRESS, ipaddress.ip_address("2001:db8::1").packed)
        )
        + message(3, b"\0\0\0\0")
    )

    assert parse_addresses(answer, NAMES) == [
        Address("lo", "127.0.0.1", 8, "link-local"),
        Address("ppp0", "2001:db8::1", 64, "global"),
    ]


def test_of_a_link_between_two_hosts_the_own_end_is_taken() -> None:
    ends = (
        attribute(IFA_ADDRESS, bytes([198, 51, 100, 1])),
        attribute(IFA_LOCAL, bytes([192, 0, 2, 1])),
    )

    assert parse_addresses(new_address(socket.AF_INET, 32, 2, *ends), NAMES) == [
        Address("ppp0", "192.0.2.1", 32, "global")
    ]


def test_a_device_that_went_is_left_out() -> None:
    answer = new_address(socket.AF_INET, 8, 9, attribute(IFA_LOCAL, bytes([127, 0, 0, 1])))

    assert parse_addresses(answer, NAMES) == []


def test_a_refusal_has_the_kernels_error_number() -> None:
    with pytest.raises(PermissionError, match="addresses were refused"):
        parse_addresses(message(2, struct.pack("=i", -1)), NAMES)


@pytest.mark.parametrize(
    "answer", [b"\0" * 16, new_address(2, 8, 1, b"\0\0\0\0")], ids=["message", "attribute"]
)
def test_a_length_that_would_never_end_is_an_error(answer: bytes) -> None:
    with pytest.raises(ValueError, match="netlink: expected a length of at least"):
        parse_addresses(answer, NAMES)


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        ("127.0.0.1", "link-local"),
        ("::1", "link-local"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("10.0.0.1", "global"),
        ("2001:db8::1", "global"),
        ("fd00::1", "global"),
        ("0.0.0.0", ""),
        ("255.255.255.255", ""),
        ("239.1.1.1", ""),
    ],
)
def test_the_scope_is_that_of_node_exporter(address: str, scope: str) -> None:
    assert scope_of(ipaddress.ip_address(address)) == scope


def test_this_machines_addresses_are_those_that_another_library_finds() -> None:
    known = {
        (device, entry.address.partition("%")[0])
        for device, entries in psutil.net_if_addrs().items()
        for entry in entries
        if entry.family in {socket.AF_INET, socket.AF_INET6}
    }

    assert {(found.device, found.address) for found in addresses()} == known
