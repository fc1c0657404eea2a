"""How many tasks hung, waiting for something that did not come."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.number import parse_number

TASKS = Family(
    "node_kernel_hung_tasks_total",
    "counter",
    "Total number of tasks that have been detected as hung since the system booted.",
)
FAMILIES = (TASKS,)

_FILE = "hung_task_detect_count"


def collect(paths: HostPaths) -> Iterator[Value]:
    """One series without labels, where the kernel looks for such tasks and counts them (Linux 6.13)."""
    try:
        text = paths.read(f"sys/kernel/{_FILE}")
    except FileNotFoundError as error:
        raise NoDataError(f"this kernel has no {_FILE}") from error
    yield TASKS, (), parse_number(text, _FILE)


COLLECTOR = Collector(FAMILIES, unset(collect))
