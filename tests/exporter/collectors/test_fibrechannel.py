from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import fibrechannel
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

CLASS = "sys/class/fc_host"


def test_an_adapter_is_described_and_its_counters_are_shown(host: Host, series: Series) -> None:
    """Numbers stand there in hexadecimal; one that the firmware does not count is all ones."""
    paths = host(
        {
            f"{CLASS}/host0/speed": "16 Gbit\n",
            f"{CLASS}/host0/port_id": "0x000002\n",
            f"{CLASS}/host0/port_name": "0x1000e0071bce95f2\n",
            f"{CLASS}/host0/fabric_name": "0x0\n",
            f"{CLASS}/host0/dev_loss_tmo": "30\n",
            f"{CLASS}/host0/statistics/rx_frames": "0x30\n",
            f"{CLASS}/host0/statistics/invalid_crc_count": "0x2\n",
            f"{CLASS}/host0/statistics/dumped_frames": "0xffffffffffffffff\n",
            f"{CLASS}/host1/speed": "8 Gbit\n",
        }
    )

    assert series(fibrechannel.collect(paths)) == [
        'node_fibrechannel_info{dev_loss_tmo="",fabric_name="",fc_host="host1",port_id="",port_name="",'
        'port_state="",port_type="",speed="8 Gbit",supported_classes="",supported_speeds="",symbolic_name=""} 1',
        'node_fibrechannel_info{dev_loss_tmo="30",fabric_name="0",fc_host="host0",port_id="000002",'
        'port_name="1000e0071bce95f2",port_state="",port_type="",speed="16 Gbit",supported_classes="",'
        'supported_speeds="",symbolic_name=""} 1',
        'node_fibrechannel_invalid_crc_total{fc_host="host0"} 2',
        'node_fibrechannel_rx_frames_total{fc_host="host0"} 48',
    ]


def test_a_counter_that_is_no_number_is_named(host: Host, series: Series) -> None:
    with pytest.raises(ValueError, match="host0/statistics/rx_words: expected a number, got 'x'"):
        series(fibrechannel.collect(host({f"{CLASS}/host0/statistics/rx_words": "x\n"})))


def test_a_host_without_adapters_has_no_such_source(host: Host, series: Series) -> None:
    with pytest.raises(NoDataError):
        series(fibrechannel.collect(host({})))
