from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import udp_queues
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
UDP = HEADING + "   0: 00000000:0016 00000000:0000 0A 00000015:00000001 00:00000000 00000000 0 0 2740 1 0 0\n"


def test_the_bytes_of_both_ip_versions_are_shown(host: Host, series: Series) -> None:
    assert series(udp_queues.collect(host({"proc/1/net/udp": UDP, "proc/1/net/udp6": HEADING}))) == [
        'node_udp_queues{ip="v4",queue="rx"} 1',
        'node_udp_queues{ip="v4",queue="tx"} 21',
        'node_udp_queues{ip="v6",queue="rx"} 0',
        'node_udp_queues{ip="v6",queue="tx"} 0',
    ]


def test_one_ip_version_may_be_missing(host: Host, series: Series) -> None:
    assert series(udp_queues.collect(host({"proc/1/net/udp": UDP}))) == [
        'node_udp_queues{ip="v4",queue="rx"} 1',
        'node_udp_queues{ip="v4",queue="tx"} 21',
    ]


def test_a_host_with_neither_has_no_such_source(host: Host, series: Series) -> None:
    with pytest.raises(NoDataError):
        series(udp_queues.collect(host({})))


def test_a_malformed_file_is_named(host: Host, series: Series) -> None:
    with pytest.raises(ValueError, match="net/udp6: expected tx_queue:rx_queue"):
        series(udp_queues.collect(host({"proc/1/net/udp6": HEADING + "0: 1 2\n"})))
