from __future__ import annotations

import pytest

from host_exporter.procfs.netdev import NetDev, parse_netdev

HEADING = "Inter-| Receive | Transmit\n face |bytes errs|bytes colls\n"


def test_columns_are_named_by_the_heading() -> None:
    text = HEADING + "    lo: 1 2 3 4\n  eth0:18446744073709551615 6 7 8\n"

    assert parse_netdev(text) == NetDev(
        ("receive_bytes", "receive_errs", "transmit_bytes", "transmit_colls"),
        {"lo": [1, 2, 3, 4], "eth0": [18446744073709551615, 6, 7, 8]},
    )


def test_a_network_without_devices_is_none() -> None:
    assert parse_netdev(HEADING).devices == {}


@pytest.mark.parametrize("text", ["", "one\ntwo|three\n"], ids=["empty", "two parts"])
def test_another_heading_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected the heading"):
        parse_netdev(text)
