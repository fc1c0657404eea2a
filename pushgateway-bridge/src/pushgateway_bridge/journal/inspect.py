"""The journal's file as others than the bridge read it: beside a running bridge, or a stopped one's.

No lock is taken and no file is made. Each read is a short transaction of its own, since a long one would keep the
bridge from copying its write-ahead log into the file; so what is told may be some moments apart.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
import msgspec

from pushgateway_bridge.journal import schema
from pushgateway_bridge.journal.journal import FILE_NAME
from pushgateway_bridge.journal.record import CorruptRecord, decode_change
from pushgateway_bridge.model.change import Change
from pushgateway_bridge.model.family import Family

WAL_NAME: Final = f"{FILE_NAME}-wal"
IDS_A_READ: Final = 4096

_family_decoder = msgspec.msgpack.Decoder(Family)


class JournalUnreadable(Exception):
    """There is no journal to read. ``str(error)`` is one line that names the place."""


# Opening


@contextlib.contextmanager
def open_journal(directory: Path) -> Iterator[apsw.Connection]:
    """The journal in *directory*, for reading. Raises JournalUnreadable, also for errors while it is open."""
    names = names_in(directory)
    file = directory / FILE_NAME
    if FILE_NAME not in names:
        raise JournalUnreadable(f"journal.directory {directory} holds no journal: there is no {FILE_NAME}")
    # Of a cleanly stopped bridge there is no write-ahead log, and SQLite would make one, which stays. Instead the
    # file is read as one that nobody writes, and that is checked afterwards.
    stopped = WAL_NAME not in names
    if not os.access(file, os.R_OK, effective_ids=True):
        raise JournalUnreadable(f"{file}: {os.strerror(errno.EACCES)}")
    before = _stamp(file)
    try:
        with contextlib.closing(_connect(file, immutable=stopped)) as connection:
            connection.set_busy_timeout(5000)
            _check_schema(connection, file)
            yield connection
    except apsw.Error as error:
        _check_untouched(file, before, stopped)
        raise JournalUnreadable(_message(file, error)) from error
    _check_untouched(file, before, stopped)


def names_in(directory: Path) -> set[str]:
    """The files of a journal's folder. Raises JournalUnreadable."""
    try:
        return {entry.name for entry in directory.iterdir()}
    except OSError as error:
        raise JournalUnreadable(f"journal.directory {directory}: {error.strerror}") from error


def _connect(file: Path, *, immutable: bool) -> apsw.Connection:
    address = f"{file.absolute().as_uri()}?{'immutable=1' if immutable else 'mode=ro'}"
    return apsw.Connection(address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def _stamp(file: Path) -> tuple[int, int, int]:
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _check_untouched(file: Path, before: tuple[int, int, int], stopped: bool) -> None:
    """Raises JournalUnreadable if *file* was read as one that nobody writes, and somebody did."""
    with contextlib.suppress(OSError):
        if not stopped or (_stamp(file) == before and not file.with_name(WAL_NAME).exists()):
            return
    raise JournalUnreadable(f"{file}: a bridge was started while this read it; run this once more")


def _check_schema(connection: apsw.Connection, file: Path) -> None:
    version = connection.pragma("user_version")
    if connection.pragma("application_id") != schema.APPLICATION_ID:
        raise JournalUnreadable(f"{file} is no journal of a bridge")
    if version > schema.SCHEMA_VERSION:
        raise JournalUnreadable(
            f"{file} has schema {version}, this program knows up to {schema.SCHEMA_VERSION}: use the newer one"
        )


def _message(file: Path, error: apsw.Error) -> str:
    match error:
        case apsw.NotADBError():
            return f"{file} is no SQLite database"
        case apsw.CorruptError():
            return f"{file} is damaged ({error}); 'journal verify' says where"
        case apsw.CantOpenError() | apsw.ReadOnlyError():
            return f"{file}: {error}; copy the folder to a place where you may write, and read that"
    return f"{file}: {error}"


# Rows


class Frame(NamedTuple):
    """What one group commit stored: its position, when (Unix), how many records it says it holds, and they."""

    position: int
    written_ms: int
    records: int
    body: bytes


class Unreadable(NamedTuple):
    """Something behind *position* cannot be read from the file."""

    position: int
    reason: str


def read_frames(
    connection: apsw.Connection, through: int | None = None, behind: int = -(2**63)
) -> Iterator[Frame | Unreadable]:
    """Frames by position, from *behind* up to *through* or until there are no more; after a damaged one the next."""
    position = behind
    while True:
        try:
            found = rows_of(
                connection,
                "SELECT position, written_ms, records, body FROM frame WHERE position > ? ORDER BY position LIMIT 1",
                position,
            )
        except apsw.CorruptError as error:
            yield Unreadable(position, str(error))
            following = _next_position(connection, position)
            if following is None or following <= position:
                return
            position = following
            continue
        if not found or (through is not None and found[0][0] > through):
            return
        frame = Frame._make(found[0])
        yield frame
        if frame.position <= position:
            return  # a damaged tree; the check of the file tells
        position = frame.position


def _next_position(connection: apsw.Connection, position: int) -> int | None:
    """The position of the next frame, whatever its content; ``None`` if not even that can be read."""
    query = "SELECT position FROM frame WHERE position > ? ORDER BY position LIMIT 1"
    try:
        following: int | None = first(connection, query, position)
    except apsw.CorruptError:
        return None
    return following


def decode_record(record: memoryview) -> Change:
    """Raises CorruptRecord, also for text that is not UTF-8."""
    try:
        return decode_change(record)
    except UnicodeDecodeError as error:
        raise CorruptRecord(str(error)) from error


def checkpoint_row(connection: apsw.Connection, group_id: int) -> bytes | None:
    """The body of one group's checkpoint row."""
    body: bytes | None = first(connection, "SELECT body FROM checkpoint WHERE group_id = ?", group_id)
    return body


def group_ids(connection: apsw.Connection) -> Iterator[int]:
    """The groups that have a checkpoint row."""
    group_id: int = -(2**63)
    query = "SELECT group_id FROM checkpoint WHERE group_id > ? ORDER BY group_id LIMIT ?"
    while rows := rows_of(connection, query, group_id, IDS_A_READ):
        yield from (row[0] for row in rows)
        group_id = rows[-1][0]


SketchKey = tuple[int, int, int]
"""Group, series, hour."""


def sketch_keys(connection: apsw.Connection) -> Iterator[SketchKey]:
    """The sketches that are checkpointed."""
    key: SketchKey = (-(2**63), -(2**63), -(2**63))
    query = (
        "SELECT group_id, series_id, hour FROM sketch WHERE (group_id, series_id, hour) > (?, ?, ?) "
        "ORDER BY group_id, series_id, hour LIMIT ?"
    )
    while rows := rows_of(connection, query, *key, IDS_A_READ):
        yield from rows
        key = rows[-1]


def sketch(connection: apsw.Connection, key: SketchKey) -> bytes | None:
    """The body of one sketch."""
    body: bytes | None = first(
        connection, "SELECT body FROM sketch WHERE group_id = ? AND series_id = ? AND hour = ?", *key
    )
    return body


def family(connection: apsw.Connection, name: str) -> Family | None:
    """The family *name*. Raises ValueError if its row cannot be decoded."""
    body = first(connection, "SELECT body FROM family WHERE name = ?", name)
    if body is None:
        return None
    try:
        return _family_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


def floor_of(connection: apsw.Connection) -> int:
    """The position up to which the checkpoint covers all records."""
    floor: int | None = first(connection, "SELECT value FROM meta WHERE key = 'floor'")
    return floor or 0


def newest_position(connection: apsw.Connection) -> int:
    """The position of the last group commit that left a trace."""
    query = "SELECT max(position) FROM (SELECT position FROM frame UNION ALL SELECT position FROM recent)"
    newest: int | None = first(connection, query)
    return max(newest or 0, floor_of(connection))


def count(connection: apsw.Connection, table: str) -> int:
    """How many rows *table* has."""
    return int(first(connection, f"SELECT count(*) FROM {table}"))  # noqa: S608 - a name of ours


def rows_of(connection: apsw.Connection, query: str, *values: Any) -> list[Any]:
    """All rows; the transaction is over when this returns."""
    return connection.execute(query, values).fetchall()


def first(connection: apsw.Connection, query: str, *values: Any) -> Any:
    """The first value of the first row, ``None`` if there is none."""
    rows = rows_of(connection, query, *values)
    return rows[0][0] if rows else None
