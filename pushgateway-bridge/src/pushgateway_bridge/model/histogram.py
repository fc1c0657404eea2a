"""One observation → new totals of a histogram. Pure.

The totals of a histogram with n bounds are n + 3 numbers: cumulative buckets in order of their bounds, the
infinite one, the sum, the count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from pushgateway_bridge.model.text import format_value


def no_observations(buckets: Sequence[float]) -> list[float]:
    """The totals of a new histogram with the bounds *buckets*."""
    return [0.0] * (len(buckets) + 3)


def observe(totals: Sequence[float], buckets: Sequence[float], value: float) -> list[float]:
    """*totals* with *value* counted: in every bucket whose bound is at least *value*."""
    first = bisect_left(buckets, value)
    infinite = len(buckets)
    return [
        *totals[:first],
        *(count + 1 for count in totals[first : infinite + 1]),
        totals[infinite + 1] + value,
        totals[infinite + 2] + 1,
    ]


def line_names(name: str, buckets: Sequence[float]) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Sample name and own labels of each of the totals, in their order."""
    bounds = [*(format_value(bound) for bound in buckets), "+Inf"]
    return [
        *((f"{name}_bucket", (("le", bound),)) for bound in bounds),
        (f"{name}_sum", ()),
        (f"{name}_count", ()),
    ]
