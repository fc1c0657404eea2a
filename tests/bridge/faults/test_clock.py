"""The machine's clock is set: an hour back, a day ahead and back again. Time to live runs on the other clock."""

from __future__ import annotations

import msgspec
import pytest

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.journal.receipts import find_receipt
from pushgateway_bridge.journal.recent import read_recent
from pushgateway_bridge.model.timestamps import MAX_AHEAD_MS
from pushgateway_bridge.once import Once
from tests.bridge.events import EVENTS
from tests.bridge.harness import Harness

HOUR = 3600.0
DAY = 24 * HOUR
GROUP = 'job="pixeltracker",instance="a"'
LOAD = f"node_load1{{{GROUP}}}"
LAST_REPORT = f"telemetry_last_report_timestamp_seconds{{{GROUP}}}"
INTERVAL = f"telemetry_report_interval_seconds{{{GROUP}}}"
REPORTS = f"telemetry_reports_total{{{GROUP}}}"
RUNS = 'app_runs_total{job="events",instance="shop",kind="web"}'
JUMPS = pytest.mark.parametrize("jump", [-HOUR, DAY, -DAY], ids=["an hour back", "a day ahead", "a day back"])


def set_clock(bridge: Harness, seconds: float) -> None:
    """Move the machine's time by *seconds*; no time passes."""
    bridge.clock.unix_ms += round(seconds * 1000)


def push(bridge: Harness, load: int, count: int = 1, interval: float = 10.0) -> None:
    """*count* reports, one every *interval* seconds."""
    for _ in range(count):
        bridge.push({"name": "a", "cpuL": load * 10})
        bridge.clock.pass_seconds(interval)


def push_once(bridge: Harness, key: str) -> None:
    once = Once(
        bridge.ingest,
        lambda fingerprint: find_receipt(bridge.journal.file, fingerprint, bridge.clock.now_ms()),
        lambda: bridge.journal.secret,
    )
    context = PushContext(bridge.clock.now_ms(), "application/json")
    counts = bridge.metrics.dialects[EVENTS.name]
    bridge.run(once.push(EVENTS, msgspec.json.encode({"runs": 1}), context, key, counts))


@JUMPS
def test_nothing_expires_early_or_late(bridge: Harness, jump: float) -> None:
    push(bridge, load=1, count=9)
    set_clock(bridge, jump)
    bridge.clock.pass_seconds(49)
    bridge.expire()
    assert bridge.series()[LOAD] == 1.0

    bridge.clock.pass_seconds(2)
    bridge.expire()
    assert LOAD not in bridge.series()


@JUMPS
def test_totals_go_on(bridge: Harness, jump: float) -> None:
    for _ in range(3):
        bridge.push({"runs": 2, "seconds": [0.25], "users": ["u"]}, EVENTS)
        set_clock(bridge, jump)
        bridge.expire()
        bridge.checkpoint()
    bridge.push({"runs": 2, "seconds": [0.25], "users": ["u"]}, EVENTS)

    assert bridge.series()[RUNS] == 8.0
    assert bridge.series()['app_duration_seconds_count{job="events",instance="shop"}'] == 4.0
    assert bridge.series()['telemetry_reports_total{job="events",instance="shop"}'] == 4.0
    bridge.store.renew_distinct(bridge.clock.now_ms())
    expected = bridge.series()
    bridge.crash()
    assert bridge.series() == expected


@JUMPS
def test_restart_after_a_jump_keeps_totals_and_takes_pushes(bridge: Harness, jump: float) -> None:
    push(bridge, load=1, count=3)
    bridge.push({"runs": 2}, EVENTS)
    bridge.checkpoint()
    bridge.push({"runs": 2}, EVENTS)
    set_clock(bridge, jump)
    bridge.crash()
    bridge.expire()
    bridge.push({"runs": 2}, EVENTS)
    push(bridge, load=2)

    series = bridge.series()
    assert (series[RUNS], series[REPORTS]) == (6.0, 4.0)
    bridge.clock.pass_seconds(241)
    bridge.expire()
    assert LOAD not in bridge.series(), "whatever the jump, a point sample goes after its time to live"


def test_clock_a_day_ahead_shows_newer_values_at_once(bridge: Harness) -> None:
    push(bridge, load=1)
    set_clock(bridge, DAY)
    push(bridge, load=2)

    assert bridge.series()[LOAD] == 2.0


def test_clock_that_goes_back_by_less_than_a_minute_holds_values_for_that_long(bridge: Harness) -> None:
    """A pusher's time may be as much ahead, so that this cannot be told from a late report."""
    push(bridge, load=1)
    set_clock(bridge, -MAX_AHEAD_MS / 1000 + 10)
    push(bridge, load=2, count=6)

    assert bridge.series()[LOAD] == 2.0


@pytest.mark.parametrize("back", [HOUR, DAY], ids=["an hour back", "a day back"])
def test_clock_that_goes_back_does_not_freeze_values(bridge: Harness, back: float) -> None:
    push(bridge, load=1)
    set_clock(bridge, -back)
    push(bridge, load=2)

    assert bridge.series()[LOAD] == 2.0


def test_clock_that_goes_back_does_not_freeze_the_last_report(bridge: Harness) -> None:
    set_clock(bridge, DAY)
    push(bridge, load=1)
    set_clock(bridge, -DAY)
    bridge.push({"name": "a", "cpuL": 10})

    assert bridge.series()[LAST_REPORT] == bridge.clock.unix_ms / 1000


def test_one_jump_ahead_does_not_change_a_learned_interval(bridge: Harness) -> None:
    push(bridge, load=1, count=9)
    set_clock(bridge, DAY)
    push(bridge, load=1)

    assert bridge.series()[INTERVAL] == 10.0


def test_interval_is_learned_within_nine_reports_of_any_jump(bridge: Harness) -> None:
    push(bridge, load=1, count=2)
    set_clock(bridge, DAY)
    push(bridge, load=1)
    set_clock(bridge, -DAY)
    push(bridge, load=1, count=9)

    assert bridge.series()[INTERVAL] == 10.0


@pytest.mark.parametrize("jump", [-HOUR, DAY - 60], ids=["an hour back", "nearly a day ahead"])
def test_repeat_is_known_after_a_jump(bridge: Harness, jump: float) -> None:
    push_once(bridge, "k")
    set_clock(bridge, jump)
    push_once(bridge, "k")

    assert bridge.series()[RUNS] == 1.0


def test_repeat_is_known_again_when_the_clock_is_back(bridge: Harness) -> None:
    """Unless a checkpoint came in between, which deletes replies of over a day ago."""
    push_once(bridge, "k")
    set_clock(bridge, 2 * DAY)
    push_once(bridge, "other")
    set_clock(bridge, -2 * DAY)
    push_once(bridge, "k")

    assert bridge.series()[RUNS] == 2.0


def test_reply_kept_under_a_clock_ahead_goes_a_day_after_the_clock_catches_up(bridge: Harness) -> None:
    set_clock(bridge, DAY)
    push_once(bridge, "k")
    set_clock(bridge, -DAY)
    bridge.clock.pass_seconds(2 * DAY + 1)
    push_once(bridge, "other")
    bridge.checkpoint()

    assert bridge.journal._connection.execute("SELECT count(*) FROM receipt").get == 1


@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["an hour back", "an hour ahead"])
def test_recent_entries_stay_in_the_order_of_arrival(bridge: Harness, jump: float) -> None:
    bridge.push({"name": "a", "n": 1})
    set_clock(bridge, jump)
    bridge.push({"name": "a", "n": 2})
    set_clock(bridge, -jump)
    bridge.push({"name": "a", "n": 3})

    oldest_ms = bridge.clock.unix_ms - round(DAY * 1000)
    entries = read_recent(bridge.journal.file, "pixeltracker", 10, oldest_ms)
    assert [msgspec.json.decode(entry)["n"] for entry in entries] == [1, 2, 3]


def test_recent_entries_of_a_clock_ahead_do_not_outgrow_their_number(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bridge = Harness(tmp_path_factory.mktemp("journal"), recent_entries=5)
    set_clock(bridge, DAY)
    for number in range(20):
        bridge.push({"name": "a", "n": number})
    set_clock(bridge, -DAY)
    for number in range(20, 40):
        bridge.push({"name": "a", "n": number})

    assert bridge.journal._connection.execute("SELECT sum(entries) FROM recent").get == 5
    entries = read_recent(bridge.journal.file, "pixeltracker", 5, 0)
    assert [msgspec.json.decode(entry)["n"] for entry in entries] == [35, 36, 37, 38, 39]
    bridge.close()


def distinct(bridge: Harness) -> dict[str, float]:
    bridge.store.renew_distinct(bridge.clock.now_ms())
    shown = bridge.series()
    return {
        window: shown[f'app_users{{job="events",instance="shop",window="{window}"}}']
        for window in ("1h", "1d", "7d", "30d")
    }


def test_distinct_counts_lose_nobody_when_the_clock_jumps_a_day_and_back(bridge: Harness) -> None:
    bridge.push({"users": ["first"]}, EVENTS)
    set_clock(bridge, DAY)
    bridge.push({"users": ["ahead"]}, EVENTS)
    set_clock(bridge, -DAY)
    bridge.push({"users": ["back"]}, EVENTS)
    assert distinct(bridge) == {"1h": 3.0, "1d": 3.0, "7d": 3.0, "30d": 3.0}

    bridge.checkpoint()
    bridge.crash()
    assert distinct(bridge) == {"1h": 3.0, "1d": 3.0, "7d": 3.0, "30d": 3.0}


def test_distinct_counts_of_a_clock_ahead_leave_each_window_after_the_clock_caught_up(
    bridge: Harness,
) -> None:
    """Those seen under a clock that was a day ahead stand in the shortest window for up to a day and an hour more."""
    set_clock(bridge, DAY)
    bridge.push({"users": ["ahead"]}, EVENTS)
    set_clock(bridge, -DAY)
    bridge.clock.pass_seconds(DAY + 2 * HOUR)

    assert distinct(bridge) == {"1h": 0.0, "1d": 1.0, "7d": 1.0, "30d": 1.0}


def test_source_is_forgotten_after_thirty_days_of_passing_time_only(bridge: Harness) -> None:
    push(bridge, load=1)
    set_clock(bridge, 40 * DAY)
    bridge.expire()
    assert REPORTS in bridge.series()

    bridge.clock.pass_seconds(30 * DAY)
    bridge.expire()
    assert bridge.series() == {}


def test_restart_under_a_clock_that_is_thirty_days_ahead_forgets_every_source(bridge: Harness) -> None:
    """A restart knows no other clock: such a jump is told in docs/faults.md, not prevented."""
    push(bridge, load=1)
    set_clock(bridge, 29 * DAY)
    bridge.crash()
    bridge.expire()
    assert REPORTS in bridge.series()

    set_clock(bridge, 2 * DAY)
    bridge.crash()
    bridge.expire()
    assert bridge.series() == {}
