from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collector import NoDataError, SettingError
from host_exporter.collectors import ipvs
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

FILES = {
    "proc/1/net/ip_vs_stats": "heading\nheading\n 16AA370 E33656E5        0     51D8C8883AB3   1\n\n",
    "proc/1/net/ip_vs": """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0A80016:0CEA wlc
  -> C0A85216:0CEA      Tunnel  100    248        2
  -> C0A85318:0CEA      Tunnel  50     24         3
FWM  10001000 wlc
  -> C0A85216:0CEA      Tunnel  20     64         1
""",
}
TOTALS = [
    "node_ipvs_connections_total 23765872",
    "node_ipvs_incoming_bytes_total 89991519156915",
    "node_ipvs_incoming_packets_total 3811989221",
    "node_ipvs_outgoing_bytes_total 1",
    "node_ipvs_outgoing_packets_total 0",
]


def backends(name: str, *numbers: int) -> list[str]:
    tcp = 'local_address="192.168.0.22",local_mark="",local_port="3306",proto="TCP"'
    mark = 'local_address="",local_mark="10001000",local_port="0",proto="FWM"'
    servers = (
        (mark, "192.168.82.22"),
        (tcp, "192.168.82.22"),
        (tcp, "192.168.83.24"),
    )
    return [
        f'node_ipvs_backend_{name}{{{service},remote_address="{address}",remote_port="3306"}} {number}'
        for (service, address), number in zip(servers, numbers, strict=True)
    ]


def test_totals_and_each_server_are_shown(host: Host, series: Series) -> None:
    assert series(ipvs.COLLECTOR.made("ipvs")(host(FILES))) == [
        *backends("connections_active", 64, 248, 24),
        *backends("connections_inactive", 1, 2, 3),
        *backends("weight", 20, 100, 50),
        *TOTALS,
    ]


def test_servers_that_the_labels_do_not_tell_apart_are_summed_up(host: Host, series: Series) -> None:
    collect = ipvs.COLLECTOR.made("ipvs", {"backend-labels": "proto,local_address,"})

    lines = series(collect(host(FILES)))

    assert [line for line in lines if "_active" in line] == [
        'node_ipvs_backend_connections_active{local_address="",proto="FWM"} 64',
        'node_ipvs_backend_connections_active{local_address="192.168.0.22",proto="TCP"} 272',
    ]


def test_an_unknown_label_is_told_at_start() -> None:
    with pytest.raises(SettingError, match=r"--collector\.ipvs\.backend-labels: .* got colour"):
        ipvs.COLLECTOR.made("ipvs", {"backend-labels": "proto,colour"})


def test_a_host_that_balances_no_load_has_no_such_source(host: Host, series: Series) -> None:
    with pytest.raises(NoDataError):
        series(ipvs.COLLECTOR.made("ipvs")(host({})))
