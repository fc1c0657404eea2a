"""What is required of the exporter, as multiples of the peer's figures unless a line says otherwise."""

from __future__ import annotations

from bench.table import Target

SAME_COLLECTORS, SAME_COLLECTORS_AIM = Target("≤", 0.5), Target("≤", 0.25)
ALL_DEFAULTS, ALL_DEFAULTS_AIM = Target("≤", 0.7), Target("≤", 0.4)
SERIES = Target("≥", 1.0)
"""A cheap scrape that shows less would be no achievement."""

PACED, PACED_AIM = Target("≤", 0.5), Target("≤", 0.3)

IDLE_MS_PER_SECOND, IDLE_MS_PER_SECOND_AIM = Target("≤", 0.1), Target("≤", 0.0)
"""CPU; an absolute figure, as the peer's is next to nothing."""

MEMORY, MEMORY_AIM = Target("≤", 1.8), Target("≤", 1.2)
MEMORY_MIB = Target("≤", 40.0)
END_MS = Target("≤", 1000.0)
"""From SIGTERM to the end of the process."""
