"""Prometheus Pushgateway's API for pushing: a group of metrics by its grouping key, in text or protobuf.

Paths, formats and answers: docs/dialects/pushgateway.md. What is pushed stays until it is pushed anew or deleted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply, TokenNeed
from pushgateway_bridge.dialects.pushgateway_known import Outlines
from pushgateway_bridge.dialects.pushgateway_outline import (
    INCONSISTENT,
    PUSH_FAILURE_TIME,
    PUSH_TIME,
    InconsistentPush,
)
from pushgateway_bridge.dialects.pushgateway_path import parse_path, quoted
from pushgateway_bridge.errors import (
    MalformedBody,
    NameConflict,
    OwnerConflict,
    PushRejected,
    ReservedJob,
    ReservedName,
    TypeConflict,
)
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.labels import PushGroup
from pushgateway_bridge.model.report import BESIDE_OTHERS, GroupReport, Replaces, Report, Shape

PROTOBUF: Final = "application/vnd.google.protobuf"
TIME_TO_LIVE_HEADER: Final = "x-time-to-live-seconds"
MAX_TIME_TO_LIVE_SECONDS: Final = 10 * 365 * 24 * 3600.0

CONTRADICTIONS: Final = (
    InconsistentPush,
    TypeConflict,
    NameConflict,
    OwnerConflict,
    ReservedJob,
    ReservedName,
)
"""Refusals of a push that could be read: the group's failure time is set then. See failure_report."""

_FAILED: Final[Shape] = ((PUSH_FAILURE_TIME, ()),)
_FAILED_FIRST: Final[Shape] = (*_FAILED, (PUSH_TIME, ()))

_outlines = Outlines()


def decode(body: bytes, context: PushContext) -> Report:
    """The one group that ``context.path`` names, with what *body* says. Raises MalformedBody.

    PUT takes the place of the whole group, POST of the families in it. With X-Time-To-Live-Seconds they are forgotten
    so long after their last push.
    """
    key = parse_path(context.path)
    time_to_live = parse_time_to_live(context.time_to_live) if context.time_to_live else math.inf
    if context.content_type == PROTOBUF:
        outline, values = _outlines.protobuf(body, key.names, context.limits.max_items)
    else:  # whatever else it is called: curl's default is a form
        outline, values = _outlines.text(body, key.names, context.limits.max_items)
    group = GroupReport(
        key.group,
        outline.shape,
        outline.values(values, context.received_ms),
        series_class=SeriesClass.HELD,
        time_to_live_seconds=time_to_live,
        initial=_FAILED,
        replaces=Replaces.GROUP if context.method == "PUT" else Replaces.FAMILIES,
    )
    return Report((group,), accepted=1)


def parse_time_to_live(text: str) -> float:
    """Seconds from the header TIME_TO_LIVE_HEADER. Raises MalformedBody for what is no time to live."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= MAX_TIME_TO_LIVE_SECONDS:
        raise MalformedBody(f"{TIME_TO_LIVE_HEADER} must be a number of seconds above 0, got {quoted(text)}")
    return seconds


def failure_report(group: PushGroup, received_ms: int, *, held: bool) -> Report:
    """What is stored of a push that contradicted itself or the state: when that was.

    *held* says whether the group is there already; if not, its last successful push is at 0.
    """
    seconds = received_ms / 1000
    failed = GroupReport(
        group,
        _FAILED if held else _FAILED_FIRST,
        [seconds] if held else [seconds, 0.0],
        series_class=SeriesClass.HELD,
        time_to_live_seconds=BESIDE_OTHERS,
    )
    return Report((failed,))


def failed(error: PushRejected, context: PushContext, is_held: Callable[[PushGroup], bool]) -> Report | None:
    """What is stored of a push that was refused with *error*; ``None`` if it could not be read: then nothing is."""
    if not isinstance(error, CONTRADICTIONS):
        return None
    group = parse_path(context.path).group
    return failure_report(group, context.received_ms, held=is_held(group))


def refuse(error: PushRejected) -> Reply:
    """The reason as a line of text."""
    text = str(error)
    if isinstance(error, CONTRADICTIONS) and not isinstance(error, InconsistentPush):
        text = f"{INCONSISTENT}{text}"
    elif error.status == 405:
        text = "Method Not Allowed"
    return Reply(error.status, f"{text}\n".encode(errors="backslashreplace"), "text/plain; charset=utf-8")


DIALECT = Dialect(
    name="pushgateway",
    paths=("/metrics/job/", "/metrics/job@base64/"),
    max_body_bytes=4 * 2**20,
    max_inflated_bytes=32 * 2**20,
    series_class=SeriesClass.HELD,
    default_interval_seconds=None,
    decode=decode,
    accepted=Reply(200, b"", "text/plain; charset=utf-8"),
    refuse=refuse,
    methods=("PUT", "POST"),
    paths_go_on=True,
    failed=failed,
    token_need=TokenNeed.BEYOND_LOOPBACK,
)
