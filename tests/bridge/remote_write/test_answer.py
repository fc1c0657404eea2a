"""What follows from each status, and how long a remote asks to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.remote_write.answer import (
    MAX_RETRY_AFTER_SECONDS,
    Answer,
    Outcome,
    answer_of,
    retry_after_seconds,
)

NOW = datetime(2026, 2, 1, 8, 0, 0, tzinfo=UTC)
STATUSES = {
    Outcome.SENT: (200, 202, 204, 299),
    Outcome.SPLIT: (400, 413),
    Outcome.RETRY: (
        100,
        301,
        302,
        307,
        308,
        401,
        403,
        404,
        407,
        408,
        425,
        429,
        500,
        501,
        502,
        503,
        504,
        599,
        999,
    ),
    Outcome.DROP: (402, 405, 406, 409, 410, 411, 414, 415, 418, 422, 431, 451, 499),
}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(status, outcome) for outcome, statuses in STATUSES.items() for status in statuses],
)
def test_each_status_means_one_outcome(status: int, outcome: Outcome) -> None:
    assert answer_of(status, None, "", NOW).outcome is outcome


@given(st.integers(100, 999))
def test_only_2xx_counts_as_sent_and_only_4xx_is_dropped(status: int) -> None:
    outcome = answer_of(status, None, "", NOW).outcome

    assert (outcome is Outcome.SENT) == (200 <= status < 300)
    assert outcome not in {Outcome.DROP, Outcome.SPLIT} or 400 <= status < 500


def test_an_answer_tells_status_words_and_the_wait_asked_for() -> None:
    assert answer_of(503, "7", "too busy", NOW) == Answer(Outcome.RETRY, "http_503", "too busy", 7.0)


@pytest.mark.parametrize("status", [200, 400, 422])
def test_what_is_not_sent_again_waits_for_nothing(status: int) -> None:
    assert answer_of(status, "7", "", NOW).retry_after_seconds == 0.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0.0),
        ("", 0.0),
        (" ", 0.0),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("3600", 3600.0),
        ("3601", MAX_RETRY_AFTER_SECONDS),
        ("9" * 5000, MAX_RETRY_AFTER_SECONDS),
        ("-7", 0.0),
        ("1.5", 0.0),
        ("1e3", 0.0),
        ("soon", 0.0),
        ("²", 0.0),
        ("Sun, 01 Feb 2026 08:00:30 GMT", 30.0),
        ("Sun, 01 Feb 2026 08:00:30 -0000", 30.0),
        ("Sun, 01 Feb 2026 08:00:30", 30.0),
        ("Sun, 01 Feb 2026 09:00:30 +0100", 30.0),
        ("Sunday, 01-Feb-26 08:00:30 GMT", 30.0),
        ("Sun Feb  1 08:00:30 2026", 30.0),
        ("Sun, 01 Feb 2026 07:59:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 -2300", MAX_RETRY_AFTER_SECONDS),
        ("Sun, 99 Feb 2026 99:99:99 GMT", 0.0),
        ("Sun, 01 Feb 2026 08:00:30 +9999999", 0.0),
    ],
)
def test_the_wait_asked_for_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@pytest.mark.parametrize(
    "header", [f"Sun, 01 Feb {'9' * 20} 08:00:30 GMT", f"Sun, 01 Feb 2026 08:00:30 +{'9' * 20}"]
)
def test_a_date_beyond_all_numbers_is_no_date(header: str) -> None:
    assert retry_after_seconds(header, NOW) == 0.0


@given(
    st.one_of(
        st.text(), st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,5} [\d:]{1,9} [A-Z+-]?\d{0,6}")
    )
)
def test_any_header_gives_a_wait_within_bounds(header: str) -> None:
    assert 0.0 <= retry_after_seconds(header, NOW) <= MAX_RETRY_AFTER_SECONDS
