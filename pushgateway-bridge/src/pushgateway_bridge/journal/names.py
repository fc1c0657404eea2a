"""What the numbers of groups and series mean at a place in the journal.

A number is defined by the first record that uses it and again by its group's checkpoint row, so whoever reads
records from the oldest one on learns the definitions that pass and looks up the others. A number that expired may
be given anew after a restart: what a newer checkpoint row says of it holds only if no record between defines it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, assert_never

from pushgateway_bridge.model.change import (
    Change,
    Deletion,
    Expiry,
    GroupChange,
    GroupDefinition,
    Push,
    SeriesDefinition,
)

Definitions = Mapping[tuple[int, int | None], Sequence[int]]
"""The positions of the records that define a series, by group and series, or a group, by group and ``None``."""


class GroupRow(Protocol):
    """What is read of a checkpoint row."""

    @property
    def position(self) -> int:
        """The newest record that it includes."""
        ...

    @property
    def group(self) -> GroupDefinition: ...

    @property
    def definitions(self) -> Sequence[SeriesDefinition]: ...

    @property
    def numbers(self) -> Sequence[Sequence[float]]:
        """What each of the series holds."""
        ...


DecodeGroup = Callable[[bytes], GroupRow]
"""The body of a checkpoint row → its group; raises ValueError."""


class _Group:
    """What is known of one group."""

    __slots__ = ("definition", "expired", "series")

    def __init__(self, definition: GroupDefinition) -> None:
        self.definition = definition
        self.series: dict[int, SeriesDefinition] = {}
        self.expired: dict[int, int] = {}
        """Series that expired and the position of that."""


class Names:
    """Groups and series as of the change that was read last.

    *load_row* gives a group's checkpoint row, *find_definitions* what all records define; the latter is called at
    most once, and not unless it matters.
    """

    def __init__(
        self,
        load_row: Callable[[int], GroupRow | None],
        find_definitions: Callable[[], Definitions] = dict,
    ) -> None:
        self._load_row = load_row
        self._find_definitions = find_definitions
        self._definitions: Definitions | None = None
        self._position = 0
        self._groups: dict[int, _Group] = {}
        self._removed: dict[int, int] = {}

    def learn(self, change: Change, position: int) -> None:
        """Take the definitions of *change*; call it before asking about the change's own numbers."""
        self._position = position
        match change:
            case Push():
                for one in change.groups:
                    self._learn_group(one)
            case Expiry() | Deletion():
                pass
            case _:
                assert_never(change)

    def _learn_group(self, change: GroupChange) -> None:
        known = self._groups.get(change.group_id)
        if change.group is not None and (known is None or known.definition.labels != change.group.labels):
            known = self._groups[change.group_id] = _Group(change.group)
        if change.definitions:
            known = known or self._look_up(change.group_id)
        if known is not None:
            known.series.update((definition.id, definition) for definition in change.definitions)

    def forget(self, change: Change, position: int) -> None:
        """Drop what *change* removes; call it after asking about the change's own numbers."""
        if isinstance(change, Push):
            return
        for group_id, series_ids in change.series:
            known = self._groups.get(group_id)
            if known is not None:
                for series_id in series_ids:
                    known.series.pop(series_id, None)
                known.expired.update(dict.fromkeys(series_ids, position))
        for group_id in change.groups:
            self._groups.pop(group_id, None)
            self._removed[group_id] = position

    def group(self, group_id: int) -> GroupDefinition | None:
        """What a group's number means, ``None`` if nothing tells."""
        known = self._groups.get(group_id) or self._look_up(group_id)
        return None if known is None else known.definition

    def series(self, group_id: int, series_id: int) -> SeriesDefinition | None:
        """What a series' number means, ``None`` if nothing tells."""
        known = self._groups.get(group_id) or self._look_up(group_id)
        if known is None:
            return None
        if series_id not in known.series:
            self._look_up(group_id)
        return known.series.get(series_id)

    def removed_at(self, group_id: int) -> int | None:
        """The last position at which the group was removed, of those read."""
        return self._removed.get(group_id)

    def checkpointed_at(self, group_id: int) -> int:
        """The newest position that the group's checkpoint row includes, 0 if there is none."""
        row = self._load_row(group_id)
        return 0 if row is None else row.position

    def _look_up(self, group_id: int) -> _Group | None:
        """Add what the checkpoint row has now to what is known of the group."""
        known = self._groups.get(group_id)
        row = self._load_row(group_id)
        if row is None or row.position < self._removed.get(group_id, 0):
            return known
        if known is None:
            if self._defined_until(row.position, group_id, None):
                return None
            known = self._groups[group_id] = _Group(row.group)
        for definition in row.definitions:
            if (
                definition.id not in known.series
                and row.position >= known.expired.get(definition.id, 0)
                and not self._defined_until(row.position, group_id, definition.id)
            ):
                known.series[definition.id] = definition
        return known

    def _defined_until(self, position: int, group_id: int, series_id: int | None) -> bool:
        """Whether a record that was not read yet, up to *position*, says what the number means from there on."""
        if position <= self._position:
            return False
        if self._definitions is None:
            self._definitions = self._find_definitions()
        return any(self._position < at <= position for at in self._definitions.get((group_id, series_id), ()))


def definitions_of(change: Change) -> Iterator[tuple[int, int | None]]:
    """The keys in ``Definitions`` of what *change* defines."""
    if isinstance(change, Push):
        for one in change.groups:
            if one.group is not None:
                yield one.group_id, None
            for definition in one.definitions:
                yield one.group_id, definition.id
