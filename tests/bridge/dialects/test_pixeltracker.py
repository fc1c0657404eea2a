from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import PushContext, Reply
from pushgateway_bridge.dialects.pixeltracker import DIALECT, html_page
from pushgateway_bridge.errors import (
    REJECTIONS,
    BodyTooLarge,
    MalformedBody,
    NotReady,
    PushRejected,
    RateLimited,
    WrongMethod,
)
from pushgateway_bridge.model.labels import LabelSet
from pushgateway_bridge.model.report import Report
from pushgateway_bridge.model.text import format_value, render_labels, series_prefix
from pushgateway_bridge.model.timestamps import format_iso8601_ms

CASES = Path(__file__).parent / "cases" / "pixeltracker"
BODIES = sorted(CASES.glob("*.json"))
RECEIVED_MS = 1_769_932_860_000
RECEIVED_AT = "2026-02-01T08:01:00.000Z"
JSON = PushContext(RECEIVED_MS, "application/json")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))  # JSON in UTF-8 cannot hold a lone surrogate
NUMBERS = (
    st.integers()
    | st.integers(min_value=10**300, max_value=10**320)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
SECTIONS = ("source", "cpu", "memory", "disk")
FIELDS = ("hostname", "platform", "arch", "cores", "load1m", "totalMB", "usedMB", "freeMB")
FLAT = ("name", "cpuC", "cpuL", "tRam", "uRam", "timestamp", "receivedAt")
KEYS = st.sampled_from((*SECTIONS, *FIELDS, *FLAT))
NEAR_MISSES = st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=6), max_size=10)


def expected_of(report: Report) -> str:
    """What a report gives: a line with its counts, and one for each series."""
    times = [
        "none" if group.timestamp_ms is None else format_iso8601_ms(group.timestamp_ms)
        for group in report.groups
    ]
    counts = (
        f"# accepted={report.accepted} skipped={report.skipped} skipped_values={report.skipped_values}"
        f" time={','.join(times) or 'none'}\n"
    )
    return counts + "".join(
        f"{series_prefix(family.name, render_labels(group.group), labels)}{format_value(value)}\n"
        for group in report.groups
        for (family, labels), value in zip(group.shape, group.values, strict=True)
    )


def shown(body: str, context: PushContext = JSON) -> object:
    """What the GET shows of *body*."""
    entry = DIALECT.decode(body.encode(), context).entry
    assert entry is not None
    return json.loads(entry)


def assert_prometheus_can_hold(report: Report) -> None:
    for group in report.groups:
        assert [name for name, _ in group.group] == ["job", "instance"]
        assert dict(group.group)["instance"]
        for (_, labels), value in zip(group.shape, group.values, strict=True):
            assert math.isfinite(value)
            assert_valid_labels(labels)
        keys = [(family.name, labels) for family, labels in group.shape]
        assert len(keys) == len(set(keys)), "one push gives a series twice"


def assert_valid_labels(labels: LabelSet) -> None:
    assert list(labels) == sorted(labels)
    for _, value in labels:
        assert value
        value.encode()  # no lone surrogate


@pytest.mark.parametrize("body", BODIES, ids=lambda file: file.stem)
def test_body_gives_its_series(body: Path, update_golden: bool) -> None:
    given_series = expected_of(DIALECT.decode(body.read_bytes(), JSON))
    expected = body.with_suffix(".prom")
    if update_golden:
        expected.write_text(given_series)

    assert given_series == expected.read_text()


def test_every_case_has_both_files() -> None:
    stems = {file.stem for file in CASES.glob("*.json")}

    assert stems
    assert stems == {file.stem for file in CASES.glob("*.prom")}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"5", "expected an object or an array, got b'5'"),
        (b'"x"', "expected an object or an array, got b'\"x\"'"),
        (b"null", "expected an object or an array, got b'null'"),
        (b"true", "expected an object or an array, got b'true'"),
        (b" \n", "truncated"),
        (b'{"name":"lab-7"', "truncated"),
        (b'{"name":"lab-7"}}', "trailing"),
        (b"{'name':'lab-7'}", "malformed"),
        (b'{"cpuC":NaN}', "malformed"),
        (b'{"cpuC":1e999}', "out of range"),
        (b'{"cpuC":08}', "malformed"),
        (b'{"name":"\xff"}', "the JSON is no UTF-8: invalid start byte"),
        (b'{"\xc3":1}', "the JSON is no UTF-8"),
        ('{"name":"é"}'.encode("utf-16"), "malformed"),
        (b"\xef\xbb\xbf{}", "malformed"),
        (b'{"name":"\\ud800"}', "truncated"),
        (b'{"name":"\\ud800 and more"}', "surrogate"),
        (b"[" * 33 + b"]" * 33, "the JSON is nested deeper than 32"),
        (b"[" * 100_000, "the JSON is nested deeper than 32"),
    ],
    ids=lambda value: repr(value[:16]) if isinstance(value, bytes) else "",
)
def test_body_that_is_no_object_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(MalformedBody, match=message.replace("(", r"\(")) as refusal:
        DIALECT.decode(body, JSON)

    assert len(str(refusal.value)) < 200, "a refusal never repeats a whole body"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"name":"lab-7","cpuC":8}', ""),
        (b'{"name":"lab-7","cpuC":8}', "text/plain"),
        (b"name=lab-7", "application/x-www-form-urlencoded"),
        (b"\xff\x00", "application/octet-stream"),
        (b"", "application/json"),
        (b"", ""),
    ],
)
def test_other_media_type_or_no_body_is_taken_and_holds_nothing(body: bytes, content_type: str) -> None:
    report = DIALECT.decode(body, PushContext(RECEIVED_MS, content_type))

    assert report == Report(skipped=1, entry=f'{{"receivedAt":"{RECEIVED_AT}"}}'.encode())


@given(st.binary(max_size=200) | TEXTS.map(str.encode))
def test_bytes_are_taken_or_refused(body: bytes) -> None:
    try:
        report = DIALECT.decode(body, JSON)
    except MalformedBody:
        return
    assert_prometheus_can_hold(report)


@given(st.dictionaries(TEXTS, VALUES, max_size=5) | NEAR_MISSES | st.lists(VALUES, max_size=5))
def test_every_object_and_array_is_taken(document: object) -> None:
    report = DIALECT.decode(json.dumps(document, ensure_ascii=False, allow_nan=False).encode(), JSON)

    assert report.accepted + report.skipped == 1
    assert bool(report.groups) == bool(report.accepted)
    assert_prometheus_can_hold(report)
    assert report.entry is not None
    assert b"\n" not in report.entry
    assert json.loads(report.entry)["receivedAt"] == RECEIVED_AT


def test_entry_is_what_was_sent_with_our_time() -> None:
    body = (CASES / "b_previous_agent.json").read_text()

    assert shown(body) == shown(body.strip()) == {**json.loads(body), "receivedAt": RECEIVED_AT}


@given(NEAR_MISSES)
def test_entry_does_not_depend_on_how_strictly_the_document_could_be_read(
    document: dict[str, object],
) -> None:
    """A document of an agent is read in one go; with a field that no agent sends it is read piece by piece."""
    with_more = shown(json.dumps({**document, "more": 1}))

    assert isinstance(with_more, dict)
    assert with_more.pop("more") == 1
    assert shown(json.dumps(document)) == with_more


def test_entry_of_an_object_with_a_repeated_key_has_only_the_last() -> None:
    body = '{"name":"lab-7","cpuC":1,"cpuC":2}'

    entry = DIALECT.decode(body.encode(), JSON).entry

    assert entry == f'{{"name":"lab-7","cpuC":2,"receivedAt":"{RECEIVED_AT}"}}'.encode()


def test_entry_has_our_time_even_if_the_client_sent_one() -> None:
    assert shown('{"receivedAt":"1999-01-01T00:00:00.000Z"}') == {"receivedAt": RECEIVED_AT}


def test_entry_of_an_array_has_its_positions_as_keys() -> None:
    assert shown('[{"a":1},"10.0.0.1",null]') == {
        "0": {"a": 1},
        "1": "[masked]",
        "2": None,
        "receivedAt": RECEIVED_AT,
    }


def test_entry_shows_host_names_as_sent_and_masks_all_other_addresses() -> None:
    body = """{"source":{"hostname":"10.0.0.1","ip":"10.0.0.2","owner":{"mail":"a@example.org"}},"name":"fe80::1",
        "via":["10.0.0.3",{"2001:db8::1":"aa:bb:cc:dd:ee:ff"}],"host.10.0.0.4":1,"version":"1.2.3"}"""

    assert shown(body) == {
        "source": {"hostname": "10.0.0.1", "ip": "[masked]", "owner": {"mail": "[masked]"}},
        "name": "fe80::1",
        "via": ["[masked]", {"[masked]": "[masked]"}],
        "host.[masked]": 1,
        "version": "1.2.3",
        "receivedAt": RECEIVED_AT,
    }


def test_entry_masks_what_stands_where_a_host_name_belongs() -> None:
    body = '{"source":{"hostname":["10.0.0.1"]},"name":{"mail":"a@example.org"}}'

    assert shown(body) == {
        "source": {"hostname": ["[masked]"]},
        "name": {"mail": "[masked]"},
        "receivedAt": RECEIVED_AT,
    }


def test_entry_of_a_source_that_is_no_object_is_masked() -> None:
    assert shown('{"source":"10.0.0.1"}') == {"source": "[masked]", "receivedAt": RECEIVED_AT}


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (MalformedBody("<b> & 'c'"), 400, "&lt;b&gt; &amp; &#x27;c&#x27;"),
        (BodyTooLarge("too large"), 413, "too large"),
        (WrongMethod("Cannot PUT /x"), 404, "Cannot PUT /x"),
        (NotReady("starting"), 503, "starting"),
    ],
)
def test_refusal_is_an_escaped_html_page(error: PushRejected, status: int, text: str) -> None:
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>{text}</pre>\n</body>\n</html>\n"
    )

    assert DIALECT.refuse(error) == Reply(status, page.encode(), "text/html; charset=utf-8")


@pytest.mark.parametrize("rejection", REJECTIONS, ids=lambda rejection: str(rejection.reason))
def test_every_refusal_has_a_reply(rejection: type[PushRejected]) -> None:
    reply = DIALECT.refuse(RateLimited("why", 1) if rejection is RateLimited else rejection("why"))

    assert reply.status == (404 if rejection is WrongMethod else rejection.status)
    assert reply.body == html_page("Error", "why")


def test_accepted_reply_is_what_its_clients_know() -> None:
    assert DIALECT.accepted == Reply(200, b'{"status":"accepted"}', "application/json; charset=utf-8")


def test_limits_and_paths_are_those_of_the_original() -> None:
    assert DIALECTS["pixeltracker"] is DIALECT
    assert DIALECT.paths == ("/api/telemetry", "/pt/api/telemetry")
    assert DIALECT.max_body_bytes == 100 * 1024
