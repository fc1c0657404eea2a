"""What one append asks the journal to write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.journal.receipts import Receipt
from pushgateway_bridge.model.fact import Fact
from pushgateway_bridge.model.family import Family

Rewrite = Callable[[bytes], bytes | None]
"""Called in the writer thread with each entry, newest first: what stands there instead, ``None`` if nothing."""


class Extra(NamedTuple):
    """What few entries ask for beside a record."""

    families: Sequence[Family] = ()
    """Families that no record named before."""
    receipt: Receipt | None = None
    """The reply to keep for a repeat of this push."""
    facts: tuple[str, Sequence[Fact]] | None = None
    """A dialect, and what its tally remembers from here on."""
    rows: Sequence[tuple[int, bytes | None]] = ()
    """Checkpoint rows to replace; ``None`` deletes the group, its sketches included."""
    sketches: Sequence[tuple[int, int, int, bytes | None]] = ()
    """Sketches to replace, by group, series and hour; ``None`` deletes."""
    removals: Sequence[tuple[int, bytes]] = ()
    """What this record removes, by group, for remotes that have not sent what stands before it."""
    rewrite: tuple[str, Rewrite] | None = None
    """A dialect, and what becomes of each of its recent entries."""
    cursor: tuple[str, int | None] | None = None
    """A remote, and up to where it has the records; ``None`` if nothing is to be kept for it any more."""
    floor: int | None = None
    """The checkpoint is complete up to here: records at or before this position are not needed any more."""
    next_group_id: int | None = None
    """The number of the next new group, as of the checkpoint."""


class Entry(ABC):
    """All of an entry is on disk when ``committed`` is called, or none of it."""

    __slots__ = ("extra", "recent", "record", "samples")

    record: bytes | None
    samples: int
    """Of the record: those that remote write carries."""
    recent: tuple[str, bytes] | None
    """Dialect and JSON of an entry for the compatibility reads."""
    extra: Extra | None

    @abstractmethod
    def committed(self, position: int) -> None:
        """Called in the event loop with the position of its group commit, in the order of appending."""

    @abstractmethod
    def failed(self, refusal: PushRejected) -> None:
        """Called in the event loop instead."""


class Work(Entry):
    """An entry that is no push: a checkpoint, an expiry, a cursor, or nothing but the wait for what is queued."""

    __slots__ = ("_committed", "_failed")

    def __init__(
        self,
        committed: Callable[[int], None],
        failed: Callable[[PushRejected], None],
        record: bytes | None = None,
        extra: Extra | None = None,
    ) -> None:
        self.record = record
        self.samples = 0
        self.recent = None
        self.extra = extra
        self._committed = committed
        self._failed = failed

    def committed(self, position: int) -> None:
        self._committed(position)

    def failed(self, refusal: PushRejected) -> None:
        self._failed(refusal)
