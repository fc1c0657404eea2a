from __future__ import annotations

import resource
from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collectors import sockstat
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

IPV4 = """\
sockets: used 229
TCP: inuse 4 orphan 0 tw 5 alloc 17 mem 3
UDP: inuse 1 mem 0
FRAG: inuse 0 memory 9
MADEUP: inuse 2
"""
PAGE_BYTES = resource.getpagesize()


def test_sockets_of_both_ip_versions_are_shown_and_memory_in_bytes_too(host: Host, series: Series) -> None:
    paths = host(
        {"proc/1/net/sockstat": IPV4, "proc/1/net/sockstat6": "TCP6: inuse 6\nFRAG6: inuse 0 memory 7\n"}
    )

    assert series(sockstat.collect(paths)) == [
        "node_sockstat_FRAG6_inuse 0",
        "node_sockstat_FRAG6_memory 7",
        "node_sockstat_FRAG_inuse 0",
        "node_sockstat_FRAG_memory 9",
        "node_sockstat_TCP6_inuse 6",
        "node_sockstat_TCP_alloc 17",
        "node_sockstat_TCP_inuse 4",
        "node_sockstat_TCP_mem 3",
        f"node_sockstat_TCP_mem_bytes {3 * PAGE_BYTES}",
        "node_sockstat_TCP_orphan 0",
        "node_sockstat_TCP_tw 5",
        "node_sockstat_UDP_inuse 1",
        "node_sockstat_UDP_mem 0",
        "node_sockstat_UDP_mem_bytes 0",
        "node_sockstat_sockets_used 229",
    ]


def test_a_kernel_without_ip_shows_nothing_and_that_is_no_error(host: Host, series: Series) -> None:
    assert series(sockstat.collect(host({}))) == []


def test_a_malformed_file_is_named(host: Host, series: Series) -> None:
    with pytest.raises(ValueError, match="net/sockstat6: expected pairs"):
        series(sockstat.collect(host({"proc/1/net/sockstat6": "TCP6: inuse\n"})))
