"""What the journal holds and the state applies.

Records hold totals and values, never increments, so that applying one twice changes nothing. Series are named
by a number that is unique within their push group; the first record that uses one carries its definition, and
a group's checkpoint repeats it, so that no record depends on one that was freed.
"""

from __future__ import annotations

import msgspec

from pushgateway_bridge.model.family import SeriesClass, SeriesKind
from pushgateway_bridge.model.labels import LabelSet, PushGroup


class SeriesDefinition(msgspec.Struct, frozen=True, array_like=True):
    """Which series the number *id* means from here on, within its group."""

    id: int
    family: str
    labels: LabelSet
    series_class: SeriesClass
    kind: SeriesKind = SeriesKind.VALUE
    created_ms: int = 0
    """When counting began (Unix), for a counter or histogram."""
    time_to_live_seconds: float = 0.0
    """After its last push; infinite: until it is deleted; 0: as its class says."""


class GroupDefinition(msgspec.Struct, frozen=True, array_like=True):
    """Which push group a number means, the dialect that made it, and when (Unix)."""

    labels: PushGroup
    dialect: str
    created_ms: int


class GroupChange(msgspec.Struct, frozen=True, array_like=True):
    """The new values of some series of one group, all at *timestamp_ms*."""

    group_id: int
    timestamp_ms: int
    reports: int
    """Reports of this group's source, this one included."""
    series_ids: tuple[int, ...]
    values: list[float]
    """Of values: the value. Of counters: the total."""
    definitions: list[SeriesDefinition] = []
    group: GroupDefinition | None = None
    """Set in the first record of a group."""
    histograms: list[tuple[int, list[float]]] = []
    """(series, totals)"""
    distinct: list[tuple[int, int]] = []
    """(series, keyed 64-bit hash of who was seen)"""
    replaced: list[int] = []
    """Series that go, as this takes their place."""


class Push(msgspec.Struct, frozen=True, array_like=True, tag="push"):
    """One accepted push, received at *received_ms* (Unix time)."""

    received_ms: int
    groups: list[GroupChange]


class Expiry(msgspec.Struct, frozen=True, array_like=True, tag="expiry"):
    """Series that were not pushed for longer than their time to live, and groups nobody reports any more."""

    received_ms: int
    series: list[tuple[int, list[int]]]
    """(group, series of it)"""
    groups: list[int] = []


class Deletion(msgspec.Struct, frozen=True, array_like=True, tag="deletion"):
    """Push groups that somebody deleted, with all their series."""

    received_ms: int
    groups: list[int]

    @property
    def series(self) -> list[tuple[int, list[int]]]:
        """No single series: as an expiry has."""
        return []


Change = Push | Expiry | Deletion
