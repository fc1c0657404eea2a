"""minigem-telemetry: events of an editor extension for Java pupils, one at a time or in batches.

Fields, answers and what becomes of the events: docs/dialects/minigem.md. What is read of an event stands in
minigem_event.py; what is counted, in tallies/minigem.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar, Final, NoReturn

import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.dialects.json_body import read_json
from pushgateway_bridge.dialects.minigem_event import EventReader, MinigemSkips, SentEvent
from pushgateway_bridge.errors import (
    BodyTooLarge,
    ItemLimit,
    MalformedBody,
    PushRejected,
    RateLimited,
    WrongMethod,
)
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.report import Rejection, Report

SCHEMA: Final = "jwc.v1"
JSON: Final = "application/json; charset=utf-8"
KNOWN_NESTING: Final = 4
"""How deep the fields are that are looked at: body, batch, event, ``m``."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class SchemaUnsupported(MalformedBody):
    """The body is not of the schema that is read here."""


class EmptyJson(MalformedBody):
    """The body is said to be JSON, and there is none."""


class UnknownMediaType(MalformedBody):
    """The body is of another media type than JSON or plain text."""

    status: ClassVar[int] = 415


class _Body(SentEvent, gc=False):
    schema: str = ""
    batch: list[SentEvent] | None = None


_decoder = msgspec.json.Decoder(_Body)


def decode(body: bytes, context: PushContext) -> Report:
    """The events in *body*; items that hold none are skipped and counted. Raises MalformedBody or ItemLimit."""
    _check_media_type(body, context.content_type)
    body = body.removeprefix(BYTE_ORDER_MARK)
    reader = EventReader(context.received_ms, context.country)
    # What the extension sends is read in one go; anything else piece by piece.
    events = _events_in(body, context.limits.max_nesting)
    if events is not None:
        _check_number(events, context)
        for event in events:
            reader.read(event)
    else:
        items = _items_in(body, context.limits.max_nesting)
        _check_number(items, context)
        for item in items:
            reader.read_item(item)
    skips = [MinigemSkips(reason, number) for reason, number in reader.skips.items()]
    return Report(
        accepted=len(reader.events),
        skipped=sum(skip.items for skip in skips),
        skipped_values=reader.skipped_values,
        timestamps_replaced=reader.timestamps_replaced,
        events=[*reader.events, *skips] if skips else reader.events,
    )


def _check_media_type(body: bytes, media_type: str) -> None:
    if media_type == "application/json":
        if not body:
            raise EmptyJson("Body cannot be empty when content-type is set to 'application/json'")
    elif media_type == "text/plain" or not (media_type or body):
        _refuse_schema()  # a text, or nothing, has no schema
    else:
        raise UnknownMediaType(f"Unsupported Media Type: {media_type[:100] or 'undefined'}")


def _refuse_schema() -> NoReturn:
    raise SchemaUnsupported(f"expected schema {SCHEMA}")


def _check_schema(schema: object) -> None:
    if not isinstance(schema, str) or schema.strip().lower() != SCHEMA:
        _refuse_schema()


def _check_number(items: Sequence[object], context: PushContext) -> None:
    if len(items) > context.limits.max_items:
        raise ItemLimit(f"a push has at most {context.limits.max_items} items, got {len(items)}")


def _events_in(body: bytes, max_nesting: int) -> Sequence[SentEvent] | None:
    """The events in a body whose fields all have the right types; ``None`` if it must be looked at more closely."""
    try:
        if not body.isascii():
            body.decode()  # the decoder does not look into fields that it does not know
        document = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    batch = document.batch
    events: Sequence[SentEvent] = (document,) if batch is None else batch
    known = len(events) + sum([event.m is not None for event in events]) + (batch is not None) * 2
    if body.count(b"{") + body.count(b"[") - known > max_nesting - KNOWN_NESTING:
        return None
    _check_schema(document.schema)
    return events


def _items_in(body: bytes, max_nesting: int) -> Sequence[object]:
    """The items of the batch, or the body itself as the only one. Raises MalformedBody."""
    try:
        document = read_json(body, max_nesting)
    except MalformedBody as error:
        if "out of range" not in str(error):
            raise
        document = _read_infinite(body)
    if not isinstance(document, dict):
        _refuse_schema()
    _check_schema(document.get("schema"))
    batch = document.get("batch")
    return batch if isinstance(batch, list) else (document,)


def _read_infinite(body: bytes) -> object:
    """The value in *body*, in which a number is larger than any float: to JavaScript it is infinite, and no error.

    Raises MalformedBody. The nesting must have been looked at.
    """
    if b"\\ud" in body.lower():  # half a character could not be encoded again
        raise MalformedBody("the JSON has a surrogate and a number that is out of range")
    try:
        return json.loads(body, parse_int=float, parse_constant=_no_constant)
    except ValueError as error:
        raise MalformedBody(f"the JSON is malformed: {type(error).__name__}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


# Answers


def reply(report: Report, _rejections: Sequence[Rejection]) -> Reply:
    """``{"ok":true,"accepted":n,"skipped":m}``"""
    return Reply(200, b'{"ok":true,"accepted":%d,"skipped":%d}' % (report.accepted, report.skipped), JSON)


_CODES: Final[dict[type[PushRejected], str]] = {
    EmptyJson: "FST_ERR_CTP_EMPTY_JSON_BODY",
    UnknownMediaType: "FST_ERR_CTP_INVALID_MEDIA_TYPE",
    BodyTooLarge: "FST_ERR_CTP_BODY_TOO_LARGE",
}
_PHRASES: Final = {413: "Payload Too Large", 422: "Unprocessable Entity"}
"""Where other frameworks' words are not these clients' own."""


def refuse(error: PushRejected) -> Reply:
    """As the original's framework words it; two refusals are the original's own."""
    if isinstance(error, SchemaUnsupported):
        return _json(error.status, {"error": "schema_unsupported", "expected": SCHEMA})
    if error.status >= 500:
        return _json(error.status, {"error": "db_disabled", "message": str(error)})
    if isinstance(error, WrongMethod):
        method, _, path = str(error).removeprefix("Cannot ").partition(" ")
        return no_route(method, path)
    text = str(error)
    if isinstance(error, BodyTooLarge):
        text = "Request body is too large"
    elif isinstance(error, RateLimited):
        text = "Rate limit exceeded, retry in 1 hour"
    code = _CODES.get(type(error))
    return _json(
        error.status,
        {
            "statusCode": error.status,
            **({"code": code} if code else {}),
            "error": _PHRASES.get(error.status) or HTTPStatus(error.status).phrase,
            "message": text,
        },
    )


def no_route(method: str, path: str) -> Reply:
    """The answer to a path that is not served, or not by this method."""
    document = {"message": f"Route {method}:{path} not found", "error": "Not Found", "statusCode": 404}
    return _json(404, document)


def _json(status: int, document: dict[str, object]) -> Reply:
    return Reply(status, msgspec.json.encode(document), JSON)


DIALECT = Dialect(
    name="minigem",
    paths=("/t", "/mg/t"),
    max_body_bytes=65_536,
    series_class=SeriesClass.AGGREGATE,
    default_interval_seconds=None,
    decode=decode,
    accepted=Reply(200, b'{"ok":true,"accepted":1,"skipped":0}', JSON),
    refuse=refuse,
    reply=reply,
    counts_countries=True,
    tells_rate=True,
    default_rate="2000/h",
)
