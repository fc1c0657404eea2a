"""Where a series, its push group and its source live in memory.

Values stand in the blocks of their families (block.py); everything that tells one from another stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple

import msgspec

from pushgateway_bridge.model.change import SeriesDefinition
from pushgateway_bridge.model.family import SeriesClass, SeriesKind
from pushgateway_bridge.model.histogram import line_names, no_observations
from pushgateway_bridge.model.labels import LabelSet, PushGroup
from pushgateway_bridge.model.report import Replaces, Shape
from pushgateway_bridge.model.text import series_prefix
from pushgateway_bridge.state.block import Block, FamilyBlocks, Row, row_of
from pushgateway_bridge.state.distinct import WINDOWS, DistinctCount

GAPS_KEPT: Final = 8
MIN_TIME_TO_LIVE_SECONDS: Final = 60.0
MAX_TIME_TO_LIVE_SECONDS: Final = 240.0
"""Prometheus itself forgets a series after five minutes."""


SeriesName = str | tuple[str, LabelSet]
"""A family's name, and labels if there are some: most have none, and a pair for each would cost megabytes."""


def series_name(family: str, labels: LabelSet) -> SeriesName:
    """What tells a series from the others of its push group."""
    return (family, labels) if labels else family


class Stamp:
    """When series were last pushed: the newest sample's time, and the moment on the monotonic clock.

    Series that are pushed together share one, so that it is written once for all of them.
    """

    __slots__ = ("seen", "timestamp_ms")

    def __init__(self, timestamp_ms: int = 0, seen: float = 0.0) -> None:
        self.timestamp_ms = timestamp_ms
        self.seen = seen


NEVER: Final = Stamp()
"""Of series that are not shown yet. Nobody writes to it."""


class Series:
    """One series that holds a value. It has no block until the push that made it is committed."""

    __slots__ = (
        "block",
        "family",
        "id",
        "index",
        "labels",
        "series_class",
        "stamp",
        "time_to_live_seconds",
    )

    kind: ClassVar = SeriesKind.VALUE

    def __init__(
        self,
        series_id: int,
        family: FamilyBlocks,
        labels: LabelSet,
        series_class: SeriesClass,
        time_to_live_seconds: float = 0.0,
    ) -> None:
        self.id = series_id
        self.family = family
        self.labels = labels
        self.series_class = series_class
        self.time_to_live_seconds = time_to_live_seconds
        """0: as its class says."""
        self.block: Block | None = None
        self.index = 0
        self.stamp = NEVER

    @property
    def name(self) -> SeriesName:
        """What tells it from the others of its group."""
        return series_name(self.family.family.name, self.labels)

    @property
    def value(self) -> float:
        """The newest value. The series must have a block."""
        assert self.block is not None
        return self.block.values[self.index]

    def definition(self) -> SeriesDefinition:
        """What a record says of it the first time."""
        return SeriesDefinition(
            self.id,
            self.family.family.name,
            self.labels,
            self.series_class,
            self.kind,
            time_to_live_seconds=self.time_to_live_seconds,
        )

    def place(self, group: str, value: float) -> None:
        """Show it with *value*; *group* are its push group's labels, rendered."""
        prefix = series_prefix(self.family.family.name, group, self.labels)
        if self.family.in_lines:
            self.block, self.index = self.family.place_line(group, prefix, value, self.series_class)
        else:
            self.block, self.index = self.family.place(prefix, value, self.series_class)

    def unplace(self) -> None:
        """Show it no longer."""
        if self.block is not None:
            self.family.remove(self.block, self.index, self.series_class)
            self.block = None

    def discard_pending(self) -> None:
        """Forget what was added but is not committed."""


class CounterSeries(Series):
    """A total that pushes add to, since *created_ms* (Unix)."""

    __slots__ = ("created_ms", "pending")

    kind: ClassVar = SeriesKind.COUNTER

    def __init__(self, series_id: int, family: FamilyBlocks, labels: LabelSet, created_ms: int) -> None:
        super().__init__(series_id, family, labels, SeriesClass.AGGREGATE)
        self.created_ms = created_ms
        self.pending = 0.0
        """The total that queued pushes lead to."""

    def definition(self) -> SeriesDefinition:
        return msgspec.structs.replace(super().definition(), created_ms=self.created_ms)

    def place(self, group: str, value: float) -> None:
        name = self.family.family.name
        self.block, self.index = self.family.place(
            series_prefix(name, group, self.labels),
            value,
            self.series_class,
            created_line(name, group, self.labels, self.created_ms),
        )
        self.pending = max(self.pending, value)

    def discard_pending(self) -> None:
        self.pending = self.value


class HistogramSeries(Series):
    """Totals of observations since *created_ms* (Unix): see model/histogram.py."""

    __slots__ = ("created_ms", "pending")

    kind: ClassVar = SeriesKind.HISTOGRAM

    def __init__(self, series_id: int, family: FamilyBlocks, labels: LabelSet, created_ms: int) -> None:
        super().__init__(series_id, family, labels, SeriesClass.AGGREGATE)
        self.created_ms = created_ms
        self.pending = no_observations(family.family.buckets)

    def definition(self) -> SeriesDefinition:
        return msgspec.structs.replace(super().definition(), created_ms=self.created_ms)

    @property
    def totals(self) -> list[float]:
        assert self.block is not None
        return list(self.block.values)

    def show(self, group: str, totals: Sequence[float]) -> None:
        """Show it with *totals*.

        A replay may meet totals of buckets that the family has no more: then a record that follows takes the series
        away, and it is not shown.
        """
        if self.block is None:
            family = self.family.family
            names = line_names(family.name, family.buckets)
            if len(names) != len(totals):
                return
            lines = [
                (series_prefix(name, group, (*self.labels, *own)), total)
                for (name, own), total in zip(names, totals, strict=True)
            ]
            suffix = created_line(family.name, group, self.labels, self.created_ms)
            self.block = self.family.place_together(lines, self.series_class, suffix)
        else:
            self.block.values[:] = totals
            self.block.changed = True

    def unplace(self) -> None:
        if self.block is not None:
            self.family.remove_together(self.block, self.series_class)
            self.block = None

    def discard_pending(self) -> None:
        if self.block is not None:
            self.pending = self.totals


class DistinctSeries(Series):
    """Who was seen, as sketches; shown as one line a window."""

    __slots__ = ("count",)

    kind: ClassVar = SeriesKind.DISTINCT

    def __init__(self, series_id: int, family: FamilyBlocks, labels: LabelSet) -> None:
        super().__init__(series_id, family, labels, SeriesClass.AGGREGATE)
        self.count = DistinctCount()

    def show(self, group: str, estimates: Sequence[float]) -> None:
        """Show it with the estimate of each window."""
        if self.block is None:
            name = self.family.family.name
            lines = [
                (series_prefix(name, group, tuple(sorted((*self.labels, ("window", window))))), estimate)
                for (window, _), estimate in zip(WINDOWS, estimates, strict=True)
            ]
            self.block = self.family.place_together(lines, self.series_class)
        elif self.block.values != list(estimates):
            self.block.values[:] = estimates
            self.block.changed = True

    def unplace(self) -> None:
        if self.block is not None:
            self.family.remove_together(self.block, self.series_class)
            self.block = None


def created_line(name: str, group: str, labels: LabelSet, created_ms: int) -> str:
    """The line that says since when a counter or histogram counts."""
    base = name.removesuffix("_total")
    return f"{series_prefix(f'{base}_created', group, labels)}{created_ms / 1000!r}\n"


class Source:
    """A job and instance that reports: how many reports, when the last came, how far apart they are."""

    __slots__ = (
        "_interval_seconds",
        "_learns",
        "_usual_interval_seconds",
        "created_ms",
        "default_interval_seconds",
        "gaps",
        "groups",
        "key",
        "last_received_ms",
        "paced_until",
        "pending_reports",
        "reports",
        "row",
        "seen",
        "series",
    )

    def __init__(self, key: tuple[str, str], usual_interval_seconds: float | None, created_ms: int) -> None:
        """*usual_interval_seconds* is that of the dialect: ``None`` if it reports events, whenever there are some."""
        self.key = key
        self.created_ms = created_ms
        self._usual_interval_seconds = usual_interval_seconds
        self.default_interval_seconds: float | None = None
        """Taken until it is learned. ``None`` for a source from which nothing comes regularly."""
        self._learns = False
        """Whether the last report was one of those that are to come regularly."""
        self._interval_seconds: float | None = None
        self.gaps: list[float] = []
        """The last GAPS_KEPT; a deque is thrice as large."""
        self.last_received_ms = 0
        self.seen = 0.0
        self.reports = 0
        self.pending_reports = 0
        """Reports that are queued or committed; ``reports`` are the committed ones."""
        self.groups = 0
        """Push groups that this source has."""
        self.paced_until = 0.0
        """Of the pacer, which sees to it that this source does not make all others wait."""
        self.series: tuple[Series, ...] = ()
        """The series about this source: last report, reports, interval."""
        self.row: tuple[Row, int] | None = None
        """Where they stand, if in the same place of their blocks."""

    def expect_reports(self) -> None:
        """It sent what only stays a while, so that it is to report again and again."""
        self.default_interval_seconds = self._usual_interval_seconds

    @property
    def interval_seconds(self) -> float | None:
        """Median of the last gaps between reports; the default until there is one, ``None`` for events."""
        if self._interval_seconds is None and self.gaps:
            self._interval_seconds = _median(self.gaps)
        return self._interval_seconds or self.default_interval_seconds

    @property
    def time_to_live_seconds(self) -> float:
        """How long a point sample of this source is shown after it was pushed."""
        return min(
            max(3 * (self.interval_seconds or 0.0), MIN_TIME_TO_LIVE_SECONDS), MAX_TIME_TO_LIVE_SECONDS
        )

    def report(self, received_ms: int, seen: float, reports: int) -> None:
        """Learn from the *reports*-th report of this source, received at *received_ms* (Unix).

        *seen* is the same moment on the monotonic clock, by which gaps are measured: the other one may be set.
        """
        if reports <= self.reports:
            return  # a replay met a record that another group's checkpoint has already
        gap = round(seen - self.seen, 3)
        learns, self._learns = self._learns, bool(self.default_interval_seconds)
        if learns and self.reports and gap > 0:
            if len(self.gaps) == GAPS_KEPT:
                del self.gaps[0]
            self.gaps.append(gap)
            self._interval_seconds = None  # found when somebody asks
        self.last_received_ms = received_ms
        self.seen = seen
        self.reports = reports
        self.pending_reports = max(reports, self.pending_reports)

    def restore(self, received_ms: int, seen: float, reports: int, gaps: Sequence[float]) -> None:
        """Take over what a checkpoint knows, unless another group of this source had a newer one."""
        if reports >= self.reports:
            self._learns = bool(self.default_interval_seconds)
            self.gaps = list(gaps[-GAPS_KEPT:])
            self._interval_seconds = None
            self.last_received_ms = received_ms
            self.seen = seen
            self.reports = self.pending_reports = reports


def _median(numbers: Iterable[float]) -> float:
    """The middle one; the standard library's takes longer than all else that a push does to its source."""
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


class KnownShape:
    """The series that a report of one shape sets, found once for all reports of this shape that follow."""

    __slots__ = (
        "ids",
        "index",
        "placed",
        "points",
        "replaces",
        "row",
        "series",
        "shape",
        "stamp",
        "time_to_live_seconds",
    )

    def __init__(
        self,
        shape: Shape,
        series: list[Series],
        replaces: Replaces = Replaces.NOTHING,
        time_to_live_seconds: float | None = None,
    ) -> None:
        self.shape = shape
        self.series = series
        self.replaces = replaces
        """What of the group it took the place of, so that nothing of that is there any more."""
        self.time_to_live_seconds = time_to_live_seconds
        self.ids = _same(tuple(one.id for one in series))
        self.stamp: Stamp | None = None
        """The one that all of them share, if it is known that they do."""
        self.row: Row | None = None
        """The blocks that hold them, all at ``index``, if that is so."""
        self.index = 0
        self.points = sum(one.series_class is SeriesClass.POINT for one in series)
        """How many of them are point samples."""
        self.placed = all(one.block is not None for one in series)
        """Whether all of them are shown; until then a report defines them."""

    def look_for_row(self) -> None:
        """Find out whether all of them can be written together: called when they have been written one by one."""
        stamp = self.series[0].stamp if self.series else None
        found = row_of([(one.block, one.index) for one in self.series])
        if found is not None and all(one.stamp is stamp for one in self.series):
            (self.row, self.index), self.stamp = found, stamp


@lru_cache(maxsize=1024)
def _same(ids: tuple[int, ...]) -> tuple[int, ...]:
    """*ids*, the same object for equal ones: groups that push alike number their series alike."""
    return ids


class Waiting(NamedTuple):
    """The newest committed values of a shape, before they are written to the blocks: see ``Store.settle``."""

    known: KnownShape
    values: list[float]
    timestamp_ms: int
    received_ms: int
    seen: float


class Group:
    """A push group: its series by name and by number."""

    __slots__ = (
        "by_id",
        "check_at",
        "committed",
        "dialect",
        "id",
        "known",
        "labels",
        "next_id",
        "position",
        "rendered",
        "series",
        "source",
        "waiting",
    )

    def __init__(self, group_id: int, labels: PushGroup, dialect: str, source: Source, rendered: str) -> None:
        self.id = group_id
        self.labels = labels
        self.dialect = dialect
        self.source = source
        self.rendered = rendered
        """Its labels as they stand in an exposition."""
        self.series: dict[SeriesName, Series] = {}
        self.by_id: dict[int, Series] = {}
        self.known: KnownShape | None = None
        """The shape it was pushed in last."""
        self.waiting: Waiting | None = None
        self.next_id = 1
        self.position = 0
        """The journal's position of the newest record applied to it."""
        self.check_at = 0.0
        """When, on the monotonic clock, the first of its series may have expired."""
        self.committed = False
        """False until the push that made it is on disk."""
