from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects.dialect import PushContext, Pusher, Reply, TokenNeed
from pushgateway_bridge.dialects.psutil_host import unix_ms
from pushgateway_bridge.dialects.statusmonitor import DIALECT, MAX_CORES, MAX_PARTITIONS
from pushgateway_bridge.errors import (
    REJECTIONS,
    BodyTooLarge,
    Forbidden,
    JournalFull,
    MalformedBody,
    MissingToken,
    NotReady,
    PushRejected,
    RateLimited,
    TypeConflict,
    WrongMethod,
    WrongToken,
)
from pushgateway_bridge.model.report import Report
from tests.bridge.dialects.host_bodies import (
    BYTES,
    assert_labels_are_bounded,
    assert_outcome,
    assert_pairs,
    assert_taken_or_refused,
    near_misses,
    torn_bodies,
)
from tests.bridge.dialects.test_pixeltracker import RECEIVED_MS, expected_of

CASES = Path(__file__).parent / "cases" / "statusmonitor"
BODIES = sorted(CASES.glob("*.json"))
AGENT = PushContext(RECEIVED_MS, "application/json", Pusher(12, "nas", 3))
KEYS = st.sampled_from(
    (
        *("timestamp", "cpu", "memory", "disk", "network"),
        *("usage_percent", "per_core_usage", "freq", "load_avg", "frequency_mhz", "count", "count_logical"),
        *("current", "min", "max", "total", "available", "used", "free", "used_percent", "percent"),
        *("partitions", "io", "device", "mountpoint", "fstype", "read_bytes", "read_time", "bytes_sent"),
    )
)
NEAR_MISSES = near_misses(KEYS)


def decode(document: object, context: PushContext = AGENT) -> Report:
    return DIALECT.decode(json.dumps(document).encode(), context)


def outcome_of(body: bytes) -> str:
    """The series that *body* gives, or what its agent is answered."""
    try:
        return expected_of(DIALECT.decode(body, AGENT))
    except MalformedBody as error:
        reply = DIALECT.refuse(error)
        return f"# {reply.status} {reply.content_type}\n{reply.body.decode()}\n"


@pytest.mark.parametrize("body", BODIES, ids=lambda file: file.stem)
def test_body_gives_its_series(body: Path, update_golden: bool) -> None:
    assert_outcome(body, outcome_of(body.read_bytes()), update=update_golden)


def test_every_case_has_both_files() -> None:
    assert_pairs(CASES)


@pytest.mark.parametrize(
    "body",
    [
        b'{"timestamp":1,"device":"\xff"}',
        b'{"timestamp":1,"disk":{"partitions":[{"device":"\xff"}]}}',
        '{"timestamp":1}'.encode("utf-16"),
        b"\xef\xbb\xbf" + b'{"timestamp":1}',
        b'{"timestamp":1,"cpu":"\\ud800"}',
        b'{"timestamp":1,"x":"' + b"\\" * 3 + b'"}',
        b"[" * 100_000,
        b'{"timestamp":1,"x":' + b'{"x":' * 100_000,
        b'{"timestamp":1' + b"0" * 5000 + b"}",
        b"\x00",
        b"timestamp=1",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_body_that_is_no_json_is_refused_in_the_words_of_the_original(body: bytes) -> None:
    with pytest.raises(MalformedBody) as refusal:
        DIALECT.decode(body, AGENT)

    assert DIALECT.refuse(refusal.value) == Reply(400, b'{"detail":"Invalid JSON"}', "application/json")


@given(BYTES)
def test_bytes_are_taken_or_refused(body: bytes) -> None:
    assert_taken_or_refused(DIALECT, body, AGENT, assert_labels_are_bounded)


@given(torn_bodies(BODIES))
def test_torn_bodies_are_taken_or_refused(body: bytes) -> None:
    assert_taken_or_refused(DIALECT, body, AGENT, assert_labels_are_bounded)


@given(st.dictionaries(KEYS, NEAR_MISSES, max_size=6))
def test_every_object_with_a_timestamp_is_taken(document: dict[str, object]) -> None:
    report = decode({"timestamp": 1, **document})

    assert report.accepted == 1
    assert report.entry is None
    assert_labels_are_bounded(report)


@given(st.dictionaries(KEYS, NEAR_MISSES, max_size=6))
def test_what_is_taken_does_not_depend_on_how_strictly_the_document_could_be_read(
    document: dict[str, object],
) -> None:
    """One list more, deep enough for a closer look, and the document is read piece by piece."""
    document = {"timestamp": 1, **document}

    assert decode({**document, "more": [[]] * 40}) == decode(document)


def test_same_series_are_the_same_shape_and_group_at_each_push() -> None:
    body = (CASES / "headless_agent.json").read_bytes()
    first, second = (DIALECT.decode(body, AGENT).groups[0] for _ in range(2))

    assert first.shape is second.shape
    assert first.group is second.group


def test_agents_of_two_tokens_do_not_share_anything() -> None:
    document = {"timestamp": 1, "cpu": {"usage_percent": 5}}
    other = PushContext(RECEIVED_MS, "application/json", Pusher(13, "nas", 3))

    assert decode(document).groups[0].group == (("job", "statusmonitor"), ("instance", "12"))
    assert decode(document, other).groups[0].group == (("job", "statusmonitor"), ("instance", "13"))


def test_token_bound_to_an_instance_pushes_for_it() -> None:
    bound = Pusher(12, "nas", 3, job="statusmonitor", instance="nas-1")

    group = decode({"timestamp": 1}, PushContext(RECEIVED_MS, "", bound)).groups[0]

    assert group.group == (("job", "statusmonitor"), ("instance", "nas-1"))


@pytest.mark.parametrize(
    ("name", "shown"), [("", None), ("é" * 513, "other"), ("a" * 1024, "a" * 1024), ('"\n\\', '"\n\\')]
)
def test_agent_name_of_any_length_gives_a_label_that_can_be_held(name: str, shown: str | None) -> None:
    report = decode({"timestamp": 1}, PushContext(RECEIVED_MS, "", Pusher(12, name)))

    assert_labels_are_bounded(report)
    (_, labels) = report.groups[0].shape[0]
    assert dict(labels).get("agent_name") == shown
    assert dict(labels)["user_id"] == "0"


def test_media_type_does_not_matter() -> None:
    for content_type in ("", "text/plain", "application/x-www-form-urlencoded"):
        assert decode({"timestamp": 1}, PushContext(RECEIVED_MS, content_type, AGENT.pusher)).accepted == 1


@pytest.mark.parametrize("wrong", [0, 1], ids=["all right", "one wrong"])
def test_more_cores_and_partitions_than_any_host_has_are_cut_off_and_counted(wrong: int) -> None:
    """Both ways of reading keep the same ones."""
    cores = [1.0] * (MAX_CORES + 3)
    partitions = [
        {"device": "d", "mountpoint": f"/{number}", "total": 1} for number in range(MAX_PARTITIONS + 2)
    ]
    document = {
        "timestamp": 1,
        "cpu": {"per_core_usage": cores, "usage_percent": -1 if wrong else 1},
        "disk": {"partitions": partitions},
    }

    report = decode(document)

    names = [family.name for family, _ in report.groups[0].shape]
    assert names.count("host_cpu_core_utilization_ratio") == MAX_CORES
    assert names.count("node_filesystem_size_bytes") == MAX_PARTITIONS
    assert report.skipped_values == 5 + wrong


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (MissingToken("no token"), 401, "Missing agent token"),
        (WrongToken("revoked"), 401, "Invalid agent token"),
        (Forbidden("for another job"), 401, "Invalid agent token"),
        (MalformedBody("Invalid JSON"), 400, "Invalid JSON"),
        (TypeConflict('"up" is a counter'), 400, '"up" is a counter'),
        (WrongMethod("Cannot PUT /ingest"), 405, "Method Not Allowed"),
        (BodyTooLarge("over 1 MiB"), 413, "over 1 MiB"),
        (RateLimited("too often", 5), 429, "too often"),
        (NotReady("starting"), 503, "Metrics broker unavailable"),
        (JournalFull("no room"), 503, "Metrics broker unavailable"),
    ],
    ids=lambda value: value.reason if isinstance(value, PushRejected) else "",
)
def test_refusal_is_worded_as_in_the_original(error: PushRejected, status: int, text: str) -> None:
    reply = DIALECT.refuse(error)

    assert (reply.status, reply.content_type) == (status, "application/json")
    assert json.loads(reply.body) == {"detail": text}


@pytest.mark.parametrize("rejection", REJECTIONS, ids=lambda rejection: str(rejection.reason))
def test_every_refusal_has_a_reply(rejection: type[PushRejected]) -> None:
    reply = DIALECT.refuse(RateLimited("why", 1) if rejection is RateLimited else rejection("why"))

    assert reply.status == (401 if rejection is Forbidden else rejection.status)
    assert json.loads(reply.body)["detail"]


def test_accepted_reply_is_what_its_agents_know() -> None:
    assert DIALECT.accepted == Reply(200, b'{"status":"received"}', "application/json")


def test_paths_limit_and_token_are_those_of_the_original() -> None:
    assert DIALECT.paths == ("/ingest", "/sm/ingest")
    assert DIALECT.max_body_bytes == 2**20
    assert DIALECT.token_need is TokenNeed.ALWAYS
    assert DIALECT.token_header == "x-agent-token"


@pytest.mark.parametrize(
    ("sent", "milliseconds"),
    [
        (1769932800, 1769932800000),
        (1769932800.2504, 1769932800250),
        (1e11, 100_000_000_000_000),
        (1e11 + 1, 100_000_000_001),
        ("  1769932800.25 ", 1769932800250),
        ("1e999", None),
        ("", None),
        (None, None),
        (False, None),
    ],
)
def test_time_above_1e11_is_in_milliseconds(sent: float | str | None, milliseconds: int | None) -> None:
    assert unix_ms(sent) == milliseconds
