"""What a remote's answer means for the batch that it answers. Pure.

https://prometheus.io/docs/specs/prw/remote_write_spec/ with what was tried: a request is taken whole or not at all,
so on 400 and 413 it is split until what is refused stands alone. What may pass by itself waits: a token that was
changed on one side, a certificate, a proxy in the way must not lose data.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

MAX_RETRY_AFTER_SECONDS: Final = 3600.0


class Outcome(enum.Enum):
    """What follows from an answer."""

    SENT = enum.auto()
    RETRY = enum.auto()
    SPLIT = enum.auto()
    DROP = enum.auto()


class Answer(NamedTuple):
    """What a remote said, or why it said nothing."""

    outcome: Outcome
    reason: str
    """One word or two, the same for each cause: ``http_503``, ``timeout``, ``tls``."""
    detail: str = ""
    """The remote's own words, or the error's, cut to one line."""
    retry_after_seconds: float = 0.0
    """Of RETRY: how long the remote asks to be left alone."""


_WAITING: Final = frozenset({401, 403, 404, 407, 408, 425, 429})
"""Of 4xx: what may pass without a change here."""
_SPLITTING: Final = frozenset({400, 413})


def answer_of(status: int, retry_after: str | None, detail: str, now: datetime) -> Answer:
    """What a status and the header ``Retry-After`` mean."""
    reason = f"http_{status}"
    if 200 <= status < 300:
        return Answer(Outcome.SENT, reason)
    if status in _SPLITTING:
        return Answer(Outcome.SPLIT, reason, detail)
    if 400 <= status < 500 and status not in _WAITING:
        return Answer(Outcome.DROP, reason, detail)
    return Answer(Outcome.RETRY, reason, detail, retry_after_seconds(retry_after, now))


def retry_after_seconds(header: str | None, now: datetime) -> float:
    """Seconds or an HTTP date as seconds from *now*; 0 if it is neither, at most an hour."""
    if header is None:
        return 0.0
    if header.strip().isdecimal():
        return min(float(header), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(header)
    except (
        ValueError,
        TypeError,
        IndexError,
        OverflowError,
    ):  # the parser of dates lets all of these through
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)
