from __future__ import annotations

import asyncio

import pytest

from pushgateway_bridge.errors import JournalFailed
from tests.bridge.harness import PIXELTRACKER, Harness
from tests.bridge.padding import incompressible

LOAD = 'node_load1{job="pixeltracker",instance="a"}'
CORES = 'host_cpu_cores{job="pixeltracker",instance="a",kind="logical"}'
LAST = 'telemetry_last_report_timestamp_seconds{job="pixeltracker",instance="a"}'
INTERVAL = 'telemetry_report_interval_seconds{job="pixeltracker",instance="a"}'
REPORTS = 'telemetry_reports_total{job="pixeltracker",instance="a"}'


def test_nothing_is_visible_before_it_is_committed(bridge: Harness) -> None:
    outcome = bridge.begin({"name": "a", "cpuL": 10})

    assert not outcome.done()
    assert bridge.store.series_count == 0
    bridge.drain()
    assert outcome.done()
    assert bridge.series()[LOAD] == 1.0


def test_an_older_sample_never_replaces_a_newer_one(bridge: Harness) -> None:
    bridge.push({"name": "a", "cpuL": 20, "timestamp": "2026-02-02T02:40:00Z"})
    bridge.push({"name": "a", "cpuL": 10, "timestamp": "2026-02-02T02:39:00Z"})

    assert bridge.series()[LOAD] == 2.0
    assert bridge.series()[REPORTS] == 2.0


def test_a_host_that_reports_has_its_last_report_interval_and_count(bridge: Harness) -> None:
    for _ in range(4):
        bridge.push({"name": "a"})
        bridge.clock.pass_seconds(30)

    series = bridge.series()
    assert series[REPORTS] == 4.0
    assert series[INTERVAL] == 30.0
    assert series[LAST] == bridge.clock.now_ms() / 1000 - 30


def test_the_interval_is_the_dialects_until_it_is_learned(bridge: Harness) -> None:
    bridge.push({"name": "a"})

    assert bridge.series()[INTERVAL] == 10.0


@pytest.mark.parametrize(
    ("interval", "kept", "gone"),
    [(5, 59, 61), (30, 89, 91), (300, 239, 241)],
    ids=["at least a minute", "three intervals", "at most four minutes"],
)
def test_a_point_sample_is_shown_for_its_time_to_live(
    bridge: Harness, interval: int, kept: int, gone: int
) -> None:
    for _ in range(3):
        bridge.clock.pass_seconds(interval)
        bridge.push({"name": "a", "cpuL": 10})
    bridge.clock.pass_seconds(kept)
    bridge.expire()
    assert LOAD in bridge.series()

    bridge.clock.pass_seconds(gone - kept)
    bridge.expire()
    assert LOAD not in bridge.series()
    assert REPORTS in bridge.series()


def test_a_series_that_a_host_stopped_sending_expires_alone(bridge: Harness) -> None:
    bridge.push({"name": "a", "cpuL": 10, "cpuC": 4})
    for _ in range(7):
        bridge.clock.pass_seconds(10)
        bridge.push({"name": "a", "cpuL": 10})
        bridge.expire()

    assert LOAD in bridge.series()
    assert CORES not in bridge.series()


def test_what_is_known_of_a_source_goes_after_thirty_days(bridge: Harness) -> None:
    bridge.push({"name": "a", "cpuL": 10})
    bridge.clock.pass_seconds(61)
    bridge.expire()
    bridge.clock.pass_seconds(30 * 86400 - 62)
    bridge.expire()
    assert list(bridge.series()) == [LAST, INTERVAL, REPORTS]

    bridge.clock.pass_seconds(2)
    bridge.expire()
    assert bridge.series() == {}
    bridge.checkpoint()
    bridge.crash()
    assert bridge.series() == {}


def test_a_push_queued_behind_an_expiry_of_its_series_survives_it(bridge: Harness) -> None:
    bridge.push({"name": "a", "cpuL": 10})
    bridge.clock.pass_seconds(100)
    bridge.ingest.expire()
    outcome = bridge.begin({"name": "a", "cpuL": 20})
    bridge.drain()

    assert outcome.result() is None
    assert bridge.series()[LOAD] == 2.0
    bridge.crash()
    assert bridge.series()[LOAD] == 2.0


def test_an_expiry_that_fails_is_tried_again(bridge: Harness) -> None:
    bridge.push({"name": "a", "cpuL": 10})
    bridge.clock.pass_seconds(100)
    pages = bridge.journal._connection.pragma("page_count")
    bridge.journal._connection.pragma("max_page_count", pages)
    failing = bridge.begin({"name": "a", "text": incompressible(90_000)})
    bridge.ingest.expire()
    bridge.drain()
    assert failing.result() is not None
    bridge.journal._connection.pragma("max_page_count", 1_000_000)

    bridge.clock.pass_seconds(1)
    bridge.expire()
    assert LOAD not in bridge.series()


def test_expiry_keeps_to_the_monotonic_clock(bridge: Harness) -> None:
    """A wall clock that jumps a day ahead must not make every host fall silent."""
    bridge.push({"name": "a", "cpuL": 10})
    bridge.clock.unix_ms += 86_400_000
    bridge.expire()

    assert LOAD in bridge.series()


def test_a_restart_after_an_hour_does_not_show_old_samples(bridge: Harness) -> None:
    bridge.push({"name": "a", "cpuL": 10})
    bridge.clock.pass_seconds(3600)
    bridge.crash()
    bridge.expire()

    assert list(bridge.series()) == [LAST, INTERVAL, REPORTS]


def test_blocks_are_reused_when_series_come_and_go(bridge: Harness) -> None:
    for round_number in range(4):
        for host in range(300):
            bridge.begin({"name": f"{round_number}-{host}", "cpuL": 10})
        bridge.drain()
        bridge.clock.pass_seconds(100)
        bridge.expire()

    loads = bridge.store._families["node_load1"]
    assert loads.series_count == 0
    assert sum(len(blocks) for blocks in loads.blocks.values()) == 0


def test_a_deleted_group_is_gone_with_all_that_is_known_of_it(bridge: Harness) -> None:
    bridge.push({"name": "a", "cpuL": 10})
    bridge.push({"name": "b", "cpuL": 10})
    others = {name: value for name, value in bridge.series().items() if 'instance="b"' in name}

    assert bridge.delete("a") == 1
    assert bridge.series() == others
    assert bridge.delete("a") == 0
    bridge.crash()
    assert bridge.series() == others
    bridge.checkpoint()
    bridge.crash()
    assert bridge.series() == others


def test_what_is_pushed_behind_a_deletion_stays(bridge: Harness) -> None:
    async def delete_and_push() -> None:
        deleting = asyncio.create_task(bridge.ingest.delete(lambda _group: True))
        while bridge.store._groups and not deleting.done():  # noqa: ASYNC110 - until the name is free
            await asyncio.sleep(0)
        await bridge._push({"name": "a", "cpuL": 20}, PIXELTRACKER)
        await deleting

    bridge.push({"name": "a", "cpuL": 10})
    bridge.run(delete_and_push())

    assert bridge.series()[LOAD] == 2.0
    assert bridge.series()[REPORTS] == 2.0
    expected = bridge.series()
    bridge.crash()
    assert bridge.series() == expected


def test_a_deletion_that_fails_leaves_everything(bridge: Harness) -> None:
    bridge.push({"name": "a", "cpuL": 10})
    before = bridge.series()
    fail = "CREATE TEMP TRIGGER fail BEFORE INSERT ON frame BEGIN SELECT raise(ABORT, 'no'); END"
    bridge.journal._connection.execute(fail)

    with pytest.raises(JournalFailed):
        bridge.delete("a")

    assert bridge.series() == before
