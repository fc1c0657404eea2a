"""Counts of the whole kernel: boot time, context switches, interrupts, forks, tasks."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.stat import parse_counts

_FAMILY_OF = {
    "intr": Family("node_intr_total", "counter", "Total number of interrupts serviced."),
    "ctxt": Family("node_context_switches_total", "counter", "Total number of context switches."),
    "processes": Family("node_forks_total", "counter", "Total number of forks."),
    "btime": Family("node_boot_time_seconds", "gauge", "Node boot time, in unixtime."),
    "procs_running": Family("node_procs_running", "gauge", "Number of processes in runnable state."),
    "procs_blocked": Family(
        "node_procs_blocked", "gauge", "Number of processes blocked waiting for I/O to complete."
    ),
}
FAMILIES = tuple(_FAMILY_OF.values())


def collect(paths: HostPaths) -> Iterator[Value]:
    """Six series without labels; one that the kernel does not tell is left out."""
    counts = parse_counts(paths.read("stat"))
    for name, family in _FAMILY_OF.items():
        if name in counts:
            yield family, (), counts[name]


COLLECTOR = Collector(FAMILIES, unset(collect))
