"""Memory errors that were corrected, and those that were not, by memory controller and row of chips."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.number import parse_number

FOLDER = "devices/system/edac/mc"
UNKNOWN_ROW = "unknown"

CORRECTABLE = Family(
    "node_edac_correctable_errors_total", "counter", "Total correctable memory errors.", ("controller",)
)
UNCORRECTABLE = Family(
    "node_edac_uncorrectable_errors_total", "counter", "Total uncorrectable memory errors.", ("controller",)
)
ROW_CORRECTABLE = Family(
    "node_edac_csrow_correctable_errors_total",
    "counter",
    "Total correctable memory errors for this csrow.",
    ("controller", "csrow"),
)
ROW_UNCORRECTABLE = Family(
    "node_edac_csrow_uncorrectable_errors_total",
    "counter",
    "Total uncorrectable memory errors for this csrow.",
    ("controller", "csrow"),
)
FAMILIES = (CORRECTABLE, UNCORRECTABLE, ROW_CORRECTABLE, ROW_UNCORRECTABLE)


def collect(paths: HostPaths) -> Iterator[Value]:
    """Counts since the driver was loaded; errors that no row can be blamed for are row ``unknown``."""
    try:
        names = paths.names_sys(FOLDER)
    except FileNotFoundError:
        return
    for controller in _numbers(names, "mc"):
        folder = f"{FOLDER}/mc{controller}"
        yield CORRECTABLE, (controller,), _count(paths, f"{folder}/ce_count")
        yield ROW_CORRECTABLE, (controller, UNKNOWN_ROW), _count(paths, f"{folder}/ce_noinfo_count")
        yield UNCORRECTABLE, (controller,), _count(paths, f"{folder}/ue_count")
        yield ROW_UNCORRECTABLE, (controller, UNKNOWN_ROW), _count(paths, f"{folder}/ue_noinfo_count")
        for row in _numbers(paths.names_sys(folder), "csrow"):
            yield ROW_CORRECTABLE, (controller, row), _count(paths, f"{folder}/csrow{row}/ce_count")
            yield ROW_UNCORRECTABLE, (controller, row), _count(paths, f"{folder}/csrow{row}/ue_count")


def _numbers(names: list[str], prefix: str) -> Iterator[str]:
    """The numbers in those of *names* that are *prefix* and a number."""
    for name in names:
        number = name.removeprefix(prefix)
        if number != name and number.isdecimal():
            yield number


def _count(paths: HostPaths, file: str) -> int:
    return parse_number(paths.read_sys(file), file)


COLLECTOR = Collector(FAMILIES, unset(collect))
