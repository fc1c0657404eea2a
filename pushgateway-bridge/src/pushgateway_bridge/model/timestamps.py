"""Which of two clocks to believe, the pusher's or ours."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

MAX_AGE_MS = 24 * 3600 * 1000
MAX_AHEAD_MS = 60 * 1000


def believed_time_ms(timestamp_ms: int | None, received_ms: int) -> int:
    """The pusher's time if it is at most 24 h old and at most 60 s ahead, else the time received (both Unix ms).

    Prometheus takes samples out of order for 25 h, so a believed time is never refused there.
    """
    if timestamp_ms is None or not -MAX_AGE_MS <= timestamp_ms - received_ms <= MAX_AHEAD_MS:
        return received_ms
    return timestamp_ms


def parse_iso8601_ms(text: str) -> int | None:
    """Unix milliseconds of an ISO-8601 time, ``None`` if it is none. Without a zone it is taken as UTC."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def format_iso8601_ms(time_ms: int) -> str:
    """``2026-02-01T08:00:10.512Z`` for Unix milliseconds."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{_format_seconds(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=16)
def _format_seconds(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
