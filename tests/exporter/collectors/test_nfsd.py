from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import nfsd
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

NFSD = """\
rc 1 6 18622
fh 2 0 0 0 0
io 157286400 72864
th 8 0 0.000 0.125
ra 32 0 0 0 0 0 0 0 0 0 0 33
net 972 55 917 1
rpc 18628 3 11 22 33
proc2 18 100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117
proc3 22 200 201 202 203 204 205 206 207 208 209 210 211 212 213 214 215 216 217 218 219 220 221
proc4 2 2 10853
wdeleg_getattr 15
"""


def proc4ops(operations: int) -> str:
    """Its line: each operation was asked for as often as its number says."""
    return f"proc4ops {operations} {' '.join(str(number) for number in range(operations))}\n"


def test_what_the_server_counts_is_shown(host: Host, series: Series) -> None:
    lines = series(nfsd.collect(host({"proc/1/net/rpc/nfsd": NFSD + proc4ops(72)})))

    requests = {
        line.removeprefix("node_nfsd_requests_total") for line in lines if "node_nfsd_requests_total" in line
    }
    assert [line for line in lines if "node_nfsd_requests_total" not in line] == [
        "node_nfsd_connections_total 1",
        "node_nfsd_disk_bytes_read_total 157286400",
        "node_nfsd_disk_bytes_written_total 72864",
        "node_nfsd_file_handles_stale_total 2",
        'node_nfsd_packets_total{proto="tcp"} 917',
        'node_nfsd_packets_total{proto="udp"} 55',
        "node_nfsd_read_ahead_cache_not_found_total 33",
        "node_nfsd_read_ahead_cache_size_blocks 32",
        "node_nfsd_reply_cache_hits_total 1",
        "node_nfsd_reply_cache_misses_total 6",
        "node_nfsd_reply_cache_nocache_total 18622",
        'node_nfsd_rpc_errors_total{error="auth"} 22',
        'node_nfsd_rpc_errors_total{error="cInt"} 33',
        'node_nfsd_rpc_errors_total{error="fmt"} 11',
        "node_nfsd_server_rpcs_total 18628",
        "node_nfsd_server_threads 8",
    ]
    # Operations have their numbers of RFC 7530, section 16.
    assert {
        '{method="GetAttr",proto="2"} 101',
        '{method="FsStat",proto="2"} 117',
        '{method="GetAttr",proto="3"} 201',
        '{method="Commit",proto="3"} 221',
        '{method="Access",proto="4"} 3',
        '{method="PutFH",proto="4"} 22',
        '{method="Read",proto="4"} 25',
        '{method="RelLockOwner",proto="4"} 39',
        '{method="WdelegGetattr",proto="4"} 15',
    } <= requests
    assert len(requests) == 17 + 21 + 35 + 1


def test_the_same_series_are_there_where_the_kernel_counts_less(host: Host, series: Series) -> None:
    """Current kernels have no ``ra``, old ones end before RelLockOwner and have no ``wdeleg_getattr``."""
    lines = series(nfsd.collect(host({"proc/1/net/rpc/nfsd": proc4ops(39)})))

    assert len(lines) == 16 + 17 + 21 + 35 + 1
    assert 'node_nfsd_requests_total{method="Write",proto="4"} 38' in lines
    assert 'node_nfsd_requests_total{method="RelLockOwner",proto="4"} 0' in lines


def test_a_host_that_serves_no_nfs_has_no_such_source(host: Host, series: Series) -> None:
    with pytest.raises(NoDataError):
        series(nfsd.collect(host({})))


def test_a_malformed_file_is_named(host: Host, series: Series) -> None:
    with pytest.raises(ValueError, match="net/rpc/nfsd: expected one of rc, fh"):
        series(nfsd.collect(host({"proc/1/net/rpc/nfsd": "what 1 2\n"})))
