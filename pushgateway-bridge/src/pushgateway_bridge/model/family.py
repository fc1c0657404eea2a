"""Metric families, the classes of series, and what a series holds."""

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
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram that is counted here, ascending, without the infinite one."""


class SeriesClass(enum.IntEnum):
    """Who carries a series to Prometheus, and how long it stays. Fixed by the dialect, never by one push."""

    AGGREGATE = 0
    """Counted here: event counters, histograms, last-report times. Always scraped."""
    HELD = 1
    """Pushed rarely and must stay. Always scraped."""
    POINT = 2
    """What a host reports every few seconds; expires soon after its last report."""


class SeriesKind(enum.IntEnum):
    """What a series holds and how a push changes it."""

    VALUE = 0
    """A number that a push sets."""
    COUNTER = 1
    """A total that a push adds to."""
    HISTOGRAM = 2
    """Totals of observations: cumulative buckets, sum, count."""
    DISTINCT = 3
    """How many different things were seen in the last hour, day, week and month."""
