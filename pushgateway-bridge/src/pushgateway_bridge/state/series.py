"""Where a series, its push group and its source live in memory.

The values of a family stand in blocks of a few hundred, beside the bytes that precede them in an exposition.
A push stores a number and marks the block; a scrape renders again only the blocks that were marked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import LabelSet, PushGroup
from pushgateway_bridge.model.text import format_value

BLOCK_SERIES: Final = 256
GAPS_KEPT: Final = 8
MIN_TIME_TO_LIVE_SECONDS: Final = 60.0
MAX_TIME_TO_LIVE_SECONDS: Final = 240.0
"""Prometheus itself forgets a series after five minutes."""


class Block:
    """Up to BLOCK_SERIES series of one family and class, rendered together."""

    __slots__ = ("_free", "_text", "changed", "prefixes", "values")

    def __init__(self) -> None:
        self.prefixes: list[str | None] = []
        self.values: list[float] = []
        self.changed = False
        self._text = b""
        self._free: list[int] = []

    @property
    def full(self) -> bool:
        return not self._free and len(self.prefixes) >= BLOCK_SERIES

    @property
    def empty(self) -> bool:
        return len(self._free) == len(self.prefixes)

    def place(self, prefix: str, value: float) -> int:
        """Put a series into a free place and return which."""
        self.changed = True
        if self._free:
            index = self._free.pop()
            self.prefixes[index], self.values[index] = prefix, value
            return index
        self.prefixes.append(prefix)
        self.values.append(value)
        return len(self.prefixes) - 1

    def remove(self, index: int) -> None:
        self.prefixes[index] = None
        self.values[index] = 0.0
        self._free.append(index)
        self.changed = True

    def text(self) -> bytes:
        """One line a series; rendered again only if a value changed since."""
        if self.changed:
            self.changed = False
            lines = [
                f"{prefix}{format_value(value)}\n"
                for prefix, value in zip(self.prefixes, self.values, strict=True)
                if prefix is not None
            ]
            self._text = "".join(lines).encode()
        return self._text


class FamilyBlocks:
    """All series of one family, in blocks by class."""

    __slots__ = ("blocks", "family", "series_count")

    def __init__(self, family: Family) -> None:
        self.family = family
        self.blocks: dict[SeriesClass, list[Block]] = {}
        self.series_count = 0

    def place(self, prefix: str, value: float, series_class: SeriesClass) -> tuple[Block, int]:
        """Put a series into a block that has room."""
        blocks = self.blocks.setdefault(series_class, [])
        # New series go to the last block; places that expiry freed in earlier ones are found when it is full.
        block = blocks[-1] if blocks else None
        if block is None or block.full:
            block = next((block for block in blocks if not block.full), None)
            if block is None:
                block = Block()
                blocks.append(block)
        self.series_count += 1
        return block, block.place(prefix, value)

    def remove(self, block: Block, index: int, series_class: SeriesClass) -> None:
        block.remove(index)
        self.series_count -= 1
        if block.empty:
            self.blocks[series_class].remove(block)


class Series:
    """One series of a push group. It has no block until the push that made it is committed."""

    __slots__ = ("block", "family", "id", "index", "labels", "seen", "series_class", "timestamp_ms")

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
    def value(self) -> float:
        """The newest value. The series must have a block."""
        assert self.block is not None
        return self.block.values[self.index]


class Source:
    """A job and instance that reports: how many reports, when the last came, how far apart they are."""

    __slots__ = (
        "default_interval_seconds",
        "gaps",
        "groups",
        "interval_seconds",
        "key",
        "last_received_ms",
        "pending_reports",
        "reports",
        "seen",
        "series",
    )

    def __init__(self, key: tuple[str, str], default_interval_seconds: float) -> None:
        self.key = key
        self.default_interval_seconds = default_interval_seconds
        self.interval_seconds = default_interval_seconds
        self.gaps: deque[float] = deque(maxlen=GAPS_KEPT)
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
    def time_to_live_seconds(self) -> float:
        """How long a point sample of this source is shown after it was pushed."""
        return min(max(3 * self.interval_seconds, MIN_TIME_TO_LIVE_SECONDS), MAX_TIME_TO_LIVE_SECONDS)

    def report(self, received_ms: int, seen: float, reports: int) -> None:
        """Learn from a report that was received at *received_ms*, the *reports*-th of this source."""
        if self.last_received_ms and received_ms > self.last_received_ms:
            self.gaps.append((received_ms - self.last_received_ms) / 1000)
            self.interval_seconds = _median(self.gaps)
        self.last_received_ms = max(received_ms, self.last_received_ms)
        self.seen = seen
        self.reports = max(reports, self.reports)
        self.pending_reports = max(self.reports, self.pending_reports)

    def restore(self, received_ms: int, seen: float, reports: int, gaps: Sequence[float]) -> None:
        """Take over what a checkpoint knows, unless another group of this source had a newer one."""
        if received_ms >= self.last_received_ms:
            self.gaps = deque(gaps, maxlen=GAPS_KEPT)
            self.interval_seconds = _median(gaps) if gaps else self.default_interval_seconds
        self.report(0, max(seen, self.seen), reports)
        self.last_received_ms = max(received_ms, self.last_received_ms)


def _median(numbers: Iterable[float]) -> float:
    """The middle one; the standard library's takes longer than all else that a push does to its source."""
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


class Group:
    """A push group: its series by name and by number."""

    __slots__ = (
        "by_id",
        "check_at",
        "committed",
        "dialect",
        "id",
        "labels",
        "next_id",
        "position",
        "rendered",
        "series",
        "source",
    )

    def __init__(self, group_id: int, labels: PushGroup, dialect: str, source: Source, rendered: str) -> None:
        self.id = group_id
        self.labels = labels
        self.dialect = dialect
        self.source = source
        self.rendered = rendered
        """Its labels as they stand in an exposition."""
        self.series: dict[tuple[str, LabelSet], Series] = {}
        self.by_id: dict[int, Series] = {}
        self.next_id = 1
        self.position = 0
        """The journal's position of the newest record applied to it."""
        self.check_at = 0.0
        """When, on the monotonic clock, the first of its series may have expired."""
        self.committed = False
        """False until the push that made it is on disk."""
