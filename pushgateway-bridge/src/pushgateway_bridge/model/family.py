"""Metric families and the three classes of series."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

MetricType = Literal["counter", "gauge", "histogram", "summary", "info", "unknown"]


class Family(msgspec.Struct, frozen=True, gc=False):
    """All series of one metric name. *name* is the name as exposed, with ``_total`` where it is a counter."""

    name: str
    type: MetricType
    help: str
    unit: str = ""


class SeriesClass(enum.IntEnum):
    """Who carries a series to Prometheus, and how long it stays. Fixed by the dialect, never by one push."""

    AGGREGATE = 0
    """Counted here: event counters, histograms, last-report times. Always scraped."""
    HELD = 1
    """Pushed rarely and must stay. Always scraped."""
    POINT = 2
    """What a host reports every few seconds; expires soon after its last report."""
