"""All that a collector plugin may import of the exporter: docs/collector-plugins.md."""

from __future__ import annotations

from typing import Final

from host_exporter.collector import (
    Collect,
    Collector,
    NameFilter,
    NoDataError,
    Setting,
    SettingError,
    Settings,
    unset,
)
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths

API_VERSION: Final = 1
"""Goes up when something that a plugin may rely on goes away or means something else."""

TAKEN_VERSIONS: Final = frozenset({1})
"""For which versions plugins may be made that this exporter takes."""

__all__ = [
    "API_VERSION",
    "TAKEN_VERSIONS",
    "Collect",
    "Collector",
    "Family",
    "HostPaths",
    "NameFilter",
    "NoDataError",
    "Setting",
    "SettingError",
    "Settings",
    "Value",
    "unset",
]
