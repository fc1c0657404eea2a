"""The host's clock, time zone and clock source."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths

SECONDS = Family("node_time_seconds", "gauge", "System time in seconds since epoch (1970).")
ZONE_OFFSET = Family(
    "node_time_zone_offset_seconds", "gauge", "System time zone offset in seconds.", ("time_zone",)
)
AVAILABLE = Family(
    "node_time_clocksource_available_info",
    "gauge",
    "Available clocksources read from '/sys/devices/system/clocksource'.",
    ("device", "clocksource"),
)
CURRENT = Family(
    "node_time_clocksource_current_info",
    "gauge",
    "Current clocksource read from '/sys/devices/system/clocksource'.",
    ("device", "clocksource"),
)
FAMILIES = (SECONDS, ZONE_OFFSET, AVAILABLE, CURRENT)

_DEVICE = "0"
"""The kernel registers one clock source device, and this is its number."""


def collect(
    paths: HostPaths,
    clock: Callable[[], float] = time.time,
    local_time: Callable[[float], time.struct_time] = time.localtime,
) -> Iterator[Value]:
    """The time in Unix seconds; the zone is this process's own. Clock sources only where sysfs tells them."""
    now = clock()
    yield SECONDS, (), now
    local = local_time(now)
    yield ZONE_OFFSET, (local.tm_zone,), local.tm_gmtoff
    directory = f"devices/system/clocksource/clocksource{_DEVICE}"
    for family, file in ((AVAILABLE, "available_clocksource"), (CURRENT, "current_clocksource")):
        try:
            names = paths.read_sys(f"{directory}/{file}").split()
        except FileNotFoundError:
            continue
        for name in names:
            yield family, (_DEVICE, name), 1


COLLECTOR = Collector(FAMILIES, unset(collect))
