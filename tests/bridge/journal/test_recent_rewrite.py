"""Rewriting recent entries: through the journal, on disk, whole or not at all, and only those of one dialect."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import cast

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.errors import JournalFailed, JournalFull, NotReady, PushRejected
from pushgateway_bridge.journal import schema
from pushgateway_bridge.journal.entry import Entry, Extra, Rewrite, Work
from pushgateway_bridge.journal.recent import RecentTable, read_recent
from tests.bridge.harness import Harness
from tests.bridge.padding import incompressible

KEPT_MS = 0


class Stored(Entry):
    """Entries of dialects, without a push."""

    __slots__ = ("outcome",)

    def __init__(self, dialect: str, entry: bytes, outcome: asyncio.Future[PushRejected | None]) -> None:
        self.record = None
        self.samples = 0
        self.recent = (dialect, entry)
        self.extra = None
        self.outcome = outcome

    def committed(self, position: int) -> None:
        self.outcome.set_result(None)

    def failed(self, refusal: PushRejected) -> None:
        self.outcome.set_result(refusal)


class Table:
    """What stands in a journal's table of recent entries, and how to change it."""

    def __init__(self, bridge: Harness) -> None:
        self.bridge = bridge

    def append(self, dialect: str, *entries: bytes) -> list[asyncio.Future[PushRejected | None]]:
        outcomes: list[asyncio.Future[PushRejected | None]] = []
        for entry in entries:
            outcomes.append(self.bridge.loop.create_future())
            self.bridge.journal.append(Stored(dialect, entry, outcomes[-1]))
        return outcomes

    def add(self, dialect: str, *entries: bytes) -> None:
        """Each in a group commit of its own."""
        for entry in entries:
            (outcome,) = self.append(dialect, entry)
            assert self.wait(outcome) is None

    def wait(self, outcome: asyncio.Future[PushRejected | None]) -> PushRejected | None:
        async def wait() -> PushRejected | None:
            return await outcome

        return self.bridge.run(wait())

    def rewrite(self, dialect: str, change: Rewrite) -> None:
        self.bridge.run(self.bridge.ingest.rewrite_entries(dialect, change))

    def read(self, dialect: str, max_entries: int = 1000) -> list[bytes]:
        return read_recent(self.bridge.journal.file, dialect, max_entries, KEPT_MS)

    def rows(self, dialect: str) -> list[tuple[int, int]]:
        """Number of entries as written down, and as they are, of each row."""
        connection = apsw.Connection(str(self.bridge.journal.file), flags=apsw.SQLITE_OPEN_READONLY)
        found = rows_of(connection, dialect)
        connection.close()
        return [(entries, len(body.split(b"\n"))) for _, entries, body in found]


def rows_of(connection: apsw.Connection, dialect: str) -> list[tuple[int, int, bytes]]:
    """Position, number of entries and body of each row."""
    query = "SELECT position, entries, body FROM recent WHERE dialect = ? ORDER BY position"
    return cast(list[tuple[int, int, bytes]], connection.execute(query, (dialect,)).fetchall())


@pytest.fixture
def table(bridge: Harness) -> Table:
    return Table(bridge)


def without(*unwanted: bytes) -> Rewrite:
    return lambda entry: None if entry in unwanted else entry


def test_what_a_rewrite_says_stands_there_afterwards_in_the_same_order(table: Table) -> None:
    table.add("a", b"1", b"2", b"3", b"4")
    changes = {b"1": b"1", b"2": None, b"3": b"three, and longer", b"4": b""}

    table.rewrite("a", lambda entry: changes[entry])

    assert table.read("a") == [b"1", b"three, and longer", b""]


def test_a_rewrite_is_asked_about_the_newest_entry_first_within_rows_and_across_them(table: Table) -> None:
    table.add("a", b"1", b"2")
    table.append("a", *(str(number).encode() for number in range(3, 60)))  # some share a group commit
    asked: list[bytes] = []

    def keep(entry: bytes) -> bytes:
        asked.append(entry)
        return entry

    table.rewrite("a", keep)

    assert asked == [str(number).encode() for number in range(59, 0, -1)]
    assert table.read("a") == asked[::-1]
    assert len(table.rows("a")) < 59


def test_entries_of_other_dialects_are_not_even_asked_about(table: Table) -> None:
    table.add("a", b"1", b"2")
    table.add("b", b"1")

    table.rewrite("a", without(b"1", b"2"))

    assert (table.read("a"), table.read("b")) == ([], [b"1"])


def test_a_row_whose_entries_all_go_goes_too_and_the_others_say_how_many_they_hold(table: Table) -> None:
    table.append("a", *(b"old" for _ in range(20)), *(b"kept" for _ in range(20)))
    table.add("a", b"old", b"kept")

    table.rewrite("a", without(b"old"))

    rows = table.rows("a")
    assert sum(entries for entries, _ in rows) == 21
    assert all(entries == held for entries, held in rows)
    table.rewrite("a", without(b"kept"))
    assert table.rows("a") == []


def test_a_rewrite_of_nothing_does_nothing(table: Table) -> None:
    table.rewrite("a", without(b"1"))

    assert table.read("a") == []


def test_what_was_rewritten_is_rewritten_after_a_crash(bridge: Harness, table: Table) -> None:
    table.add("a", b"1", b"2", b"3")
    table.rewrite("a", lambda entry: None if entry == b"1" else entry + b"!")

    bridge.crash()

    assert table.read("a") == [b"2!", b"3!"]


def test_entries_after_a_rewrite_follow_those_that_it_left(bridge: Harness, table: Table) -> None:
    table.add("a", b"1", b"2")
    table.rewrite("a", without(b"2"))
    table.add("a", b"3")
    bridge.crash()
    table.add("a", b"4")

    assert table.read("a") == [b"1", b"3", b"4"]


def test_all_may_be_rewritten_away_and_the_journal_goes_on_after_a_crash(
    bridge: Harness, table: Table
) -> None:
    table.add("a", b"1", b"2")
    table.rewrite("a", without(b"1", b"2"))
    bridge.crash()
    table.add("a", b"3")

    assert table.read("a") == [b"3"]


def test_an_entry_queued_before_a_rewrite_is_rewritten_with_it(table: Table) -> None:
    bridge = table.bridge
    for number in range(50):
        table.append("a", b"old %d" % number, b"new %d" % number)
        bridge.journal.append(rewriting("a", lambda entry: entry if entry.startswith(b"new") else None))
    bridge.drain()

    assert table.read("a") == [b"new %d" % number for number in range(50)]


def rewriting(dialect: str, change: Rewrite, failed: Callable[[PushRejected], None] | None = None) -> Work:
    extra = Extra(rewrite=(dialect, change))
    return Work(lambda _position: None, failed or (lambda _refusal: None), extra=extra)


# How many stand there


def test_the_bound_counts_what_a_rewrite_left_and_not_what_was_there(tmp_path: Path) -> None:
    bridge = Harness(tmp_path / "journal", recent_entries=3)
    table = Table(bridge)
    table.add("a", b"1", b"2", b"3")
    table.rewrite("a", without(b"2", b"3"))
    table.add("a", b"4", b"5")
    assert table.read("a", 3) == [b"1", b"4", b"5"]

    table.add("a", b"6")
    assert table.read("a", 3) == [b"4", b"5", b"6"]
    assert len(table.rows("a")) == 3
    bridge.close()


def test_a_rewrite_makes_no_entry_younger(bridge: Harness, table: Table) -> None:
    table.add("a", b"1")
    bridge.clock.pass_seconds(100)
    table.add("a", b"2")

    table.rewrite("a", lambda entry: entry + b"!")

    oldest_ms = bridge.clock.now_ms() - 50_000
    assert read_recent(bridge.journal.file, "a", 10, oldest_ms) == [b"2!"]


ENTRIES = st.lists(st.integers(0, 5).map(lambda number: b"%d" % number), max_size=12)
STEPS = st.lists(
    st.one_of(ENTRIES, st.dictionaries(st.integers(0, 5), st.integers(0, 5) | st.none())), max_size=8
)


@given(steps=STEPS, max_entries=st.integers(1, 10))
def test_the_table_is_what_a_list_would_be_whatever_is_added_and_rewritten(
    steps: Sequence[list[bytes] | dict[int, int | None]], max_entries: int
) -> None:
    """On the table itself, in a database of its own: it reads back what a plain list holds."""
    connection = memory()
    recent = RecentTable(max_entries, 86400.0)
    expected: list[bytes] = []
    for position, step in enumerate(steps, 1):
        if isinstance(step, dict):
            changes = {b"%d" % old: None if new is None else b"%d" % new for old, new in step.items()}
            recent.rewrite(connection, "a", lambda entry, to=changes: to.get(entry, entry))  # type: ignore[misc]
            expected = [new for entry in expected if (new := changes.get(entry, entry)) is not None]
            held = len(expected)
        else:
            for write in recent.plan(connection, [("a", entry) for entry in step], position, 1):
                write.write(connection, position, 1)
            expected += step
            held = min(max_entries, len(expected)) if step else 0
        rows = rows_of(connection, "a")
        entries = [entry for _, _, body in rows for entry in body.split(b"\n")]
        assert [count for _, count, _ in rows] == [len(body.split(b"\n")) for _, _, body in rows]
        assert all(before < after for (before, *_), (after, *_) in pairwise(rows))
        assert len(entries) >= held
        expected = expected[len(expected) - len(entries) :] if entries else []
        assert entries == expected
    connection.close()


def memory() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    schema.prepare(connection)
    return connection


# When it cannot be written


@pytest.fixture
def full(table: Table) -> Table:
    """A table of ten entries on a disk that has no room for more, as SQLite sees it."""
    table.add("a", *(b"%d" % number for number in range(10)))
    connection = table.bridge.journal._connection
    connection.pragma("max_page_count", connection.pragma("page_count"))
    return table


LONG = incompressible(100_000).encode()


@contextlib.contextmanager
def holding_the_writer(bridge: Harness) -> Iterator[Callable[[], None]]:
    """Keep the writer within a transaction, so that what is appended meanwhile shares the next one."""
    began, go_on = threading.Event(), threading.Event()

    def wait(entry: bytes) -> bytes:
        began.set()
        assert go_on.wait(60)
        return entry

    bridge.journal.append(rewriting("a", wait))
    assert began.wait(60)
    try:
        yield go_on.set
    finally:
        go_on.set()


def test_a_rewrite_that_finds_no_room_changes_nothing_and_the_next_one_is_done(full: Table) -> None:
    before = full.read("a")

    with pytest.raises(JournalFull):
        full.rewrite("a", lambda entry: entry + LONG if entry == b"3" else None)

    assert full.read("a") == before
    full.bridge.journal._connection.pragma("max_page_count", 2**30)
    full.rewrite("a", without(b"3"))
    assert full.read("a") == [entry for entry in before if entry != b"3"]


def test_a_rewrite_in_a_group_that_fails_changes_nothing_and_says_so(full: Table) -> None:
    """The rewrite itself has room; another entry of its group commit has not."""
    before = full.read("a")
    bridge = full.bridge
    with holding_the_writer(bridge) as release:
        refused: list[PushRejected] = []
        bridge.journal.append(rewriting("a", without(b"1", b"2"), refused.append))
        (pushed,) = full.append("b", LONG)
        release()
        assert isinstance(full.wait(pushed), JournalFull)

    assert [type(one) for one in refused] == [JournalFull]
    assert (full.read("a"), full.read("b")) == (before, [])
    bridge.journal._connection.pragma("max_page_count", 2**30)
    full.add("a", b"next")
    assert full.read("a") == [*before, b"next"]
    bridge.crash()
    assert full.read("a") == [*before, b"next"]
    assert bridge.fatal == []


def test_a_rewrite_while_somebody_else_writes_the_file_is_refused_and_changes_nothing(table: Table) -> None:
    table.add("a", b"1", b"2")
    connection = table.bridge.journal._connection
    connection.set_busy_timeout(0)
    other = apsw.Connection(str(table.bridge.journal.file))
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(JournalFailed):
        table.rewrite("a", without(b"1"))

    other.execute("ROLLBACK")
    other.close()
    assert table.read("a") == [b"1", b"2"]
    table.rewrite("a", without(b"1"))
    assert table.read("a") == [b"2"]


def test_a_bridge_that_is_not_ready_rewrites_nothing(bridge: Harness, table: Table) -> None:
    table.add("a", b"1")
    bridge.ingest.ready = False

    with pytest.raises(NotReady):
        table.rewrite("a", without(b"1"))

    assert table.read("a") == [b"1"]
