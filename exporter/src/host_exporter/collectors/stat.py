"""Counts of the whole kernel: boot time, context switches, interrupts, forks, tasks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from host_exporter.collector import Collect, Collector, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.stat import parse_counts, parse_softirqs

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
SOFTIRQS = Family("node_softirqs_total", "counter", "Number of softirq calls.", ("vector",))
FAMILIES = (*_FAMILY_OF.values(), SOFTIRQS)


def collect(paths: HostPaths, softirqs: bool = False) -> Iterator[Value]:
    """Six series without labels, and one for each kind of soft interrupt; what the kernel does not tell is out."""
    text = paths.read("stat")
    counts = parse_counts(text)
    for name, family in _FAMILY_OF.items():
        if name in counts:
            yield family, (), counts[name]
    if softirqs:
        for vector, count in parse_softirqs(text).items():
            yield SOFTIRQS, (vector,), count


def make(settings: Settings) -> Collect:
    """Soft interrupts only where they were asked for."""
    return partial(collect, softirqs=settings.switch("softirq"))


COLLECTOR = Collector(
    FAMILIES, make, (Setting("softirq", False, "Show node_softirqs_total, one series for each vector."),)
)
