from __future__ import annotations

import math

import pytest

from pushgateway_bridge.journal.dump import Document, describe, moment, number
from pushgateway_bridge.journal.names import Names
from pushgateway_bridge.model.change import (
    Change,
    Expiry,
    GroupChange,
    GroupDefinition,
    Push,
    SeriesDefinition,
)
from pushgateway_bridge.model.family import Family, SeriesClass, SeriesKind

GROUP = GroupDefinition((("job", "shop"), ("instance", "a")), "events", 0)
SERIES = [
    SeriesDefinition(1, "up", (("kind", "web"),), SeriesClass.HELD),
    SeriesDefinition(2, "seconds", (), SeriesClass.AGGREGATE, SeriesKind.HISTOGRAM),
    SeriesDefinition(3, "users", (), SeriesClass.AGGREGATE, SeriesKind.DISTINCT),
]
SECONDS = Family("seconds", "histogram", "", "", (0.5,))
TIME_MS = 1_770_000_000_123
PUSH = Push(
    TIME_MS,
    [
        GroupChange(
            1,
            TIME_MS - 1000,
            4,
            (1, 99),
            [0.5, math.nan],
            SERIES,
            GROUP,
            [(2, [1.0, 2.0, 7.5, 2.0])],
            [(3, 2**64 - 1)],
        ),
        GroupChange(77, 0, 1, (5,), [1.0]),
    ],
)


def described(
    change: Change, families: dict[str, Family] | None = None, *, all_groups: bool = True
) -> Document | None:
    names = Names(lambda _group_id: None)
    names.learn(PUSH, 12)
    known = {"seconds": SECONDS} if families is None else families
    return describe(12, change, names, known.get, lambda labels: all_groups or labels == GROUP.labels)


def test_a_push_is_told_with_names_and_null_where_there_is_none() -> None:
    shop = {"group_id": 1, "group": {"job": "shop", "instance": "a"}, "dialect": "events"}

    assert described(PUSH) == {
        "position": 12,
        "time": "2026-02-02T02:40:00.123Z",
        "kind": "push",
        "groups": [
            {
                **shop,
                "timestamp": "2026-02-02T02:39:59.123Z",
                "reports": 4,
                "series": [
                    {"series_id": 1, "name": "up", "labels": {"kind": "web"}, "value": 0.5},
                    {"series_id": 99, "name": None, "labels": None, "value": "NaN"},
                    {
                        "series_id": 2,
                        "name": "seconds",
                        "labels": {},
                        "buckets": {"0.5": 1.0, "+Inf": 2.0},
                        "sum": 7.5,
                        "count": 2.0,
                    },
                    {"series_id": 3, "name": "users", "labels": {}, "seen": "ffffffffffffffff"},
                ],
            },
            {
                "group_id": 77,
                "group": None,
                "dialect": None,
                "timestamp": "1970-01-01T00:00:00.000Z",
                "reports": 1,
                "series": [{"series_id": 5, "name": None, "labels": None, "value": 1.0}],
            },
        ],
    }


def test_an_expiry_is_told_with_what_it_removes() -> None:
    shop = {"group_id": 1, "group": {"job": "shop", "instance": "a"}, "dialect": "events"}

    assert described(Expiry(TIME_MS, [(1, [1])], [1])) == {
        "position": 12,
        "time": "2026-02-02T02:40:00.123Z",
        "kind": "expiry",
        "groups": [
            {**shop, "series": [{"series_id": 1, "name": "up", "labels": {"kind": "web"}}]},
            {**shop, "removed": True},
        ],
    }


def test_groups_that_are_not_asked_for_are_left_out() -> None:
    pushed = described(PUSH, all_groups=False)
    expired = described(Expiry(TIME_MS, [(77, [1])], [77, 1]), all_groups=False)

    assert pushed is not None
    assert expired is not None
    assert [group["group_id"] for group in pushed["groups"]] == [1]  # type: ignore[attr-defined]
    assert [group["group_id"] for group in expired["groups"]] == [1]  # type: ignore[attr-defined]
    assert described(Expiry(TIME_MS, [(77, [1])]), all_groups=False) is None


@pytest.mark.parametrize(
    "families",
    [{}, {"seconds": Family("seconds", "histogram", "", "", (0.5, 1.0))}],
    ids=["unknown", "other bounds"],
)
def test_a_histogram_whose_bounds_do_not_fit_is_told_by_its_totals(families: dict[str, Family]) -> None:
    document = described(PUSH, families)

    assert document is not None
    assert document["groups"][0]["series"][2]["totals"] == [1.0, 2.0, 7.5, 2.0]  # type: ignore[index]


def test_numbers_that_json_has_no_word_for_are_text() -> None:
    assert [number(value) for value in (1.5, math.inf, -math.inf)] == [1.5, "+Inf", "-Inf"]
    assert number(math.nan) == "NaN"


def test_a_time_that_no_calendar_has_is_none() -> None:
    assert moment(0) == "1970-01-01T00:00:00.000Z"
    assert moment(2**62) is None
