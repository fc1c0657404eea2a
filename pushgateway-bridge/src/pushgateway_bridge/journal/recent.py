"""The bounded table of recent entries that compatibility reads show: JSON documents, newest kept.

One row a group commit and dialect, its entries joined by newlines; whole rows leave when enough newer ones stand.
Entries of one dialect are much alike: a row of many is compressed, so that less is written at each commit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple, cast

import apsw
import cramjam

MAX_DIALECT_BYTES: Final = 16 * 1024**2
"""All rows of a dialect but the newest stay below this together."""

COMPRESSED: Final = b"\x01"
"""Begins a row whose entries follow as one LZ4 block, its length before it. No JSON document begins so."""
MIN_COMPRESSED_BYTES: Final = 4096
"""A shorter row gains less than a page of the file."""


def pack(entries: list[bytes]) -> bytes:
    """The row of *entries*, JSON documents without newlines."""
    row = b"\n".join(entries)
    if len(row) < MIN_COMPRESSED_BYTES:
        return row
    return COMPRESSED + cramjam.lz4.compress_block(row)


def unpack(row: bytes) -> list[bytes]:
    """The entries of *row*, as ``pack`` or a bridge of schema 4 or older wrote it."""
    if row.startswith(COMPRESSED):
        row = bytes(cramjam.lz4.decompress_block(memoryview(row)[len(COMPRESSED) :]))
    return row.split(b"\n")


class _Row(NamedTuple):
    """What one row of the table holds."""

    position: int
    written_ms: int
    entries: int
    size: int


class _Rows:
    """The rows of one dialect, oldest first, and what they hold together."""

    def __init__(self, rows: Iterable[_Row]) -> None:
        self._rows = deque(rows)
        self.entries = sum(row.entries for row in self._rows)
        self._size = sum(row.size for row in self._rows)

    def add(self, row: _Row) -> None:
        self._rows.append(row)
        self.entries += row.entries
        self._size += row.size

    def pop_surplus(self, max_entries: int, oldest_ms: int) -> int | None:
        """The position of the oldest row, taken off, if newer ones hold enough or it is too old; else ``None``."""
        if len(self._rows) < 2:
            return None
        oldest = self._rows[0]
        enough = self.entries - oldest.entries >= max_entries
        if not enough and self._size <= MAX_DIALECT_BYTES and oldest.written_ms >= oldest_ms:
            return None
        self._rows.popleft()
        self.entries -= oldest.entries
        self._size -= oldest.size
        return oldest.position


class RecentWrite(NamedTuple):
    """The new row of one dialect, and the position up to which older rows go."""

    dialect: str
    entries: int
    body: bytes
    surplus_through: int

    def write(self, connection: apsw.Connection, position: int, now_ms: int) -> None:
        """Do it, in a transaction that does more."""
        connection.execute(
            "INSERT INTO recent VALUES (?, ?, ?, ?, ?)",
            (self.dialect, position, now_ms, self.entries, self.body),
        )
        if self.surplus_through:
            connection.execute(
                "DELETE FROM recent WHERE dialect = ? AND position <= ?", (self.dialect, self.surplus_through)
            )


NO_RECENT: Final = RecentWrite("", 0, b"", 0)
"""Of a group without recent entries."""


class RecentTable:
    """The writer's side: used in its thread, inside its transactions."""

    def __init__(self, max_entries: int, max_age_seconds: float) -> None:
        self._max_entries = max_entries
        self._max_age_ms = round(max_age_seconds * 1000)
        self._rows: dict[str, _Rows] = {}

    def plan(
        self, connection: apsw.Connection, entries: Iterable[tuple[str, bytes]], position: int, now_ms: int
    ) -> list[RecentWrite]:
        """What to write to add *entries* (dialect, JSON without newlines) and delete what they push out."""
        by_dialect: dict[str, list[bytes]] = {}
        for dialect, entry in entries:
            by_dialect.setdefault(dialect, []).append(entry)
        return [
            self._plan_dialect(connection, dialect, documents[-self._max_entries :], position, now_ms)
            for dialect, documents in by_dialect.items()
        ]

    def _plan_dialect(
        self, connection: apsw.Connection, dialect: str, documents: list[bytes], position: int, now_ms: int
    ) -> RecentWrite:
        rows = self._known_rows(connection, dialect)
        body = pack(documents)
        rows.add(_Row(position, now_ms, len(documents), len(body)))
        surplus_through = 0
        while (surplus := rows.pop_surplus(self._max_entries, now_ms - self._max_age_ms)) is not None:
            surplus_through = surplus
        return RecentWrite(dialect, len(documents), body, surplus_through)

    def forget(self) -> None:
        """Read the table again before the next write: a transaction was rolled back."""
        self._rows.clear()

    def rewrite(
        self, connection: apsw.Connection, dialect: str, change: Callable[[bytes], bytes | None]
    ) -> None:
        """Have *change* say of each entry of *dialect*, newest first, what stands there instead, if anything."""
        query = "SELECT position, body FROM recent WHERE dialect = ? ORDER BY position DESC"
        for position, body in cast(list[tuple[int, bytes]], connection.execute(query, (dialect,)).fetchall()):
            entries = unpack(body)
            changed = [entry for entry in map(change, reversed(entries)) if entry is not None][::-1]
            if not changed:
                connection.execute(
                    "DELETE FROM recent WHERE dialect = ? AND position = ?", (dialect, position)
                )
            elif changed != entries:
                connection.execute(
                    "UPDATE recent SET entries = ?, body = ? WHERE dialect = ? AND position = ?",
                    (len(changed), pack(changed), dialect, position),
                )
        self.forget()

    def _known_rows(self, connection: apsw.Connection, dialect: str) -> _Rows:
        known = self._rows.get(dialect)
        if known is None:
            query = "SELECT position, written_ms, entries, length(body) FROM recent WHERE dialect = ? ORDER BY position"
            rows = cast(list[tuple[int, int, int, int]], connection.execute(query, (dialect,)).fetchall())
            known = self._rows[dialect] = _Rows(_Row(*row) for row in rows)
        return known


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
    entries = [entry for (body,) in cast(list[tuple[bytes]], rows) for entry in unpack(body)]
    return entries[-max_entries:]
