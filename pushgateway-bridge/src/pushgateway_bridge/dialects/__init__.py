"""What each family of clients speaks. The table is the feature list."""

from pushgateway_bridge.dialects import (
    mapped,
    minigem,
    pixeltracker,
    proxmoxve,
    pushgateway,
    samples,
    statix,
    statusmonitor,
)
from pushgateway_bridge.dialects.dialect import Dialect

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        pixeltracker.DIALECT,
        statusmonitor.DIALECT,
        statix.DIALECT,
        minigem.DIALECT,
        proxmoxve.DIALECT,
        pushgateway.DIALECT,
        samples.DIALECT,
        mapped.DIALECT,
    )
}
