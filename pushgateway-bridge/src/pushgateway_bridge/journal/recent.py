"""The bounded table of recent entries that compatibility reads show: JSON documents, newest kept.

One row a group commit and dialect, its entries joined by newlines; whole rows leave when enough newer ones stand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final, cast

import apsw

MAX_ROW_BYTES: Final = 16 * 1024**2
"""All entries of a dialect together stay below this and one row."""


class RecentTable:
    """The writer's side: used in its thread, inside its transactions."""

    def __init__(self, max_entries: int, max_age_seconds: float) -> None:
        self._max_entries = max_entries
        self._max_age_ms = round(max_age_seconds * 1000)
        self._rows: dict[str, deque[tuple[int, int, int, int]]] = {}
        """For each dialect, oldest first: position, time written, number of entries, bytes."""

    def write(
        self, connection: apsw.Connection, entries: Iterable[tuple[str, bytes]], position: int, now_ms: int
    ) -> None:
        """Add *entries* (dialect, JSON without newlines) and delete what they push out."""
        by_dialect: dict[str, list[bytes]] = {}
        for dialect, entry in entries:
            by_dialect.setdefault(dialect, []).append(entry)
        for dialect, documents in by_dialect.items():
            kept = documents[-self._max_entries :]
            body = b"\n".join(kept)
            connection.execute(
                "INSERT INTO recent VALUES (?, ?, ?, ?, ?)", (dialect, position, now_ms, len(kept), body)
            )
            rows = self._known_rows(connection, dialect)
            rows.append((position, now_ms, len(kept), len(body)))
            self._delete_oldest(connection, dialect, rows, now_ms)

    def forget(self) -> None:
        """Read the table again before the next write: a transaction was rolled back."""
        self._rows.clear()

    def _known_rows(self, connection: apsw.Connection, dialect: str) -> deque[tuple[int, int, int, int]]:
        if dialect not in self._rows:
            # The row just inserted is in the table already; the caller appends it.
            query = (
                "SELECT position, written_ms, entries, length(body) FROM recent WHERE dialect = ? "
                "ORDER BY position DESC LIMIT -1 OFFSET 1"
            )
            self._rows[dialect] = deque(reversed(list(connection.execute(query, (dialect,)))))
        return self._rows[dialect]

    def _delete_oldest(
        self, connection: apsw.Connection, dialect: str, rows: deque[tuple[int, int, int, int]], now_ms: int
    ) -> None:
        entries = sum(row[2] for row in rows)
        size = sum(row[3] for row in rows)
        while len(rows) > 1 and (
            entries - rows[0][2] >= self._max_entries
            or size > MAX_ROW_BYTES
            or rows[0][1] < now_ms - self._max_age_ms
        ):
            position, _, count, length = rows.popleft()
            entries -= count
            size -= length
            connection.execute("DELETE FROM recent WHERE dialect = ? AND position = ?", (dialect, position))


def read_recent(file: Path, dialect: str, max_entries: int, oldest_ms: int) -> list[bytes]:
    """The newest *max_entries* entries of *dialect* written at or after *oldest_ms* (Unix), oldest first.

    Opens the file for reading only, beside the writer; call it in a thread.
    """
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        rows = connection.execute(
            "SELECT body FROM recent WHERE dialect = ? AND written_ms >= ? ORDER BY position",
            (dialect, oldest_ms),
        ).fetchall()
    finally:
        connection.close()
    entries = [entry for (body,) in cast(list[tuple[bytes]], rows) for entry in body.split(b"\n")]
    return entries[-max_entries:]
