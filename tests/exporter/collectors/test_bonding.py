from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import bonding
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]


def test_devices_of_a_bond_are_counted_and_those_with_a_link(host: Host, series: Series) -> None:
    """Current kernels name a bond's devices ``lower_``, older ones ``slave_``."""
    net = "sys/class/net"
    paths = host(
        {
            f"{net}/bonding_masters": "bond0 bond1 empty\n",
            f"{net}/bond0/bonding/slaves": "eth0 eth1\n",
            f"{net}/bond0/lower_eth0/bonding_slave/mii_status": "up\n",
            f"{net}/bond0/lower_eth1/bonding_slave/mii_status": "down\n",
            f"{net}/bond1/bonding/slaves": "eth2\n",
            f"{net}/bond1/slave_eth2/bonding_slave/mii_status": "up\n",
            f"{net}/empty/bonding/slaves": "\n",
        }
    )

    assert series(bonding.collect(paths)) == [
        'node_bonding_active{master="bond0"} 1',
        'node_bonding_active{master="bond1"} 1',
        'node_bonding_active{master="empty"} 0',
        'node_bonding_slaves{master="bond0"} 2',
        'node_bonding_slaves{master="bond1"} 1',
        'node_bonding_slaves{master="empty"} 0',
    ]


def test_a_bond_that_went_is_left_out(host: Host, series: Series) -> None:
    net = "sys/class/net"
    paths = host(
        {
            f"{net}/bonding_masters": "gone going bond0\n",
            f"{net}/going/bonding/slaves": "eth0\n",
            f"{net}/bond0/bonding/slaves": "\n",
        }
    )

    assert series(bonding.collect(paths)) == [
        'node_bonding_active{master="bond0"} 0',
        'node_bonding_slaves{master="bond0"} 0',
    ]


def test_a_host_without_the_module_has_no_such_source(host: Host, series: Series) -> None:
    with pytest.raises(NoDataError):
        series(bonding.collect(host({})))
