"""What must be reached, and the data that it must be reached with."""

from __future__ import annotations

from typing import Final

from bench.table import Target

PANEL_MS: Final = Target("≤", 500)
"""All queries of one panel, one after the other."""
FIRST_PAINT_MS: Final = Target("≤", 1500)

HOSTS: Final = 100
DAYS: Final = 30
QUICK_HOSTS: Final = 10
QUICK_DAYS: Final = 2

STEP_SECONDS: Final = 300
"""Between two samples of a series, but for the newest."""
DENSE_STEP_SECONDS: Final = 5
DENSE_SECONDS: Final = 2 * 3600
"""The end, as a running stack has it: the last hour is asked for with rates over four minutes."""

RANGES: Final = {"1 h": 3600, "24 h": 86_400, "30 d": 30 * 86_400}
POINTS: Final = 600
"""Of a chart that does not say how many it wants: as many as half a wide page has pixels, about."""
