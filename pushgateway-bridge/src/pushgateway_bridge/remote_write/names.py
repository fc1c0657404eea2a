"""What the numbers in journalled changes mean to a remote: each series' labels, as they are sent.

Shared by all remotes. What leaves is forgotten when every remote has passed the record that says so.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from pushgateway_bridge.model.change import GroupDefinition, SeriesDefinition
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.labels import PushGroup
from pushgateway_bridge.remote_write.encode import Heads, head, label_bytes

Layout = tuple[Sequence[bytes], Sequence[int] | None]
"""The heads of the series that are sent, and where their values stand; ``None``: all of them, in this order."""


class GroupNames:
    """The series of one push group by number: the head of what is sent, ``None`` for what is scraped instead."""

    __slots__ = ("_ids", "_layout", "heads", "labels")

    def __init__(self, labels: PushGroup) -> None:
        self.labels = labels
        self.heads: dict[int, bytes | None] = {}
        self._ids: Sequence[int] = ()
        self._layout: Layout = ((), None)

    def define(self, definitions: Iterable[SeriesDefinition], external: Mapping[str, str]) -> None:
        """Learn what numbers mean."""
        for one in definitions:
            point = one.series_class is SeriesClass.POINT
            self.heads[one.id] = (
                head(label_bytes(one.family, self.labels, one.labels, external)) if point else None
            )
        self.forget_layout()

    def forget_layout(self) -> None:
        """Find out anew what of the next change is sent."""
        self._ids = ()

    def layout(self, ids: Sequence[int]) -> Layout:
        """What of the series *ids* is sent. Raises KeyError if one is unknown."""
        if ids != self._ids:
            heads = [self.heads[one] for one in ids]
            sent = Heads(one for one in heads if one is not None)
            where = None if len(sent) == len(heads) else [i for i, one in enumerate(heads) if one is not None]
            self._ids, self._layout = ids, (sent, where)
        return self._layout


class Names:
    """All groups. *external* labels go on every series that does not have them itself."""

    def __init__(self, external: Mapping[str, str]) -> None:
        self._external = external
        self._groups: dict[int, GroupNames] = {}
        self._departed: list[tuple[int, int, tuple[int, ...]]] = []
        """Position, group, and series of it, or none for the whole group: a heap."""
        self._departures: set[tuple[int, int, tuple[int, ...]]] = set()

    def __len__(self) -> int:
        return len(self._groups)

    def group(self, group_id: int) -> GroupNames | None:
        """What is known of a group."""
        return self._groups.get(group_id)

    def define(
        self, group_id: int, group: GroupDefinition | None, definitions: Sequence[SeriesDefinition]
    ) -> GroupNames | None:
        """Learn from a record or a checkpoint; ``None`` if the group was never defined."""
        known = self._groups.get(group_id)
        if known is None:
            if group is None:
                return None
            known = self._groups[group_id] = GroupNames(group.labels)
        if definitions:
            known.define(definitions, self._external)
        return known

    def depart(self, position: int, group_id: int, series_ids: Sequence[int] | None) -> None:
        """The record at *position* says that these series are gone; all of the group's if ``None``."""
        departure = (position, group_id, () if series_ids is None else tuple(series_ids))
        if departure not in self._departures:
            self._departures.add(departure)
            heapq.heappush(self._departed, departure)

    def forget_through(self, position: int) -> None:
        """Every remote has passed *position*."""
        while self._departed and self._departed[0][0] <= position:
            departure = heapq.heappop(self._departed)
            self._departures.discard(departure)
            _, group_id, series_ids = departure
            if not series_ids:
                self._groups.pop(group_id, None)
            elif (group := self._groups.get(group_id)) is not None:
                for one in series_ids:
                    group.heads.pop(one, None)
                group.forget_layout()
