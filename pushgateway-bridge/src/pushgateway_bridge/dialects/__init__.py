"""What each family of clients speaks. The table is the feature list."""

from pushgateway_bridge.dialects import pixeltracker, pushgateway, samples
from pushgateway_bridge.dialects.dialect import Dialect

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (pixeltracker.DIALECT, pushgateway.DIALECT, samples.DIALECT)
}
