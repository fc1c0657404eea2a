from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects.dialect import PushContext, Reply, TokenNeed
from pushgateway_bridge.dialects.statix import DIALECT, MAX_SHOWN_BYTES
from pushgateway_bridge.dialects.statix_reads import read_details, read_hosts, read_rows
from pushgateway_bridge.errors import (
    REJECTIONS,
    BodyTooLarge,
    MalformedBody,
    NotReady,
    OwnerConflict,
    PushRejected,
    RateLimited,
    WrongMethod,
)
from pushgateway_bridge.model.report import Report
from tests.bridge.dialects.host_bodies import (
    BYTES,
    MAX_LABEL_BYTES,
    assert_labels_are_bounded,
    assert_outcome,
    assert_pairs,
    assert_taken_or_refused,
    forget_statix,
    near_misses,
    torn_bodies,
)
from tests.bridge.dialects.test_pixeltracker import NUMBERS, RECEIVED_MS, VALUES, expected_of

CASES = Path(__file__).parent / "cases" / "statix"
BODIES = sorted(CASES.glob("*.json"))
JSON = PushContext(RECEIVED_MS, "application/json")
NOW = RECEIVED_MS // 1000
BASE = {"hostname": "a", "cpu": 1, "ram": 2, "disk": 3, "timestamp": NOW}
GROUPS = (
    "cpu",
    "memory",
    "swap",
    "disk",
    "disk_io",
    "network",
    "uptime",
    "system",
    "throughput",
    "collected_at",
)
KEYS = st.sampled_from(
    (
        *GROUPS,
        *(
            "logical_cores",
            "frequency_mhz",
            "frequency",
            "current",
            "total",
            "available",
            "used",
            "free",
            "mount",
        ),
        *(
            "read_bytes",
            "io_counters",
            "primary_interface",
            "bytes_sent",
            "name",
            "ipv4",
            "speed_mbps",
            "duplex",
        ),
        *(
            "seconds",
            "boot_time",
            "human",
            "hostname",
            "os",
            "os_version",
            "architecture",
            "model",
            "processor",
        ),
    )
)
NEAR_MISSES = near_misses(
    KEYS, st.sampled_from(["192.168.1.7", "full", "2026-01-31T06:55:00+01:00", "Linux", "x" * 300])
)


def decode(document: object, context: PushContext = JSON) -> Report:
    return DIALECT.decode(json.dumps(document).encode(), context)


def entry_of(**fields: object) -> bytes:
    entry = decode({**BASE, **fields}).entry
    assert entry is not None
    return entry


def shown_details(details: object) -> object:
    """What GET /details shows of *details*."""
    return json.loads(entry_of(details=details)).get("details")


def body_of(reply: Reply) -> object:
    assert reply.content_type == "application/json"
    return json.loads(reply.body)


def outcome_of(body: bytes) -> str:
    """The series and the entry that *body* gives, or what its sender is answered."""
    try:
        report = DIALECT.decode(body, JSON)
    except MalformedBody as error:
        reply = DIALECT.refuse(error)
        return f"# {reply.status} {reply.content_type}\n{reply.body.decode()}\n"
    assert report.entry is not None
    return f"{expected_of(report)}# entry {report.entry.decode()}\n"


def assert_bounded(report: Report) -> None:
    assert_labels_are_bounded(report)
    for group in report.groups:
        assert len(dict(group.group)["instance"].encode()) <= MAX_LABEL_BYTES
    assert report.entry is not None
    assert b"\n" not in report.entry
    json.loads(report.entry)


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    forget_statix()


@pytest.mark.parametrize("body", BODIES, ids=lambda file: file.stem)
def test_body_gives_its_series(body: Path, update_golden: bool) -> None:
    assert_outcome(body, outcome_of(body.read_bytes()), update=update_golden)


def test_every_case_has_both_files() -> None:
    assert_pairs(CASES)


@pytest.mark.parametrize(
    ("content_type", "taken"),
    [
        ("application/json", True),
        ("application/vnd.statix+json", True),
        ("", False),
        ("text/plain", False),
        ("text/json", False),
        ("image/svg+json", False),
        ("application/jsonlines", False),
        ("application/x-www-form-urlencoded", False),
    ],
)
def test_media_type_must_be_json(content_type: str, taken: bool) -> None:
    context = PushContext(RECEIVED_MS, content_type)
    if taken:
        assert decode(BASE, context).accepted == 1
        return
    with pytest.raises(MalformedBody, match=r"^Invalid JSON payload$"):
        decode(BASE, context)


@pytest.mark.parametrize(
    "body",
    [
        b'{"hostname":"\xff","cpu":1,"ram":2,"disk":3,"timestamp":1}',
        b'{"hostname":"a","cpu":1,"ram":2,"disk":3,"timestamp":1,"x":"\xff"}',
        b'{"hostname":"\\ud800","cpu":1,"ram":2,"disk":3,"timestamp":1}',
        json.dumps(BASE).encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"details":' * 100_000,
        b'{"hostname":"a","cpu":1' + b"0" * 5000 + b"}",
        b"\x00",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_body_that_is_no_json_is_refused_in_the_words_of_the_original(body: bytes) -> None:
    with pytest.raises(MalformedBody) as refusal:
        DIALECT.decode(body, JSON)

    assert DIALECT.refuse(refusal.value) == Reply(
        400, b'{"error":"Invalid JSON payload"}', "application/json"
    )


@given(BYTES)
def test_bytes_are_taken_or_refused(body: bytes) -> None:
    assert_taken_or_refused(DIALECT, body, JSON, assert_bounded)


@given(torn_bodies(BODIES))
def test_torn_bodies_are_taken_or_refused(body: bytes) -> None:
    assert_taken_or_refused(DIALECT, body, JSON, assert_bounded)


@given(st.dictionaries(st.sampled_from((*BASE, "disk_read", "disk_write")), VALUES | NUMBERS, max_size=5))
def test_fields_of_any_type_are_converted_or_refused(fields: dict[str, object]) -> None:
    try:
        report = decode({**BASE, **fields})
    except MalformedBody as error:
        told = str(error)
    else:
        told = "Invalid field types"
        assert_bounded(report)

    assert told == "Invalid field types"


@given(st.dictionaries(KEYS, NEAR_MISSES, max_size=6))
def test_details_of_any_shape_are_taken(details: dict[str, object]) -> None:
    assert_bounded(decode({**BASE, "details": details}))


@given(st.dictionaries(KEYS, NEAR_MISSES, max_size=6))
def test_what_is_taken_does_not_depend_on_how_strictly_the_document_could_be_read(
    details: dict[str, object],
) -> None:
    """Details of a known agent are read in one go; with a field that no agent sends, piece by piece."""
    whole = decode({**BASE, "details": details})
    pieces = decode({**BASE, "details": {**details, "more": 1}})

    assert pieces.groups == whole.groups
    assert pieces.skipped_values == whole.skipped_values
    assert whole.entry is not None
    assert pieces.entry is not None
    shown = json.loads(pieces.entry)
    assert shown["details"].pop("more") == 1
    assert shown == json.loads(whole.entry)


def test_same_series_are_the_same_shape_and_group_at_each_push() -> None:
    body = (CASES / "agent_linux.json").read_bytes()
    first, second = (DIALECT.decode(body, JSON).groups[0] for _ in range(2))

    assert first.shape is second.shape
    assert first.group is second.group


def test_details_are_shown_as_sent() -> None:
    body = json.loads((CASES / "agent_full.json").read_text())

    assert shown_details(body["details"]) == body["details"]


def test_no_address_of_an_agent_is_shown_or_becomes_a_label() -> None:
    outcome = outcome_of((CASES / "agent_linux.json").read_bytes())

    assert '"ipv4":"[masked]","netmask":"[masked]","broadcast":"[masked]"' in outcome
    for address in ("192.168", "255.255"):
        assert address in (CASES / "agent_linux.json").read_text()
        assert address not in outcome


@pytest.mark.parametrize("odd", [{}, {"odd": 1}], ids=["known fields", "one unknown field"])
def test_details_show_host_names_as_sent_and_mask_all_other_addresses(odd: dict[str, int]) -> None:
    details = {
        "collected_at": "2026-02-01T08:00:00.100000+00:00",
        "cpu": {"processor": "from 10.0.0.1"},
        "disk": {"mount": "/mnt/10.0.0.2"},
        "network": {
            "primary_interface": {
                "name": "10.0.0.3",
                "ipv4": "unknown",
                "netmask": "",
                "broadcast": None,
                "duplex": "ann@example.org",
            }
        },
        "uptime": {"human": "aa:bb:cc:dd:ee:ff", "boot_time": "fe80::1"},
        "system": {"hostname": "10.0.0.4", "os": "10.0.0.5", "platform": "Linux-6.6", "model": "2001:db8::1"},
        **odd,
    }

    assert shown_details(details) == {
        "collected_at": "2026-02-01T08:00:00.100000+00:00",
        "cpu": {"processor": "from [masked]"},
        "disk": {"mount": "/mnt/[masked]"},
        "network": {
            "primary_interface": {
                "name": "[masked]",
                "ipv4": "[masked]",
                "netmask": "[masked]",
                "broadcast": None,
                "duplex": "[masked]",
            }
        },
        "uptime": {"human": "[masked]", "boot_time": "[masked]"},
        "system": {"hostname": "10.0.0.4", "os": "[masked]", "platform": "Linux-6.6", "model": "[masked]"},
        **odd,
    }


def test_details_mask_addresses_in_fields_that_no_agent_sends() -> None:
    details = {
        "10.0.0.1": 1,
        "vpn": {"ipv4": 167772161, "peers": ["10.0.0.2", {"mac": ["x"]}]},
        "system": "10.0.0.3",
    }

    assert shown_details(details) == {
        "[masked]": 1,
        "vpn": {"ipv4": "[masked]", "peers": ["[masked]", {"mac": "[masked]"}]},
        "system": "[masked]",
    }


@pytest.mark.parametrize("odd", [{}, {"odd": 1}], ids=["known fields", "one unknown field"])
def test_details_of_an_enormous_body_make_series_but_are_not_shown(odd: dict[str, int]) -> None:
    details = {"swap": {"total": 1}, **odd}
    sizes = {}
    for size in (MAX_SHOWN_BYTES, MAX_SHOWN_BYTES + 1):
        body = json.dumps({**BASE, "details": details, "more": ""}).encode()
        report = DIALECT.decode(body.replace(b'""', b'"' + b"x" * (size - len(body)) + b'"'), JSON)
        assert report.entry is not None
        sizes[size] = (len(report.groups[0].shape), json.loads(report.entry).get("details"))

    assert sizes == {MAX_SHOWN_BYTES: (4, details), MAX_SHOWN_BYTES + 1: (4, None)}


def test_empty_host_is_called_unknown_everywhere() -> None:
    report = decode({**BASE, "hostname": ""})

    assert dict(report.groups[0].group)["instance"] == "unknown"
    assert body_of(read_hosts([report.entry or b""])) == {
        "hosts": [{"hostname": "unknown", "metric_count": 1, "last_seen": NOW, "details_updated_at": None}]
    }


@pytest.mark.parametrize(
    ("error", "status", "reply"),
    [
        (MalformedBody("Missing fields: cpu"), 400, {"error": "Missing fields: cpu"}),
        (OwnerConflict('it is "mine"'), 400, {"error": 'it is "mine"'}),
        (RateLimited("too often", 5), 429, {"error": "too often"}),
        (NotReady("starting"), 503, {"error": "starting"}),
    ],
)
def test_refusal_is_json(error: PushRejected, status: int, reply: dict[str, str]) -> None:
    assert DIALECT.refuse(error) == Reply(
        status, json.dumps(reply, separators=(",", ":")).encode(), "application/json"
    )


@pytest.mark.parametrize(
    ("error", "page"),
    [
        (
            WrongMethod("Cannot PUT /metrics"),
            b"<!doctype html>\n<html lang=en>\n<title>405 Method Not Allowed</title>\n<h1>Method Not Allowed</h1>\n"
            b"<p>The method is not allowed for the requested URL.</p>\n",
        ),
        (
            BodyTooLarge("over 1 MiB"),
            b"<!doctype html>\n<html lang=en>\n<title>413 Request Entity Too Large</title>\n"
            b"<h1>Request Entity Too Large</h1>\n"
            b"<p>The data value transmitted exceeds the capacity limit.</p>\n",
        ),
    ],
)
def test_refusal_of_the_original_framework_is_its_page(error: PushRejected, page: bytes) -> None:
    assert DIALECT.refuse(error) == Reply(error.status, page, "text/html; charset=utf-8")


@pytest.mark.parametrize("rejection", REJECTIONS, ids=lambda rejection: str(rejection.reason))
def test_every_refusal_has_a_reply(rejection: type[PushRejected]) -> None:
    reply = DIALECT.refuse(RateLimited("why", 1) if rejection is RateLimited else rejection("why"))

    assert reply.status == rejection.status
    assert reply.body


def test_accepted_reply_is_what_its_clients_know() -> None:
    assert DIALECT.accepted == Reply(200, b'{"status":"ok"}', "application/json")


def test_paths_and_limit_are_as_documented() -> None:
    assert DIALECT.paths == ("/metrics", "/sx/metrics")
    assert DIALECT.max_body_bytes == 2**20
    assert DIALECT.token_need is TokenNeed.OPEN


# Reads


def entries() -> list[bytes]:
    """Of three hosts, oldest first as received; the last one has waited for two hours."""
    return [
        entry_of(hostname="beta", timestamp=NOW - 60, details={"swap": {"total": 1}}),
        entry_of(hostname="Alpha", timestamp=NOW - 50, disk_read=0.25),
        entry_of(hostname="beta", timestamp=NOW - 30),
        entry_of(hostname="alpha", timestamp=NOW - 30, details={}),
        entry_of(hostname="beta", timestamp=NOW - 7200, details={"swap": {"total": 2}}),
    ]


def row(hostname: str, timestamp: int, **fields: float) -> dict[str, object]:
    numbers = {"cpu": 1.0, "ram": 2.0, "disk": 3.0, "disk_read": 0.0, "disk_write": 0.0, **fields}
    return {"timestamp": timestamp, "hostname": hostname, **numbers}


def test_rows_are_sorted_by_time() -> None:
    assert body_of(read_rows(entries(), "", "", NOW)) == {
        "count": 5,
        "data": [
            row("beta", NOW - 7200),
            row("beta", NOW - 60),
            row("Alpha", NOW - 50, disk_read=0.25),
            row("beta", NOW - 30),
            row("alpha", NOW - 30),
        ],
    }


def test_rows_are_of_one_host_and_one_timeframe() -> None:
    assert body_of(read_rows(entries(), "beta", "1h", NOW)) == {
        "count": 2,
        "data": [row("beta", NOW - 60), row("beta", NOW - 30)],
    }


@pytest.mark.parametrize(("timeframe", "seconds"), [("1h", 3600), ("24h", 24 * 3600), ("7d", 7 * 24 * 3600)])
def test_timeframe_begins_at_its_first_second(timeframe: str, seconds: int) -> None:
    later = NOW - 60 + seconds
    known = [entry_of(hostname=name, timestamp=time) for name, time in (("in", NOW - 60), ("out", NOW - 61))]

    rows = body_of(read_rows(known, "", timeframe, later))

    assert rows == {"count": 1, "data": [row("in", NOW - 60)]}


def test_rows_of_an_unknown_host_are_none() -> None:
    assert read_rows(entries(), "nobody", "", NOW).body == b'{"count":0,"data":[]}'
    assert read_rows([], "", "24h", NOW).body == b'{"count":0,"data":[]}'


@pytest.mark.parametrize("timeframe", ["2h", "1H", " ", "1h "])
def test_other_timeframe_is_refused(timeframe: str) -> None:
    assert read_rows(entries(), "", timeframe, NOW) == Reply(
        400, b'{"error":"Unsupported timeframe"}', "application/json"
    )


def test_row_that_repeats_is_shown_again() -> None:
    repeated = [entry_of()] * 2

    assert body_of(read_rows(repeated, "a", "", NOW)) == {"count": 2, "data": [row("a", NOW)] * 2}


def test_hosts_are_sorted_without_regard_to_case() -> None:
    assert body_of(read_hosts(entries())) == {
        "hosts": [
            {"hostname": "Alpha", "metric_count": 1, "last_seen": NOW - 50, "details_updated_at": None},
            {"hostname": "alpha", "metric_count": 1, "last_seen": NOW - 30, "details_updated_at": NOW - 30},
            {"hostname": "beta", "metric_count": 3, "last_seen": NOW - 30, "details_updated_at": NOW - 7200},
        ]
    }


def test_there_are_no_hosts_before_the_first_push() -> None:
    assert read_hosts([]).body == b'{"hosts":[]}'


def test_details_are_those_that_came_last() -> None:
    assert body_of(read_details(entries(), "beta")) == {
        "hostname": "beta",
        "details": {"swap": {"total": 2}},
        "updated_at": NOW - 7200,
    }
    assert body_of(read_details(entries(), "alpha")) == {
        "hostname": "alpha",
        "details": {},
        "updated_at": NOW - 30,
    }


@pytest.mark.parametrize(
    ("hostname", "status", "text"),
    [
        ("", 400, "hostname query parameter required"),
        ("nobody", 404, "hostname not found"),
        ("Alpha", 404, "hostname not found"),
        ("BETA", 404, "hostname not found"),
    ],
)
def test_details_that_nobody_sent_are_not_found(hostname: str, status: int, text: str) -> None:
    assert read_details(entries(), hostname) == Reply(
        status, json.dumps({"error": text}, separators=(",", ":")).encode(), "application/json"
    )
