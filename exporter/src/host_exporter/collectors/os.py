"""What the distribution is called, and until when it is supported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from host_exporter.collector import Collect, Collector, NoDataError, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.os_release import parse_os_release

_FILES = ("etc/os-release", "usr/lib/os-release")
_LABELS = (
    "build_id",
    "id",
    "id_like",
    "image_id",
    "image_version",
    "name",
    "pretty_name",
    "variant",
    "variant_id",
    "version",
    "version_codename",
    "version_id",
)
_VARIABLES = tuple(label.upper() for label in _LABELS)
INFO = Family(
    "node_os_info",
    "gauge",
    f"A metric with a constant '1' value labeled by {', '.join(_LABELS)}.",
    _LABELS,
)
VERSION = Family(
    "node_os_version",
    "gauge",
    "Metric containing the major.minor part of the OS version.",
    ("id", "id_like", "name"),
)
SUPPORT_END = Family(
    "node_os_support_end_timestamp_seconds",
    "gauge",
    "Metric containing the end-of-life date timestamp of the OS.",
)
FAMILIES = (INFO, VERSION, SUPPORT_END)

_NUMBER = re.compile(r"\d+\.?\d*", re.ASCII)


def make(_settings: Settings) -> Collect:
    """Reads the file at each scrape, for an upgrade of the host replaces it, and parses it when it changed."""
    values = lru_cache(maxsize=1)(lambda text: tuple(_values(text)))
    return lambda paths: values(_text(paths))


def _values(text: str) -> Iterator[Value]:
    """One series whose labels are the facts, and the numbers among them; a fact that is missing is empty."""
    known = parse_os_release(text)
    yield INFO, tuple(known.get(variable, "") for variable in _VARIABLES), 1
    number = _NUMBER.match(known.get("VERSION_ID", ""))
    version = float(number[0]) if number else 0
    if version > 0:
        yield VERSION, (known.get("ID", ""), known.get("ID_LIKE", ""), known.get("NAME", "")), version
    day = known.get("SUPPORT_END")
    if day:
        yield SUPPORT_END, (), datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()


def _text(paths: HostPaths) -> str:
    for file in _FILES:
        try:
            return paths.read_replaced(file)
        except FileNotFoundError:
            continue
    raise NoDataError(f"the host has neither {' nor '.join(_FILES)}")


COLLECTOR = Collector(FAMILIES, make)
