from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import arp
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0
192.0.2.2        0x1         0x0         00:00:00:00:00:00     *        eth0
192.0.2.3        0x1         0xc         00:00:00:00:00:00     *        br0
192.0.2.4        0x1         0x2         02:fc:00:00:00:06     *        br0
"""


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        ({}, ['node_arp_entries{device="br0"} 1', 'node_arp_entries{device="eth0"} 2']),
        ({"netlink": False}, ['node_arp_entries{device="br0"} 2', 'node_arp_entries{device="eth0"} 2']),
        ({"device-exclude": "^br"}, ['node_arp_entries{device="eth0"} 2']),
        ({"device-include": "^br"}, ['node_arp_entries{device="br0"} 1']),
    ],
    ids=["default", "as the file", "exclude", "include"],
)
def test_neighbours_are_counted_by_device(
    told: dict[str, str | bool], lines: list[str], host: Host, series: Series
) -> None:
    paths = host({"proc/1/net/arp": ARP})

    assert series(arp.COLLECTOR.made("arp", told)(paths)) == lines


def test_a_host_without_the_file_is_an_error_and_not_without_data(host: Host, series: Series) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        series(arp.COLLECTOR.made("arp")(host({})))

    assert not isinstance(raised.value, NoDataError)
