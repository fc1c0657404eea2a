"""How much a journal holds, and which groups take most of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw
import msgspec

from pushgateway_bridge.journal.inspect import (
    WAL_NAME,
    checkpoint_row,
    first,
    floor_of,
    names_in,
    newest_position,
    rows_of,
)
from pushgateway_bridge.journal.journal import FILE_NAME
from pushgateway_bridge.journal.names import DecodeGroup

SET_ASIDE: Final = f"{FILE_NAME}.corrupt-"
LARGEST_GROUPS: Final = 10
ROWS_A_READ: Final = 4096
"""Frames of which one transaction reads the sizes; their bodies are not touched."""


class Rows(msgspec.Struct, frozen=True):
    """How many, and the bytes of their contents."""

    rows: int
    bytes: int


class Frames(msgspec.Struct, frozen=True):
    """How many frames, the records in them, and the bytes of these."""

    frames: int = 0
    records: int = 0
    bytes: int = 0

    def __add__(self, other: Frames) -> Frames:
        return Frames(self.frames + other.frames, self.records + other.records, self.bytes + other.bytes)


class Positions(msgspec.Struct, frozen=True):
    """Of the oldest frame (``None`` if there is none), of the last group commit, and of the checkpoint."""

    oldest: int | None
    newest: int
    floor: int


class RecentEntries(msgspec.Struct, frozen=True):
    """What one dialect keeps for its compatibility reads; times are Unix ms."""

    dialect: str
    entries: int
    bytes: int
    oldest_ms: int
    newest_ms: int


class Remote(msgspec.Struct, frozen=True):
    """A remote that records are kept for: the position up to which it has them, and how many it has not."""

    remote: str
    position: int
    waiting: int


class LargeGroup(msgspec.Struct, frozen=True):
    """What one group takes in the checkpoint, its sketches included; ``None`` is what cannot be read."""

    group_id: int
    bytes: int
    labels: dict[str, str] | None
    dialect: str | None
    series: int | None


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal holds. ``uncovered`` is what a replay reads behind the checkpoint."""

    file: str
    file_bytes: int
    free_bytes: int
    """Inside the file, to be filled before it grows."""
    wal_bytes: int
    schema_version: int
    sqlite_version: str
    positions: Positions
    frames: Frames
    uncovered: Frames
    oldest_frame_age_seconds: float | None
    checkpoint: Rows
    families: Rows
    sketches: Rows
    receipts: Rows
    facts: Rows
    """What the tallies of event dialects remember."""
    recent: list[RecentEntries]
    remotes: list[Remote]
    largest_groups: list[LargeGroup]
    set_aside: list[str]
    """Files in the folder that could not be read when a bridge started."""


def read_stats(connection: apsw.Connection, directory: Path, decode_group: DecodeGroup, now_ms: int) -> Stats:
    """Sizes and counts as of *now_ms* (Unix)."""
    names = sorted(names_in(directory))
    positions = Positions(
        first(connection, "SELECT min(position) FROM frame"),
        newest_position(connection),
        floor_of(connection),
    )
    oldest_ms = first(connection, "SELECT written_ms FROM frame ORDER BY position LIMIT 1")
    frames, uncovered = _frame_sizes(connection, positions.floor)
    return Stats(
        file=str(directory / FILE_NAME),
        file_bytes=(directory / FILE_NAME).stat().st_size,
        free_bytes=connection.pragma("freelist_count") * connection.pragma("page_size"),
        wal_bytes=_wal_bytes(directory),
        schema_version=connection.pragma("user_version"),
        sqlite_version=apsw.sqlite_lib_version(),
        positions=positions,
        frames=frames,
        uncovered=uncovered,
        oldest_frame_age_seconds=None if oldest_ms is None else max(now_ms - oldest_ms, 0) / 1000,
        checkpoint=_size(connection, "checkpoint"),
        families=_size(connection, "family"),
        sketches=_size(connection, "sketch"),
        receipts=_size(connection, "receipt"),
        facts=_size(connection, "fact"),
        recent=_recent_sizes(connection),
        remotes=list(_remotes(connection)),
        largest_groups=list(_largest_groups(connection, decode_group)),
        set_aside=[
            name for name in names if name.startswith(SET_ASIDE) and not name.endswith(("-wal", "-shm"))
        ],
    )


def _wal_bytes(directory: Path) -> int:
    try:
        return (directory / WAL_NAME).stat().st_size
    except FileNotFoundError:
        return 0


def _size(connection: apsw.Connection, table: str) -> Rows:
    query = f"SELECT count(*), coalesce(sum(length(body)), 0) FROM {table}"  # noqa: S608 - a name of ours
    return Rows(*rows_of(connection, query)[0])


def _frame_sizes(connection: apsw.Connection, floor: int) -> tuple[Frames, Frames]:
    """Of all frames, and of those behind *floor*."""
    parts = {True: Frames(), False: Frames()}
    position = -(2**63)
    query = (
        "SELECT max(position), position > ?1, count(*), sum(records), sum(size) FROM (SELECT position, records, "
        "length(body) AS size FROM frame WHERE position > ?2 ORDER BY position LIMIT ?3) GROUP BY 2 ORDER BY 1"
    )
    while rows := rows_of(connection, query, floor, position, ROWS_A_READ):
        for last, uncovered, *sizes in rows:
            parts[bool(uncovered)] += Frames(*sizes)
            position = last
    return parts[True] + parts[False], parts[True]


def _recent_sizes(connection: apsw.Connection) -> list[RecentEntries]:
    query = (
        "SELECT dialect, sum(entries), sum(length(body)), min(written_ms), max(written_ms) FROM recent "
        "GROUP BY dialect ORDER BY dialect"
    )
    return [RecentEntries(*row) for row in rows_of(connection, query)]


def _remotes(connection: apsw.Connection) -> Iterator[Remote]:
    query = "SELECT coalesce(sum(records), 0) FROM frame WHERE position > ?"
    for remote, position in rows_of(connection, "SELECT remote, position FROM cursor ORDER BY remote"):
        yield Remote(remote, position, first(connection, query, position))


def _largest_groups(connection: apsw.Connection, decode_group: DecodeGroup) -> Iterator[LargeGroup]:
    query = (
        "SELECT group_id, sum(size) FROM (SELECT group_id, length(body) AS size FROM checkpoint "
        "UNION ALL SELECT group_id, length(body) FROM sketch) GROUP BY group_id ORDER BY 2 DESC, 1 LIMIT ?"
    )
    for group_id, size in rows_of(connection, query, LARGEST_GROUPS):
        body = checkpoint_row(connection, group_id)
        try:
            row = None if body is None else decode_group(body)
        except ValueError:
            row = None
        if row is None:
            yield LargeGroup(group_id, size, None, None, None)
        else:
            yield LargeGroup(group_id, size, dict(row.group.labels), row.group.dialect, len(row.definitions))
