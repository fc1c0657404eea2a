"""What is exposed of the host: one source per file, named as its flag and its ``collector`` label."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from host_exporter.collectors import (
    cpu,
    diskstats,
    filesystem,
    loadavg,
    meminfo,
    netdev,
    stat,
    time,
    uname,
)
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths

Collect: TypeAlias = Callable[[HostPaths], Iterable[Value]]


class Collector(NamedTuple):
    """A source: what reads it, whether it is on unless told otherwise, and all families it may yield."""

    collect: Collect
    on_by_default: bool
    families: tuple[Family, ...]


COLLECTORS: dict[str, Collector] = {
    "cpu": Collector(cpu.collect, True, cpu.FAMILIES),
    "diskstats": Collector(diskstats.collect, True, diskstats.FAMILIES),
    "filesystem": Collector(filesystem.collect, True, filesystem.FAMILIES),
    "loadavg": Collector(loadavg.collect, True, loadavg.FAMILIES),
    "meminfo": Collector(meminfo.collect, True, meminfo.FAMILIES),
    "netdev": Collector(netdev.collect, True, netdev.FAMILIES),
    "stat": Collector(stat.collect, True, stat.FAMILIES),
    "time": Collector(time.collect, True, time.FAMILIES),
    "uname": Collector(uname.collect, True, uname.FAMILIES),
}
