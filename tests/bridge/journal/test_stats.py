from __future__ import annotations

from pathlib import Path

import pytest

from pushgateway_bridge import pipeline
from pushgateway_bridge.journal.inspect import open_journal
from pushgateway_bridge.journal.recent import read_recent
from pushgateway_bridge.journal.stats import (
    Frames,
    LargeGroup,
    Positions,
    RecentEntries,
    Remote,
    Rows,
    Stats,
    read_stats,
)
from pushgateway_bridge.state.stored import decode_group
from tests.bridge.events import EVENTS
from tests.bridge.harness import Harness
from tests.bridge.journal.damage import alter, database

NOW_MS = 1_770_000_000_000


def stats_of(directory: Path, now_ms: int = NOW_MS) -> Stats:
    with open_journal(directory) as connection:
        return read_stats(connection, directory, decode_group, now_ms)


def sizes(directory: Path, query: str) -> list[int]:
    with database(directory) as connection:
        return [int(str(row[0])) for row in connection.execute(query).fetchall()]


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two checkpointed groups, a frame that only a remote keeps, and four that a restart reads."""
    monkeypatch.setattr(
        pipeline, "SLICE_SECONDS", 60.0
    )  # one slice: positions do not depend on how busy the machine is
    harness = Harness(tmp_path)
    harness.push({"name": "a", "cpuC": 4, "cpuL": 10})
    harness.push({"app": "shop", "users": ["ann"]}, EVENTS)
    harness.checkpoint()
    harness.clock.pass_seconds(10)
    for _ in range(4):
        harness.push({"name": "a", "cpuL": 1})
    harness.close()
    alter(tmp_path, "DELETE FROM frame WHERE position < 3")
    statement = "INSERT INTO frame (position, written_ms, records, body) VALUES (2, ?, 3, x'0102')"
    alter(tmp_path, statement, NOW_MS - 5000)
    alter(tmp_path, "INSERT INTO cursor (remote, position) VALUES ('mimir', 1), ('thanos', 1000)")
    return tmp_path


def test_an_empty_journal_is_told_as_such(bridge: Harness) -> None:
    found = stats_of(bridge.directory)

    assert (found.frames, found.uncovered) == (Frames(), Frames())
    assert (found.positions, found.oldest_frame_age_seconds) == (Positions(None, 0, 0), None)
    assert (found.checkpoint, found.families, found.receipts) == (Rows(0, 0), Rows(0, 0), Rows(0, 0))
    assert (found.recent, found.remotes, found.largest_groups, found.set_aside) == ([], [], [], [])
    assert found.wal_bytes == (bridge.directory / "journal.db-wal").stat().st_size > 0


@pytest.mark.parametrize("rows_a_read", [1, 2, 4096])
def test_frames_are_counted_whole_and_behind_the_checkpoint(
    stopped: Path, rows_a_read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pushgateway_bridge.journal.stats.ROWS_A_READ", rows_a_read)
    bodies = sizes(stopped, "SELECT length(body) FROM frame WHERE position > 2")
    newest = max(sizes(stopped, "SELECT position FROM frame"))

    found = stats_of(stopped, NOW_MS + 1000)

    assert found.uncovered == Frames(4, 4, sum(bodies))
    assert found.frames == Frames(5, 7, sum(bodies) + 2)
    assert found.positions == Positions(2, newest, 2)
    assert found.oldest_frame_age_seconds == 6.0
    assert found.remotes == [Remote("mimir", 1, 7), Remote("thanos", 1000, 0)]


def test_tables_are_counted_with_their_bytes(stopped: Path) -> None:
    receipt = "INSERT INTO receipt (key, written_ms, body_hash, status, content_type, body) VALUES "
    alter(stopped, receipt + "(x'01', 0, x'02', 202, 'text/plain', x'616263')")
    entries = read_recent(stopped / "journal.db", "pixeltracker", 100, 0)

    found = stats_of(stopped)

    for rows, table in (
        (found.checkpoint, "checkpoint"),
        (found.sketches, "sketch"),
        (found.families, "family"),
        (found.receipts, "receipt"),
    ):
        bodies = sizes(stopped, f"SELECT length(body) FROM {table}")
        assert rows == Rows(len(bodies), sum(bodies)) != Rows(0, 0)
    size = sum(sizes(stopped, "SELECT length(body) FROM recent"))
    assert found.recent == [RecentEntries("pixeltracker", len(entries), size, NOW_MS, NOW_MS + 10_000)]
    assert found.file_bytes == (stopped / "journal.db").stat().st_size


def test_groups_are_told_by_size_their_sketches_included(stopped: Path) -> None:
    alter(stopped, "INSERT INTO sketch (group_id, series_id, hour, body) VALUES (1, 1, 1, zeroblob(5000))")
    alter(stopped, "INSERT INTO checkpoint (group_id, body) VALUES (9, x'c1')")
    rows = sizes(stopped, "SELECT length(body) FROM checkpoint ORDER BY group_id")
    (sketch,) = sizes(stopped, "SELECT length(body) FROM sketch WHERE group_id = 2")

    assert stats_of(stopped).largest_groups == [
        LargeGroup(1, rows[0] + 5000, {"job": "pixeltracker", "instance": "a"}, "pixeltracker", 2),
        LargeGroup(2, rows[1] + sketch, {"job": "events", "instance": "shop"}, "events", 1),
        LargeGroup(9, 1, None, None, None),
    ]


def test_files_that_were_set_aside_are_told(stopped: Path) -> None:
    for name in ("journal.db.corrupt-17", "journal.db.corrupt-17-wal", "journal.db.corrupt-9"):
        (stopped / name).touch()

    assert stats_of(stopped).set_aside == ["journal.db.corrupt-17", "journal.db.corrupt-9"]
