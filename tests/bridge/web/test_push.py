"""pixelTracker over HTTP: each answer as its clients know it, and what is counted of it."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pushgateway_bridge.errors import REJECTIONS
from pushgateway_bridge.model.timestamps import parse_iso8601_ms
from tests.bridge.web.harness import Web

AGENT = (
    b'{"source":{"hostname":"9f2c11d0ab34","platform":"linux"},"cpu":{"cores":4,"load1m":0.42},'
    b'"memory":{"totalMB":7950,"usedMB":3120},"timestamp":"2026-02-01T08:00:10.512Z"}'
)
ACCEPTED = (200, "application/json; charset=utf-8", b'{"status":"accepted"}')
HTML = "text/html; charset=utf-8"
LIMIT = 102_400


def page(text: str) -> bytes:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>{text}</pre>\n</body>\n</html>\n"
    ).encode()


def answer(web: Web, body: bytes | AsyncIterator[bytes], **headers: str) -> tuple[int, str, bytes]:
    response = web.push(body, **headers)
    return response.status_code, response.headers["content-type"], response.content


def counts(web: Web) -> dict[str, float]:
    """Every count of pushes and events that is not zero."""
    text = web.get("/metrics").text
    rows = (
        line.rsplit(" ", 1)
        for line in text.splitlines()
        if line.startswith(("telemetry_pushes_", "telemetry_events_", "telemetry_values_"))
    )
    found = {
        name.replace('dialect="pixeltracker"', "").replace("{,", "{").replace("{}", ""): float(value)
        for name, value in rows
    }
    return {name: value for name, value in found.items() if value}


def padded(length: int) -> bytes:
    return b'{"name":"lab-7","cpuC":8' + b" " * (length - 25) + b"}"


async def in_chunks(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


# Accepted


@pytest.mark.parametrize("path", ["/api/telemetry", "/pt/api/telemetry"])
def test_push_is_accepted_and_shows_at_once(web: Web, path: str) -> None:
    response = web.push(AGENT, path)

    assert (response.status_code, response.headers["content-type"], response.content) == ACCEPTED
    group = {"job": "pixeltracker", "instance": "9f2c11d0ab34"}
    assert web.value("node_load1", **group) == 0.42
    assert web.value("host_cpu_cores", **group, kind="logical") == 4
    assert web.value("node_memory_MemTotal_bytes", **group) == 7950 * 2**20
    assert web.value("node_memory_MemAvailable_bytes", **group) == 4830 * 2**20
    assert web.value("node_uname_info", **group, nodename="9f2c11d0ab34", sysname="Linux") == 1
    assert web.value("telemetry_reports_total", **group) == 1
    assert counts(web) == {"telemetry_pushes_total": 1, 'telemetry_events_total{result="accepted"}': 1}


def test_host_name_alone_is_only_a_sign_of_life(web: Web) -> None:
    before = time.time()

    assert answer(web, b'{"source":{"hostname":"curl-test"}}') == ACCEPTED

    group = {"job": "pixeltracker", "instance": "curl-test"}
    reported = web.value("telemetry_last_report_timestamp_seconds", **group)
    assert reported is not None
    assert before - 1 <= reported <= time.time()
    assert web.value("telemetry_report_interval_seconds", **group) == 10
    assert web.value("telemetry_series") == 3


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8 ; x=y"],
)
def test_media_type_is_told_without_its_parameters(web: Web, content_type: str) -> None:
    assert answer(web, AGENT, content_type=content_type) == ACCEPTED
    assert counts(web)['telemetry_events_total{result="accepted"}'] == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (AGENT, "text/plain"),
        (AGENT, "application/x-www-form-urlencoded"),
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b"{}", "application/json"),
        (b'{"name":"%b"}' % (b"h" * 1025), "application/json"),
    ],
    ids=["text", "form", "no body", "empty array", "empty object", "long host name"],
)
def test_push_that_holds_nothing_is_accepted_and_counted_as_skipped(
    web: Web, body: bytes, content_type: str
) -> None:
    assert answer(web, body, content_type=content_type) == ACCEPTED
    assert counts(web) == {"telemetry_pushes_total": 1, 'telemetry_events_total{result="skipped"}': 1}
    assert web.value("telemetry_series") == 0
    assert len(web.entries()) == 1


def test_push_without_a_content_type_is_accepted_and_holds_nothing(web: Web) -> None:
    response = web.request("POST", "/api/telemetry", content=AGENT)

    assert (response.status_code, response.content) == (200, b'{"status":"accepted"}')
    [entry] = web.entries()
    assert list(entry) == ["receivedAt"]


def test_values_that_make_no_sense_are_left_out_and_counted(web: Web) -> None:
    assert answer(web, b'{"name":"lab-7","cpuC":"8","cpuL":-1,"tRam":1024}') == ACCEPTED
    assert counts(web) == {
        "telemetry_pushes_total": 1,
        'telemetry_events_total{result="accepted"}': 1,
        "telemetry_values_skipped_total": 2,
    }


def test_time_of_long_ago_is_replaced_and_counted(web: Web) -> None:
    answer(web, b'{"name":"lab-7","timestamp":"2001-02-03T04:05:06.789Z"}')

    assert web.value("telemetry_timestamps_replaced_total", dialect="pixeltracker") == 1


@pytest.mark.parametrize(
    "path",
    ["/API/Telemetry", "/api/telemetry/", "/Api/TELEMETRY/", "/PT/api/telemetry", "/pt/api/telemetry/"],
)
def test_case_and_a_trailing_slash_do_not_matter(web: Web, path: str) -> None:
    assert web.push(AGENT, path).status_code == 200
    assert web.get(path).json()[0]["cpu"] == {"cores": 4, "load1m": 0.42}


@pytest.mark.parametrize("path", ["/api/telemetry/x", "/api", "/telemetri", "//api/telemetry"])
def test_other_paths_are_not_found(web: Web, path: str) -> None:
    reply = web.raw("POST", path)

    assert reply.status == 404
    assert counts(web) == {}


# Encodings and sizes


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(AGENT)),
        ("GZip ", gzip.compress(AGENT, 0)),
        ("x-gzip", gzip.compress(AGENT)),
        ("deflate", zlib.compress(AGENT)),
        ("identity", AGENT),
        ("", AGENT),
        ("gzip", gzip.compress(padded(LIMIT))),
    ],
    ids=["gzip", "GZip", "x-gzip", "deflate", "identity", "empty", "largest"],
)
def test_compressed_body_is_inflated(web: Web, encoding: str, body: bytes) -> None:
    assert answer(web, body, content_encoding=encoding) == ACCEPTED
    assert counts(web)['telemetry_events_total{result="accepted"}'] == 1


def test_body_of_the_largest_size_is_accepted(web: Web) -> None:
    assert answer(web, padded(LIMIT)) == ACCEPTED
    assert answer(web, in_chunks(padded(LIMIT))) == ACCEPTED
    assert counts(web)['telemetry_events_total{result="accepted"}'] == 2


REFUSALS = [
    pytest.param(
        b"5", {}, 400, "expected an object or an array, got b&#x27;5&#x27;", "malformed_body", id="scalar"
    ),
    pytest.param(
        b'"<b>"',
        {},
        400,
        "expected an object or an array, got b&#x27;&quot;&lt;b&gt;&quot;&#x27;",
        "malformed_body",
        id="markup",
    ),
    pytest.param(b'{"name":', {}, 400, "Input data was truncated", "malformed_body", id="cut off"),
    pytest.param(
        b'{"name":"\xff"}',
        {},
        400,
        "the JSON is no UTF-8: invalid start byte",
        "malformed_body",
        id="no UTF-8",
    ),
    pytest.param(
        b"[" * 33 + b"]" * 33, {}, 400, "the JSON is nested deeper than 32", "malformed_body", id="nested"
    ),
    pytest.param(
        padded(LIMIT + 1), {}, 413, "the body is larger than 102400 bytes", "body_too_large", id="too large"
    ),
    pytest.param(
        padded(LIMIT + 1),
        {"content_type": "text/plain"},
        413,
        "the body is larger than 102400 bytes",
        "body_too_large",
        id="too large as text",
    ),
    pytest.param(
        gzip.compress(padded(LIMIT + 1)),
        {"content_encoding": "gzip"},
        413,
        "the body inflates to more than 102400 bytes",
        "body_too_large",
        id="gzip too large",
    ),
    pytest.param(
        gzip.compress(bytes(50_000_000)),
        {"content_encoding": "gzip"},
        413,
        "the body inflates to more than 102400 bytes",
        "body_too_large",
        id="gzip bomb",
    ),
    pytest.param(
        zlib.compress(bytes(50_000_000)),
        {"content_encoding": "deflate"},
        413,
        "the body inflates to more than 102400 bytes",
        "body_too_large",
        id="deflate bomb",
    ),
    pytest.param(
        gzip.compress(AGENT)[:-9],
        {"content_encoding": "gzip"},
        400,
        "the compressed body is cut off",
        "malformed_body",
        id="gzip cut off",
    ),
    pytest.param(
        b"",
        {"content_encoding": "gzip"},
        400,
        "the compressed body is cut off",
        "malformed_body",
        id="gzip empty",
    ),
    pytest.param(
        gzip.compress(AGENT) + gzip.compress(b"{}"),
        {"content_encoding": "gzip"},
        400,
        "the compressed body goes on after its end",
        "malformed_body",
        id="gzip twice",
    ),
    pytest.param(
        AGENT,
        {"content_encoding": "gzip"},
        400,
        "the body does not inflate: Error -3 while decompressing data: incorrect header check",
        "malformed_body",
        id="not gzip",
    ),
    pytest.param(
        AGENT,
        {"content_encoding": "br"},
        415,
        "cannot inflate content encoding &#x27;br&#x27;: send gzip, deflate, snappy or none",
        "unsupported_encoding",
        id="brotli",
    ),
    pytest.param(
        AGENT,
        {"content_encoding": "gzip, gzip"},
        415,
        "cannot inflate content encoding &#x27;gzip, gzip&#x27;: send gzip, deflate, snappy or none",
        "unsupported_encoding",
        id="twice",
    ),
]


@pytest.mark.parametrize(("body", "headers", "status", "text", "reason"), REFUSALS)
def test_refusal_is_a_page_and_is_counted(
    web: Web, body: bytes, headers: dict[str, str], status: int, text: str, reason: str
) -> None:
    assert answer(web, body, **headers) == (status, HTML, page(text))
    assert counts(web) == {
        "telemetry_pushes_total": 1,
        f'telemetry_pushes_rejected_total{{reason="{reason}"}}': 1,
    }
    assert web.entries() == []


def test_stream_without_a_length_is_read_up_to_the_limit_only(web: Web) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield b" " * 1000

    assert answer(web, endless()) == (413, HTML, page("the body is larger than 102400 bytes"))
    assert read == 103_000


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
@pytest.mark.parametrize("path", ["/api/telemetry", "/pt/api/telemetry"])
def test_wrong_method_is_a_page_that_is_not_there(web: Web, method: str, path: str) -> None:
    response = web.request(method, path)

    assert (response.status_code, response.headers["content-type"]) == (404, HTML)
    assert response.content == page(f"Cannot {method} {path}")
    assert counts(web) == {
        "telemetry_pushes_total": 1,
        'telemetry_pushes_rejected_total{reason="wrong_method"}': 1,
    }


def test_address_that_no_browser_sends_does_no_harm(web: Web) -> None:
    reply = web.raw("PUT", "/api/telemetry", query=b"\xff\xfe", headers=[(b"host", b"[")])

    assert (reply.status, reply.body) == (404, page("Cannot PUT /api/telemetry"))
    assert web.raw("GET", "/pt/\ufffd", query=b"\xff", headers=[(b"host", b"a/b?c#d")]).status == 404


def test_client_that_goes_away_is_counted(web: Web) -> None:
    web.raw(
        "POST",
        "/api/telemetry",
        [{"type": "http.request", "body": b'{"name":', "more_body": True}, {"type": "http.disconnect"}],
    )

    assert counts(web) == {
        "telemetry_pushes_total": 1,
        'telemetry_pushes_rejected_total{reason="client_gone"}': 1,
    }


def test_push_before_the_replay_is_refused_and_told_when_to_come_again(starting_web: Web) -> None:
    response = starting_web.push(AGENT)

    assert (response.status_code, response.headers["content-type"]) == (503, HTML)
    assert response.headers["retry-after"] == "1"
    assert response.content == page("the bridge is starting or stopping; send it again later")
    assert starting_web.bridge.metrics.dialects["pixeltracker"].rejected["not_ready"] == 1


def test_every_reason_is_counted_from_the_start(web: Web) -> None:
    for rejection in REJECTIONS:
        labels = {"dialect": "pixeltracker", "reason": rejection.reason}

        assert web.value("telemetry_pushes_rejected_total", **labels) == 0
    for result in ("accepted", "skipped"):
        assert web.value("telemetry_events_total", dialect="pixeltracker", result=result) == 0


# What can be read back


def test_nothing_pushed_reads_as_an_empty_array(web: Web) -> None:
    response = web.get("/api/telemetry")

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.content == b"[]"


def test_entries_are_read_back_oldest_first_on_both_paths(web: Web) -> None:
    before = time.time_ns() // 1_000_000
    for number in range(5):
        web.push(b'{"name":"lab-7","cpuC":%d}' % number)

    entries = web.entries()

    assert [entry["cpuC"] for entry in entries] == [0, 1, 2, 3, 4]
    times = [parse_iso8601_ms(entry["receivedAt"]) for entry in entries]
    assert all(time_ms is not None and time_ms >= before for time_ms in times)
    assert times == sorted(times, key=lambda time_ms: time_ms or 0)
    assert web.get("/pt/api/telemetry").json() == entries


def test_entry_has_our_time_and_no_addresses(web: Web) -> None:
    web.push(
        b'{"name":"10.0.0.1","from":"10.0.0.2","mail":"ann@example.org","receivedAt":"1999-01-01T00:00:00Z"}'
    )

    [entry] = web.entries()

    assert not entry.pop("receivedAt").startswith("1999")
    assert entry == {"name": "10.0.0.1", "from": "[masked]", "mail": "[masked]"}


@pytest.fixture
def small_web(tmp_path: Path) -> Iterator[Web]:
    with Web(tmp_path, recent_entries=3) as started:
        yield started


def test_only_the_newest_entries_are_kept(small_web: Web) -> None:
    for number in range(10):
        small_web.push(b'{"name":"lab-7","cpuC":%d}' % number)

    assert [entry["cpuC"] for entry in small_web.entries()] == [7, 8, 9]


def test_restart_keeps_what_was_accepted(tmp_path: Path) -> None:
    with Web(tmp_path) as first:
        first.push(AGENT)
        entries = first.entries()
    with Web(tmp_path) as second:
        assert second.value("node_load1", job="pixeltracker", instance="9f2c11d0ab34") == 0.42
        assert second.entries() == entries


@pytest.mark.parametrize("path", ["/api/telemetry", "/pt/api/telemetry"])
def test_options_names_the_methods(web: Web, path: str) -> None:
    response = web.request("OPTIONS", path)

    assert (response.status_code, response.text) == (200, "GET,HEAD,POST")
    assert response.headers["allow"] == "GET,HEAD,POST"
    assert counts(web) == {}


def test_head_is_a_get_without_its_body(web: Web) -> None:
    response = web.request("HEAD", "/api/telemetry")

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == "2"
