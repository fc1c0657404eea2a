"""Prometheus Pushgateway's API for pushing: a group of metrics by its grouping key, in text or protobuf.

Beyond it, several groups in one push: pushgateway_groups.py. Paths, formats and answers:
docs/dialects/pushgateway.md. What is pushed stays until it is pushed anew or deleted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply, TokenNeed
from pushgateway_bridge.dialects.pushgateway_groups import (
    GROUPS_PATH,
    make_grouped_outline,
    parse_groups_path,
    split_groups,
)
from pushgateway_bridge.dialects.pushgateway_known import KnownBodies, Outlines
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
_grouped_outlines = KnownBodies(make_grouped_outline)


def decode(body: bytes, context: PushContext) -> Report:
    """The groups that ``context.path`` or *body* names, with what *body* says. Raises MalformedBody.

    PUT takes the place of each whole group, POST of the families in it. With X-Time-To-Live-Seconds they are forgotten
    so long after their last push.
    """
    read = _read_groups if context.path.startswith(GROUPS_PATH) else _read_group
    # Whatever else it is called, it is text: curl's default is a form.
    found = read(body, context, protobuf=context.content_type == PROTOBUF)
    time_to_live = parse_time_to_live(context.time_to_live) if context.time_to_live else math.inf
    groups = [
        GroupReport(
            group,
            shape,
            values,
            series_class=SeriesClass.HELD,
            time_to_live_seconds=time_to_live,
            initial=_FAILED,
            replaces=Replaces.GROUP if context.method == "PUT" else Replaces.FAMILIES,
        )
        for group, shape, values in found
    ]
    return Report(groups, accepted=len(groups))


_Found = tuple[PushGroup, Shape, list[float]]


def _read_group(body: bytes, context: PushContext, *, protobuf: bool) -> list[_Found]:
    """The one group that the path names."""
    key = parse_path(context.path)
    outline, values = _outlines.read(body, key.names, context.limits.max_items, protobuf=protobuf)
    return [(key.group, outline.shape, outline.values(values, context.received_ms))]


def _read_groups(body: bytes, context: PushContext, *, protobuf: bool) -> list[_Found]:
    """The groups that the labels of the metrics name."""
    names = parse_groups_path(context.path)
    (groups, _), values = _grouped_outlines.read(body, names, context.limits.max_items, protobuf=protobuf)
    padded = [*values, 0.0]
    return [
        (group, outline.shape, outline.picked_values(padded, context.received_ms))
        for group, outline in groups
    ]


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


def failed(
    error: PushRejected, body: bytes, context: PushContext, is_held: Callable[[PushGroup], bool]
) -> Report | None:
    """What is stored of a push that was refused with *error*; ``None`` if it could not be read: then nothing is."""
    if not isinstance(error, CONTRADICTIONS):
        return None
    reports = [
        failure_report(group, context.received_ms, held=is_held(group))
        for group in _groups_of_failed(error, body, context)
    ]
    return Report(tuple(group for report in reports for group in report.groups)) if reports else None


def _groups_of_failed(error: PushRejected, body: bytes, context: PushContext) -> Iterable[PushGroup]:
    if not context.path.startswith(GROUPS_PATH):
        return (parse_path(context.path).group,)
    try:
        if isinstance(error, InconsistentPush):
            return split_groups(error.families, parse_groups_path(context.path))
        found = _read_groups(body, context, protobuf=context.content_type == PROTOBUF)
    except PushRejected:
        return ()
    return [group for group, _, _ in found]


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
    paths=("/metrics/job/", "/metrics/job@base64/", GROUPS_PATH),
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
