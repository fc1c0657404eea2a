from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import conntrack
from host_exporter.family import Value
from host_exporter.paths import HostPaths

Host = Callable[[Mapping[str, str]], HostPaths]
Series = Callable[[Iterable[Value]], list[str]]

FILES = {
    "proc/sys/net/netfilter/nf_conntrack_count": "123\n",
    "proc/sys/net/netfilter/nf_conntrack_max": "65536\n",
    "proc/1/net/stat/nf_conntrack": "entries found invalid ignore insert insert_failed drop early_drop "
    "search_restart\n7b 1 2 3 4 5 6 7 8\n7b 10 20 30 40 50 60 70 80\n",
}


def test_the_table_and_the_sums_over_all_cpus_are_shown(host: Host, series: Series) -> None:
    assert series(conntrack.collect(host(FILES))) == [
        "node_nf_conntrack_entries 123",
        "node_nf_conntrack_entries_limit 65536",
        f"node_nf_conntrack_stat_drop {0x66}",
        f"node_nf_conntrack_stat_early_drop {0x77}",
        f"node_nf_conntrack_stat_found {0x11}",
        f"node_nf_conntrack_stat_ignore {0x33}",
        f"node_nf_conntrack_stat_insert {0x44}",
        f"node_nf_conntrack_stat_insert_failed {0x55}",
        f"node_nf_conntrack_stat_invalid {0x22}",
        f"node_nf_conntrack_stat_search_restart {0x88}",
    ]


@pytest.mark.parametrize("missing", FILES)
def test_a_host_that_tracks_no_connections_has_no_such_source(
    missing: str, host: Host, series: Series
) -> None:
    files = {name: text for name, text in FILES.items() if name != missing}

    with pytest.raises(NoDataError):
        series(conntrack.collect(host(files)))
