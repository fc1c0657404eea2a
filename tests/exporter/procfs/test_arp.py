from __future__ import annotations

import pytest

from host_exporter.procfs.arp import count_neighbours

HEADING = "IP address       HW type     Flags       HW address            Mask     Device\n"
TEXT = (
    HEADING
    + "192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0\n"
    + "192.0.2.2        0x1         0x0         00:00:00:00:00:00     *        eth0\n"
    + "192.0.2.3        0x1         0x6         02:fc:00:00:00:06     *        br0\n"
    + "192.0.2.4        0x1         0xc         00:00:00:00:00:00     *        br0\n"
)


def test_neighbours_are_counted_by_device() -> None:
    assert count_neighbours(TEXT) == {"eth0": 2, "br0": 1}


def test_addresses_that_the_host_answers_for_count_where_wanted() -> None:
    assert count_neighbours(TEXT, proxies=True) == {"eth0": 2, "br0": 2}


def test_a_host_without_neighbours_has_none() -> None:
    assert count_neighbours(HEADING) == {}


def test_a_line_with_other_columns_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"net/arp: expected 6 columns, got '192\.0\.2\.1 0x1 eth0'"):
        count_neighbours(HEADING + "192.0.2.1 0x1 eth0\n")
