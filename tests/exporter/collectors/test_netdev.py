from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collector import NameFilter, SettingError
from host_exporter.collectors import netdev
from host_exporter.family import Value
from host_exporter.kernel import addresses
from host_exporter.kernel.addresses import Address
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
  eth0: 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36
"""
FILES = {
    "proc/1/net/dev": DEV,
    "sys/class/net/eth0/ifalias": "to the core\n",
    "sys/class/net/eth0/statistics/rx_bytes": "21\n",
    "sys/class/net/eth0/statistics/rx_nohandler": "37\n",
    "sys/class/net/eth0/statistics/multicast": "28\n",
    "sys/class/net/eth0/statistics/rx_crc_errors": "38\n",
}
ETH0 = {
    "receive_bytes": 21,
    "receive_compressed": 27,
    "receive_drop": 24,
    "receive_errs": 23,
    "receive_fifo": 25,
    "receive_frame": 26,
    "receive_multicast": 28,
    "receive_packets": 22,
    "transmit_bytes": 29,
    "transmit_carrier": 35,
    "transmit_colls": 34,
    "transmit_compressed": 36,
    "transmit_drop": 32,
    "transmit_errs": 31,
    "transmit_fifo": 33,
    "transmit_packets": 30,
}


def lines_of(numbers: Mapping[str, int], labels: str = 'device="eth0"') -> list[str]:
    return sorted(f"node_network_{name}_total{{{labels}}} {number}" for name, number in numbers.items())


@pytest.mark.parametrize(
    "told",
    [
        {"device-include": "eth"},
        {"device-whitelist": "eth"},
        {"device-exclude": "^lo$"},
        {"device-blacklist": "lo"},
    ],
    ids=["include", "whitelist", "exclude", "blacklist"],
)
def test_the_counters_of_the_devices_that_are_named(
    told: dict[str, str | bool], host: Host, series: Series
) -> None:
    collect = netdev.COLLECTOR.made("netdev", told)

    assert series(collect(host(FILES))) == lines_of(ETH0 | {"receive_nohandler": 37})


def test_all_devices_are_shown_by_default(host: Host, series: Series) -> None:
    """One whose statistics sysfs does not have lacks what the file leaves out."""
    lines = series(netdev.COLLECTOR.made("netdev")(host(FILES)))

    assert len(lines) == 16 + 17
    assert 'node_network_receive_bytes_total{device="lo"} 1' in lines


@pytest.mark.parametrize(
    ("told", "numbers"),
    [
        ({"netlink": False}, ETH0),
        (
            {"enable-detailed-metrics": True},
            {"receive_bytes": 21, "receive_nohandler": 37, "multicast": 28, "receive_crc_errors": 38},
        ),
        (
            {"enable-detailed-metrics": True, "netlink": False},
            {
                {
                    "receive_errs": "receive_errors",
                    "receive_drop": "receive_dropped",
                    "transmit_errs": "transmit_errors",
                    "transmit_drop": "transmit_dropped",
                }.get(name, name): number
                for name, number in ETH0.items()
            },
        ),
    ],
    ids=["only the file", "detailed", "detailed, only the file"],
)
def test_other_sources_and_names_can_be_chosen(
    told: dict[str, str | bool], numbers: dict[str, int], host: Host, series: Series
) -> None:
    collect = netdev.COLLECTOR.made("netdev", {"device-include": "eth0"} | told)

    assert series(collect(host(FILES))) == lines_of(numbers)


def test_the_alias_of_a_device_becomes_a_label(host: Host, series: Series) -> None:
    collect = netdev.COLLECTOR.made("netdev", {"label-ifalias": True})

    lines = series(collect(host(FILES)))

    assert set(lines_of(ETH0, 'device="eth0",ifalias="to the core"')) <= set(lines)
    assert 'node_network_receive_bytes_total{device="lo",ifalias=""} 1' in lines


def test_addresses_are_those_of_the_devices_that_are_named(host: Host, series: Series) -> None:
    def known() -> list[Address]:
        return [
            Address("eth0", "192.0.2.7", 24, "global"),
            Address("eth0", "192.0.2.7", 24, "global"),
            Address("lo", "127.0.0.1", 8, "link-local"),
        ]

    shown = NameFilter(include=re.compile("eth"))
    lines = series(netdev.NetDev(shown, addresses=known).collect(host(FILES)))

    assert [line for line in lines if "address" in line] == [
        'node_network_address_info{address="192.0.2.7",device="eth0",netmask="24",scope="global"} 1'
    ]


def test_the_addresses_of_this_machine_are_shown_on_demand(host: Host, series: Series) -> None:
    lines = series(netdev.COLLECTOR.made("netdev", {"address-info": True})(host(FILES)))

    shown = [line for line in lines if line.startswith("node_network_address_info")]
    assert len(shown) == len(set(addresses.addresses()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("device-exclude", "device-include"),
        ("device-whitelist", "device-include"),
        ("device-blacklist", "device-exclude"),
    ],
)
def test_flags_that_exclude_each_other_are_told_at_start(one: str, other: str) -> None:
    with pytest.raises(SettingError, match=f"{one} and --collector.netdev.{other} exclude each other"):
        netdev.COLLECTOR.made("netdev", {one: "lo", other: "eth"})


def test_without_sysfs_the_file_is_shown(host: Host, series: Series) -> None:
    dev = "Inter-| Receive | Transmit\n face |bytes novelty|bytes\n eth0: 1 2 3\n"
    paths = host({"proc/1/net/dev": dev})

    assert series(netdev.COLLECTOR.made("netdev")(paths)) == lines_of(
        {"receive_bytes": 1, "transmit_bytes": 3}
    )


def test_an_old_kernel_counts_no_packets_that_nobody_wanted(host: Host, series: Series) -> None:
    paths = host({"proc/1/net/dev": DEV, "sys/class/net/eth0/operstate": "up\n"})
    collect = netdev.COLLECTOR.made("netdev", {"device-include": "eth0"})

    assert series(collect(paths)) == lines_of(ETH0)
