from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects.masking import MASK, mask_addresses, mask_paths, mask_text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        # IPv4
        ("10.0.0.1", "#"),
        ("255.255.255.255", "#"),
        ("10.0.0.1:8080", "#:8080"),
        ("10.0.0.0/24", "#/24"),
        ("http://10.0.0.1/path", "http://#/path"),
        ("from 192.168.1.1, 10.0.0.1.", "from #, #."),
        ("10.0.0.1-10.0.0.9", "#-#"),
        ("host:10.0.0.1:80", "host:#:80"),
        ("ip10.0.0.1", "ip#"),
        ("host.10.0.0.1.example", "host.#.example"),
        ("1.2.3.4", "#"),
        # IPv6
        ("2001:db8:0:0:0:0:0:1", "#"),
        ("2001:DB8::1", "#"),
        ("2001:db8::/32", "#/32"),
        ("::1", "#"),
        ("1::", "#"),
        ("fe80::1", "#"),
        ("fe80::1%eth0", "#%eth0"),
        ("fdaa:bcde::cafe", "#"),
        ("::ffff:10.0.0.1", "#"),
        ("64:ff9b::192.0.2.33", "#"),
        ("1:2:3:4:5:6:10.0.0.1", "#"),
        ("[::1]:80", "[#]:80"),
        ("http://[2001:db8::1]:8080/x", "http://[#]:8080/x"),
        ("listening on ::1.", "listening on #."),
        ("fe80::1: no route", "#: no route"),
        ("addr:fe80::1", "addr:#"),
        ("ip=fe80::1,", "ip=#,"),
        # MAC
        ("aa:bb:cc:dd:ee:ff", "#"),
        ("AA-BB-CC-00-11-22", "#"),
        ("hw:aa:bb:cc:dd:ee:ff", "hw:#"),
        # e-mail
        ("ann@example.org", "#"),
        ("mailto:ann.lee+x@mail.example.co.uk", "mailto:#"),
        ("<ann@example.org>", "<#>"),
        ("jörg@münchen.example", "#"),
        ("root@10.0.0.1", "#"),
        ("root@[10.0.0.1]", "root@[#]"),
        # several
        ("10.0.0.1 ::1 a@b.c aa:bb:cc:dd:ee:ff", "# # # #"),
    ],
)
def test_addresses_are_masked(text: str, masked: str) -> None:
    assert mask_text(text) == masked.replace("#", MASK)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lab-7",
        "08:00:10",
        "08:00:10.512",
        "2026-02-01",
        "2026-02-01T08:00:10.512Z",
        "2026-02-01T08:00:10+01:00",
        "12:34",
        "1.2.3",
        "v20.11.1",
        "10.0.22631.3007",
        "1.2.3.4.5",
        "550e8400-e29b-41d4-a716-446655440000",
        "9f2c11d0ab34",
        "std::vector<int>",
        "foo::bar::Baz",
        "a::b",
        "dead::beef",
        "be::Ad()",
        "::",
        "x::1",
        "user@localhost",
        "@decorator",
        "C:\\Windows",
        "http://localhost:9090/a:b",
        "aa:bb:cc:dd:ee",
        "00-11-22-33-44-55-66",
        "1:02:03:004",
    ],
)
def test_what_is_no_address_stays(text: str) -> None:
    assert mask_text(text) == text


@given(st.ip_addresses(v=6).filter(lambda address: any(c.isdigit() for c in str(address))))
def test_every_ipv6_address_is_masked_in_each_of_its_forms(address: IPv6Address) -> None:
    low = int(address) & 0xFFFF_FFFF
    dotted = f"{':'.join(address.exploded.split(':')[:6])}:{IPv4Address(low)}"

    for form in (str(address), address.exploded, str(address).upper(), dotted):
        assert mask_text(f"from {form}, again") == f"from {MASK}, again"


@given(st.ip_addresses(v=4))
def test_every_ipv4_address_is_masked(address: IPv4Address) -> None:
    assert mask_text(f"{address} and ::ffff:{address}") == f"{MASK} and {MASK}"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("/home/ann", "#"),
        ("/home/ann/x.log", "#/x.log"),
        ("cd /home/ann-lee_2 && ls", "cd # && ls"),
        ("'/home/ann': no such file", "'#': no such file"),
        ("PATH=/usr/bin:/home/ann/bin:/root/bin", "PATH=/usr/bin:#/bin:#/bin"),
        ("/home/ann/x /home/bob/y", "#/x #/y"),
        ("file:///home/ann/x", "file://#/x"),
        ("/var/home/ann/x", "#/x"),
        ("/root", "#"),
        ("/root/.bashrc", "#/.bashrc"),
        ("in /root.", "in #."),
        ("/Users/Ann/x", "#/x"),
        ("/users/ann", "#"),
        ("C:\\Users\\Ann\\x", "#\\x"),
        ("C:\\Users\\Ann Lee\\x", "#\\x"),
        ("c:\\users\\ann", "#"),
        ("C:\\\\Users\\\\ann\\\\x", "#\\\\x"),
        ("C:/Users/ann/x", "#/x"),
        ("C:\\Users\\ann, not found", "#, not found"),
        ("/home/ann@example.org/x", "#/x"),
    ],
)
def test_home_folders_are_masked(text: str, masked: str) -> None:
    assert mask_paths(text) == masked.replace("#", MASK)
    assert mask_paths(mask_paths(text)) == mask_paths(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/home",
        "/home/",
        "/opt/app/home/page",
        "https://example.org/home/page",
        "/rootfs",
        "/root.tar",
        "/root-ca",
        "/dev/root",
        "/Users",
        "C:\\Windows\\Users",
        "C:\\Users\\",
        "users of /home",
        "/usr/bin",
    ],
)
def test_other_paths_stay(text: str) -> None:
    assert mask_paths(text) == text


@given(st.from_regex(r"[0-9.]{0,24}", fullmatch=True))
def test_ipv4_is_found_alike_with_and_without_dashes_beside_it(text: str) -> None:
    """Texts with dashes are searched by another pattern, which looks for MACs too."""
    dashes = " - - - - -"

    assert mask_text(text + dashes) == mask_text(text) + dashes


def test_masking_walks_the_whole_document() -> None:
    document = {"to": ["10.0.0.1", {"::1": None}], "load": 1.5, "up": True, "at": "08:00:10"}

    assert mask_addresses(document) == {
        "to": [MASK, {MASK: None}],
        "load": 1.5,
        "up": True,
        "at": "08:00:10",
    }


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000 + ".",
        "/home/" * 20_000,
        "/home/" + "a" * 100_000,
        "C:\\Users\\" * 10_000,
        "C:\\Users\\" + "a " * 50_000,
        "1.1.1." * 20_000,
        "a" * 100_000 + "@",
        "a@" + "b" * 100_000,
        "a@" * 50_000,
        "a@" + "b." * 50_000,
        "1." * 50_000,
        "..1.1.1.1" * 10_000,
        "a::" * 33_000,
        "x:y:" + "z" * 100_000,
        "x:" * 50_000,
        "f" * 100_000 + "::",
        "1-" * 50_000,
    ],
    ids=lambda text: text[:6],
)
def test_hostile_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    """A pattern that starts again at each character takes a minute for these; a push would stop all others."""
    began = time.process_time()
    mask_text(mask_paths(text))

    assert time.process_time() - began < 2
