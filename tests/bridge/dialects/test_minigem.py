from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects.dialect import PushContext, PushLimits, Reply, TokenNeed
from pushgateway_bridge.dialects.minigem import DIALECT
from pushgateway_bridge.dialects.minigem_event import (
    EVENTS,
    MAX_DURATION_MS,
    SKIP_REASONS,
    MinigemEvent,
    MinigemSkips,
)
from pushgateway_bridge.errors import (
    REJECTIONS,
    BodyTooLarge,
    Forbidden,
    ItemLimit,
    JournalFailed,
    JournalFull,
    MalformedBody,
    NotReady,
    PushRejected,
    RateLimited,
    TooManySeries,
    UnsupportedEncoding,
    WrongMethod,
    WrongToken,
)
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.report import Report
from pushgateway_bridge.model.timestamps import MAX_AGE_MS, MAX_AHEAD_MS, format_iso8601_ms
from tests.bridge.dialects.test_pixeltracker import NUMBERS, RECEIVED_MS, TEXTS, VALUES

CASES = Path(__file__).parent / "cases" / "minigem"
BODIES = sorted(CASES.glob("*.json"))
JSON = PushContext(RECEIVED_MS, "application/json", country="DE")
ANON = "00112233445566778899aabbccddeeff"
EVENT = {"anon": ANON, "evt": "java.run.completed", "t": RECEIVED_MS}
SCHEMA_UNSUPPORTED = b'{"error":"schema_unsupported","expected":"jwc.v1"}'
UNSENT = {
    *(("os", "unknown"), ("ext", "0.0.0"), ("vscode", "0.0.0"), ("session", ""), ("country", "DE")),
    *(("duration_ms", None), ("wait_ms", None), ("exit", 0), ("bucket", ""), ("interactive", False)),
    *(("truncated", False), ("phase", "unknown"), ("exception", "")),
}
KEYS = st.sampled_from(
    (
        *("anon", "evt", "t", "os", "ext", "vscode", "sessionId", "m", "batch", "schema", "sentAt"),
        *("durationMs", "waitMsTotal", "exit", "cumulativeBytesBucket", "scannerUsage", "truncatedOutput"),
        *("phase", "exceptionHash"),
    )
)
WORDS = st.sampled_from(
    [ANON, "java.run.completed", "jwc.v1", "127", "1e400", "2026-02-01T08:00:00Z", "10.0.0.1", "compile"]
)
NEAR_MISSES = st.recursive(
    VALUES | NUMBERS | WORDS,
    lambda inner: st.dictionaries(KEYS, inner, max_size=8) | st.lists(inner, max_size=4),
    max_leaves=16,
)


def decode(document: object, context: PushContext = JSON) -> Report:
    return DIALECT.decode(json.dumps(document).encode(), context)


def events_of(document: object) -> list[MinigemEvent]:
    return [event for event in decode(document).events if isinstance(event, MinigemEvent)]


def reply_to(body: bytes, context: PushContext = JSON) -> Reply:
    """What the client is told, if nothing but the body can be wrong."""
    try:
        report = DIALECT.decode(body, context)
    except PushRejected as error:
        return DIALECT.refuse(error)
    assert DIALECT.reply is not None
    return DIALECT.reply(report, ())


def expected_of(body: bytes) -> str:
    """The answer to *body*, and one line for each of its events: what is not as if nothing had been sent."""
    reply = reply_to(body)
    lines = [f"{reply.status} {reply.body.decode()}"]
    if reply.status == 200:
        report = DIALECT.decode(body, JSON)
        lines.append(f"# skipped_values={report.skipped_values}")
        for event in report.events:
            fields = msgspec.to_builtins(event)
            if isinstance(event, MinigemEvent):
                fields["time_ms"] = format_iso8601_ms(event.time_ms)
                fields = {name: value for name, value in fields.items() if (name, value) not in UNSENT}
            lines.append(json.dumps(fields, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def assert_fit_to_be_counted(report: Report) -> None:
    events = [event for event in report.events if isinstance(event, MinigemEvent)]
    skips = [skip for skip in report.events if isinstance(skip, MinigemSkips)]
    assert report.accepted == len(events)
    assert report.skipped == sum(skip.items for skip in skips)
    assert {skip.reason for skip in skips} <= set(SKIP_REASONS)
    assert len(events) + len(skips) == len(report.events)
    for event in events:
        assert event.evt in (*EVENTS, "other")
        assert event.os in ("linux", "windows", "macos", "other", "unknown")
        assert event.phase in ("compile", "runtime", "unknown")
        assert -MAX_AGE_MS <= event.time_ms - RECEIVED_MS <= MAX_AHEAD_MS
        assert 1 <= len(event.anon) <= 128
        for label in (event.ext, event.vscode):
            assert 0 < len(label) <= 30
        assert len(event.bucket) <= 30
        assert -(2**31) <= event.exit < 2**31
        for milliseconds in (event.duration_ms, event.wait_ms):
            assert milliseconds is None or (
                type(milliseconds) is int and 0 <= milliseconds <= MAX_DURATION_MS
            )


@pytest.mark.parametrize("body", BODIES, ids=lambda file: file.stem)
def test_body_gives_its_events_and_answer(body: Path, update_golden: bool) -> None:
    given_events = expected_of(body.read_bytes())
    expected = body.with_suffix(".txt")
    if update_golden:
        expected.write_text(given_events)

    assert given_events == expected.read_text()


def test_every_case_has_both_files() -> None:
    stems = {file.stem for file in CASES.glob("*.json")}

    assert stems
    assert stems == {file.stem for file in CASES.glob("*.txt")}


@pytest.mark.parametrize(
    ("content_type", "body", "status", "answer"),
    [
        ("text/plain", b'{"schema":"jwc.v1","anon":"a","evt":"test.ping"}', 400, SCHEMA_UNSUPPORTED),
        ("text/plain", b"", 400, SCHEMA_UNSUPPORTED),
        ("", b"", 400, SCHEMA_UNSUPPORTED),
        (
            "application/json",
            b"",
            400,
            b'{"statusCode":400,"code":"FST_ERR_CTP_EMPTY_JSON_BODY","error":"Bad Request",'
            b'"message":"Body cannot be empty when content-type is set to \'application/json\'"}',
        ),
        (
            "application/xml",
            b"<a/>",
            415,
            b'{"statusCode":415,"code":"FST_ERR_CTP_INVALID_MEDIA_TYPE","error":"Unsupported Media Type",'
            b'"message":"Unsupported Media Type: application/xml"}',
        ),
        (
            "",
            b"{}",
            415,
            b'{"statusCode":415,"code":"FST_ERR_CTP_INVALID_MEDIA_TYPE","error":"Unsupported Media Type",'
            b'"message":"Unsupported Media Type: undefined"}',
        ),
    ],
)
def test_media_type_decides_as_in_the_original(
    content_type: str, body: bytes, status: int, answer: bytes
) -> None:
    reply = reply_to(body, PushContext(RECEIVED_MS, content_type))

    assert (reply.status, reply.body) == (status, answer)


def test_a_body_that_is_no_utf8_is_refused_wherever_that_stands() -> None:
    for body in (b'{"schema":"jwc.v1","anon":"\xff"}', b'{"schema":"jwc.v1","unknown":"\xff"}'):
        with pytest.raises(MalformedBody, match="no UTF-8"):
            DIALECT.decode(body, JSON)


def test_more_items_than_a_push_may_have_are_refused() -> None:
    context = PushContext(RECEIVED_MS, "application/json", limits=PushLimits(max_items=3))
    for item in (EVENT, None):
        decode({"schema": "jwc.v1", "batch": [item] * 3}, context)
        with pytest.raises(ItemLimit, match="at most 3 items, got 4"):
            decode({"schema": "jwc.v1", "batch": [item] * 4}, context)


@pytest.mark.parametrize(
    ("country", "counted"), [("DE", "DE"), ("", ""), ("XX", ""), ("T1", ""), ("10.0.0.1", "")]
)
def test_only_a_country_is_counted_as_one(country: str, counted: str) -> None:
    context = PushContext(RECEIVED_MS, "application/json", country=country)
    (event,) = decode({"schema": "jwc.v1", **EVENT}, context).events

    assert isinstance(event, MinigemEvent)
    assert event.country == counted


@given(st.binary(max_size=200) | TEXTS.map(str.encode))
def test_bytes_are_taken_or_refused(body: bytes) -> None:
    try:
        report = DIALECT.decode(body, JSON)
    except PushRejected:
        return
    assert_fit_to_be_counted(report)


@given(NEAR_MISSES)
def test_every_document_is_taken_or_refused(document: object) -> None:
    body = json.dumps(document, ensure_ascii=False).encode()
    with pytest.raises(MalformedBody) if not isinstance(document, dict) else _nothing():
        DIALECT.decode(body, JSON)
    for wrapped in ({"schema": "jwc.v1", "batch": [document]}, {"schema": "jwc.v1", "batch": document}):
        report = DIALECT.decode(json.dumps(wrapped).encode(), JSON)
        assert_fit_to_be_counted(report)


class _nothing:  # noqa: N801 - stands where pytest.raises does
    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, MalformedBody)


@given(
    st.fixed_dictionaries(
        {"anon": st.just(ANON), "evt": st.sampled_from([*EVENTS, "x"])},
        optional={
            "t": NUMBERS | WORDS,
            "os": WORDS,
            "ext": WORDS,
            "sessionId": WORDS,
            "m": st.dictionaries(KEYS, VALUES | WORDS | NUMBERS, max_size=6),
        },
    )
)
def test_an_event_is_read_the_same_in_one_go_and_piece_by_piece(event: dict[str, object]) -> None:
    """An item beside it that is none sends the whole batch the second way."""
    alone = decode({"schema": "jwc.v1", "batch": [event]})
    beside = decode({"schema": "jwc.v1", "batch": [event, None]})

    assert alone.events == [one for one in beside.events if one != MinigemSkips("not_an_object", 1)]
    assert alone.skipped_values == beside.skipped_values


@given(st.data())
def test_a_truncated_body_is_refused(data: st.DataObject) -> None:
    body = (CASES / "a_batch.json").read_bytes()
    cut = data.draw(st.integers(1, len(body) - 1))

    with pytest.raises(MalformedBody):
        DIALECT.decode(body[:cut], JSON)


@given(
    st.integers()
    | st.text(max_size=5)
    | st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False)
)
def test_only_zero_is_a_success(exit_code: object) -> None:
    (event,) = events_of({"schema": "jwc.v1", **EVENT, "m": {"exit": exit_code}})

    zero = exit_code == 0 or (isinstance(exit_code, str) and _is_zero(exit_code))
    assert (event.exit == 0) == zero


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0 and "_" not in text
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (
            MalformedBody("Unexpected end"),
            400,
            {"statusCode": 400, "error": "Bad Request", "message": "Unexpected end"},
        ),
        (
            BodyTooLarge("the body is larger than 65536 bytes"),
            413,
            {
                "statusCode": 413,
                "code": "FST_ERR_CTP_BODY_TOO_LARGE",
                "error": "Payload Too Large",
                "message": "Request body is too large",
            },
        ),
        (
            RateLimited("more than 2000 pushes in 3600 s", 2),
            429,
            {
                "statusCode": 429,
                "error": "Too Many Requests",
                "message": "Rate limit exceeded, retry in 1 hour",
            },
        ),
        (
            TooManySeries("too many"),
            429,
            {"statusCode": 429, "error": "Too Many Requests", "message": "too many"},
        ),
        (
            ItemLimit("too many"),
            422,
            {"statusCode": 422, "error": "Unprocessable Entity", "message": "too many"},
        ),
        (
            UnsupportedEncoding("no br"),
            415,
            {"statusCode": 415, "error": "Unsupported Media Type", "message": "no br"},
        ),
        (WrongToken("unknown"), 401, {"statusCode": 401, "error": "Unauthorized", "message": "unknown"}),
        (
            Forbidden("not for this"),
            403,
            {"statusCode": 403, "error": "Forbidden", "message": "not for this"},
        ),
        (
            WrongMethod("Cannot PUT /t"),
            404,
            {"message": "Route PUT:/t not found", "error": "Not Found", "statusCode": 404},
        ),
        (NotReady("starting"), 503, {"error": "db_disabled", "message": "starting"}),
        (JournalFull("full"), 503, {"error": "db_disabled", "message": "full"}),
        (JournalFailed("failed"), 503, {"error": "db_disabled", "message": "failed"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, PushRejected) else "",
)
def test_refusals_are_worded_as_in_the_original(
    error: PushRejected, status: int, body: dict[str, object]
) -> None:
    reply = DIALECT.refuse(error)

    assert (reply.status, json.loads(reply.body)) == (status, body)
    assert list(json.loads(reply.body)) == list(body), "in the original's order"
    assert reply.content_type == "application/json; charset=utf-8"


@pytest.mark.parametrize("rejection", REJECTIONS, ids=lambda rejection: str(rejection.reason))
def test_every_refusal_has_a_reply(rejection: type[PushRejected]) -> None:
    reply = DIALECT.refuse(RateLimited("why", 1) if rejection is RateLimited else rejection("why"))

    assert reply.status == (404 if rejection is WrongMethod else rejection.status)
    assert json.loads(reply.body)


def test_limits_and_paths_are_those_of_the_original() -> None:
    assert DIALECT.paths == ("/t", "/mg/t")
    assert DIALECT.max_body_bytes == 65_536
    assert DIALECT.series_class is SeriesClass.AGGREGATE
    assert DIALECT.token_need is TokenNeed.OPEN
    assert DIALECT.default_interval_seconds is None
    assert DIALECT.counts_countries
    assert DIALECT.tells_rate
    assert DIALECT.default_rate == "2000/h"
