"""Our own dialect: samples with a name, a value and labels, each taken or refused by itself.

For agents of this stack, and for whoever has no client library: docs/dialects/samples.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply, TokenNeed
from pushgateway_bridge.dialects.samples_body import ItemRefused, read_items
from pushgateway_bridge.dialects.samples_known import KnownBodies, KnownBody, make_outline, read_numbers
from pushgateway_bridge.dialects.samples_series import (
    KnownSeries,
    Place,
    SampleLimits,
    SeriesFinder,
    SeriesIdentity,
)
from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.report import GroupReport, Rejection, Report, Shape
from pushgateway_bridge.model.timestamps import MAX_AGE_MS, MAX_AHEAD_MS

DEFAULT_JOB: Final = "samples"
FIRST_MILLISECONDS: Final = 1e11
"""A time above this is in milliseconds: in seconds it would be the year 5138, in milliseconds it is 1973."""
MAX_NUMBER_CHARACTERS: Final = 100
MAX_LISTED: Final = 100
"""How many rejections a reply lists."""
MEDIA_TYPE: Final = "application/json"

ITEM_REASONS: Final = (
    "malformed_item",
    "bad_name",
    "bad_label",
    "label_limit",
    "bad_type",
    "bad_metadata",
    "bad_value",
    "bad_timestamp",
    "timestamp_out_of_range",
    "bad_time_to_live",
    "duplicate",
)
"""Why decoding refuses an item."""

_SPECIAL: Final[Mapping[str, float]] = {
    "nan": math.nan,
    "inf": math.inf,
    "+inf": math.inf,
    "-inf": -math.inf,
    "infinity": math.inf,
    "+infinity": math.inf,
    "-infinity": -math.inf,
}
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")

FEW_SERIES: Final = 64
REMEMBERED_SHAPES: Final = 16_384
REMEMBERED_LONG_SHAPES: Final = 128
"""Of shapes with more than FEW_SERIES series, which may have as many as a push has items."""


class _Bucket:
    """The items of a push that go into one group report."""

    __slots__ = ("items", "moment_ms", "place", "seen", "series", "timestamp_ms", "values")

    def __init__(
        self, place: Place, timestamp_ms: int | None, moment_ms: int, seen: set[SeriesIdentity]
    ) -> None:
        self.place = place
        self.timestamp_ms = timestamp_ms
        self.moment_ms = moment_ms
        """The same, or the time received."""
        self.seen = seen
        """The series that have a value at this moment already, in whichever bucket."""
        self.series: list[KnownSeries] = []
        self.values: list[float] = []
        self.items: list[int] = []


class _Buckets:
    """The items of a push, received at *received_ms*, by push group, class, time to live and time."""

    def __init__(self, received_ms: int) -> None:
        self._received_ms = received_ms
        self._buckets: dict[tuple[Place, int | None], _Bucket] = {}
        self._seen: dict[int, set[SeriesIdentity]] = {}

    def find(self, place: Place, sent: float | str | None) -> _Bucket:
        """The bucket of items of *place* that were sent with the timestamp *sent*. Raises ItemRefused."""
        timestamp_ms = None if sent is None else _read_timestamp_ms(sent, self._received_ms)
        bucket = self._buckets.get((place, timestamp_ms))
        if bucket is None:
            moment_ms = self._received_ms if timestamp_ms is None else timestamp_ms
            bucket = _Bucket(place, timestamp_ms, moment_ms, self._seen.setdefault(moment_ms, set()))
            self._buckets[place, timestamp_ms] = bucket
        return bucket

    def filled(self) -> list[_Bucket]:
        """Those that hold items, in order of time."""
        return sorted([one for one in self._buckets.values() if one.items], key=lambda one: one.moment_ms)


class _Decoder:
    """Decodes pushes within *limits*, and remembers their series."""

    def __init__(self, limits: SampleLimits) -> None:
        self._max_items = limits.max_items
        self._finder = SeriesFinder(limits)
        self._known = KnownBodies()
        self._short_shape = lru_cache(REMEMBERED_SHAPES)(_make_shape)
        self._long_shape = lru_cache(REMEMBERED_LONG_SHAPES)(_make_shape)

    def decode(self, body: bytes, context: PushContext) -> Report:
        """Every item of *body* that makes sense. Raises MalformedBody and ItemLimit, which refuse the whole push."""
        max_items = self._max_items or context.limits.max_items
        job, instance = _identity(context)
        outline = make_outline(body, context.content_type, job, instance)
        if outline is None:
            return self._decode_items(body, context, max_items, job, instance)
        found = self._known.find(outline, body)
        if found is not None:
            known, numbers = found
            if len(numbers) <= max_items:
                report = _report_of(known, numbers, outline.time, context.received_ms)
                if report is not None:
                    return report
        report = self._decode_items(body, context, max_items, job, instance)
        if found is None and len(report.groups) == 1 and not report.rejected:
            (group,) = report.groups
            self._known.keep(
                outline,
                body,
                Place(group.group, group.series_class or SeriesClass.POINT, group.time_to_live_seconds),
                group.shape,
                timed=group.timestamp_ms is not None,
                has_counters=any(family.type == "counter" for family, _ in group.shape),
            )
        return report

    def _decode_items(
        self, body: bytes, context: PushContext, max_items: int, job: str, instance: str
    ) -> Report:
        """The same of a body that is not known: item by item."""
        numbered, rejected = read_items(body, context.content_type, max_items)
        find = self._finder.find
        buckets = _Buckets(context.received_ms)
        bucket: _Bucket | None = None
        sent: float | str | None = None
        for index, item in numbered:
            try:
                known = find(item, job, instance)
                value = item.value
                if known.is_counter or type(value) is not float:
                    value = _read_value(value, known)
                # Most pushes have one group and one time.
                if bucket is None or known.place is not bucket.place or item.timestamp != sent:
                    bucket = buckets.find(known.place, item.timestamp)
                    sent = item.timestamp
                if known.identity in bucket.seen:
                    raise ItemRefused("duplicate", "the push has a value of this series and time already")
            except ItemRefused as refusal:
                rejected.append(Rejection(index, refusal.reason, str(refusal)))
                continue
            bucket.seen.add(known.identity)
            bucket.series.append(known)
            bucket.values.append(value)
            bucket.items.append(index)
        groups = tuple([self._group_report(one) for one in buckets.filled()])
        return Report(groups, accepted=sum([len(one.items) for one in groups]), rejected=rejected)

    def _group_report(self, bucket: _Bucket) -> GroupReport:
        make_shape = self._short_shape if len(bucket.series) <= FEW_SERIES else self._long_shape
        place = bucket.place
        return GroupReport(
            place.group,
            make_shape(tuple(bucket.series)),
            bucket.values,
            bucket.timestamp_ms,
            items=tuple(bucket.items),
            series_class=place.series_class,
            time_to_live_seconds=place.time_to_live_seconds,
        )


def _report_of(known: KnownBody, numbers: list[bytes], time: bytes | None, received_ms: int) -> Report | None:
    """The report of a body that is *known* but for its numbers; ``None`` if it must be read item by item."""
    try:
        values, seconds = read_numbers(numbers, time)
        timestamp_ms = None if seconds is None else _read_timestamp_ms(seconds, received_ms)
    except (msgspec.DecodeError, ItemRefused):
        return None
    if known.has_counters and min(values) < 0:
        return None
    place = known.place
    group = GroupReport(
        place.group,
        known.shape,
        values,
        timestamp_ms,
        items=known.items,
        series_class=place.series_class,
        time_to_live_seconds=place.time_to_live_seconds,
    )
    return Report((group,), accepted=len(values), rejected=[])


def _make_shape(series: tuple[KnownSeries, ...]) -> Shape:
    return tuple([known.entry for known in series])


def _identity(context: PushContext) -> tuple[str, str]:
    """Job and instance of items that say none: those that the token is bound to."""
    pusher = context.pusher
    if pusher is None:
        return DEFAULT_JOB, ""
    return pusher.job or DEFAULT_JOB, pusher.instance


def _read_value(sent: float | str, known: KnownSeries) -> float:
    value = sent
    if isinstance(value, str):
        special = _SPECIAL.get(value.lower()) if len(value) <= MAX_NUMBER_CHARACTERS else None
        value = _read_number(value, "bad_value", "value") if special is None else special
    if known.is_counter and not value >= 0:
        raise ItemRefused("bad_value", "value of a counter must be at least 0")
    return value


def _read_number(text: str, reason: str, field: str) -> float:
    """The finite number that *text* is. Digits of JSON only: float() takes more, such as 1_000."""
    if len(text) <= MAX_NUMBER_CHARACTERS and _NUMBER.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    raise ItemRefused(reason, f"{field} is a text that is no number, or one that is out of range")


def _read_timestamp_ms(sent: float | str, received_ms: int) -> int:
    seconds = _read_number(sent, "bad_timestamp", "timestamp") if isinstance(sent, str) else sent
    milliseconds = seconds if seconds > FIRST_MILLISECONDS else seconds * 1000
    if -MAX_AGE_MS <= milliseconds - received_ms <= MAX_AHEAD_MS:
        return round(milliseconds)
    raise ItemRefused(
        "timestamp_out_of_range",
        f"timestamp must be Unix seconds, at most {MAX_AGE_MS // 3_600_000} h ago and {MAX_AHEAD_MS // 1000} s ahead",
    )


def reply(report: Report, rejected: Sequence[Rejection]) -> Reply:
    """How many items were taken and which were not; status 400 if none was."""
    if not rejected:
        return _all_accepted(report.accepted)
    answer: dict[str, object] = {
        "accepted": report.accepted,
        "rejected": sorted(rejected, key=lambda one: one.index)[:MAX_LISTED],
    }
    if len(rejected) > MAX_LISTED:
        answer["rejected_total"] = len(rejected)
    return Reply(200 if report.accepted else 400, msgspec.json.encode(answer), MEDIA_TYPE)


@lru_cache(1024)
def _all_accepted(number: int) -> Reply:
    return Reply(200 if number else 400, b'{"accepted":%d,"rejected":[]}' % number, MEDIA_TYPE)


def refuse(error: PushRejected) -> Reply:
    """``{"error": …, "reason": …}``"""
    body = msgspec.json.encode({"error": str(error), "reason": error.reason})
    return Reply(error.status, body, MEDIA_TYPE)


def make_dialect(limits: SampleLimits) -> Dialect:
    """The dialect with *limits*."""
    return Dialect(
        name="samples",
        paths=("/api/v1/samples",),
        max_body_bytes=4 * 1024**2,
        max_inflated_bytes=32 * 1024**2,
        series_class=SeriesClass.POINT,
        default_interval_seconds=60.0,
        decode=_Decoder(limits).decode,
        accepted=Reply(200, b'{"accepted":0,"rejected":[]}', MEDIA_TYPE),
        refuse=refuse,
        reply=reply,
        item_reasons=ITEM_REASONS,
        token_need=TokenNeed.BEYOND_LOOPBACK,
    )


DIALECT = make_dialect(SampleLimits())
