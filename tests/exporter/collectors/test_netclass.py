from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import netclass
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

ETH0 = {
    "addr_assign_type": "0",
    "address": "02:fc:00:00:00:01",
    "broadcast": "ff:ff:ff:ff:ff:ff",
    "carrier": "1",
    "carrier_changes": "2",
    "carrier_down_count": "1",
    "carrier_up_count": "3",
    "dev_id": "0x20",
    "dormant": "0",
    "duplex": "full",
    "flags": "0x1003",
    "ifalias": 'to "core"',
    "ifindex": "4",
    "iflink": "5",
    "link_mode": "0",
    "mtu": "1400",
    "name_assign_type": "1",
    "netdev_group": "7",
    "operstate": "up",
    "speed": "1000",
    "tx_queue_len": "1000",
    "type": "1",
}
"""What a card says; phys_port_name and others are never shown."""


def card(name: str, **changed: str | None) -> dict[str, str]:
    attributes = {**ETH0, **changed}
    return {
        f"sys/class/net/{name}/{file}": f"{text}\n" for file, text in attributes.items() if text is not None
    }


def test_each_attribute_of_a_card_is_shown(host: Host, series: Series) -> None:
    paths = host(card("eth0") | {"sys/class/net/eth0/phys_port_name": "p0\n"})

    assert series(netclass.COLLECTOR.made("netclass")(paths)) == [
        'node_network_address_assign_type{device="eth0"} 0',
        'node_network_carrier_changes_total{device="eth0"} 2',
        'node_network_carrier_down_changes_total{device="eth0"} 1',
        'node_network_carrier_up_changes_total{device="eth0"} 3',
        'node_network_carrier{device="eth0"} 1',
        'node_network_device_id{device="eth0"} 32',
        'node_network_dormant{device="eth0"} 0',
        'node_network_flags{device="eth0"} 4099',
        'node_network_iface_id{device="eth0"} 4',
        'node_network_iface_link_mode{device="eth0"} 0',
        'node_network_iface_link{device="eth0"} 5',
        'node_network_info{address="02:fc:00:00:00:01",adminstate="up",broadcast="ff:ff:ff:ff:ff:ff",'
        'device="eth0",duplex="full",ifalias="to \\"core\\"",operstate="up"} 1',
        'node_network_mtu_bytes{device="eth0"} 1400',
        'node_network_name_assign_type{device="eth0"} 1',
        'node_network_net_dev_group{device="eth0"} 7',
        'node_network_protocol_type{device="eth0"} 1',
        'node_network_speed_bytes{device="eth0"} 125000000',
        'node_network_transmit_queue_length{device="eth0"} 1000',
        'node_network_up{device="eth0"} 1',
    ]


def test_what_a_device_does_not_tell_is_left_out_and_empty_among_the_labels(
    host: Host, series: Series
) -> None:
    paths = host({"sys/class/net/tun0/flags": "0x90\n", "sys/class/net/tun0/speed": "fast\n"})

    assert series(netclass.COLLECTOR.made("netclass")(paths)) == [
        'node_network_flags{device="tun0"} 144',
        'node_network_info{address="",adminstate="down",broadcast="",device="tun0",duplex="",ifalias="",'
        'operstate=""} 1',
        'node_network_up{device="tun0"} 0',
    ]


def test_without_flags_the_administrators_will_is_unknown(host: Host, series: Series) -> None:
    lines = series(netclass.COLLECTOR.made("netclass")(host(card("eth0", flags=None))))

    assert ['adminstate="unknown"' in line for line in lines if "adminstate" in line] == [True]
    assert not any(line.startswith("node_network_flags") for line in lines)


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        ({}, ['node_network_speed_bytes{device="eth0"} -125000']),
        ({"ignore-invalid-speed": True}, []),
    ],
    ids=["shown", "ignored"],
)
def test_a_speed_that_the_device_does_not_know_is_minus_one(
    told: dict[str, str | bool], lines: list[str], host: Host, series: Series
) -> None:
    shown = series(netclass.COLLECTOR.made("netclass", told)(host(card("eth0", speed="-1"))))

    assert [line for line in shown if "speed" in line] == lines


def test_a_file_among_the_devices_and_ignored_devices_are_left_out(host: Host, series: Series) -> None:
    paths = host({"sys/class/net/bonding_masters": "bond0\n"} | card("eth0") | card("veth12"))

    lines = series(netclass.COLLECTOR.made("netclass", {"ignored-devices": "^veth"})(paths))

    assert [line for line in lines if line.startswith("node_network_up")] == [
        'node_network_up{device="eth0"} 1'
    ]
    assert not any("veth12" in line or "bonding_masters" in line for line in lines)


def test_a_host_without_sysfs_has_no_such_source(host: Host, series: Series) -> None:
    with pytest.raises(NoDataError):
        series(netclass.COLLECTOR.made("netclass")(host({})))


def test_the_loopback_of_this_machine_is_read_though_it_has_no_speed(series: Series) -> None:
    """Its speed answers with an error, as that of each device that is down does."""
    with HostPaths() as paths:
        lines = series(netclass.COLLECTOR.made("netclass")(paths))

    assert 'node_network_protocol_type{device="lo"} 772' in lines
    assert not any(line.startswith('node_network_speed_bytes{device="lo"}') for line in lines)


class Unplugged(HostPaths):
    """A host whose kernel answers for ``eth1`` as it does when a card is pulled while it is read."""

    def read_sys(self, name: str) -> str:
        if name.startswith("class/net/eth1/"):
            raise OSError(errno.ENODEV, "No such device", name)
        return super().read_sys(name)


def test_a_device_that_goes_while_it_is_read_costs_only_itself(
    tmp_path: Path, host: Host, series: Series
) -> None:
    host(card("eth0") | card("eth1") | card("eth2"))

    with Unplugged(sysfs=str(tmp_path / "sys")) as paths:
        lines = series(netclass.COLLECTOR.made("netclass")(paths))

    assert [line for line in lines if line.startswith("node_network_up")] == [
        'node_network_up{device="eth0"} 1',
        'node_network_up{device="eth2"} 1',
    ]


def test_a_device_that_went_before_it_was_read_is_left_out(host: Host, series: Series) -> None:
    lines = series(
        netclass.COLLECTOR.made("netclass")(host(card("eth0") | {"sys/class/net/eth1/power/x": ""}))
    )

    assert not any("eth1" in line for line in lines)
    assert 'node_network_up{device="eth0"} 1' in lines


def test_an_attribute_that_fails_otherwise_is_an_error(host: Host, series: Series) -> None:
    paths = host(card("eth0", mtu=None) | {"sys/class/net/eth0/mtu/file": ""})

    with pytest.raises(IsADirectoryError):
        series(netclass.COLLECTOR.made("netclass")(paths))
