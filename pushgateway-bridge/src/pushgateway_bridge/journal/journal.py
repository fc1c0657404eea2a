"""The journal: append, group commit in one writer thread, replay, checkpoint rows, recent entries.

The event loop appends; the writer thread takes all that is queued, commits it in one transaction, which fsyncs
once, and hands the whole group back to the event loop. When a transaction fails, everything that is queued
fails with it, since later records may build on earlier ones; then writing goes on.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import apsw
import msgspec

from pushgateway_bridge.errors import JournalFailed, JournalFull, NotReady, PushRejected, StartFailed
from pushgateway_bridge.journal import schema
from pushgateway_bridge.journal.entry import Entry, Extra
from pushgateway_bridge.journal.facts import write_facts
from pushgateway_bridge.journal.frames import FrameLimits, Frames
from pushgateway_bridge.journal.lock import FolderLock
from pushgateway_bridge.journal.receipts import delete_old_receipts, write_receipts
from pushgateway_bridge.journal.recent import NO_RECENT, RecentTable, RecentWrite
from pushgateway_bridge.journal.record import CorruptRecord, decode_change, unpack_frame
from pushgateway_bridge.model.change import Change
from pushgateway_bridge.model.family import Family

logger = logging.getLogger(__name__)

FILE_NAME: Final = "journal.db"
WAL_CHECKPOINT_PAGES: Final = 1000
"""Pages in the write-ahead log from which the writer copies them into the file between two groups (4 MiB)."""
WAL_KEPT_BYTES: Final = 8 * 2**20
"""What the write-ahead log may keep of the disk once it is used from its start again. It grows beyond that only
while a reader holds a transaction open."""
MAX_GROUP_ENTRIES: Final = 4096
GATHERED_ENTRIES: Final = 4
"""Entries in the last group from which the next one is given time to grow."""
GATHER_SECONDS: Final = 0.001
"""How long after a commit the next one begins then at the earliest."""

TRANSIENT: Final = (apsw.FullError, apsw.BusyError)
"""A full disk, and somebody else who writes the file for too long: both pass. After any other error the disk
cannot be trusted."""

_family_encoder = msgspec.msgpack.Encoder()
_family_decoder = msgspec.msgpack.Decoder(Family)


class GroupCommit(NamedTuple):
    """What one group commit took. *waited_seconds* is the longest that one of its pushes was queued."""

    records: int
    waited_seconds: float
    seconds: float
    fsync_seconds: float
    """Of the statement that ends the transaction, which is nearly all fsync."""


class Loop(Protocol):
    """What the journal needs of an event loop."""

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object) -> object: ...


class Journal:
    """Open it, replay it, start it, append to it, close it. One process may have a folder open at a time."""

    def __init__(
        self,
        directory: Path,
        *,
        clock_ms: Callable[[], int],
        recent: RecentTable,
        limits: FrameLimits,
        on_commit: Callable[[GroupCommit], None] = lambda _commit: None,
        on_discard: Callable[[], None] = lambda: None,
        on_fatal: Callable[[Exception], None] = lambda _error: None,
    ) -> None:
        """All callables are called in the event loop.

        *on_commit* is told of each group commit with records; *on_discard* that everything
        queued failed, before its pushers are told; *on_fatal* that nothing is known of the disk any more.
        """
        self._directory = directory
        self._clock_ms = clock_ms
        self._recent = recent
        self._on_commit = on_commit
        self._on_discard = on_discard
        self._on_fatal = on_fatal
        self._queue: deque[Entry] = deque()
        # Held while the writer has nothing to do; a plain lock, as a semaphore costs microseconds a push.
        self._work = threading.Lock()
        self._work.acquire()
        self._idle = True
        self._stopping = False
        self._broken = False
        self._resumed = threading.Event()
        self._thread: threading.Thread | None = None
        self._next_position = 1
        self._frames = Frames(limits)
        self._wal_pages = 0
        self._oldest_queued = 0.0
        self._last_commit = 0.0
        self._last_group = 0
        self.failed_groups = 0
        self.writable = True
        """Whether the last group commit succeeded."""
        self.unreadable_frames = 0
        self.files_set_aside = 0

    # Life

    def open(self) -> None:
        """Lock the folder and open or make the file. Raises StartFailed with a line that names the setting."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = FolderLock(self._directory)
            self.file.touch(mode=0o600)  # it holds a secret; SQLite makes its other files like it
        except OSError as error:
            raise StartFailed(f"journal.directory {self._directory}: {error.strerror}") from error
        try:
            self._connection = self._open_or_set_aside()
        except (apsw.Error, schema.NewerSchema) as error:
            self._lock.close()
            raise StartFailed(f"journal.directory {self._directory}: {error}") from error

    def _open_or_set_aside(self) -> apsw.Connection:
        try:
            return self._open_database()
        except (apsw.NotADBError, apsw.CorruptError) as error:
            self._set_aside(error)
            return self._open_database()

    def _open_database(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._directory / FILE_NAME))
        try:
            connection.set_busy_timeout(5000)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "FULL")
            connection.pragma("wal_autocheckpoint", 0)
            connection.pragma("journal_size_limit", WAL_KEPT_BYTES)
            if (older := schema.prepare(connection)) is not None:
                logger.info("journal migrated from_schema=%d to_schema=%d", older, schema.SCHEMA_VERSION)
            secret = connection.execute("SELECT value FROM meta WHERE key = 'secret'").get
            if not isinstance(secret, bytes):
                raise apsw.CorruptError("the journal has no secret")
            self._secret = secret
            self._frames.load(connection)
            newest = _number(
                connection,
                "SELECT max(position) FROM (SELECT position FROM frame UNION ALL SELECT position FROM recent)",
            )
            self._next_position = max(newest, self._frames.floor) + 1
            connection.set_wal_hook(self._note_wal_pages)
        except BaseException:
            connection.close()
            raise
        return connection

    def _note_wal_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _set_aside(self, error: Exception) -> None:
        """Move a file that cannot be read out of the way, so that the bridge starts and nothing is deleted."""
        aside = f"{FILE_NAME}.corrupt-{self._clock_ms()}"
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                (self._directory / f"{FILE_NAME}{suffix}").rename(self._directory / f"{aside}{suffix}")
        self.files_set_aside += 1
        logger.error(
            "journal corrupt error=%r set_aside=%s starting=empty", str(error), self._directory / aside
        )

    @property
    def secret(self) -> bytes:
        """What keyed hashes that this journal keeps are made with; random, and of this file alone."""
        return self._secret

    def start(self, loop: Loop) -> None:
        """Begin to write what is appended, telling *loop* of each outcome."""
        self._thread = threading.Thread(
            target=self._write_until_stopped, args=(loop,), name="journal-writer", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the writer, close the file, free the folder. What is still queued is written, but nobody is told."""
        self._stopping = True
        if self._thread is not None:
            self._resumed.set()
            if self._idle:
                self._idle = False
                self._work.release()
            self._thread.join()
        with contextlib.suppress(apsw.Error):
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._connection.close()
        self._lock.close()

    # Reading, before start

    def checkpoint_rows(self) -> Iterator[tuple[int, bytes]]:
        """Groups and their state, as last checkpointed."""
        yield from self._connection.execute("SELECT group_id, body FROM checkpoint")

    def next_group_id(self) -> int:
        """The number of the next new group as of the checkpoint, 0 if there is none."""
        return _number(self._connection, "SELECT value FROM meta WHERE key = 'next_group_id'")

    def sketches(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Sketches of distinct counts as last checkpointed: group, series, hour, body."""
        yield from self._connection.execute("SELECT group_id, series_id, hour, body FROM sketch")

    def families(self) -> Iterator[Family]:
        """Every family that a record or checkpoint may name."""
        for (body,) in self._connection.execute("SELECT body FROM family"):
            yield _family_decoder.decode(body)

    def replay(self) -> Iterator[tuple[int, Change]]:
        """Records that the checkpoint does not cover, oldest first. What cannot be read is logged and left out."""
        frames = self._connection.execute(
            "SELECT position, body FROM frame WHERE position > ? ORDER BY position", (self._frames.floor,)
        )
        for position, body in frames:
            try:
                for record in unpack_frame(body):
                    yield position, decode_change(record)
            except CorruptRecord as error:
                self.unreadable_frames += 1
                logger.error("journal frame unreadable position=%d error=%r", position, str(error))

    # Appending, in the event loop

    def append(self, entry: Entry) -> None:
        """Queue *entry* for the next group commit."""
        if self._broken or self._stopping:
            entry.failed(NotReady("the bridge is stopping; send it again later"))
            return
        if not self._queue:
            self._oldest_queued = time.perf_counter()
        self._queue.append(entry)
        if self._idle:
            self._idle = False
            self._work.release()

    @property
    def newest_position(self) -> int:
        """The position of the newest group commit, 0 before the first."""
        return self._next_position - 1

    @property
    def queued(self) -> int:
        """Entries that wait for the next group commit."""
        return len(self._queue)

    @property
    def frames(self) -> Frames:
        """How much is kept, and for whom."""
        return self._frames

    @property
    def file(self) -> Path:
        return self._directory / FILE_NAME

    @property
    def size_bytes(self) -> int:
        """The file and its write-ahead log on disk."""
        total = 0
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                total += (self._directory / f"{FILE_NAME}{suffix}").stat().st_size
        return total

    # Writing, in the writer thread

    def _write_until_stopped(self, loop: Loop) -> None:
        while True:
            self._work.acquire()
            self._idle = True
            while not self._broken and (self._queue or self._frames.surplus):
                self._gather()
                waited_since = self._oldest_queued
                self._write_group(loop, self._take_group(), waited_since)
            if self._stopping or self._broken:
                return

    def _gather(self) -> None:
        """When many push at once, let some more come in: a commit of twenty costs hardly more than one of two.

        One who pushes alone, or after a pause, waits for nobody.
        """
        if self._last_group < GATHERED_ENTRIES or self._stopping:
            return
        left = self._last_commit + GATHER_SECONDS - time.perf_counter()
        if left > 0:
            time.sleep(left)

    def _take_group(self) -> list[Entry]:
        queue = self._queue
        return [queue.popleft() for _ in range(min(len(queue), MAX_GROUP_ENTRIES))]

    def _write_group(self, loop: Loop, group: list[Entry], waited_since: float) -> None:
        """Commit *group*, or have it fail together with all that is queued. An empty one only frees frames."""
        position = self._next_position
        records = [entry.record for entry in group if entry.record is not None]
        began = time.perf_counter()
        try:
            fsync_seconds = self._transact(group, records, position)
        except apsw.Error as error:
            self._recent.forget()
            self._resumed.clear()
            self._tell(loop, self._fail, group, error)
            if not self._stopping:
                self._resumed.wait()
            return
        self._next_position += 1
        self._last_group, self._last_commit = len(group), time.perf_counter()
        commit = GroupCommit(len(records), began - waited_since, self._last_commit - began, fsync_seconds)
        self._tell(loop, self._succeed, group, position, commit)
        if self._wal_pages >= WAL_CHECKPOINT_PAGES:
            with contextlib.suppress(apsw.Error):  # the next one tries again
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._wal_pages = 0

    @staticmethod
    def _tell(loop: Loop, callback: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            loop.call_soon_threadsafe(callback, *arguments)

    def _transact(self, group: list[Entry], records: list[bytes], position: int) -> float:
        """One transaction; return the seconds that its end took. If it raises apsw.Error, nothing of it happened."""
        now_ms = self._clock_ms()
        recents = self._recent.plan(
            self._connection, [entry.recent for entry in group if entry.recent is not None], position, now_ms
        )
        extras = [entry.extra for entry in group if entry.extra is not None]
        samples = sum([entry.samples for entry in group])
        if records and len(recents) < 2 and not extras and not self._frames.due(now_ms):
            recent = recents[0] if recents else NO_RECENT
            return self._transact_plainly(records, samples, recent, position, now_ms)
        return self._transact_anything(records, samples, recents, extras, position, now_ms)

    def _transact_plainly(
        self, records: list[bytes], samples: int, recent: RecentWrite, position: int, now_ms: int
    ) -> float:
        """The transaction of pushes of one dialect and nothing else, in one statement.

        Each statement gives up the interpreter's lock and waits to get it back from the event loop.
        """
        kept = self._frames.state()
        body = self._frames.add(now_ms, records, samples)
        began = time.perf_counter()
        try:
            self._connection.execute(
                "INSERT INTO plain_commit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    position,
                    now_ms,
                    len(records),
                    samples,
                    body,
                    recent.dialect,
                    recent.entries,
                    recent.body,
                    recent.surplus_through,
                ),
            )
        except apsw.Error:
            self._frames.restore(kept)
            raise
        return time.perf_counter() - began

    def _transact_anything(
        self,
        records: list[bytes],
        samples: int,
        recents: list[RecentWrite],
        extras: list[Extra],
        position: int,
        now_ms: int,
    ) -> float:
        connection = self._connection
        kept = self._frames.state()
        connection.execute("BEGIN IMMEDIATE")
        try:
            if records:
                self._frames.write(connection, position, now_ms, records, samples)
            for recent in recents:
                recent.write(connection, position, now_ms)
            self._write_extras(extras, position, now_ms)
            self._frames.delete_surplus(connection, now_ms)
            began = time.perf_counter()
            connection.execute("COMMIT")
            return time.perf_counter() - began
        except apsw.Error:
            self._frames.restore(kept)
            if connection.in_transaction:
                with contextlib.suppress(apsw.Error):
                    connection.execute("ROLLBACK")
            raise

    def _write_extras(self, extras: list[Extra], position: int, now_ms: int) -> None:
        connection = self._connection
        families = [family for extra in extras for family in extra.families]
        if families:
            connection.executemany(
                "INSERT OR REPLACE INTO family VALUES (?, ?)",
                [(family.name, _family_encoder.encode(family)) for family in families],
            )
        receipts = [extra.receipt for extra in extras if extra.receipt is not None]
        if receipts:
            write_receipts(connection, receipts, now_ms)
        facts = [extra.facts for extra in extras if extra.facts is not None]
        if facts:
            write_facts(connection, facts)
        removals = [(position, *removal) for extra in extras for removal in extra.removals]
        if removals:
            connection.executemany("INSERT OR REPLACE INTO removal VALUES (?, ?, ?)", removals)
        for extra in extras:
            self._write_checkpoint(extra)
            if extra.rewrite is not None:
                self._recent.rewrite(connection, *extra.rewrite)
            if extra.cursor is not None:
                self._frames.set_cursor(connection, *extra.cursor)
            if extra.floor is not None:
                self._frames.set_floor(connection, extra.floor)
                delete_old_receipts(connection, now_ms)
            if extra.next_group_id is not None:
                values = ("next_group_id", extra.next_group_id)
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", values)

    def _write_checkpoint(self, extra: Extra) -> None:
        execute = self._connection.execute
        for group_id, body in extra.rows:
            if body is None:
                execute("DELETE FROM checkpoint WHERE group_id = ?", (group_id,))
                execute("DELETE FROM sketch WHERE group_id = ?", (group_id,))
            else:
                execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", (group_id, body))
        for *key, body in extra.sketches:
            if body is None:
                execute("DELETE FROM sketch WHERE group_id = ? AND series_id = ? AND hour = ?", tuple(key))
            else:
                execute("INSERT OR REPLACE INTO sketch VALUES (?, ?, ?, ?)", (*key, body))

    # Outcomes, in the event loop

    def _succeed(self, group: list[Entry], position: int, commit: GroupCommit) -> None:
        self.writable = True
        if commit.records:
            self._on_commit(commit)
        for entry in group:
            entry.committed(position)

    def _fail(self, group: list[Entry], error: apsw.Error) -> None:
        """Fail *group* and all that was queued behind it, then let the writer go on unless the disk is unknown."""
        self.failed_groups += 1
        self.writable = False
        refusal: PushRejected
        if full := _disk_is_full(error):
            refusal = JournalFull("the disk has no room; send it again later")
        else:
            refusal = JournalFailed("the journal cannot be written")
        behind = list(self._queue)
        self._queue.clear()
        self._broken = not full and not isinstance(error, TRANSIENT)
        self._on_discard()
        for entry in (*group, *behind):
            entry.failed(refusal)
        self._resumed.set()
        if self._broken:
            self._on_fatal(error)


def _disk_is_full(error: apsw.Error) -> bool:
    """SQLite has a code of its own for no room for the index of the write-ahead log, one of those of broken disks."""
    return (
        isinstance(error, apsw.FullError) or getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE
    )


def _number(connection: apsw.Connection, query: str) -> int:
    """The first value of the first row, 0 if there is none."""
    row = connection.execute(query).fetchone()
    return 0 if row is None or row[0] is None else int(row[0])
