from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pushgateway_bridge.errors import (
    ClassConflict,
    JournalFull,
    NameConflict,
    OwnerConflict,
    PushRejected,
    ReservedJob,
    ReservedName,
    TypeConflict,
)
from pushgateway_bridge.model.histogram import count_in, line_names, no_observations
from tests.bridge.events import EVENTS
from tests.bridge.harness import Harness

GROUP = 'job="events",instance="shop"'
RUNS = f'app_runs_total{{{GROUP},kind="web"}}'
HOUR = 3600


CROWD = [str(number) for number in range(30_000)]
"""A record with all of them needs more room than is left."""


def users(bridge: Harness) -> dict[str, float]:
    bridge.store.renew_distinct(bridge.clock.now_ms())
    series = bridge.series()
    return {window: series[f'app_users{{{GROUP},window="{window}"}}'] for window in ("1h", "1d", "7d", "30d")}


def test_pushes_that_wait_together_are_all_counted(bridge: Harness) -> None:
    for _ in range(10):
        bridge.begin({"runs": 2}, EVENTS)
    bridge.drain()

    assert bridge.series()[RUNS] == 20.0


def test_a_histogram_counts_in_cumulative_buckets(bridge: Harness) -> None:
    bridge.push({"seconds": [0.5, 0.7, 4.0, 100.0]}, EVENTS)

    series = bridge.series()
    assert {name: value for name, value in series.items() if name.startswith("app_duration")} == {
        f'app_duration_seconds_bucket{{{GROUP},le="0.5"}}': 1.0,
        f'app_duration_seconds_bucket{{{GROUP},le="1.0"}}': 2.0,
        f'app_duration_seconds_bucket{{{GROUP},le="5.0"}}': 3.0,
        f'app_duration_seconds_bucket{{{GROUP},le="+Inf"}}': 4.0,
        f"app_duration_seconds_sum{{{GROUP}}}": 105.2,
        f"app_duration_seconds_count{{{GROUP}}}": 4.0,
    }


@given(st.lists(st.floats(-1e6, 1e6), max_size=30), st.sets(st.integers(-5, 5)))
def test_buckets_hold_what_is_at_most_their_bound(values: list[float], bounds: set[int]) -> None:
    buckets = [float(bound) for bound in sorted(bounds)]
    totals = no_observations(buckets)
    for value in values:
        count_in(totals, buckets, value)

    counts = [float(sum(value <= bound for value in values)) for bound in buckets]
    assert totals[: len(buckets)] == counts
    assert totals[len(buckets)] == totals[-1] == len(values)
    assert len(line_names("x", buckets)) == len(totals)


def test_counting_has_a_beginning_in_openmetrics(bridge: Harness) -> None:
    """Without it increase() misses what a new counter starts with."""
    began = bridge.clock.now_ms() / 1000
    bridge.push({"runs": 1, "seconds": [1.0]}, EVENTS)
    bridge.clock.pass_seconds(60)
    bridge.push({"runs": 1, "seconds": [1.0]}, EVENTS)
    bridge.checkpoint()
    bridge.crash()

    families = text_string_to_metric_families(bridge.exposition(openmetrics=True))  # type: ignore[no-untyped-call]
    created = {
        sample.name: sample.value
        for family in families
        for sample in family.samples
        if sample.name.endswith("_created")
    }
    assert created == dict.fromkeys(
        ("app_runs_created", "app_duration_seconds_created", "telemetry_reports_created"), began
    )
    assert "_created" not in bridge.exposition()


def test_events_have_no_report_interval(bridge: Harness) -> None:
    bridge.push({"runs": 1}, EVENTS)

    names = [name for name in bridge.series() if name.startswith("telemetry_")]
    assert names == [
        f"telemetry_last_report_timestamp_seconds{{{GROUP}}}",
        f"telemetry_reports_total{{{GROUP}}}",
    ]


def test_aggregates_stay_when_nobody_pushes(bridge: Harness) -> None:
    bridge.push({"runs": 1, "seconds": [1.0], "users": ["a"]}, EVENTS)
    before = bridge.series()
    bridge.clock.pass_seconds(1000)
    bridge.expire()

    assert bridge.series() == before


def test_a_full_disk_takes_back_what_was_added(bridge: Harness) -> None:
    bridge.push({"runs": 1, "seconds": [1.0]}, EVENTS)
    before = bridge.series()
    connection = bridge.journal._connection
    connection.pragma("max_page_count", connection.pragma("page_count"))
    with pytest.raises(JournalFull):
        bridge.push({"runs": 5, "users": CROWD}, EVENTS)
    assert bridge.series() == before

    connection.pragma("max_page_count", 1_000_000)
    bridge.push({"runs": 1, "seconds": [2.0]}, EVENTS)
    assert bridge.series()[RUNS] == 2.0
    assert bridge.series()[f"app_duration_seconds_count{{{GROUP}}}"] == 2.0


def test_distinct_counts_are_near_the_truth_and_survive_restarts(bridge: Harness) -> None:
    """Windows have the running hour and the full hours before it; the sketch errs by 1.6 % (one sigma)."""
    seen: list[tuple[int, set[str]]] = []
    for hour in range(0, 200, 20):
        batch = {f"user-{number}" for number in range(hour * 10, hour * 10 + 3000)}
        bridge.push({"users": sorted(batch)}, EVENTS)
        seen.append((hour, batch))
        if hour in (60, 120):
            bridge.checkpoint()
            bridge.crash()
        bridge.clock.pass_seconds(20 * HOUR)
    bridge.clock.pass_seconds(-20 * HOUR)

    now = 180
    counted = users(bridge)
    for window, hours in (("1h", 1), ("1d", 24), ("7d", 168), ("30d", 720)):
        truth = len(set().union(*(batch for hour, batch in seen if now - hours <= hour)))
        assert counted[window] == pytest.approx(truth, rel=0.05)
    bridge.checkpoint()
    bridge.crash()
    assert users(bridge) == counted
    bridge.crash()
    assert users(bridge) == counted


def test_a_replayed_record_counts_nobody_twice(bridge: Harness) -> None:
    bridge.push({"users": ["a", "b"]}, EVENTS)
    bridge.push({"users": ["b", "c"]}, EVENTS)
    for _ in range(3):
        bridge.crash()

    assert users(bridge) == {"1h": 3.0, "1d": 3.0, "7d": 3.0, "30d": 3.0}


def test_hours_that_no_window_reaches_are_deleted(bridge: Harness) -> None:
    bridge.push({"users": ["a"]}, EVENTS)
    bridge.checkpoint()
    bridge.clock.pass_seconds(722 * HOUR)
    bridge.push({"users": ["b"]}, EVENTS)
    assert users(bridge)["30d"] == 1.0
    bridge.push({"users": ["b"]}, EVENTS)
    bridge.checkpoint()

    rows = bridge.journal._connection.execute("SELECT count(*) FROM sketch").get
    assert rows == 1


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        ({"gauge": ("x", "gauge", 1)}, {"gauge": ("x", "counter", 1)}, TypeConflict),
        ({"gauge": ("x", "gauge", 1)}, {"gauge": ("x", "gauge", 2), "job": "node"}, ReservedJob),
        ({"gauge": ("x", "gauge", 1)}, {"gauge": ("telemetry_x", "gauge", 2)}, ReservedName),
        ({"gauge": ("x", "gauge", 1)}, {"gauge": ("minigem_store_up", "gauge", 2)}, ReservedName),
        ({"gauge": ("x", "gauge", 1)}, {"gauge": ("telemetry_reports_total", "gauge", 2)}, ReservedName),
        ({"gauge": ("x", "histogram", 1)}, {"gauge": ("x_count", "gauge", 2)}, NameConflict),
        ({"gauge": ("x_sum", "gauge", 1)}, {"gauge": ("x", "summary", 2)}, NameConflict),
    ],
    ids=[
        "type",
        "job",
        "name",
        "name of the bridge",
        "own metric",
        "line of a histogram",
        "line of a summary",
    ],
)
def test_a_push_that_contradicts_what_is_held_is_refused(
    bridge: Harness, first: object, second: object, error: type[PushRejected]
) -> None:
    bridge.push(first, EVENTS)
    before = bridge.exposition()

    with pytest.raises(error):
        bridge.push(second, EVENTS)
    assert bridge.exposition() == before
    bridge.push(first, EVENTS)


@pytest.mark.parametrize("order", [1, -1], ids=["counted first", "set first"])
def test_a_series_that_is_counted_cannot_be_set_nor_the_other_way_round(bridge: Harness, order: int) -> None:
    ways = [{"seconds": [0.5]}, {"gauge": ("app_duration_seconds", "histogram", 7)}][::order]
    bridge.push(ways[0], EVENTS)
    before = bridge.exposition()

    with pytest.raises((ClassConflict, TypeConflict)):
        bridge.push(ways[1], EVENTS)

    assert bridge.exposition() == before
    bridge.push(ways[0], EVENTS)


def test_a_push_group_has_one_dialect(bridge: Harness) -> None:
    bridge.push({"name": "a", "cpuL": 1})

    with pytest.raises(OwnerConflict, match='instance="a"'):
        bridge.push({"app": "a", "job": "pixeltracker", "runs": 1}, EVENTS)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.fixed_dictionaries(
                {
                    "runs": st.integers(1, 9),
                    "seconds": st.lists(st.sampled_from([0.25, 0.5, 2.0]), max_size=3),
                }
            ),
            st.sampled_from(["crash", "checkpoint", "full", "drain"]),
        ),
        max_size=25,
    )
)
def test_totals_are_exact_in_any_order_of_pushes_faults_and_restarts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object]
) -> None:
    bridge = Harness(tmp_path_factory.mktemp("journal"))
    runs = observations = 0
    seconds = 0.0
    try:
        for step in steps:
            if step == "crash":
                bridge.drain()
                bridge.crash()
            elif step == "checkpoint":
                bridge.checkpoint()
            elif step == "drain":
                bridge.drain()
            elif step == "full":
                bridge.drain()
                connection = bridge.journal._connection
                connection.pragma("max_page_count", connection.pragma("page_count"))
                failed = bridge.begin({"runs": 1000, "users": CROWD}, EVENTS)
                behind = bridge.begin({"runs": 100_000}, EVENTS)
                bridge.drain()
                connection.pragma("max_page_count", 1_000_000)
                assert isinstance(failed.result(), JournalFull)
                runs += 0 if behind.result() is not None else 100_000
            else:
                assert isinstance(step, dict)
                bridge.begin(step, EVENTS)
                runs += step["runs"]
                observations += len(step["seconds"])
                seconds += sum(step["seconds"])
        bridge.drain()
        series = bridge.series()
        assert series.get(RUNS, 0.0) == runs
        assert series.get(f"app_duration_seconds_count{{{GROUP}}}", 0.0) == observations
        assert series.get(f"app_duration_seconds_sum{{{GROUP}}}", 0.0) == seconds
    finally:
        bridge.close()
