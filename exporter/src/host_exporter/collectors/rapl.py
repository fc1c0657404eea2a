"""The energy that processors and memory have taken, as they count it themselves (RAPL)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from host_exporter.collector import Collect, Collector, NoDataError, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.number import parse_number
from host_exporter.procfs.powercap import metric_part, zone_name

FOLDER = "class/powercap"
MICRO = 1_000_000
DOCUMENTED_ZONES = ("core", "dram", "package", "psys", "uncore")

JOULES = Family(
    "node_rapl_joules_total", "counter", "Current RAPL value in joules", ("index", "path", "rapl_zone")
)


@cache  # as many as the host's zones have names
def zone_family(zone: str) -> Family:
    """The family of the zones with that name."""
    return Family(
        f"node_rapl_{metric_part(zone)}_joules_total",
        "counter",
        f"Current RAPL {zone} value in joules",
        ("index", "path"),
    )


FAMILIES = (JOULES, *(zone_family(zone) for zone in DOCUMENTED_ZONES))
"""With the kernel's documented zones; the firmware may have others, which have families of their own."""

SETTINGS = (
    Setting(
        "enable-zone-label", default=False, help="One family with the zone as label, not a family for each."
    ),
)


def make(settings: Settings) -> Collect:
    """With or without the zone as a label."""
    return collect_labelled if settings.switch("enable-zone-label") else collect


def collect(paths: HostPaths) -> Iterator[Value]:
    """Joules of each zone, in a family for each name."""
    for zone, index, path, joules in _zones(paths):
        yield zone_family(zone), (index, path), joules


def collect_labelled(paths: HostPaths) -> Iterator[Value]:
    """Joules of each zone, in one family."""
    for zone, index, path, joules in _zones(paths):
        yield JOULES, (index, path, zone), joules


def _zones(paths: HostPaths) -> Iterator[tuple[str, str, str, float]]:
    """Name, number, folder and joules of each zone. The kernel lets only root read the energy: NoDataError."""
    used: dict[str, int] = {}
    sysfs = paths.sysfs
    try:
        for folder in paths.names_sys(FOLDER):
            zone = f"{FOLDER}/{folder}"
            try:
                name, index = zone_name(paths.read_sys(f"{zone}/name"), used)
            except OSError:
                continue  # what holds the zones of one kind is no zone
            energy = parse_number(paths.read_sys(f"{zone}/energy_uj"), f"{zone}/energy_uj")
            yield name, str(index), f"{sysfs}/{zone}", energy / MICRO
    except FileNotFoundError as error:
        raise NoDataError("no energy counters") from error
    except PermissionError as error:
        raise NoDataError("only root may read the energy counters") from error


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
