"""Which alerts of the history are asked for: parameters of a request → SQL, and the page that it gives."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

import apsw
import msgspec

from pushgateway_bridge.alerts import schema

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
BUSY_MS: Final = 5000
NEVER_MS: Final = 2**53
"""The end of what has none, where one sorts by it."""
SORTS: Final[Mapping[str, str]] = {
    "starts_at": "starts_ms",
    "ends_at": f"coalesce(ends_ms, {NEVER_MS})",
    "duration": "coalesce(ends_ms, :now) - starts_ms",
    "alertname": "alertname",
}
"""Key → what SQL sorts by."""
DEFAULT_SORT: Final = "-starts_at"
LABELS: Final = ("alertname", "job", "instance", "severity")
"""Labels that are asked for by their own name."""
LABEL_PREFIX: Final = "label."
STATUSES: Final[Mapping[str, str]] = {"firing": "ends_ms IS NULL", "resolved": "ends_ms IS NOT NULL"}
SELECTING: Final = ("from", "to", *LABELS, "status")
PAGING: Final = ("limit", "sort", "cursor")
DELETING: Final = ("before", "all")


class BadParameter(ValueError):
    """A parameter that makes no sense; the message names it and says what is allowed."""


class Filter(NamedTuple):
    """A condition in SQL."""

    sql: str
    arguments: Mapping[str, str | int]


class PageQuery(NamedTuple):
    """Which page of which alerts."""

    condition: Filter
    sort: str
    """A key of SORTS, with - before it for the greatest first."""
    limit: int
    now_ms: int
    """Unix time of the first page: what fires lasts until then, on each page."""
    after: tuple[int | str, int] | None
    """Sort key and number of the last alert of the page before."""


class Entry(msgspec.Struct, frozen=True):
    """An alert as the API shows it. Times are as in RFC 3339."""

    fingerprint: str
    status: Literal["firing", "resolved"]
    labels: msgspec.Raw
    annotations: msgspec.Raw
    starts_at: str
    ends_at: str | None
    duration_seconds: float
    notified: int
    last_notified: str
    closed_by: str | None


class Page(msgspec.Struct, frozen=True):
    """Some of the alerts, and how to ask for those after them."""

    alerts: list[Entry]
    next_cursor: str | None


_Row = tuple[str, int, int | None, str, str, str, int, int]


class _Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    sort: str
    now_ms: int
    key: int | str
    row_id: int


# Parameters


def page_query(parameters: Iterable[tuple[str, str]], now_ms: int) -> PageQuery:
    """What a GET asks for. Raises BadParameter."""
    given = _once(parameters, (*SELECTING, *PAGING))
    sort = given.get("sort", DEFAULT_SORT)
    if sort.removeprefix("-") not in SORTS:
        raise BadParameter(f"sort: expected one of {', '.join(SORTS)}, with - before it or not, got {sort!r}")
    limit = _limit(given.get("limit", str(DEFAULT_LIMIT)))
    after = None
    if "cursor" in given:
        cursor = _cursor(given["cursor"], sort)
        now_ms, after = cursor.now_ms, (cursor.key, cursor.row_id)
    return PageQuery(_condition(given), sort, limit, now_ms, after)


def deletion(parameters: Iterable[tuple[str, str]]) -> Filter:
    """What a DELETE asks for. Raises BadParameter; never selects everything unless that is said."""
    given = _once(parameters, (*SELECTING, *DELETING))
    everything = given.pop("all", None)
    if everything not in (None, "true"):
        raise BadParameter(f"all: expected true, got {everything!r}")
    if given and everything:
        raise BadParameter("all: it deletes everything, so nothing else may be said")
    if not given and not everything:
        raise BadParameter("say what to delete, such as before=2026-01-01T00:00:00Z, or all=true")
    return _condition(given)


def _once(parameters: Iterable[tuple[str, str]], known: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for parameter, value in parameters:
        label = parameter.removeprefix(LABEL_PREFIX)
        name = label if label in LABELS else parameter
        if name not in known and (not name.startswith(LABEL_PREFIX) or name == LABEL_PREFIX):
            raise BadParameter(
                f"unknown parameter {name[:100]!r}: known are {', '.join(known)} and {LABEL_PREFIX}NAME"
            )
        if name in given:
            raise BadParameter(f"{name[:100]}: it was given more than once")
        given[name] = value
    return given


def _limit(text: str) -> int:
    limit = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise BadParameter(f"limit: expected a number from 1 to {MAX_LIMIT}, got {text[:100]!r}")
    return limit


def _condition(given: Mapping[str, str]) -> Filter:
    terms: list[str] = []
    arguments: dict[str, str | int] = {}
    for name, term in (
        ("from", "(ends_ms IS NULL OR ends_ms >= :from)"),
        ("to", "starts_ms <= :to"),
        ("before", "ends_ms < :before"),
    ):
        if name in given:
            terms.append(term)
            arguments[name] = unix_ms(name, given[name])
    if "status" in given:
        if given["status"] not in STATUSES:
            raise BadParameter(f"status: expected {' or '.join(STATUSES)}, got {given['status'][:100]!r}")
        terms.append(STATUSES[given["status"]])
    wanted = {name: given[name] for name in LABELS if name in given}
    wanted |= {
        name.removeprefix(LABEL_PREFIX): value
        for name, value in given.items()
        if name.startswith(LABEL_PREFIX)
    }
    for number, (name, value) in enumerate(wanted.items()):
        arguments[f"value{number}"] = value
        if name == "alertname":
            terms.append(f"alertname = :value{number}")
            continue
        arguments[f"name{number}"] = name
        found = f"(SELECT value FROM json_each(labels) WHERE key = :name{number})"  # noqa: S608 - names and values are bound
        terms.append(f"coalesce({found}, '') = :value{number}")
    return Filter(" AND ".join(terms) or "TRUE", arguments)


def unix_ms(name: str, text: str) -> int:
    """*text*, the value of the parameter *name*, as Unix milliseconds. Raises BadParameter."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return round(moment.timestamp() * 1000)
        seconds = math.nan
    if not 0 <= seconds <= NEVER_MS / 1000:
        raise BadParameter(
            f"{name}: expected Unix seconds, or a time such as 2026-02-01T12:00:00Z, got {text[:100]!r}"
        )
    return round(seconds * 1000)


# Pages


def read_page(file: Path, query: PageQuery) -> Page:
    """The page. Opens the file for reading only, beside the writer; call it in a thread.

    Raises apsw.Error or NewerSchema.
    """
    key, descending = SORTS[query.sort.removeprefix("-")], query.sort.startswith("-")
    arguments: dict[str, str | int] = {**query.condition.arguments, "limit": query.limit + 1}
    condition = query.condition.sql
    if ":now" in key:
        arguments["now"] = query.now_ms
    if query.after is not None:
        condition += f" AND ({key}, id) {'<' if descending else '>'} (:key, :id)"
        arguments["key"], arguments["id"] = query.after
    direction = "DESC" if descending else "ASC"
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(BUSY_MS)
        schema.check(int(connection.pragma("user_version")))
        rows = connection.execute(
            f"SELECT {key}, id, fingerprint, starts_ms, ends_ms, closed_by, labels, annotations, notified, "  # noqa: S608
            f"last_notified_ms FROM alert WHERE {condition} ORDER BY {key} {direction}, id {direction} LIMIT :limit",
            arguments,
        ).fetchall()
    finally:
        connection.close()
    shown, more = rows[: query.limit], len(rows) > query.limit
    following = None
    if more:
        last_key, last_id = cast(tuple[int | str, int], shown[-1][:2])
        following = _encode(_Cursor(query.sort, query.now_ms, last_key, last_id))
    return Page([_entry(query.now_ms, *cast(_Row, row[2:])) for row in shown], following)


def _entry(
    now_ms: int,
    fingerprint: str,
    starts_ms: int,
    ends_ms: int | None,
    closed_by: str,
    labels: str,
    annotations: str,
    notified: int,
    last_notified_ms: int,
) -> Entry:
    return Entry(
        fingerprint,
        "firing" if ends_ms is None else "resolved",
        msgspec.Raw(labels.encode()),
        msgspec.Raw(annotations.encode()),
        rfc3339(starts_ms),
        None if ends_ms is None else rfc3339(ends_ms),
        max(0, (now_ms if ends_ms is None else ends_ms) - starts_ms) / 1000,
        notified,
        rfc3339(last_notified_ms),
        closed_by or None,
    )


def rfc3339(time_ms: int) -> str:
    """``2026-02-01T12:00:00.000Z``"""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03}Z"


def _encode(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _cursor(text: str, sort: str) -> _Cursor:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        cursor = msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=_Cursor)
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise BadParameter("cursor: expected the next_cursor of an earlier answer") from error
    if cursor.sort != sort:
        raise BadParameter(
            f"cursor: it continues sort={cursor.sort[:100]}, so sort must be that, got {sort!r}"
        )
    numbers = (cursor.now_ms, cursor.row_id, *((cursor.key,) if isinstance(cursor.key, int) else ()))
    if isinstance(cursor.key, str) is not (sort.removeprefix("-") == "alertname") or any(
        abs(number) > NEVER_MS for number in numbers
    ):
        raise BadParameter("cursor: expected the next_cursor of an earlier answer")
    return cursor
