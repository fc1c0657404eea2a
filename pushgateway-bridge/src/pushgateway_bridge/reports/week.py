"""Calendar weeks as ISO 8601 counts them, from Monday 00:00 to Monday 00:00 UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

PATTERN: Final = re.compile(r"([0-9]{4})-W([0-9]{2})")


class Week(NamedTuple):
    """One week; its text is such as 2026-W47."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04}-W{self.number:02}"

    @property
    def begin(self) -> datetime:
        """Monday 00:00 UTC."""
        monday = date.fromisocalendar(self.year, self.number, 1)
        return datetime(monday.year, monday.month, monday.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The next Monday 00:00 UTC, which belongs to the next week."""
        return self.begin + timedelta(days=7)

    def previous(self) -> Week:
        """The week before."""
        return week_of(self.begin - timedelta(days=1))


def week_of(moment: datetime) -> Week:
    """The week that *moment* lies in."""
    year, number, _ = moment.astimezone(UTC).isocalendar()
    return Week(year, number)


def last_week(now: datetime) -> Week:
    """The newest week that is over."""
    return week_of(now).previous()


def parse_week(text: str) -> Week:
    """From ``2026-W47``. Raises ValueError if that is no week."""
    match = PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a week such as 2026-W47, got {text!r}")
    week = Week(int(match[1]), int(match[2]))
    try:
        date.fromisocalendar(week.year, week.number, 1)
    except ValueError as error:
        raise ValueError(f"there is no week {text}") from error
    return week
