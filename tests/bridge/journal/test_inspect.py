from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from pushgateway_bridge.journal import schema
from pushgateway_bridge.journal.inspect import (
    Frame,
    JournalUnreadable,
    Unreadable,
    group_ids,
    newest_position,
    open_journal,
    read_frames,
    sketch_keys,
)
from tests.bridge.events import EVENTS
from tests.bridge.harness import Harness
from tests.bridge.journal.damage import alter, break_frame_on_disk, database

HOST = {"name": "a", "cpuC": 4, "cpuL": 10}


def positions(directory: Path) -> list[int]:
    with open_journal(directory) as connection:
        return [frame.position for frame in read_frames(connection)]


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The folder of a bridge that took three pushes and was stopped."""
    harness = Harness(tmp_path)
    for load in range(3):
        harness.push({**HOST, "cpuL": load})
    harness.close()
    return tmp_path


def test_a_running_bridge_is_read_and_goes_on(bridge: Harness) -> None:
    bridge.push(HOST)
    with open_journal(bridge.directory) as connection:
        before = [frame.position for frame in read_frames(connection)]
        bridge.push(HOST)
        bridge.checkpoint()
        after = newest_position(connection)

    assert len(before) == 1
    assert after > before[-1]
    assert bridge.fatal == []


def test_reading_never_keeps_the_write_ahead_log_from_being_emptied(bridge: Harness) -> None:
    for _ in range(5):
        bridge.push(HOST)
    with open_journal(bridge.directory) as connection, database(bridge.directory) as other:
        frames = read_frames(connection)
        next(frames)
        next(group_ids(connection), None)

        busy, pages, copied = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
    assert (busy, pages, copied) == (0, 0, 0)


def test_reading_a_stopped_journal_leaves_no_trace(stopped: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in stopped.iterdir()}

    assert len(positions(stopped)) == 3
    assert {file.name: file.stat().st_mtime_ns for file in stopped.iterdir()} == before


def test_what_a_killed_bridge_left_in_its_write_ahead_log_is_read(bridge: Harness, tmp_path: Path) -> None:
    bridge.push(HOST)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("journal.db", "journal.db-wal"):
        (copy / name).write_bytes((bridge.directory / name).read_bytes())

    assert positions(copy) == positions(bridge.directory)


def test_a_bridge_that_starts_meanwhile_is_told(stopped: Path) -> None:
    with pytest.raises(
        JournalUnreadable, match="a bridge was started while this read it; run this once more"
    ):
        _read_while_a_bridge_starts(stopped)


def _read_while_a_bridge_starts(directory: Path) -> None:
    with open_journal(directory):
        harness = Harness(directory)
        harness.push(HOST)
        harness.close()


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Root may write anywhere; leave that for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def unwritable(stopped: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "journal.db").write_bytes((stopped / "journal.db").read_bytes())
        directory.chmod(0o555)
        yield directory
        directory.chmod(0o755)


def test_a_stopped_journal_is_read_where_nothing_may_be_written(unwritable: Path, as_nobody: None) -> None:
    assert len(positions(unwritable)) == 3


@pytest.fixture
def unreadable(unwritable: Path) -> Path:
    (unwritable / "journal.db").chmod(0)
    return unwritable


def test_a_file_that_may_not_be_read_is_told(unreadable: Path, as_nobody: None) -> None:
    with pytest.raises(JournalUnreadable, match=r"journal.db: Permission denied$"):
        positions(unreadable)


@pytest.mark.parametrize("wal", [True, False], ids=["killed", "stopped"])
def test_a_file_that_is_no_database_is_told(stopped: Path, wal: bool) -> None:
    if wal:
        (stopped / "journal.db-wal").write_bytes(b"")
    (stopped / "journal.db").write_bytes(b"no database " * 1000)

    with pytest.raises(JournalUnreadable, match=r"journal.db is no SQLite database"):
        positions(stopped)


def test_what_is_no_journal_is_told(tmp_path: Path) -> None:
    def message(directory: Path) -> str:
        with pytest.raises(JournalUnreadable) as caught:
            positions(directory)
        return str(caught.value)

    file = tmp_path / "journal.db"
    assert message(tmp_path / "absent") == f"journal.directory {tmp_path}/absent: No such file or directory"
    assert message(tmp_path) == f"journal.directory {tmp_path} holds no journal: there is no journal.db"
    file.touch()
    assert message(tmp_path) == f"{file} is no journal of a bridge"
    assert message(file) == f"journal.directory {file}: Not a directory"
    alter(tmp_path, "CREATE TABLE other (a)")
    assert message(tmp_path) == f"{file} is no journal of a bridge"


def test_a_newer_schema_is_told(stopped: Path) -> None:
    alter(stopped, "PRAGMA user_version = 99")

    known = schema.SCHEMA_VERSION
    with pytest.raises(
        JournalUnreadable, match=rf"has schema 99, this program knows up to {known}: use the newer one"
    ):
        positions(stopped)


def test_columns_that_are_added_change_nothing(stopped: Path) -> None:
    alter(stopped, "ALTER TABLE frame ADD COLUMN added")
    alter(stopped, "ALTER TABLE checkpoint ADD COLUMN added")

    assert len(positions(stopped)) == 3


def test_behind_a_frame_that_the_disk_lost_the_next_is_read(stopped: Path) -> None:
    break_frame_on_disk(stopped, 1000)
    alter(stopped, "INSERT INTO frame (position, written_ms, records, body) VALUES (1001, 0, 0, x'01')")
    with open_journal(stopped) as connection:
        found = list(read_frames(connection))

    assert found[3:] == [Unreadable(3, "database disk image is malformed"), Frame(1001, 0, 0, b"\x01")]


def test_frames_are_read_up_to_a_position(stopped: Path) -> None:
    with open_journal(stopped) as connection:
        assert [frame.position for frame in read_frames(connection, 2)] == [1, 2]


def test_more_rows_than_one_read_takes_are_all_read(bridge: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pushgateway_bridge.journal.inspect.IDS_A_READ", 2)
    for number in range(5):
        bridge.push({"app": f"app-{number}", "users": ["ann"]}, EVENTS)
    bridge.checkpoint()
    with open_journal(bridge.directory) as connection:
        groups = list(group_ids(connection))
        sketches = [key[0] for key in sketch_keys(connection)]

    assert len(groups) == 5
    assert sketches == groups == sorted(groups)


def test_errors_of_the_disk_while_reading_are_one_line(stopped: Path) -> None:
    with (
        pytest.raises(JournalUnreadable, match=r"journal.db: attempt to write; copy the folder"),
        open_journal(stopped),
    ):
        raise apsw.ReadOnlyError("attempt to write")
