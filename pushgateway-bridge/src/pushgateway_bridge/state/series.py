"""Where a series, its push group and its source live in memory.

The values of a family stand in blocks of a few hundred, beside the bytes that precede them in an exposition.
A push stores a number and marks the block; a scrape renders again only the blocks that were marked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple

import msgspec

from pushgateway_bridge.model.change import SeriesDefinition
from pushgateway_bridge.model.family import Family, SeriesClass, SeriesKind
from pushgateway_bridge.model.histogram import line_names, no_observations
from pushgateway_bridge.model.labels import LabelSet, PushGroup
from pushgateway_bridge.model.report import Shape
from pushgateway_bridge.model.text import format_value, series_prefix
from pushgateway_bridge.state.distinct import WINDOWS, DistinctCount

BLOCK_SERIES: Final = 256
GAPS_KEPT: Final = 8
MIN_TIME_TO_LIVE_SECONDS: Final = 60.0
MAX_TIME_TO_LIVE_SECONDS: Final = 240.0
"""Prometheus itself forgets a series after five minutes."""


class Block:
    """Lines of one family and class that are rendered together: up to BLOCK_SERIES series, or one histogram."""

    __slots__ = ("_free", "_rendered", "changed", "prefixes", "suffixes", "values")

    def __init__(self) -> None:
        self.prefixes: list[str | None] = []
        self.values: list[float] = []
        self.suffixes: dict[int, str] = {}
        """Lines that follow a value in OpenMetrics alone: when counting began."""
        self.changed = False
        self._rendered: list[bytes | None] = [None, None]
        self._free: list[int] = []

    @property
    def full(self) -> bool:
        return not self._free and len(self.prefixes) >= BLOCK_SERIES

    @property
    def empty(self) -> bool:
        return len(self._free) == len(self.prefixes)

    def place(self, prefix: str, value: float, suffix: str = "") -> int:
        """Put a line into a free place and return which."""
        self.changed = True
        if self._free:
            index = self._free.pop()
            self.prefixes[index], self.values[index] = prefix, value
        else:
            index = len(self.prefixes)
            self.prefixes.append(prefix)
            self.values.append(value)
        if suffix:
            self.suffixes[index] = suffix
        return index

    def remove(self, index: int) -> None:
        self.prefixes[index] = None
        self.values[index] = 0.0
        self.suffixes.pop(index, None)
        self._free.append(index)
        self.changed = True

    def text(self, *, openmetrics: bool) -> bytes:
        """The lines; rendered again only if a value changed since."""
        if self.changed:
            self.changed = False
            self._rendered = [None, None]
        which = int(openmetrics and bool(self.suffixes))
        rendered = self._rendered[which]
        if rendered is None:
            rendered = self._rendered[which] = self._render(self.suffixes if which else {})
        return rendered

    def _render(self, suffixes: dict[int, str]) -> bytes:
        # repr is right for every finite value, and a sum is finite only if all values are.
        number = repr if math.isfinite(sum(self.values)) else format_value
        lines = [
            f"{prefix}{number(value)}\n"
            for prefix, value in zip(self.prefixes, self.values, strict=True)
            if prefix is not None
        ]
        if suffixes:
            lines = [
                f"{prefix}{number(value)}\n{suffixes.get(index, '')}"
                for index, (prefix, value) in enumerate(zip(self.prefixes, self.values, strict=True))
                if prefix is not None
            ]
        return "".join(lines).encode()


class FamilyBlocks:
    """All series of one family, in blocks by class."""

    __slots__ = ("blocks", "family", "series_count")

    def __init__(self, family: Family) -> None:
        self.family = family
        self.blocks: dict[SeriesClass, list[Block]] = {}
        self.series_count = 0

    def place(
        self, prefix: str, value: float, series_class: SeriesClass, suffix: str = ""
    ) -> tuple[Block, int]:
        """Put a series of one line into a block that has room."""
        blocks = self.blocks.setdefault(series_class, [])
        # New series go to the last block; places that expiry freed in earlier ones are found when it is full.
        block = blocks[-1] if blocks else None
        if block is None or block.full:
            block = next((block for block in blocks if not block.full), None)
            if block is None:
                block = Block()
                blocks.append(block)
        self.series_count += 1
        return block, block.place(prefix, value, suffix)

    def place_together(
        self, lines: Sequence[tuple[str, float]], series_class: SeriesClass, suffix: str = ""
    ) -> Block:
        """Put the lines of one series into a block of its own, in their order; *suffix* follows the last one."""
        block = Block()
        for position, (prefix, value) in enumerate(lines):
            block.place(prefix, value, suffix if position == len(lines) - 1 else "")
        blocks = self.blocks.setdefault(series_class, [])
        # In front, as place looks for room in the last one.
        blocks.insert(0, block)
        self.series_count += 1
        return block

    def remove(self, block: Block, index: int, series_class: SeriesClass) -> None:
        """Take a series of one line out of its block."""
        block.remove(index)
        self.series_count -= 1
        if block.empty:
            self.blocks[series_class].remove(block)

    def remove_together(self, block: Block, series_class: SeriesClass) -> None:
        """Take out the block of one series."""
        self.series_count -= 1
        self.blocks[series_class].remove(block)


SeriesName = str | tuple[str, LabelSet]
"""A family's name, and labels if there are some: most have none, and a pair for each would cost megabytes."""


def series_name(family: str, labels: LabelSet) -> SeriesName:
    """What tells a series from the others of its push group."""
    return (family, labels) if labels else family


class Series:
    """One series that holds a value. It has no block until the push that made it is committed."""

    __slots__ = ("block", "family", "id", "index", "labels", "seen", "series_class", "timestamp_ms")

    kind: ClassVar = SeriesKind.VALUE

    def __init__(
        self, series_id: int, family: FamilyBlocks, labels: LabelSet, series_class: SeriesClass
    ) -> None:
        self.id = series_id
        self.family = family
        self.labels = labels
        self.series_class = series_class
        self.block: Block | None = None
        self.index = 0
        self.timestamp_ms = 0
        self.seen = 0.0
        """When it was last pushed, on the monotonic clock."""

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
        return SeriesDefinition(self.id, self.family.family.name, self.labels, self.series_class, self.kind)

    def place(self, group: str, value: float) -> None:
        """Show it with *value*; *group* are its push group's labels, rendered."""
        prefix = series_prefix(self.family.family.name, group, self.labels)
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
        """Show it with *totals*."""
        if self.block is None:
            family = self.family.family
            lines = [
                (series_prefix(name, group, (*self.labels, *own)), total)
                for (name, own), total in zip(line_names(family.name, family.buckets), totals, strict=True)
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
        "created_ms",
        "default_interval_seconds",
        "gaps",
        "groups",
        "key",
        "last_received_ms",
        "pending_reports",
        "reports",
        "seen",
        "series",
    )

    def __init__(self, key: tuple[str, str], default_interval_seconds: float | None, created_ms: int) -> None:
        """*default_interval_seconds* is ``None`` for sources that report events, whenever there are some."""
        self.key = key
        self.created_ms = created_ms
        self.default_interval_seconds = default_interval_seconds
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
        self.series: tuple[Series, ...] = ()
        """The series about this source: last report, interval, reports."""

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
        if self.reports and self.default_interval_seconds and gap > 0:
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

    __slots__ = ("ids", "placed", "series", "shape")

    def __init__(self, shape: Shape, series: list[Series]) -> None:
        self.shape = shape
        self.series = series
        self.ids = _same(tuple(one.id for one in series))
        self.placed = all(one.block is not None for one in series)
        """Whether all of them are shown; until then a report defines them."""


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
