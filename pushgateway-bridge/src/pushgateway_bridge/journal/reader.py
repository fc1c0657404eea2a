"""Reads a journal beside its writer, also from another process. A transaction is one method, or one snapshot."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import apsw

BUSY_MS = 5000


class Frame(NamedTuple):
    """One group commit."""

    position: int
    written_ms: int
    samples: int
    """That remote write carries."""
    body: bytes


class JournalReader:
    """One connection for one thread."""

    def __init__(self, file: Path) -> None:
        """Raises apsw.Error if *file* cannot be opened."""
        self._connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        self._connection.set_busy_timeout(BUSY_MS)

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read within the block is as of one moment, whatever the writer does meanwhile."""
        with self._connection:
            yield

    def newest_position(self) -> int:
        """The position of the newest frame, 0 if there is none."""
        return self._number("SELECT max(position) FROM frame")

    def floor(self) -> int:
        """Up to where the checkpoint covers the records."""
        return self._number("SELECT value FROM meta WHERE key = 'floor'")

    def frames(self, after: int, through: int, samples: int) -> list[Frame]:
        """Frames behind *after* up to *through*, oldest first, until they hold *samples* samples or a thousand."""
        query = (
            "SELECT position, written_ms, samples, body FROM frame WHERE position > ? AND position <= ? "
            "ORDER BY position LIMIT 1000"
        )
        found: list[Frame] = []
        cursor = self._connection.cursor()
        held = 0
        for row in cursor.execute(query, (after, through)):
            frame = Frame(*cast(tuple[int, int, int, bytes], row))
            found.append(frame)
            held += frame.samples
            if held >= samples:
                break
        cursor.close(True)
        return found

    def checkpoint_rows(self) -> Iterator[tuple[int, bytes]]:
        """Groups and their state, as last checkpointed."""
        yield from cast(
            Iterator[tuple[int, bytes]], self._connection.execute("SELECT group_id, body FROM checkpoint")
        )

    def removals(self) -> Iterator[tuple[int, bytes]]:
        """Groups, and what of them was removed that a remote may still have to name."""
        yield from cast(
            Iterator[tuple[int, bytes]], self._connection.execute("SELECT group_id, body FROM removal")
        )

    def _number(self, query: str) -> int:
        row = self._connection.execute(query).fetchone()
        return 0 if row is None or row[0] is None else int(cast(int, row[0]))
