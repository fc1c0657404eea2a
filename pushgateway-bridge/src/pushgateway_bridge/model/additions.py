"""What a push adds to a series: an amount, something observed, somebody seen.

*labels* are those beyond the push group's. Values that a push sets are in the report itself: see model/report.py.
"""

from __future__ import annotations

import msgspec

from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet


class Increment(msgspec.Struct, frozen=True, gc=False):
    """An *amount*, finite and at least zero, to add to a counter series."""

    family: Family
    labels: LabelSet
    amount: float


class Observation(msgspec.Struct, frozen=True, gc=False):
    """A finite *value* to count in the histogram of *family*, which has buckets."""

    family: Family
    labels: LabelSet
    value: float


class Distinct(msgspec.Struct, frozen=True, gc=False):
    """Somebody was seen. *hash64* is a keyed hash (64 bits, unsigned) of who, which is all that is kept."""

    family: Family
    labels: LabelSet
    hash64: int
