from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import nfs
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

NFS = """\
net 70 60 50 45
rpc 1218785755 374636 1218815394
proc2 18 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118
proc3 22 201 202 203 204 205 206 207 208 209 210 211 212 213 214 215 216 217 218 219 220 221 222
proc4 4 401 402 403 404
"""


def test_what_the_client_counts_is_shown(host: Host, series: Series) -> None:
    lines = series(nfs.collect(host({"proc/1/net/rpc/nfs": NFS})))

    requests = {
        line.removeprefix("node_nfs_requests_total") for line in lines if "node_nfs_requests_total" in line
    }
    assert [line for line in lines if "node_nfs_requests_total" not in line] == [
        "node_nfs_connections_total 45",
        'node_nfs_packets_total{protocol="tcp"} 50',
        'node_nfs_packets_total{protocol="udp"} 60',
        "node_nfs_rpc_authentication_refreshes_total 1218815394",
        "node_nfs_rpc_retransmissions_total 374636",
        "node_nfs_rpcs_total 1218785755",
    ]
    assert {
        '{method="Null",proto="2"} 101',
        '{method="FsStat",proto="2"} 118',
        '{method="Null",proto="3"} 201',
        '{method="Commit",proto="3"} 222',
        '{method="Null",proto="4"} 401',
        '{method="Commit",proto="4"} 404',
    } <= requests


def test_methods_that_the_kernel_does_not_count_are_0_and_unknown_ones_left_out(
    host: Host, series: Series
) -> None:
    newer = " ".join(str(number) for number in range(1, 71))
    older = [*nfs.collect(host({"proc/1/net/rpc/nfs": "proc4 2 7 8\n"}))]
    lines = series(nfs.collect(host({"proc/1/net/rpc/nfs": f"proc4 70 {newer}\n"})))

    assert 'node_nfs_requests_total{method="Clone",proto="4"} 59' in lines
    assert len(older) == len(lines) == 3 + 3 + 18 + 22 + 59
    assert sum(number for _, _, number in older) == 7 + 8


def test_a_host_that_uses_no_nfs_has_no_such_source(host: Host, series: Series) -> None:
    with pytest.raises(NoDataError):
        series(nfs.collect(host({})))


def test_a_malformed_file_is_named(host: Host, series: Series) -> None:
    with pytest.raises(ValueError, match="net/rpc/nfs: expected another count"):
        series(nfs.collect(host({"proc/1/net/rpc/nfs": "net 1 2\n"})))
