from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec
import pytest

from pushgateway_bridge import pipeline
from pushgateway_bridge.errors import JournalFailed, JournalFull, NotReady, StartFailed
from pushgateway_bridge.journal.entry import Extra, Work
from pushgateway_bridge.journal.frames import FrameLimits
from pushgateway_bridge.journal.journal import Journal
from pushgateway_bridge.journal.recent import RecentTable, read_recent
from pushgateway_bridge.journal.schema import SCHEMA_VERSION
from tests.bridge.harness import FakeClock, Harness
from tests.bridge.padding import incompressible

LIMITS = FrameLimits(10**9, 60.0)
HOST = {"name": "a", "cpuC": 4, "cpuL": 10}
LOAD = 'node_load1{job="pixeltracker",instance="a"}'


@contextlib.contextmanager
def database(harness: Harness) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(harness.journal.file))
    try:
        yield connection
    finally:
        connection.close()


def frames(harness: Harness) -> list[int]:
    with database(harness) as connection:
        return [row[0] for row in connection.execute("SELECT position FROM frame ORDER BY position")]


def test_pushes_that_wait_together_are_one_group_commit(bridge: Harness) -> None:
    outcomes = [bridge.begin({"name": f"host-{i}", "cpuL": i}) for i in range(50)]
    bridge.drain()

    assert [outcome.result() for outcome in outcomes] == [None] * 50
    with database(bridge) as connection:
        records = [row[0] for row in connection.execute("SELECT records FROM frame")]
    assert sum(records) == 50
    assert len(records) < 50


def test_positions_go_on_after_a_restart(bridge: Harness) -> None:
    bridge.push(HOST)
    before = frames(bridge)
    bridge.crash()
    bridge.push(HOST)

    assert frames(bridge)[: len(before)] == before
    assert frames(bridge)[-1] > before[-1]


def test_a_checkpoint_frees_the_records_it_covers(bridge: Harness) -> None:
    for load in range(5):
        bridge.push({**HOST, "cpuL": load})
    bridge.checkpoint()
    bridge.push({**HOST, "cpuL": 90})

    assert len(frames(bridge)) == 1
    bridge.crash()
    assert bridge.replayed[0] == 1
    assert bridge.series()[LOAD] == 9.0


def test_all_frames_that_a_checkpoint_covers_are_freed_without_another_push(bridge: Harness) -> None:
    for load in range(200):
        bridge.push({**HOST, "cpuL": load})
    bridge.checkpoint()
    bridge.journal.close()

    with database(bridge) as connection:
        assert connection.execute("SELECT count(*) FROM frame").get == 0
    bridge._open()
    assert bridge.replayed[0] == 0
    assert bridge.series()[LOAD] == 19.9


def test_a_checkpoint_that_is_cancelled_loses_no_group(
    bridge: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a stop the running checkpoint is cancelled, and the last one frees all records."""
    monkeypatch.setattr(pipeline, "SLICE_SECONDS", 0)  # a group a slice, so that most still wait

    async def cancelled_midway() -> None:
        checkpoint = asyncio.create_task(bridge.ingest.checkpoint())
        await asyncio.sleep(0)  # it waits for its first slice to be written
        checkpoint.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await checkpoint

    for number in range(50):
        bridge.push({"name": f"host-{number}", "cpuL": number})
    expected = bridge.series()
    bridge.run(cancelled_midway())
    bridge.checkpoint()
    bridge.crash()

    assert bridge.replayed[0] == 0
    assert bridge.series() == expected


def set_cursor(bridge: Harness, remote: str, position: int | None) -> None:
    async def written() -> None:
        done = bridge.loop.create_future()
        bridge.journal.append(
            Work(done.set_result, done.set_exception, extra=Extra(cursor=(remote, position)))
        )
        await done

    bridge.run(written())


def test_records_are_kept_for_the_slowest_remote(bridge: Harness) -> None:
    bridge.push(HOST)
    first = frames(bridge)[0]
    set_cursor(bridge, "slow", first)
    set_cursor(bridge, "fast", first + 100)
    for load in range(5):
        bridge.push({**HOST, "cpuL": load})
    bridge.checkpoint()
    bridge.push(HOST)
    assert len(frames(bridge)) == 6

    bridge.crash()
    assert bridge.replayed[0] == 1
    set_cursor(bridge, "slow", None)
    set_cursor(bridge, "fast", None)
    assert bridge.journal.frames.lost_samples == {}
    bridge.journal.close()
    assert len(frames(bridge)) == 1
    bridge._open()


@pytest.mark.parametrize("over", ["bytes", "age"])
def test_over_the_limits_the_oldest_records_go_and_are_counted(bridge: Harness, over: str) -> None:
    bridge.limits = FrameLimits(10**9 if over == "age" else 2000, 3600.0)
    bridge.crash()
    set_cursor(bridge, "dead", 0)
    for load in range(150):
        bridge.push({**HOST, "cpuL": load})
        if load == 100:
            bridge.checkpoint()
    if over == "age":
        assert bridge.journal.frames.lost_samples == {}
        bridge.clock.pass_seconds(3601)
        bridge.push(HOST)
    bridge.journal.close()

    kept = bridge.journal.frames
    assert kept.lost_samples["dead"] >= 90
    assert kept.kept_bytes <= (2000 if over == "bytes" else 10**9) + kept.behind_floor_bytes
    with database(bridge) as connection:
        assert connection.execute("SELECT coalesce(sum(length(body)), 0) FROM frame").get == kept.kept_bytes
    bridge._open()
    assert bridge.series()[LOAD] in (14.9, 1.0)


def test_records_that_a_restart_needs_never_go(bridge: Harness) -> None:
    bridge.limits = FrameLimits(100, 1.0)
    bridge.crash()
    set_cursor(bridge, "dead", 0)
    for number in range(50):
        bridge.push({"name": f"host-{number}", "cpuL": 10})
    bridge.clock.pass_seconds(3)
    expected = bridge.series()
    bridge.crash()

    assert bridge.replayed[0] == 50
    assert bridge.series() == expected


def test_a_full_disk_refuses_and_recovers_by_itself(bridge: Harness, tmp_path: Path) -> None:
    bridge.push(HOST)
    before = bridge.series()
    pages = bridge.journal._connection.pragma("page_count")
    bridge.journal._connection.pragma("max_page_count", pages)
    big = {"name": "big", "cpuL": 1, "text": incompressible(90_000)}

    with pytest.raises(JournalFull, match="no room"):
        bridge.push(big)
    assert bridge.series() == before

    bridge.journal._connection.pragma("max_page_count", 1_000_000)
    bridge.push(big)
    bridge.push({**HOST, "cpuL": 20})
    assert bridge.series()[LOAD] == 2.0
    assert bridge.series()['telemetry_reports_total{job="pixeltracker",instance="a"}'] == 2.0
    expected = bridge.series()
    bridge.crash()
    assert bridge.series() == expected
    assert bridge.fatal == []


def test_what_is_queued_behind_a_failed_group_fails_with_it(bridge: Harness) -> None:
    """A later push may lack the definition of a series that the failed one made."""
    pages = bridge.journal._connection.pragma("page_count")
    bridge.journal._connection.pragma("max_page_count", pages)
    first = bridge.begin({"name": "a", "cpuL": 1, "text": incompressible(90_000)})
    second = bridge.begin({"name": "a", "cpuL": 2})
    bridge.run(_both(first, second))
    bridge.journal._connection.pragma("max_page_count", 1_000_000)
    bridge.push({"name": "a", "cpuL": 3})

    assert isinstance(first.result(), JournalFull)
    reports = bridge.series()['telemetry_reports_total{job="pixeltracker",instance="a"}']
    assert reports == (1.0 if second.result() is not None else 2.0)
    expected = bridge.series()
    bridge.crash()
    assert bridge.series() == expected


async def _both(*futures: object) -> None:
    for future in futures:
        await future  # type: ignore[misc]


def test_any_other_error_refuses_and_ends_the_bridge(bridge: Harness) -> None:
    with database(bridge) as connection:
        connection.execute("DROP TABLE frame")

    with pytest.raises(JournalFailed):
        bridge.push(HOST)
    with pytest.raises(NotReady):
        bridge.push(HOST)
    assert len(bridge.fatal) == 1
    assert bridge.series() == {}


def test_one_folder_has_one_bridge(bridge: Harness) -> None:
    second = Journal(
        bridge.directory,
        clock_ms=bridge.clock.now_ms,
        recent=RecentTable(10, 60),
        limits=FrameLimits(10**9, 60.0),
    )

    with pytest.raises(
        StartFailed, match=rf"journal.directory .* in use by another bridge \(process {os.getpid()}\)"
    ):
        second.open()


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b""], ids=["text", "empty"])
def test_a_file_that_is_no_journal_is_set_aside_and_the_bridge_starts(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(content)
    harness = Harness(tmp_path)
    harness.push(HOST)

    assert harness.series()[LOAD] == 1.0
    kept = [file.read_bytes() for file in tmp_path.glob("journal.db.corrupt-*")]
    assert kept == ([content] if content else [])
    harness.close()


def test_a_damaged_page_is_set_aside_at_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    harness = Harness(tmp_path)
    harness.push(HOST)
    harness.close()
    file = tmp_path / "journal.db"
    damaged = bytearray(file.read_bytes())
    damaged[100:4096] = b"\xff" * 3996  # the first page holds the list of tables
    file.write_bytes(damaged)

    harness = Harness(tmp_path)

    assert "journal corrupt" in caplog.text
    assert harness.series() == {}
    harness.close()


def test_a_newer_schema_is_refused_untouched(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    connection.pragma("user_version", 99)
    connection.close()
    journal = Journal(
        tmp_path, clock_ms=FakeClock().now_ms, recent=RecentTable(10, 60), limits=FrameLimits(10**9, 60.0)
    )

    with pytest.raises(StartFailed, match=f"schema 99, this bridge knows up to {SCHEMA_VERSION}"):
        journal.open()


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(
        tmp_path / "file" / "below",
        clock_ms=FakeClock().now_ms,
        recent=RecentTable(10, 60),
        limits=FrameLimits(10**9, 60.0),
    )

    with pytest.raises(StartFailed, match=r"journal\.directory .*Not a directory"):
        journal.open()


def test_an_unreadable_frame_costs_only_its_own_records(
    bridge: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b", "c"):
        bridge.push({"name": name, "cpuL": 10})
    middle = frames(bridge)[1]
    with database(bridge) as connection:
        connection.execute("UPDATE frame SET body = x'01ff000000' WHERE position = ?", (middle,))

    bridge.crash()

    loads = [name for name in bridge.series() if name.startswith("node_load1")]
    assert loads == [LOAD, 'node_load1{job="pixeltracker",instance="c"}']
    assert f"position={middle}" in caplog.text


def test_recent_entries_are_bounded_and_oldest_first(tmp_path: Path) -> None:
    harness = Harness(tmp_path, recent_entries=5)
    for number in range(12):
        harness.push({"name": "a", "n": number})
    harness.crash()
    for number in range(12, 15):
        harness.push({"name": "a", "n": number})

    entries = read_recent(harness.journal.file, "pixeltracker", 5, 0)
    assert [msgspec.json.decode(entry)["n"] for entry in entries] == [10, 11, 12, 13, 14]
    with database(harness) as connection:
        assert connection.execute("SELECT sum(entries) FROM recent").fetchone() == (5,)
    harness.close()


def test_recent_entries_older_than_their_age_are_not_shown(bridge: Harness) -> None:
    bridge.push({"name": "a", "n": 1})
    bridge.clock.pass_seconds(86401)
    bridge.push({"name": "a", "n": 2})

    entries = read_recent(bridge.journal.file, "pixeltracker", 10, 0)
    assert [msgspec.json.decode(entry)["n"] for entry in entries] == [2]
