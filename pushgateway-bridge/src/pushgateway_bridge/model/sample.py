"""Samples and increments: what a push says of a series."""

from __future__ import annotations

import msgspec

from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value of one series. *labels* are those beyond the push group's; the time is the report's."""

    family: Family
    labels: LabelSet
    value: float
