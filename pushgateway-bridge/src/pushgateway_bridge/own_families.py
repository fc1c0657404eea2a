"""The metric families that the dialects spoken here make: each has one type, whoever else pushes its name.

Without that, one untyped push of ``node_load1`` would keep every host from being taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pushgateway_bridge.dialects import (
    host_families,
    pixeltracker,
    statix,
    statix_series,
    statusmonitor,
)
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.tallies import minigem_families, proxmoxve_families

_MODULES: Final = (
    host_families,
    pixeltracker,
    statusmonitor,
    statix,
    statix_series,
    minigem_families,
    proxmoxve_families,
)
OWN_FAMILIES: Final[Mapping[str, Family]] = {
    family.name: family
    for module in _MODULES
    for family in vars(module).values()
    if isinstance(family, Family)
}
"""By name."""
