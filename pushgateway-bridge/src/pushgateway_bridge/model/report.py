"""What a decoded body says, before anything is known of the state."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pushgateway_bridge.model.additions import Distinct, Increment, Observation
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet, PushGroup

Shape = tuple[tuple[Family, LabelSet], ...]
"""Which series a report sets: family, and labels beyond the push group's.

Most pushers send the same series at every push. A dialect that gives them the same object each time saves all
later stages the work of finding each series again; an equal one is as right.
"""


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
