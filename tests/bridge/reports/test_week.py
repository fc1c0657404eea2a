from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pushgateway_bridge.reports.week import Week, last_week, parse_week, week_of


def test_a_week_is_from_monday_to_monday() -> None:
    week = parse_week("2026-W47")

    assert (week.begin, week.end) == (
        datetime(2026, 11, 16, tzinfo=UTC),
        datetime(2026, 11, 23, tzinfo=UTC),
    )
    assert str(week) == "2026-W47"


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        (datetime(2026, 11, 23, tzinfo=UTC), Week(2026, 48)),
        (datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC), Week(2026, 47)),
        # ISO 8601: a week belongs to the year that most of its days are in.
        (datetime(2027, 1, 3, tzinfo=UTC), Week(2026, 53)),
        (datetime(2024, 12, 30, tzinfo=UTC), Week(2025, 1)),
        # Monday morning east of Greenwich.
        (datetime(2026, 11, 23, 5, tzinfo=timezone(timedelta(hours=8))), Week(2026, 47)),
    ],
    ids=str,
)
def test_a_moment_lies_in_the_week_of_utc(moment: datetime, week: Week) -> None:
    assert week_of(moment) == week


def test_the_last_week_is_over() -> None:
    assert last_week(datetime(2026, 11, 23, tzinfo=UTC)) == Week(2026, 47)
    assert last_week(datetime(2026, 11, 22, 23, 59, tzinfo=UTC)) == Week(2026, 46)


def test_the_week_before_the_first_is_the_last_of_the_year_before() -> None:
    assert Week(2027, 1).previous() == Week(2026, 53)


@pytest.mark.parametrize(
    "text", ["2026-47", "2026-W54", "2025-W53", "2026-W00", "0000-W01", "2026-W1", " 2026-W01", ""]
)
def test_what_is_no_week_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="week"):
        parse_week(text)
