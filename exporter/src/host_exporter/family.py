"""What a collector declares and what it yields: families, and values of them. Formats do not matter here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "untyped", "histogram", "summary"]


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """All series of one metric name. Equal only to itself, so that it is a cheap key at every value.

    A counter's name ends in ``_total``; a label's value stands at the label's place in ``labels``.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    sparse: bool = False
    """A label whose value is empty is left out, where each series has its own set of labels."""
    free: bool = False
    """A series tells its own labels, as ``(suffix, name, value, name, value, …)``; *labels* says nothing.

    The suffix comes after the family's name, as in ``_bucket``. For what others wrote, and for histograms and
    summaries, whose buckets' bounds and quantiles are written as Go writes such numbers (``1``, ``1e+06``).
    All series of one label set follow each other, a histogram's buckets by their bounds.
    """
    created_of: Family | None = None
    """These are the creation times of that family's series: in OpenMetrics a part of it, in text a gauge.

    Both are *free*. A series' creation time follows the series, without a suffix in its labels.
    """


Value: TypeAlias = tuple[Family, tuple[str, ...], float]
"""One series' number at a scrape: its family, the values of the family's labels, the number.

A plain tuple, because a scrape makes hundreds and a named one costs four times as much.
"""
