"""The temperature of each thermal zone, and how far each cooling device is turned up."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.number import parse_number

FOLDER = "class/thermal"
ZONE, COOLING = "thermal_zone", "cooling_device"
MILLI = 1000

TEMPERATURE = Family("node_thermal_zone_temp", "gauge", "Zone temperature in Celsius", ("zone", "type"))
CURRENT = Family(
    "node_cooling_device_cur_state",
    "gauge",
    "Current throttle state of the cooling device",
    ("name", "type"),
)
MAXIMUM = Family(
    "node_cooling_device_max_state",
    "gauge",
    "Maximum throttle state of the cooling device",
    ("name", "type"),
)
IGNORED = frozenset({errno.ENOENT, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENODEV, errno.EOPNOTSUPP})
"""How a device answers that went, or that does not tell its state."""

FAMILIES = (TEMPERATURE, CURRENT, MAXIMUM)


def collect(paths: HostPaths) -> Iterator[Value]:
    """Degrees Celsius, and steps. A zone whose sensor gives nothing now is shown as 0, as node_exporter does."""
    try:
        folders = paths.names_sys(FOLDER)
    except FileNotFoundError:
        return
    for folder in folders:
        number = folder.removeprefix(ZONE)
        if number != folder and number[:1].isdecimal():
            kind, temperature = _zone(paths, f"{FOLDER}/{folder}")
            yield TEMPERATURE, (number, kind), temperature / MILLI
    for folder in folders:
        number = folder.removeprefix(COOLING)
        if number != folder and number[:1].isdecimal():
            yield from _cooling_device(paths, f"{FOLDER}/{folder}", number)


def _zone(paths: HostPaths, folder: str) -> tuple[str, int]:
    try:
        kind = paths.read_sys(f"{folder}/type").strip()
    except OSError:
        kind = ""
    try:
        return kind, int(paths.read_sys(f"{folder}/temp"))
    except (OSError, ValueError):
        return kind, 0


def _cooling_device(paths: HostPaths, folder: str, number: str) -> Iterator[Value]:
    try:
        kind = paths.read_sys(f"{folder}/type").strip()
        maximum = _state(paths, f"{folder}/max_state")
        current = _state(paths, f"{folder}/cur_state")
    except OSError as error:
        if error.errno in IGNORED:
            return
        raise
    yield CURRENT, (number, kind), current
    yield MAXIMUM, (number, kind), maximum


def _state(paths: HostPaths, file: str) -> int:
    return parse_number(paths.read_sys(file), file)


COLLECTOR = Collector(FAMILIES, unset(collect))
