from __future__ import annotations

import pytest

from host_exporter.procfs.netstat import names_of, pairs, parse_snmp6


def test_each_heading_comes_with_its_numbers() -> None:
    text = "Ip: Forwarding DefaultTTL\nIp: 1 64\nIcmpMsg: InType3\nIcmpMsg: 29\n"

    assert [*pairs(text)] == [
        ("Ip: Forwarding DefaultTTL", ["Ip:", "1", "64"]),
        ("IcmpMsg: InType3", ["IcmpMsg:", "29"]),
    ]


def test_a_heading_is_a_protocol_and_the_names_at_the_places_of_the_numbers() -> None:
    assert names_of("Ip: Forwarding DefaultTTL") == ("Ip", ["", "Forwarding", "DefaultTTL"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Ip: Forwarding\n", "expected numbers below the heading 'Ip: Forwarding'"),
        ("Ip: Forwarding DefaultTTL\nIp: 1\n", "expected as many numbers as names, got 2 in 'Ip: 1'"),
    ],
    ids=["no numbers", "too few"],
)
def test_numbers_that_do_not_fit_their_heading_are_an_error(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        [*pairs(text)]


def test_a_heading_without_a_protocol_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected a heading such as Tcp: InSegs, got '1 2 3'"):
        names_of("1 2 3")


def test_ipv6_has_a_name_and_a_number_in_each_line() -> None:
    text = "Ip6InReceives                   \t1643\nIcmp6InMsgs                     \t7\n"

    assert parse_snmp6(text) == [("Ip6InReceives", "1643"), ("Icmp6InMsgs", "7")]


def test_a_name_without_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected one name and one number in each line"):
        parse_snmp6("Ip6InReceives 1643\nIcmp6InMsgs\n")
