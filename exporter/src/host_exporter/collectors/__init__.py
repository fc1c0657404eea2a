"""What is exposed of the host: one source per file, named as its flag and its ``collector`` label."""

from __future__ import annotations

from host_exporter.collector import Collector
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

COLLECTORS: dict[str, Collector] = {
    "cpu": cpu.COLLECTOR,
    "diskstats": diskstats.COLLECTOR,
    "filesystem": filesystem.COLLECTOR,
    "loadavg": loadavg.COLLECTOR,
    "meminfo": meminfo.COLLECTOR,
    "netdev": netdev.COLLECTOR,
    "stat": stat.COLLECTOR,
    "time": time.COLLECTOR,
    "uname": uname.COLLECTOR,
}
"""In the order of their names, which is the order of an exposition."""
