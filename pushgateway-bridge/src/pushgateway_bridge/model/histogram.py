"""Counts observations in the totals of a histogram.

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


def count_in(totals: list[float], buckets: Sequence[float], value: float) -> None:
    """Count *value* in *totals*: in every bucket whose bound is at least *value*, in the sum and the count."""
    infinite = len(buckets)
    for index in range(bisect_left(buckets, value), infinite + 1):
        totals[index] += 1
    totals[infinite + 1] += value
    totals[infinite + 2] += 1


def line_names(name: str, buckets: Sequence[float]) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Sample name and own labels of each of the totals, in their order."""
    bounds = [*(format_value(bound) for bound in buckets), "+Inf"]
    return [
        *((f"{name}_bucket", (("le", bound),)) for bound in bounds),
        (f"{name}_sum", ()),
        (f"{name}_count", ()),
    ]
