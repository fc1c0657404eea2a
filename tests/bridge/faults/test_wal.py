"""The write-ahead log: it grows while somebody reads an old state, and is used again from its start afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from pushgateway_bridge.errors import JournalFull
from pushgateway_bridge.journal.journal import WAL_CHECKPOINT_PAGES, WAL_KEPT_BYTES
from tests.bridge.faults.load import push_and_watch
from tests.bridge.faults.small_disk import SmallDisk
from tests.bridge.harness import Harness
from tests.bridge.padding import incompressible

CHECKPOINT_BYTES = WAL_CHECKPOINT_PAGES * 4120
"""Where the journal begins to copy the log into the file: so many pages, each with its header."""
BIG = incompressible(90_000)
INDEX_PAGES = 4062
"""Pages of the log that the first part of SQLite's index (the -shm file) covers; then it takes 32 KiB more."""


def wal_bytes(bridge: Harness) -> int:
    return bridge.journal.file.with_name("journal.db-wal").stat().st_size


def wal_pages_in_use(bridge: Harness) -> int:
    """How many pages of the log the next checkpoint would look at."""
    return bridge.journal._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)[0]


@contextlib.contextmanager
def reading(bridge: Harness) -> Iterator[None]:
    """Somebody who holds a read transaction open, such as a backup or a shell."""
    connection = apsw.Connection(str(bridge.journal.file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM frame").fetchall()
        yield
    finally:
        connection.close()


def push_bytes(bridge: Harness, size: int) -> None:
    for number in range(size // len(BIG)):
        bridge.push({"name": f"host-{number % 5}", "cpuC": number, "text": BIG})


def test_log_without_readers_stays_near_its_checkpoint_size(bridge: Harness) -> None:
    for _ in range(5):
        push_bytes(bridge, CHECKPOINT_BYTES)

        assert wal_bytes(bridge) < 1.5 * CHECKPOINT_BYTES


def test_log_grows_under_a_reader_and_gives_the_room_back_when_it_is_gone(bridge: Harness) -> None:
    with reading(bridge):
        push_bytes(bridge, 3 * CHECKPOINT_BYTES)
        grown = wal_bytes(bridge)
    push_bytes(bridge, 4 * len(BIG))

    assert grown > WAL_KEPT_BYTES + len(BIG)
    assert wal_bytes(bridge) <= WAL_KEPT_BYTES
    assert wal_pages_in_use(bridge) < WAL_CHECKPOINT_PAGES
    for _ in range(4):
        push_bytes(bridge, CHECKPOINT_BYTES)
    assert wal_bytes(bridge) <= WAL_KEPT_BYTES
    expected = bridge.series()
    bridge.crash()
    assert bridge.series() == expected


def test_disk_that_fills_up_where_the_index_of_the_log_must_grow_is_full_and_not_broken(
    small_disk: SmallDisk,
) -> None:
    small_disk.resize(32 * 2**20)
    bridge = Harness(small_disk.folder / "journal")
    try:
        with reading(bridge):
            bridge.push({"name": "host", "cpuC": 0})
            while (room := (INDEX_PAGES - 6) * 4120 - wal_bytes(bridge)) > 0:
                bridge.push(
                    {"name": "host", "cpuC": 1, "text": incompressible(min(90_000, max(room - 60_000, 0)))}
                )
            small_disk.fill(left_bytes=32_000)
            refused = 0
            for number in range(10):
                outcome = bridge.begin({"name": "host", "cpuC": number})
                bridge.drain()
                refused += isinstance(outcome.result(), JournalFull)
        assert refused > 0
        assert bridge.fatal == []
        small_disk.free()
        bridge.push({"name": "host", "cpuC": 99})
        expected = bridge.series()
        bridge.crash()
        assert bridge.series() == expected
    finally:
        bridge.close()


@pytest.mark.stack
def test_journal_stays_bounded_under_sustained_load(tmp_path: Path) -> None:
    """Big pushes on several connections, half of them with keys, while somebody reads entries back."""
    watched = push_and_watch(tmp_path, pushed_bytes=6_000_000)

    assert watched.largest_wal_bytes < 4 * CHECKPOINT_BYTES
    assert watched.largest_file_bytes < watched.file_bound_bytes
