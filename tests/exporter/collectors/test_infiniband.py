from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import infiniband
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

ADAPTER = "sys/class/infiniband/mlx5_0"
PORT = f"{ADAPTER}/ports/1"
FILES = {
    f"{ADAPTER}/fw_ver": "2.31.5050\n",
    f"{ADAPTER}/hca_type": "MT4099\n",
    f"{PORT}/state": "4: ACTIVE\n",
    f"{PORT}/phys_state": "5: LinkUp\n",
    f"{PORT}/rate": "2.5 Gb/sec (1X SDR)\n",
}


def test_counters_of_all_three_folders_are_shown_and_bytes_are_those_of_four_lanes(
    host: Host, series: Series
) -> None:
    counters = {
        f"{PORT}/counters/port_rcv_data": "10\n",
        f"{PORT}/counters/port_rcv_packets": "11\n",
        f"{PORT}/counters/link_downed": "N/A (no PMA)\n",
        f"{PORT}/counters/made_up": "12\n",
        f"{PORT}/counters_ext/port_xmit_data_64": "20\n",
        f"{PORT}/hw_counters/out_of_buffer": "30\n",
        f"{PORT}/hw_counters/lifespan": "12000\n",
    }

    labels = '{device="mlx5_0",port="1"}'
    assert series(infiniband.collect(host(FILES | counters))) == [
        'node_infiniband_info{board_id="",device="mlx5_0",firmware_version="2.31.5050",hca_type="MT4099"} 1',
        f"node_infiniband_legacy_data_transmitted_bytes_total{labels} 80",
        f"node_infiniband_lifespan_seconds{labels} 12",
        f"node_infiniband_out_of_buffer_drops_total{labels} 30",
        f"node_infiniband_physical_state_id{labels} 5",
        f"node_infiniband_port_data_received_bytes_total{labels} 40",
        f"node_infiniband_port_packets_received_total{labels} 11",
        f"node_infiniband_rate_bytes_per_second{labels} 312500000",
        f"node_infiniband_state_id{labels} 4",
    ]


def test_an_adapter_that_went_is_left_out(host: Host, series: Series) -> None:
    lines = series(infiniband.collect(host(FILES | {"sys/class/infiniband/gone/node_guid": "0\n"})))

    assert len(lines) == 4
    assert not any("gone" in line for line in lines)


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("state", "ACTIVE\n", "ports/1/state: expected a state such as 4: ACTIVE"),
        ("rate", "fast\n", "ports/1/rate: expected a rate such as 40 Gb/sec"),
        ("counters/link_downed", "often\n", "ports/1/counters/link_downed: expected a number, got 'often'"),
    ],
)
def test_a_malformed_file_is_named(file: str, text: str, problem: str, host: Host, series: Series) -> None:
    with pytest.raises(ValueError, match=problem):
        series(infiniband.collect(host(FILES | {f"{PORT}/{file}": text})))


def test_a_host_without_adapters_has_no_such_source(host: Host, series: Series) -> None:
    with pytest.raises(NoDataError):
        series(infiniband.collect(host({})))
