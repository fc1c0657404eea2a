"""The time that each CPU spent in each mode."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.stat import CPU_MODES, USER_HZ, parse_cpu_times

_LABELS = ("cpu", "mode")
SECONDS = Family("node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode.", _LABELS)
GUEST_SECONDS = Family(
    "node_cpu_guest_seconds_total",
    "counter",
    "Seconds the CPUs spent in guests (VMs) for each mode.",
    _LABELS,
)
FAMILIES = (SECONDS, GUEST_SECONDS)

_GUEST_MODES = {"guest": "user", "guest_nice": "nice"}
_COLUMNS = tuple(
    (GUEST_SECONDS if mode in _GUEST_MODES else SECONDS, _GUEST_MODES.get(mode, mode)) for mode in CPU_MODES
)


def collect(paths: HostPaths) -> Iterator[Value]:
    """One series for each CPU and mode. Guest time is in ``user`` and ``nice`` too: do not add them up."""
    for cpu, times in parse_cpu_times(paths.read("stat")).items():
        # Older kernels have fewer modes, and those are all they tell.
        for (family, mode), ticks in zip(_COLUMNS, times, strict=False):
            yield family, (cpu, mode), ticks / USER_HZ


COLLECTOR = Collector(FAMILIES, unset(collect))
