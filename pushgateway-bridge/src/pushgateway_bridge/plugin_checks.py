"""Is what a plugin gives what the bridge may store and show? Pure.

The bridge's own dialects are tested for this. A plugin is somebody else's: one wrong label name would make every
scrape unreadable, so each of its reports is looked through before anything else sees it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushLimits, Reply, TokenNeed
from pushgateway_bridge.errors import ITEM_REJECTIONS, REJECTIONS, ItemLimit
from pushgateway_bridge.model.additions import Distinct, Increment, Observation
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.report import GroupReport, Rejection, Replaces, Report

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""Of a dialect, and of a reason to refuse an item: both become label values of self-metrics."""
METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,255}")
LABEL_NAME: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,255}")
PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]+")
HEADER: Final = re.compile(r"[a-z0-9-]+")
METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
SET_TYPES: Final = frozenset({"gauge", "counter", "unknown"})
"""Types of families whose series one number sets."""
JSON: Final = "application/json"
MAX_HASH: Final = 2**64
MAX_INTEGER: Final = 2**53

OWN_PATHS: Final = (
    *("/-", "/api/v1", "/d", "/dashboard", "/docs", "/landing.css", "/login", "/logout", "/metrics"),
    *("/health", "/healthz", "/dbhealth", "/stats", "/debug", "/api/records", "/api/exit-codes", "/api/auth"),
    *("/agents", "/data", "/hosts", "/details"),
    *("/pt", "/sm", "/sx", "/mg", "/pve"),
)
"""What the bridge answers besides pushes, and everything below: no plugin's paths."""


class NotADialect(Exception):
    """What a plugin gives cannot be served. ``str(error)`` says why."""


class BadReport(Exception):
    """What a plugin's decoder gives cannot be stored. ``str(error)`` says why, and holds nothing of the body."""


# A dialect, once


def check_dialect(dialect: object, name: str, others: Mapping[str, Dialect]) -> Dialect:
    """*dialect* if it can be served as *name* beside *others*. Raises NotADialect."""
    if not isinstance(dialect, Dialect):
        raise NotADialect(f"gives no Dialect but {type(dialect).__name__}")
    try:
        msgspec.convert(msgspec.structs.asdict(dialect), _Fields, strict=True)
    except msgspec.ValidationError as error:
        raise NotADialect(f"gives a Dialect with a wrong field: {error}") from error
    if dialect.name != name:
        raise NotADialect(f"gives a dialect named {dialect.name!r}: the entry point must have the same name")
    if not NAME.fullmatch(name):
        raise NotADialect(f"has the name {name!r}: it must match {NAME.pattern}")
    _check_fields(dialect)
    for path in dialect.paths:
        _check_path(path, dialect, others)
    _check_replies(dialect)
    return dialect


class _Fields(msgspec.Struct):
    """The fields of a Dialect that are plain values, with their types and bounds."""

    name: str
    paths: tuple[str, ...]
    max_body_bytes: int
    series_class: SeriesClass
    default_interval_seconds: float | None
    item_reasons: tuple[str, ...]
    max_inflated_bytes: int
    methods: tuple[str, ...]
    paths_go_on: bool
    needs_path: bool
    counts_countries: bool
    tells_rate: bool
    default_rate: str
    token_need: Any
    token_header: str
    example: tuple[str, str] | None


def _check_fields(dialect: Dialect) -> None:
    if not dialect.paths:
        raise NotADialect("has no paths")
    if dialect.max_body_bytes < 1 or dialect.max_inflated_bytes < 0:
        raise NotADialect("has a limit of its bodies that none can keep to")
    interval = dialect.default_interval_seconds
    if interval is not None and not (0 < interval < math.inf):
        raise NotADialect("has a default_interval_seconds that is not above 0")
    if not isinstance(dialect.token_need, TokenNeed):
        raise NotADialect("has a token_need that is no TokenNeed")
    if not dialect.methods or not METHODS.issuperset(dialect.methods):
        raise NotADialect(f"pushes by other methods than {', '.join(sorted(METHODS))}")
    if not HEADER.fullmatch(dialect.token_header):
        raise NotADialect("has a token_header that is no lower-case header name")
    if dialect.repairs or dialect.failed is not None:
        raise NotADialect("sets repairs or failed, which are the bridge's own dialects'")
    if dialect.own_key is not None:  # nothing keeps what it raises from the others
        raise NotADialect("sets own_key, which is the bridge's own dialects'")
    bad = [reason for reason in dialect.item_reasons if not NAME.fullmatch(reason)]
    if bad:
        raise NotADialect(f"has the item reason {bad[0]!r}: it must match {NAME.pattern}")
    if dialect.item_reasons and dialect.reply is None:
        raise NotADialect("has item_reasons, but no reply that would name the items")
    for field in ("decode", "refuse"):
        if not callable(getattr(dialect, field)):
            raise NotADialect(f"has a {field} that cannot be called")
    if dialect.example is not None and dialect.example[0] == JSON:
        try:
            msgspec.json.decode(dialect.example[1])
        except msgspec.DecodeError as error:
            raise NotADialect(f"has an example that is no JSON: {error}") from error


def _check_path(path: str, dialect: Dialect, others: Mapping[str, Dialect]) -> None:
    """Raises NotADialect if *path* cannot be a path, or somebody has it."""
    if not PATH.fullmatch(path):
        raise NotADialect(f"has the path {path!r}: expected / and then letters, digits and plain signs")
    mine = _plain(path)
    if any(mine == own or mine.startswith(f"{own}/") for own in OWN_PATHS):
        raise NotADialect(f"takes the path {path}, which is the bridge's own")
    for other in others.values():
        for taken in map(_plain, other.paths):
            if (
                mine == taken
                or (other.paths_go_on and mine.startswith(taken))
                or (dialect.paths_go_on and taken.startswith(mine))
            ):
                raise NotADialect(f"takes the path {path}, which is {other.name}'s")
    if dialect.paths_go_on and any(own.startswith(mine) for own in OWN_PATHS):
        raise NotADialect(f"takes all paths that begin with {path}, and some are the bridge's own")


def _plain(path: str) -> str:
    """As some paths are found: regardless of case and of a slash at the end."""
    return path.lower().removesuffix("/")


def _check_replies(dialect: Dialect) -> None:
    """Raises NotADialect if one of the answers that are known before any push cannot be given."""
    if not isinstance(dialect.accepted_at, Mapping):
        raise NotADialect("has an accepted_at that is no mapping")
    for told in (dialect.accepted, *dialect.accepted_at.values()):
        if not is_reply(told) or not 200 <= told.status < 300 or not _shows(told):
            raise NotADialect("has an accepted reply that is none")
    for kind in REJECTIONS:
        try:
            told = dialect.refuse(kind("why"))
        except Exception as error:
            raise NotADialect(f"cannot refuse a push ({kind.reason}): {type(error).__name__}") from error
        if not is_reply(told) or not _shows(told):
            raise NotADialect(f"has no reply to a push that is refused ({kind.reason})")


def is_reply(told: object) -> bool:
    """Whether it can be sent as it is."""
    if not isinstance(told, Reply):
        return False
    status, body, content_type = _any(told.status), _any(told.body), _any(told.content_type)
    return (
        type(status) is int
        and status in _STATUSES
        and type(body) is bytes
        and not (body and status in _WITHOUT_BODY)
        and type(content_type) is str
        and content_type.isascii()
        and content_type.isprintable()
    )


def _any(value: Any) -> Any:
    """*value*, whatever its type was said to be: nothing has checked that a plugin keeps to it."""
    return value


_STATUSES: Final = frozenset(int(status) for status in HTTPStatus if status >= 200)
_WITHOUT_BODY: Final = frozenset({204, 205, 304})


def _shows(told: Reply) -> bool:
    """Whether the API's document can have it as an example."""
    try:
        text = told.body.decode()
        if told.content_type.partition(";")[0] == JSON:
            msgspec.json.decode(text)
    except ValueError:  # also of msgspec
        return False
    return True


# A report, at each push


def check_report(report: object, dialect: Dialect, limits: PushLimits) -> Report:
    """*report* with floats for integers, if it can be stored.

    Raises BadReport, and ItemLimit if it has more values than a push may have.
    """
    if not isinstance(report, Report):
        raise BadReport(f"decode gave no Report but {type(report).__name__}")
    _require(not report.events and report.entry is None, "a report with events or an entry")
    _require(not report.rescued and not report.sanitized, "a report with repairs")
    for field in ("accepted", "skipped", "skipped_values", "timestamps_replaced", "deduplicated"):
        count = getattr(report, field)
        _require(type(count) is int and count >= 0, f"{field} that is no count")
    _require(report.answer is None or is_reply(report.answer), "an answer that is no Reply")
    _check_rejected(report.rejected, dialect)
    series = 0
    for group in _sequence(report.groups, "groups"):
        if not isinstance(group, GroupReport):
            raise BadReport("a group that is no GroupReport")
        series += _check_group(group, dialect)
    if series > limits.max_items:
        raise ItemLimit(f"the push has {series} values, and may have {limits.max_items}")
    if any(int in map(type, one.values) for one in report.groups):
        groups = [msgspec.structs.replace(one, values=list(map(float, one.values))) for one in report.groups]
        return msgspec.structs.replace(report, groups=groups)
    return report


def _check_rejected(rejected: object, dialect: Dialect) -> None:
    reasons = {*dialect.item_reasons, *(kind.reason for kind in ITEM_REJECTIONS)}
    for one in _sequence(rejected, "rejected"):
        if not isinstance(one, Rejection):
            raise BadReport("a rejected item that is no Rejection")
        _require(
            dialect.reply is not None, "rejected items, but the dialect has no reply that would name them"
        )
        _require(one.reason in reasons, "a rejected item with a reason that item_reasons does not have")
        _require(type(one.index) is int and _is_text(one.message), "a rejected item without index or message")


def _check_group(one: GroupReport, dialect: Dialect) -> int:
    """How many values it has. Raises BadReport."""
    names = _check_push_group(one.group)
    _require(len(_sequence(one.shape, "shape")) == len(one.values), "another number of values than of series")
    seen: set[tuple[str, object]] = set()
    for family, labels in one.shape:
        _check_family(family, SET_TYPES)
        _check_labels(labels, names)
        _require((family.name, labels) not in seen, f"{family.name} twice with the same labels")
        seen.add((family.name, labels))
    _require(type(one.values) is list and all(map(_is_number, one.values)), "a value that is no number")
    time_ms, kept = _any(one.timestamp_ms), _any(one.time_to_live_seconds)
    _require(time_ms is None or type(time_ms) is int, "a timestamp_ms that is no integer")
    _require(kept is None or (_is_number(kept) and kept > 0), "a time to live that is not above 0")
    _require(one.series_class is None or type(one.series_class) is SeriesClass, "a class that is none")
    _require(type(one.replaces) is Replaces and not one.initial, "replaces or initial that it cannot have")
    if one.items:
        _require(dialect.reply is not None and len(one.items) == len(one.shape), "items of other series")
        _require(all(type(item) is int for item in one.items), "an item's index that is no integer")
    for increment in _all(one.increments, Increment):
        _check_family(increment.family, {"counter"})
        _check_labels(increment.labels, names)
        _require(
            _is_finite(increment.amount) and increment.amount >= 0, "an increment that is below 0 or none"
        )
    for observation in _all(one.observations, Observation):
        _check_family(observation.family, {"histogram"})
        _check_labels(observation.labels, {*names, "le"})
        _require(_is_finite(observation.value), "an observation that is not finite")
    for distinct in _all(one.distinct, Distinct):
        _check_family(distinct.family, {"gauge"})
        _check_labels(distinct.labels, {*names, "window"})
        _require(type(distinct.hash64) is int and 0 <= distinct.hash64 < MAX_HASH, "a hash64 that is none")
    return len(one.shape) + len(one.increments) + len(one.observations) + len(one.distinct)


def _check_push_group(group: object) -> set[str]:
    """The names of its labels. Raises BadReport."""
    pairs = _pairs(group)
    names = [name for name, _ in pairs]
    _require(names[:2] == ["job", "instance"], "a push group that make_push_group did not make")
    _require(bool(pairs[0][1]), "a push group without a job")
    _check_labels(tuple(pairs[2:]), {"job", "instance"})
    return set(names)


def _check_labels(labels: object, taken: set[str]) -> None:
    pairs = _pairs(labels)
    names = [name for name, _ in pairs]
    _require(names == sorted(set(names)), "labels that make_label_set did not make")
    _require(all(value for _, value in pairs), "a label without a value")
    for name in names:
        _require(LABEL_NAME.fullmatch(name) is not None, "a label name that Prometheus does not take")
        _require(
            name not in taken and name not in ("job", "instance"),
            "a label that the push group or the bridge sets",
        )


def _pairs(labels: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(labels, tuple):
        raise BadReport("labels that are no tuple of pairs")
    for pair in labels:
        if not isinstance(pair, tuple) or len(pair) != 2 or not all(map(_is_text, pair)):
            raise BadReport("labels that are no tuple of pairs")
    return labels


def _check_family(family: object, types: Iterable[str]) -> None:
    if not isinstance(family, Family):
        raise BadReport("a family that is no Family")
    _require(type(family.name) is str, "a family without a name")
    _require(METRIC_NAME.fullmatch(family.name) is not None, "a metric name that Prometheus does not take")
    _require(family.type in types, f"{family.name} as a {family.type}")
    _require(_is_text(family.help) and _is_text(family.unit), f"{family.name} without a help text")
    bounds = _any(family.buckets)
    if family.type == "histogram":
        _require(type(bounds) is tuple and all(map(_is_finite, bounds)), f"{family.name} without buckets")
        ascending = list(bounds) == sorted(set(bounds)) and bool(bounds)
        _require(ascending, f"{family.name} with buckets that do not ascend")
    else:
        _require(bounds == (), f"{family.name} with buckets")


def _sequence(value: object, name: str) -> Any:
    if not isinstance(value, (tuple, list)):
        raise BadReport(f"{name} that is no sequence")
    return value


def _all(values: object, kind: type) -> Any:
    for value in _sequence(values, kind.__name__):
        if not isinstance(value, kind):
            raise BadReport(f"what is no {kind.__name__}")
    return values


def _is_number(value: object) -> bool:
    """Whether it is a float, or an integer that a float can hold."""
    return type(value) is float or (type(value) is int and abs(value) <= MAX_INTEGER)


def _is_finite(value: object) -> bool:
    return _is_number(value) and math.isfinite(_any(value))


def _is_text(value: object) -> bool:
    """Whether it is a text that can be written: half of a surrogate pair cannot."""
    if not isinstance(value, str):
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _require(right: bool, wrong: str) -> None:
    if not right:
        raise BadReport(wrong)
