from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.model.timestamps import believed_time_ms, format_iso8601_ms, parse_iso8601_ms

RECEIVED_MS = 1_769_932_860_000
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("offset_ms", "believed"),
    [
        (0, True),
        (-DAY_MS, True),
        (-DAY_MS - 1, False),
        (60_000, True),
        (60_001, False),
        (-(10**15), False),
        (10**15, False),
    ],
)
def test_time_is_believed_up_to_24_hours_back_and_60_seconds_ahead(offset_ms: int, believed: bool) -> None:
    expected = RECEIVED_MS + offset_ms if believed else RECEIVED_MS

    assert believed_time_ms(RECEIVED_MS + offset_ms, RECEIVED_MS) == expected


def test_without_a_time_the_time_received_is_taken() -> None:
    assert believed_time_ms(None, RECEIVED_MS) == RECEIVED_MS


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("2026-02-01T08:00:10.512Z", 1_769_932_810_512),
        ("2026-02-01T08:00:10Z", 1_769_932_810_000),
        ("2026-02-01T08:00:10", 1_769_932_810_000),
        ("2026-02-01T09:00:10.512+01:00", 1_769_932_810_512),
        ("2026-02-01 08:00:10.512345+00:00", 1_769_932_810_512),
        ("1969-12-31T23:59:59.999Z", -1),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200_000),
        ("9999-12-31T23:59:59-14:00", 253_402_351_199_000),
    ],
)
def test_iso8601_time_is_read(text: str, time_ms: int) -> None:
    assert parse_iso8601_ms(text) == time_ms


@pytest.mark.parametrize(
    "text", ["", "yesterday", "1769932810", "2026-02-30T00:00:00Z", "2026-02-01T25:00:00Z", "12:00", "\x00"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_iso8601_ms(text) is None


@given(st.text())
def test_any_text_is_a_time_or_none(text: str) -> None:
    time_ms = parse_iso8601_ms(text)

    assert time_ms is None or isinstance(time_ms, int)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_written_time_reads_back_to_the_millisecond(moment: datetime) -> None:
    time_ms = round(moment.timestamp() * 1000)
    text = format_iso8601_ms(time_ms)

    assert len(text) == len("2026-02-01T08:00:10.512Z")
    assert parse_iso8601_ms(text) == time_ms
