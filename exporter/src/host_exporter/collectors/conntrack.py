"""How many connections netfilter tracks, how many it may, and what came of its searches."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.conntrack import sum_conntrack

ENTRIES = Family(
    "node_nf_conntrack_entries",
    "gauge",
    "Number of currently allocated flow entries for connection tracking.",
)
LIMIT = Family("node_nf_conntrack_entries_limit", "gauge", "Maximum size of connection tracking table.")
_HELP = {
    "found": "Number of searched entries which were successful.",
    "invalid": "Number of packets seen which can not be tracked.",
    "ignore": "Number of packets seen which are already connected to a conntrack entry.",
    "insert": "Number of entries inserted into the list.",
    "insert_failed": "Number of entries for which list insertion was attempted but failed.",
    "drop": "Number of packets dropped due to conntrack failure.",
    "early_drop": "Number of dropped conntrack entries to make room for new ones, "
    "if maximum table size was reached.",
    "search_restart": "Number of conntrack table lookups which had to be restarted due to hashtable resizes.",
}
_FAMILY_OF = {
    name: Family(f"node_nf_conntrack_stat_{name}", "gauge", help_text) for name, help_text in _HELP.items()
}
FAMILIES = (ENTRIES, LIMIT, *_FAMILY_OF.values())


def collect(paths: HostPaths) -> Iterator[Value]:
    """The table's size and limit, and sums over all CPUs. Without the kernel's module there is no such source."""
    try:
        entries = paths.read("sys/net/netfilter/nf_conntrack_count")
        limit = paths.read("sys/net/netfilter/nf_conntrack_max")
        statistics = paths.read_network("stat/nf_conntrack")
    except FileNotFoundError as error:
        raise NoDataError("connections are not tracked") from error
    yield ENTRIES, (), int(entries)
    yield LIMIT, (), int(limit)
    for name, count in sum_conntrack(statistics).items():
        yield _FAMILY_OF[name], (), count


COLLECTOR = Collector(FAMILIES, unset(collect))
