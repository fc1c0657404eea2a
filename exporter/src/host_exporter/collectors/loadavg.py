"""How many tasks run or wait for the disk."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.loadavg import parse_loadavg

FAMILIES = tuple(Family(f"node_load{m}", "gauge", f"{m}m load average.") for m in (1, 5, 15))


def collect(paths: HostPaths) -> Iterator[Value]:
    """Three gauges without labels; the unit is tasks.

    Not divided by the number of CPUs: a query can do that.
    """
    load = parse_loadavg(paths.read("loadavg"))
    for family, value in zip(FAMILIES, load, strict=True):
        yield family, (), value


COLLECTOR = Collector(FAMILIES, unset(collect))
