"""How long tasks ran on each CPU and waited for it."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.schedstat import parse_schedstat

RUNNING = Family(
    "node_schedstat_running_seconds_total",
    "counter",
    "Number of seconds CPU spent running a process.",
    ("cpu",),
)
WAITING = Family(
    "node_schedstat_waiting_seconds_total",
    "counter",
    "Number of seconds spent by processing waiting for this CPU.",
    ("cpu",),
)
TIMESLICES = Family(
    "node_schedstat_timeslices_total", "counter", "Number of timeslices executed by CPU.", ("cpu",)
)
FAMILIES = (RUNNING, WAITING, TIMESLICES)

NANOSECONDS = 1_000_000_000


def collect(paths: HostPaths) -> Iterator[Value]:
    """Three counters of each CPU, where the kernel keeps them (``CONFIG_SCHEDSTATS``)."""
    try:
        text = paths.read("schedstat")
    except FileNotFoundError as error:
        raise NoDataError("this kernel has no schedstat") from error
    for schedule in parse_schedstat(text):
        labels = (schedule.cpu,)
        yield RUNNING, labels, schedule.running_ns / NANOSECONDS
        yield WAITING, labels, schedule.waiting_ns / NANOSECONDS
        yield TIMESLICES, labels, schedule.timeslices


COLLECTOR = Collector(FAMILIES, unset(collect))
