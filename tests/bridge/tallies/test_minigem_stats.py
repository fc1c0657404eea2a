from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.tallies.continents import CONTINENT_OF
from pushgateway_bridge.tallies.minigem_counts import DURATION_BOUNDS_MS, HOUR_MS, Counts, duration_bin
from pushgateway_bridge.tallies.minigem_recent import recent_document
from pushgateway_bridge.tallies.minigem_rows import decode_rows
from pushgateway_bridge.tallies.minigem_stats import (
    Range,
    counts_document,
    quantile_ms,
    read_range,
    stats_document,
)
from tests.bridge.tallies.test_minigem import DAY_MS, NOW, RUN, Disk, event

TODAY = NOW // DAY_MS
WEEK = Range(TODAY - 6, TODAY)
NOTHING = Counts({}, {}, {}, {}, 0)
KEYS = (
    *("from", "to", "windowDays", "total", "uniques", "osTypes", "extTypes", "vscodeTypes", "daily"),
    *("dailyOs", "byEvent", "byOs", "byExt", "byVscode", "hourly", "hourlyVisitors", "dow", "runs"),
    *("errors", "durations", "exitCodes", "outputBuckets", "interactiveRate", "truncationRate"),
    *("topExceptions", "geo", "activeSessions", "installsTotal", "installsWindow", "sessionsRecent"),
    *("dailyLearningOutcomes", "sessions", "tables"),
)


def stats(disk: Disk, days: Range = WEEK, now_ms: int = NOW) -> dict[str, Any]:
    rows = list(decode_rows(disk.entries))
    active = disk.tally.active_sessions(now_ms)
    document = stats_document(disk.tally.counts(), rows, days, now_ms, 7, active)
    shown: dict[str, Any] = json.loads(json.dumps(document))
    return shown


def run(exit_code: object, **fields: Any) -> dict[str, Any]:
    m = {**RUN["m"], "exit": exit_code, **fields.pop("m", {})}
    return {**RUN, "t": NOW, "m": m, **fields}


@pytest.fixture
def school() -> Disk:
    """Two days of three pupils."""
    disk = Disk()
    disk.push(
        event("install.created", anon="ada", os="win32"),
        event("java.run.started", anon="ada", sessionId="s-1"),
        run(0, anon="ada", sessionId="s-1", m={"durationMs": 700}),
        at_ms=NOW - DAY_MS,
    )
    disk.push(
        event("java.run.started", anon="bob", sessionId="s-2"),
        event("java.run.error", anon="bob", m={"phase": "compile", "exceptionHash": "c0ffee"}),
        event("java.run.error", anon="bob", m={"phase": "link"}),
        event("java.run.started", anon="cy", sessionId="s-3"),
        run(130, anon="cy", sessionId="s-3", m={"durationMs": 20_000, "scannerUsage": False}),
        country="",
    )
    return disk


def test_every_key_is_there_even_of_nothing() -> None:
    document = stats_document(NOTHING, [], WEEK, NOW, 7, 0)

    assert tuple(document) == KEYS
    assert document["daily"]["hits"] == [0] * 7
    assert document["total"] == document["uniques"] == document["durations"]["median"] == 0
    assert document["errors"] == {"compile": 0, "runtime": 0, "compileRate": 0.0, "runtimeRate": 0.0}


def test_two_days_give_their_statistics(school: Disk) -> None:
    document = stats(school)

    assert tuple(document) == KEYS
    rest = {key: document[key] for key in KEYS if key not in ("tables", "sessionsRecent", "sessions")}
    days = [f"2026-01-{day}" for day in range(26, 32)] + ["2026-02-01"]
    assert rest == {
        "from": "2026-01-26",
        "to": "2026-02-01",
        "windowDays": 7,
        "total": 8,
        "uniques": 3,
        "osTypes": 3,
        "extTypes": 2,
        "vscodeTypes": 2,
        "daily": {"dates": days, "hits": [0, 0, 0, 0, 0, 3, 5], "uniques": [0, 0, 0, 0, 0, 1, 2]},
        "dailyOs": {
            "labels": days,
            "series": [
                {"key": "linux", "data": [0, 0, 0, 0, 0, 1, 1]},
                {"key": "unknown", "data": [0, 0, 0, 0, 0, 1, 4]},
                {"key": "windows", "data": [0, 0, 0, 0, 0, 1, 0]},
            ],
        },
        "byEvent": {
            "java.run.started": 3,
            "java.run.completed": 2,
            "java.run.error": 2,
            "install.created": 1,
        },
        "byOs": {"unknown": 5, "linux": 2, "windows": 1},
        "byExt": {"0.0.0": 6, "2.3.1": 2},
        "byVscode": {"0.0.0": 6, "1.96.0": 2},
        "hourly": [8 if hour == 8 else 0 for hour in range(24)],
        "hourlyVisitors": [3 if hour == 8 else 0 for hour in range(24)],
        "dow": [5, 0, 0, 0, 0, 0, 3],  # a Sunday, and the Saturday before it
        "runs": {"started": 3, "completed": 2},
        "errors": {"compile": 1, "runtime": 0, "compileRate": 1 / 3, "runtimeRate": 0.0},
        "durations": {
            "count": 2,
            "median": 1000,
            "p90": 26_000,
            "hist": {
                "labels": [
                    *("0-500", "500-1000", "1000-3000", "3000-10000", "10000-30000", "30000-60000"),
                    *("60000-120000", ">=120000"),
                ],
                "values": [0, 1, 0, 0, 1, 0, 0, 0],
            },
            "avgWaitMs": 900,
        },
        "exitCodes": {"0": 1, "130": 1},
        "outputBuckets": {"1-10k": 2},
        "interactiveRate": 0.5,
        "truncationRate": 0.0,
        "topExceptions": {"c0ffee": 1},
        "geo": {
            "byContinent": {"Unknown": {"hits": 5, "visitors": 2}, "EU": {"hits": 3, "visitors": 1}},
            "byCountry": {"Unknown": {"hits": 5, "visitors": 2}, "DE": {"hits": 3, "visitors": 1}},
        },
        "activeSessions": 1,
        "installsTotal": 1,
        "installsWindow": 1,
        "dailyLearningOutcomes": {"2026-01-31": {"0": 1}, "2026-02-01": {"130": 1}},
    }


def test_lists_of_sessions_and_runs_come_from_the_recent_entries(school: Disk) -> None:
    document = stats(school)
    rows = [row for entry in school.entries for row in json.loads(entry)]
    anons = list(dict.fromkeys(row["anon"] for row in rows))
    sessions = list(dict.fromkeys(row["session"] for row in rows if "session" in row))

    assert document["sessionsRecent"] == [
        {
            "id": session,
            "student": anon,
            "startedAt": begin,
            "lastAt": begin,
            "completed": exits is not None,
            "exit": exits,
            "durationMs": took,
            "interactive": exits == 0,
        }
        for session, anon, begin, exits, took in (
            (sessions[2], anons[2], "2026-02-01T08:01:00.000Z", 130, 20_000),
            (sessions[1], anons[1], "2026-02-01T08:01:00.000Z", None, None),
            (sessions[0], anons[0], "2026-01-31T08:01:00.000Z", 0, 700),
        )
    ]
    common = {"outputBucket": "1-10k"}
    assert document["sessions"] == {
        "successTop": [
            {
                "student": anons[0][-6:],
                "ts": "2026-01-31T08:01:00.000Z",
                "durationMs": 700,
                "interactive": True,
                "exit": 0,
                **common,
            }
        ],
        "frustratedTop": [
            {
                "student": anons[2][-6:],
                "ts": "2026-02-01T08:01:00.000Z",
                "durationMs": 20_000,
                "interactive": False,
                "exit": 130,
                **common,
            }
        ],
    }
    assert not any(name in json.dumps(document) for name in ('"ada"', '"bob"', '"s-1"', '"s-2"'))


def test_tables_say_which_share_each_value_has(school: Disk) -> None:
    tables = stats(school)["tables"]

    assert list(tables) == ["eventsTop", "extTop", "vscodeTop", "exitTop", "exceptionsTop"]
    assert tables["eventsTop"][0] == {
        "key": "java.run.started",
        "event": "java.run.started",
        "count": 3,
        "pct": 0.375,
        "percent": 37.5,
    }
    assert [row["exit"] for row in tables["exitTop"]] == ["0", "130"]
    assert tables["exceptionsTop"] == [
        {"key": "c0ffee", "hash": "c0ffee", "count": 1, "pct": 0.125, "percent": 12.5}
    ]


def test_successes_are_ranked_by_input_and_length_and_broken_off_runs_the_other_way() -> None:
    disk = Disk()
    for exit_code in (0, 130):
        disk.push(
            *(
                run(exit_code, m={"durationMs": took, "scannerUsage": reads})
                for took, reads in ((100, False), (300, True), (200, True), (400, False))
            )
        )
    sessions = stats(disk)["sessions"]

    assert [row["durationMs"] for row in sessions["successTop"]] == [300, 200, 400, 100]
    assert [row["durationMs"] for row in sessions["frustratedTop"]] == [100, 400, 200, 300]


def test_lists_are_bounded() -> None:
    disk = Disk()
    for number in range(30):
        disk.push(
            *(
                run(
                    0,
                    ext=f"{number}.{one}",
                    sessionId=f"{number}-{one}",
                    m={"exceptionHash": f"{number:04x}{one:04x}"},
                )
                for one in range(5)
            )
        )
    document = stats(disk)

    assert len(document["sessionsRecent"]) == 100
    assert len(document["topExceptions"]) == 50
    assert [len(table) for table in document["tables"].values()] == [1, 20, 1, 1, 20]
    assert [len(ranked) for ranked in document["sessions"].values()] == [20, 0]


@pytest.mark.parametrize(
    ("text_from", "text_to", "days"),
    [
        ("", "", WEEK),
        ("2026-01-30", "2026-01-31", Range(TODAY - 2, TODAY - 1)),
        ("2026-01-30", "2026-01-30", Range(TODAY - 2, TODAY - 2)),
        ("2026-01-31", "2026-01-30", WEEK),
        ("2026-01-30", "", WEEK),
        ("", "2026-01-30", WEEK),
        ("2026-02-30", "2026-03-01", WEEK),
        ("20260130", "20260131", WEEK),
        ("2026-1-3", "2026-01-31", WEEK),
        ("0000-01-01", "2026-01-31", WEEK),
        ("1970-01-01", "9999-12-31", Range(0, 2_932_896)),
    ],
)
def test_a_range_needs_two_dates_in_order(text_from: str, text_to: str, days: Range) -> None:
    assert read_range(text_from, text_to, NOW, 7) == days


def test_a_range_leaves_out_what_was_before_and_after_it(school: Disk) -> None:
    document = stats(school, Range(TODAY - 1, TODAY - 1))

    assert (document["total"], document["uniques"], document["installsTotal"]) == (3, 1, 1)
    assert document["runs"] == {"started": 1, "completed": 1}
    assert [row["exit"] for row in document["sessionsRecent"]] == [0]
    assert stats(school, Range(TODAY - 9, TODAY - 2))["total"] == 0


def test_a_range_of_years_lists_the_days_that_are_kept(school: Disk) -> None:
    document = stats(school, read_range("1970-01-01", "2099-12-31", NOW, 7))

    assert (document["from"], document["to"], document["total"]) == ("1970-01-01", "2099-12-31", 8)
    assert document["daily"]["dates"][0] == "2025-12-28"
    assert document["daily"]["dates"][-1] == "2026-02-02"
    assert sum(document["daily"]["hits"]) == 8


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=60), st.sampled_from([0.5, 0.9]))
def test_a_quantile_is_in_the_bin_of_the_exact_one(durations: Sequence[int], quantile: float) -> None:
    values = [0] * (len(DURATION_BOUNDS_MS) + 1)
    for duration in durations:
        values[duration_bin(duration)] += 1
    rank = max(int(-(-len(durations) * quantile // 1)), 1)
    exact = sorted(durations)[rank - 1]

    bounds = (0, *DURATION_BOUNDS_MS, DURATION_BOUNDS_MS[-1])
    number = duration_bin(exact)
    assert bounds[number] <= quantile_ms(values, quantile) <= bounds[number + 1]


def test_counts_are_those_of_the_last_hours(school: Disk) -> None:
    counts = school.tally.counts()

    assert counts_document(counts, 1, NOW) == {
        "since": "2026-02-01T07:01:00.000Z",
        "total": 5,
        "byEvent": {"java.run.error": 2, "java.run.started": 2, "java.run.completed": 1},
    }
    assert counts_document(counts, 24, NOW)["total"] == 8
    assert counts_document(counts, 1, NOW + 2 * HOUR_MS)["total"] == 0


def test_recent_events_are_shown_newest_first_with_hashes(school: Disk) -> None:
    rows = list(decode_rows(school.entries))
    newest, *others = recent_document(rows, 3)["rows"]

    assert newest == {
        "ts": "2026-02-01T08:01:00.000Z",
        "anon": rows[-1].anon,
        "evt": "java.run.completed",
        "os": "linux",
        "ext": "2.3.1",
        "vscode": "1.96.0",
        "sessionId": rows[-1].session,
        "country": None,
        "m": {
            "durationMs": 20_000,
            "waitMsTotal": 900,
            "exit": 130,
            "cumulativeBytesBucket": "1-10k",
        },
    }
    assert [row["evt"] for row in others] == ["java.run.started", "java.run.error"]
    assert len(recent_document(rows, 500)["rows"]) == 8


def test_entries_that_cannot_be_read_are_left_out() -> None:
    assert list(decode_rows([b"{", b'[{"anon":1}]', b"[]", b"\xff"])) == []


def test_each_country_is_on_one_continent() -> None:
    assert set(CONTINENT_OF.values()) == {"NA", "SA", "EU", "AS", "OC", "AF", "AN"}
    assert len(CONTINENT_OF) == 250  # those of ISO 3166-1, and XK, which proxies send
    assert all(len(country) == 2 and country.isupper() for country in CONTINENT_OF)
