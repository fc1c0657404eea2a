"""What a decoded body says, before anything is known of the state."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

import msgspec

from pushgateway_bridge.model.additions import Distinct, Increment, Observation
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import LabelSet, PushGroup
from pushgateway_bridge.model.reply import Reply

Shape = tuple[tuple[Family, LabelSet], ...]
"""Which series a report sets: family, and labels beyond the push group's.

Most pushers send the same series at every push. A dialect that gives them the same object each time saves all
later stages the work of finding each series again; an equal one is as right.
"""


BESIDE_OTHERS: Final = -1.0
"""The time to live of series that go when nothing else of their push group is left."""


class Replaces(enum.IntEnum):
    """What of its group a report takes the place of, beyond the series that it sets."""

    NOTHING = 0
    FAMILIES = 1
    """All series of the families that it sets: Pushgateway's POST."""
    GROUP = 2
    """All series of the group: Pushgateway's PUT."""


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """One item that is not stored, though others of its push are."""

    index: int
    """Of the item in the body, from 0."""
    reason: str
    """As of PushRejected: few, fixed, snake_case."""
    message: str
    """What the pusher is told."""


class GroupReport(msgspec.Struct, frozen=True, gc=False):
    """What is said of one push group. *timestamp_ms* is the pusher's clock, ``None`` if it sent none."""

    group: PushGroup
    shape: Shape = ()
    values: list[float] = []
    """One for each series of *shape*."""
    timestamp_ms: int | None = None
    increments: Sequence[Increment] = ()
    observations: Sequence[Observation] = ()
    distinct: Sequence[Distinct] = ()
    items: Sequence[int] = ()
    """Where items are refused one by one: the index of the item that each series of *shape* stands in."""
    series_class: SeriesClass | None = None
    """Of the series of *shape*; ``None``: as the dialect's."""
    time_to_live_seconds: float | None = None
    """How long the series of *shape* stay after their last push; infinite: until they are deleted. ``None``: as the
    class says."""
    replaces: Replaces = Replaces.NOTHING
    initial: Shape = ()
    """Series that are made with 0 if the group has them not; nothing replaces them, and they stay BESIDE_OTHERS."""


class Report(msgspec.Struct, frozen=True, gc=False):
    """One push: its groups, what of it was usable, and what the compatibility reads may show of it."""

    groups: Sequence[GroupReport] = ()
    accepted: int = 0
    """Items that gave something to store."""
    skipped: int = 0
    """Items that parsed but hold nothing to store, though their clients expect to be told that all is well."""
    skipped_values: int = 0
    """Values inside accepted items that make no sense: not a number, not finite, out of range."""
    entry: bytes | None = None
    """JSON for the bounded table of recent entries, already masked; ``None`` if the dialect has no such reads."""
    rejected: Sequence[Rejection] = ()
    """Items that decoding refused, where the dialect takes a push item by item."""
    events: Sequence[msgspec.Struct] = ()
    """What happened, where the dialect's tally says what becomes of it: *groups* is empty until that has."""
    deduplicated: int = 0
    """Items that were counted before."""
    timestamps_replaced: int = 0
    """Events whose own time is not believed, beyond the times of *groups*."""
    rescued: int = 0
    """Accepted items whose JSON was broken and could be read all the same."""
    sanitized: int = 0
    """Accepted items of which something private was blanked out."""
    answer: Reply | None = None
    """What the pusher is told, where that depends on the push and is known before it is stored."""
