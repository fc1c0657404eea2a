"""Samples over HTTP: what each push is answered, what of it is shown, and what is counted."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pushgateway_bridge.access.rules import AccessRules
from pushgateway_bridge.access.token import Right
from pushgateway_bridge.app import Bridge
from pushgateway_bridge.config import Config, JournalConfig, LimitsConfig, ViewerConfig
from pushgateway_bridge.dialects.samples import ITEM_REASONS, MAX_LISTED
from pushgateway_bridge.errors import ITEM_REJECTIONS
from tests.bridge.process import BridgeProcess
from tests.bridge.remote import FakeRemote, wait_until
from tests.bridge.web.harness import Web
from tests.bridge.web.raw_http import Answer, Connection, push

PATH = "/api/v1/samples"
LINES = "application/x-ndjson"
NOBODY = {"job": "samples", "instance": ""}
LONG_AGO = "timestamp must be Unix seconds, at most 24 h ago and 60 s ahead"
Told = tuple[int, Any]


def body_of(items: object) -> bytes:
    return json.dumps(items).encode()


def send(web: Web, items: object, **headers: str) -> Told:
    """Status and document of the answer to a push of *items*, or of a body as it stands."""
    answer = web.push(items if isinstance(items, bytes) else body_of(items), PATH, **headers)
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, answer.json()


def taken(count: int) -> Told:
    """The answer if nothing was refused."""
    return 200, {"accepted": count, "rejected": []}


def refused(index: int, reason: str, message: str) -> dict[str, object]:
    return {"index": index, "reason": reason, "message": message}


def shown(web: Web) -> dict[str, float]:
    """Every pushed series on /metrics: ``name{labels}`` → value."""
    lines = [line for line in web.get("/metrics").text.splitlines() if 'instance="' in line]
    pairs = [line.rsplit(" ", 1) for line in lines]
    return {name: float(value) for name, value in pairs if not name.startswith("telemetry_")}


def counts(web: Web) -> dict[str, float]:
    """Every count of samples' pushes, items and events that is not zero, under its short name."""
    rows = (
        line.rsplit(" ", 1) for line in web.get("/metrics").text.splitlines() if 'dialect="samples"' in line
    )
    found = {
        name.removeprefix("telemetry_").replace('dialect="samples"', "").replace("{,", "{"): float(value)
        for name, value in rows
    }
    return {name.removesuffix("{}"): value for name, value in found.items() if value and "bytes" not in name}


def stored(web: Web) -> tuple[float | None, float | None]:
    """Records in the journal, and series."""
    return web.value("telemetry_journal_records_total"), web.value("telemetry_series")


# All of a push


def test_what_is_accepted_shows_at_once(web: Web) -> None:
    items = [
        {"name": "room_celsius", "value": 21.5, "labels": {"room": "kitchen"}, "help": "How warm it is."},
        {"name": "asked_total", "value": "7", "type": "counter", "labels": {"job": "shop", "instance": "a"}},
        {"name": "kept", "value": 1, "time_to_live_seconds": "keep"},
    ]

    assert send(web, items) == taken(3)

    assert shown(web) == {
        'room_celsius{job="samples",instance="",room="kitchen"}': 21.5,
        'asked_total{job="shop",instance="a"}': 7.0,
        'kept{job="samples",instance=""}': 1.0,
    }
    text = web.get("/metrics").text
    assert "# HELP room_celsius How warm it is.\n# TYPE room_celsius gauge\n" in text
    assert "# TYPE asked_total counter\n" in text
    assert counts(web) == {"pushes_total": 1, 'events_total{result="accepted"}': 3}


def test_one_item_needs_no_array(web: Web) -> None:
    assert send(web, {"name": "a", "value": 1}) == taken(1)
    assert shown(web) == {'a{job="samples",instance=""}': 1.0}


def test_lines_are_items_and_a_broken_one_is_refused_alone(web: Web) -> None:
    body = b'{"name":"a","value":1}\n\n{"name":"b","val\n{"name":"c","value":3}'

    status, document = send(web, body, content_type=LINES)

    assert (status, document["accepted"]) == (200, 2)
    assert [(one["index"], one["reason"]) for one in document["rejected"]] == [(1, "malformed_item")]
    assert shown(web) == {'a{job="samples",instance=""}': 1.0, 'c{job="samples",instance=""}': 3.0}


@pytest.mark.parametrize("headers", [{"content_type": "text/plain"}, {"content_type": ""}], ids=str)
@pytest.mark.parametrize("body", [b'[{"name":"a","value":1}]', b'{"name":"a","value":1}\n'], ids=str)
def test_without_a_telling_content_type_the_body_is_looked_at(
    web: Web, headers: dict[str, str], body: bytes
) -> None:
    assert send(web, body, **headers) == taken(1)


def test_compressed_push_is_answered_as_the_same_push_plain(web: Web) -> None:
    items = [{"name": "a", "value": 1}, {"name": "a-b", "value": 1}]

    plain = send(web, items)
    packed = send(web, gzip.compress(body_of(items)), content_encoding="gzip")

    assert packed == plain
    assert (plain[0], plain[1]["accepted"]) == (200, 1)


def test_more_than_a_body_may_inflate_to_is_refused(web: Web) -> None:
    packed = gzip.compress(b" " * (32 * 2**20 + 1))

    told = send(web, packed, content_encoding="gzip")

    message = "the body inflates to more than 33554432 bytes"
    assert told == (413, {"error": message, "reason": "body_too_large"})
    assert counts(web) == {"pushes_total": 1, 'pushes_rejected_total{reason="body_too_large"}': 1}


REFUSED_WHOLE = [
    pytest.param(b"", {}, 400, "malformed_body", id="empty"),
    pytest.param(b"[]", {}, 400, "malformed_body", id="no items"),
    pytest.param(b'[{"name":"a","value":1}', {}, 400, "malformed_body", id="cut off"),
    pytest.param(b'{"name":"a","value":1}', {"content_type": "text/xml"}, 400, "malformed_body", id="XML"),
    pytest.param(
        b'[{"name":"a","value":1}]', {"content_encoding": "br"}, 415, "unsupported_encoding", id="br"
    ),
    pytest.param(b"[" + b"1," * 10_000 + b"1]", {}, 422, "item_limit", id="too many items"),
    pytest.param(b" " * (4 * 2**20 + 1), {}, 413, "body_too_large", id="too large"),
    pytest.param(
        b'[{"name":"a","value":1}]', {"idempotency_key": ""}, 400, "bad_idempotency_key", id="no key"
    ),
]


@pytest.mark.parametrize(("body", "headers", "status", "reason"), REFUSED_WHOLE)
def test_what_cannot_be_told_apart_is_refused_whole(
    web: Web, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    before = stored(web)

    told = send(web, body, **headers)

    assert (told[0], told[1]["reason"], set(told[1])) == (status, reason, {"error", "reason"})
    assert stored(web) == before
    assert counts(web) == {"pushes_total": 1, f'pushes_rejected_total{{reason="{reason}"}}': 1}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_are_told_so(web: Web, method: str) -> None:
    answer = web.request(method, PATH)

    assert (answer.status_code, answer.json()["reason"]) == (405, "wrong_method")


def test_push_before_the_replay_is_told_when_to_come_again(starting_web: Web) -> None:
    answer = starting_web.push(body_of([{"name": "a", "value": 1}]), PATH)

    assert (answer.status_code, answer.json()["reason"]) == (503, "not_ready")
    assert answer.headers["retry-after"] == "1"


# Item by item


def test_decoding_refuses_items_and_takes_what_stands_around_them(web: Web) -> None:
    items = [
        {"name": "a-b", "value": 1},
        {"name": "first", "value": 1},
        {"name": "c", "value": 1, "labels": {"__x": "y"}},
        {"name": "d", "value": -1, "type": "counter"},
        {"name": "e", "value": 1, "timestamp": 5},
        {"name": "first", "value": 2},
        {"name": "last", "value": 3},
    ]

    status, document = send(web, items)

    assert (status, document["accepted"]) == (200, 2)
    told = [(one["index"], one["reason"]) for one in document["rejected"]]
    assert told == [
        (0, "bad_name"),
        (2, "bad_label"),
        (3, "bad_value"),
        (4, "timestamp_out_of_range"),
        (5, "duplicate"),
    ]
    assert document["rejected"][3]["message"] == f"{LONG_AGO}"
    assert shown(web) == {'first{job="samples",instance=""}': 1.0, 'last{job="samples",instance=""}': 3.0}
    assert counts(web) == {
        "pushes_total": 1,
        'events_total{result="accepted"}': 2,
        'events_total{result="rejected"}': 5,
        **{f'items_rejected_total{{reason="{reason}"}}': 1 for _, reason in told},
    }


HELD = [
    {"name": "asked", "value": 5, "type": "counter"},
    {"name": "point", "value": 5, "time_to_live_seconds": 240},
    {"name": "kept", "value": 5, "time_to_live_seconds": 241},
]
"""What is held before an item comes that contradicts it."""
CLASSES = "one that stays (time to live above 240 s)", "one that expires soon (time to live up to 240 s)"
CONTRADICTIONS: Mapping[str, tuple[dict[str, object], str]] = {
    "type_conflict": (
        {"name": "asked", "value": 6},
        "asked is held as a counter, and was pushed as a gauge",
    ),
    "reserved_name": (
        {"name": "telemetry_x", "value": 6},
        "telemetry_x: names that begin with telemetry_ or host_exporter_ are this stack's own",
    ),
    "reserved_job": (
        {"name": "b", "value": 6, "labels": {"job": "node"}},
        "job 'node' is scraped by this stack; push under another",
    ),
    "owner_conflict": (
        {"name": "b", "value": 6, "labels": {"job": "pixeltracker", "instance": "lab-7"}},
        '{job="pixeltracker",instance="lab-7"} is pushed by pixeltracker; samples cannot push it too',
    ),
    "name_conflict": (
        {"name": "took_seconds_count", "value": 6},
        "took_seconds_count would have lines named took_seconds_count, as took_seconds has",
    ),
    "class_conflict": (
        {"name": "point", "value": 6, "time_to_live_seconds": "keep"},
        f"this series of point is held as {CLASSES[1]}; as {CLASSES[0]} it can come when it is gone",
    ),
    "label_limit": (
        {"name": "b", "value": 6, "labels": {f"x{number}": "y" for number in range(39)}},
        "b has 41 labels, and limits.max_labels is 40",
    ),
}
HISTOGRAM = (
    b"# TYPE took_seconds histogram\n"
    b'took_seconds_bucket{le="+Inf"} 2\ntook_seconds_sum 3\ntook_seconds_count 2\n'
)


@pytest.fixture
def holding(web: Web) -> Web:
    """A bridge that holds what items contradict."""
    assert send(web, HELD) == taken(3)
    assert web.push(b'{"name":"lab-7","cpuC":4}').status_code == 200
    assert web.push(HISTOGRAM, "/metrics/job/batch", content_type="text/plain").status_code == 200
    return web


@pytest.mark.parametrize("reason", CONTRADICTIONS)
def test_what_contradicts_the_state_is_refused_alone(holding: Web, reason: str) -> None:
    item, message = CONTRADICTIONS[reason]
    before = shown(holding)
    good = [{"name": "good", "value": 1}, {"name": "good", "value": 2, "labels": {"instance": "b"}}]

    told = send(holding, [good[0], item, good[1]])

    assert told == (200, {"accepted": 2, "rejected": [refused(1, reason, message)]})
    assert shown(holding) == {
        **before,
        'good{job="samples",instance=""}': 1.0,
        'good{job="samples",instance="b"}': 2.0,
    }
    found = counts(holding)
    assert found[f'items_rejected_total{{reason="{reason}"}}'] == 1
    assert found['events_total{result="rejected"}'] == 1
    assert found['events_total{result="accepted"}'] == len(HELD) + 2
    assert "pushes_rejected_total" not in "".join(found)


def test_all_contradictions_in_one_push_are_each_told_by_their_index(holding: Web) -> None:
    items: list[object] = []
    expected = []
    for reason, (item, message) in CONTRADICTIONS.items():
        items.append({"name": "good", "value": 1, "labels": {"number": len(items)}})
        expected.append(refused(len(items), reason, message))
        items.append(item)
    items.append({"name": "a-b", "value": 1})

    status, document = send(holding, items)

    assert (status, document["accepted"]) == (200, len(CONTRADICTIONS))
    assert document["rejected"][:-1] == expected
    assert document["rejected"][-1]["reason"] == "bad_name"
    assert len([name for name in shown(holding) if name.startswith("good{")]) == len(CONTRADICTIONS)


def test_the_first_of_two_types_in_one_push_counts(web: Web) -> None:
    items = [{"name": "a", "value": 1, "type": "counter"}, {"name": "a", "value": 2, "labels": {"x": "y"}}]

    told = send(web, items)

    message = "a is held as a counter, and was pushed as a gauge"
    assert told == (200, {"accepted": 1, "rejected": [refused(1, "type_conflict", message)]})


@pytest.mark.parametrize("alone", [True, False], ids=["in a group of its own", "among others"])
def test_an_item_that_was_refused_leaves_its_name_to_others(web: Web, alone: bool) -> None:
    """Its family is not held, so an item of another type contradicts nothing."""
    many = {f"x{number}": "y" for number in range(39)}
    other = {"instance": "b"} if alone else {}
    items = [
        {"name": "a", "value": 1, "type": "counter", "labels": {**many, **other}},
        {"name": "b", "value": 1},
        {"name": "a", "value": 2},
    ]

    status, document = send(web, items)

    assert (status, document["accepted"]) == (200, 2)
    assert [(one["index"], one["reason"]) for one in document["rejected"]] == [(0, "label_limit")]
    assert shown(web)['a{job="samples",instance=""}'] == 2.0


def test_series_within_a_point_and_a_held_class_are_told_apart_in_one_push(web: Web) -> None:
    items = [
        {"name": "a", "value": 1},
        {"name": "a", "value": 2, "labels": {"x": "y"}, "time_to_live_seconds": 3600},
    ]

    assert send(web, items) == taken(2)
    assert shown(web) == {
        'a{job="samples",instance=""}': 1.0,
        'a{job="samples",instance="",x="y"}': 2.0,
    }


class Limited(Web):
    """A bridge with limits of its own."""

    def __init__(self, directory: Path, limits: LimitsConfig) -> None:
        super().__init__(directory)
        config = Config(
            journal=JournalConfig(directory=str(directory / "journal")),
            viewer=ViewerConfig(dashboards_directory=str(directory / "dashboards")),
            limits=limits,
        )
        self.bridge = Bridge(config)
        self.app = self.bridge.web_app()


def test_items_for_whose_series_there_is_room_are_taken(tmp_path: Path) -> None:
    items = [{"name": f"a{number}", "value": number} for number in range(5)]
    with Limited(tmp_path, LimitsConfig(new_series_per_minute=3)) as web:
        first = send(web, items)
        again = send(web, items)

        names = [name.partition("{")[0] for name in shown(web)]
        counted = counts(web)['items_rejected_total{reason="too_many_series"}']

    message = (
        "job 'samples' instance '' would bring 4 new series in this minute, "
        "and limits.new_series_per_minute is 3"
    )
    rejected = [refused(index, "too_many_series", message) for index in (3, 4)]
    assert first == again == (200, {"accepted": 3, "rejected": rejected})
    assert names == ["a0", "a1", "a2"]
    assert counted == 4


def test_a_full_bridge_takes_what_it_holds_already(tmp_path: Path) -> None:
    known, new = {"name": "a", "value": 1}, {"name": "b", "value": 1}
    with Limited(tmp_path, LimitsConfig(max_series=1)) as web:
        assert send(web, [known]) == taken(1)

        status, document = send(web, [new, known, {**new, "labels": {"instance": "b"}}])

    assert (status, document["accepted"]) == (200, 1)
    assert [(one["index"], one["reason"]) for one in document["rejected"]] == [
        (0, "too_many_series"),
        (2, "too_many_series"),
    ]


def test_limits_of_labels_are_those_of_the_configuration(tmp_path: Path) -> None:
    items = [
        {"name": "a", "value": 1, "labels": {"x": "1", "y": "2"}},
        {"name": "a", "value": 1, "labels": {"x": "0123456789"}},
        {"name": "a", "value": 1, "labels": {"x": "01234567"}},
        {"name": "a", "value": 1, "labels": {"instance": "0123456789"}},
    ]
    with Limited(tmp_path, LimitsConfig(max_labels=3, max_label_value_bytes=8)) as web:
        told = send(web, items)

    too_long = "the value of label {} is longer than limits.max_label_value_bytes, which is 8"
    rejected = [
        refused(0, "label_limit", "a has 4 labels, and limits.max_labels is 3"),
        refused(1, "label_limit", too_long.format("x")),
        refused(3, "label_limit", too_long.format("instance")),
    ]
    assert told == (200, {"accepted": 1, "rejected": rejected})


def test_only_so_many_refusals_are_listed_and_all_are_counted(web: Web) -> None:
    """The largest push, every item of it a metric of its own: half of them are more than a source may bring."""
    items = [{"name": f"metric_{number}", "value": number} for number in range(10_000)]

    status, document = send(web, items)

    assert (status, document["accepted"], document["rejected_total"]) == (200, 5000, 5000)
    assert [one["index"] for one in document["rejected"]] == list(range(5000, 5000 + MAX_LISTED))
    assert web.value("telemetry_items_rejected_total", dialect="samples", reason="too_many_series") == 5000
    assert len(shown(web)) == 5000


def test_every_source_in_one_push_may_be_another(web: Web) -> None:
    items = [{"name": "up", "value": 1, "labels": {"instance": str(number)}} for number in range(2000)]
    items.append({"name": "up", "value": 1, "labels": {"job": "node"}})

    status, document = send(web, items)

    assert (status, document["accepted"]) == (200, 2000)
    assert [(one["index"], one["reason"]) for one in document["rejected"]] == [(2000, "reserved_job")]
    assert web.value("telemetry_sources") == 2000


def test_every_reason_is_counted_from_the_start(web: Web) -> None:
    for reason in {*ITEM_REASONS, *(one.reason for one in ITEM_REJECTIONS)}:
        assert web.value("telemetry_items_rejected_total", dialect="samples", reason=reason) == 0
    assert web.value("telemetry_events_total", dialect="samples", result="rejected") == 0


# Nothing accepted


@pytest.mark.parametrize("item", [{"name": "a-b", "value": 1}, CONTRADICTIONS["reserved_job"][0]], ids=str)
@pytest.mark.parametrize("headers", [{}, {"idempotency_key": "k"}], ids=["without a key", "with a key"])
def test_a_push_of_which_nothing_is_accepted_is_400_and_leaves_nothing(
    web: Web, item: dict[str, object], headers: dict[str, str]
) -> None:
    before = stored(web)

    status, document = send(web, [item, item], **headers)

    assert (status, document["accepted"]) == (400, 0)
    assert [one["index"] for one in document["rejected"]] == [0, 1]
    assert stored(web) == before
    assert web.value("telemetry_sources") == 0
    assert counts(web)['events_total{result="rejected"}'] == 2


def test_a_push_of_which_nothing_is_accepted_does_not_use_up_its_key(web: Web) -> None:
    wrong, right = [{"name": "a-b", "value": 1}], [{"name": "a", "value": 1}]
    first = send(web, wrong, idempotency_key="k")

    assert send(web, wrong, idempotency_key="k") == first
    assert send(web, right, idempotency_key="k") == taken(1)
    assert send(web, [{"name": "a", "value": 2}], idempotency_key="k")[0] == 422
    assert counts(web)['items_rejected_total{reason="bad_name"}'] == 2
    assert shown(web) == {'a{job="samples",instance=""}': 1.0}


# Sent again


def test_a_key_repeats_the_same_partial_reply_also_after_a_restart(tmp_path: Path) -> None:
    items = [{"name": "a", "value": 1}, {"name": "telemetry_x", "value": 1}, {"name": "b", "value": "x"}]
    with Web(tmp_path) as web:
        first = send(web, items, idempotency_key="k")
        repeated = send(web, items, idempotency_key="k")
        records = stored(web)
        counted = counts(web)
    with Web(tmp_path) as web:
        after = send(web, items, idempotency_key="k")
        other = send(web, [{"name": "a", "value": 2}], idempotency_key="k")

        assert shown(web) == {'a{job="samples",instance=""}': 1.0}
        assert counts(web)['events_total{result="deduplicated"}'] == 2
        assert web.value("telemetry_reports_total", **NOBODY) == 1

    assert (first[0], first[1]["accepted"]) == (200, 1)
    assert [one["reason"] for one in first[1]["rejected"]] == ["reserved_name", "bad_value"]
    assert repeated == after == first
    assert (other[0], other[1]["reason"]) == (422, "idempotency_key_reused")
    assert records[0] == 1
    assert counted == {
        "pushes_total": 2,
        'events_total{result="accepted"}': 1,
        'events_total{result="rejected"}': 2,
        'events_total{result="deduplicated"}': 2,
        'items_rejected_total{reason="reserved_name"}': 1,
        'items_rejected_total{reason="bad_value"}': 1,
    }


# What is stored


def test_several_times_and_classes_of_one_source_are_one_report(web: Web) -> None:
    now = time.time()
    items: list[dict[str, object]] = [
        {"name": "a", "value": number, "timestamp": now - number} for number in range(5)
    ]
    items.append({"name": "kept", "value": 1, "time_to_live_seconds": "keep"})
    items.append({"name": "a", "value": 7, "labels": {"instance": "b"}})

    assert send(web, items) == taken(7)

    assert web.value("telemetry_reports_total", **NOBODY) == 1
    assert web.value("telemetry_reports_total", job="samples", instance="b") == 1
    assert web.value("telemetry_report_interval_seconds", **NOBODY) == 60
    assert web.value("a", **NOBODY) == 0  # the newest


def test_late_samples_never_replace_newer_ones(web: Web) -> None:
    now = time.time()
    assert send(web, [{"name": "a", "value": 2, "timestamp": now}]) == taken(1)
    assert send(web, [{"name": "a", "value": 1, "timestamp": now - 3600}]) == taken(1)

    assert web.value("a", **NOBODY) == 2


def test_values_that_are_no_finite_number_survive_a_restart(tmp_path: Path) -> None:
    texts = {"a": "NaN", "b": "+Inf", "c": "-Inf", "d": "1e-320"}
    with Web(tmp_path) as web:
        assert send(web, [{"name": name, "value": text} for name, text in texts.items()]) == taken(4)
        before = shown_lines(web)
    with Web(tmp_path) as web:
        after = shown_lines(web)

    assert before == after
    assert before == [
        'a{job="samples",instance=""} NaN',
        'b{job="samples",instance=""} +Inf',
        'c{job="samples",instance=""} -Inf',
        'd{job="samples",instance=""} 1e-320',
    ]


def shown_lines(web: Web) -> list[str]:
    lines = web.get("/metrics").text.splitlines()
    return sorted(line for line in lines if 'job="samples"' in line and not line.startswith("telemetry_"))


# Tokens


BEYOND = AccessRules(open_protocols_need_token=False, beyond_loopback=True, reads_need_token=False)


@pytest.fixture
def closed(web: Web) -> Web:
    """A bridge that other machines can reach."""
    web.bridge.guard.rules = BEYOND
    web.bridge.tokens.directory.mkdir()
    return web


def test_beyond_loopback_a_push_needs_a_token(closed: Web) -> None:
    reading = closed.bridge.tokens.create("reader", [Right.READ])[1]

    for headers, status in (({}, 401), ({"authorization": "Bearer x"}, 401), (bearer(reading), 403)):
        assert send(closed, [{"name": "a", "value": 1}], **headers)[0] == status

    assert shown(closed) == {}


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_a_bound_token_says_whose_an_item_is_that_does_not(closed: Web) -> None:
    secret = closed.bridge.tokens.create("shop", [Right.PUSH], job="shop", instance="web-1")[1]
    items = [
        {"name": "a", "value": 1},
        {"name": "b", "value": 2, "labels": {"job": "shop"}},
        {"name": "c", "value": 3, "labels": {"instance": "web-1"}},
    ]

    assert send(closed, items, **bearer(secret)) == taken(3)
    assert shown(closed) == {
        f'{name}{{job="shop",instance="web-1"}}': value
        for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))
    }


@pytest.mark.parametrize("labels", [{"job": "bank"}, {"instance": "web-2"}], ids=str)
def test_a_bound_token_does_not_push_for_others(closed: Web, labels: dict[str, str]) -> None:
    secret = closed.bridge.tokens.create("shop", [Right.PUSH], job="shop", instance="web-1")[1]
    before = stored(closed)

    told = send(
        closed, [{"name": "a", "value": 1}, {"name": "a", "value": 1, "labels": labels}], **bearer(secret)
    )

    assert (told[0], told[1]["reason"]) == (403, "forbidden")
    assert stored(closed) == before
    assert shown(closed) == {}


def test_a_token_of_a_job_fills_that_in_and_leaves_the_instance(closed: Web) -> None:
    secret = closed.bridge.tokens.create("shop", [Right.PUSH], job="shop")[1]
    items = [{"name": "a", "value": 1}, {"name": "a", "value": 2, "labels": {"instance": "web-2"}}]

    assert send(closed, items, **bearer(secret)) == taken(2)
    assert shown(closed) == {
        'a{job="shop",instance=""}': 1.0,
        'a{job="shop",instance="web-2"}': 2.0,
    }


# Real bridges, one for each way in which a push is answered

WAYS: Mapping[str, tuple[str, ...]] = {"hot": (), "ordinary": ("--web.hot-routes=false",)}
Bridges = Mapping[str, BridgeProcess]


@pytest.fixture(scope="module")
def bridges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridges]:
    """All tests send the same to both."""
    directory = tmp_path_factory.mktemp("bridges")
    logs = {way: directory / f"{way}.log" for way in WAYS}
    hot = BridgeProcess(directory / "hot", *WAYS["hot"], log=logs["hot"])
    with hot, BridgeProcess(directory / "ordinary", *WAYS["ordinary"], log=logs["ordinary"]) as ordinary:
        yield {"hot": hot, "ordinary": ordinary}
    for log in logs.values():
        assert [line for line in log.read_text().splitlines() if "level=error" in line] == []


def counted(bridge: BridgeProcess) -> dict[str, float | str]:
    """What is counted of samples, and what is shown of them; NaN as a text, which is equal to itself."""
    return {
        name: "NaN" if math.isnan(value) else value
        for name, value in bridge.series().items()
        if ('dialect="samples"' in name or "telemetry_journal_records" in name or 'job="samples"' in name)
        and "last_report" not in name
        and "interval" not in name
    }


def ask(bridge: BridgeProcess, requests: Iterable[bytes]) -> list[Answer]:
    """The answers on one connection."""
    with Connection(bridge.port) as connection:
        return [connection.ask(one).without_date() for one in requests]


@pytest.mark.stack
def test_both_ways_answer_and_count_alike(bridges: Bridges) -> None:
    now = time.time()
    pushes: list[object] = [
        *HELD,
        HELD,
        [{"name": "a", "value": 1}, {"name": "a-b", "value": 1}],
        [{"name": "a", "value": 2}, CONTRADICTIONS["class_conflict"][0], CONTRADICTIONS["type_conflict"][0]],
        [CONTRADICTIONS["reserved_name"][0]],
        [{"name": "a-b", "value": 1}, {"name": "", "value": 1}],
        [{"name": "late", "value": number, "timestamp": now - number} for number in range(5)],
        [{"name": "nan", "value": "NaN"}],
        [],
        {"name": "a"},
    ]
    requests = [push(body_of(one), target=PATH) for one in pushes]
    requests += [push(body_of(pushes[4]), "Idempotency-Key: both", target=PATH)] * 2
    requests += [push(gzip.compress(body_of(pushes[4])), "Content-Encoding: gzip", target=PATH)]
    requests *= 2  # the second time the heads are known

    answers = {way: ask(bridge, requests) for way, bridge in bridges.items()}

    assert answers["hot"] == answers["ordinary"]
    assert {one.status for one in answers["hot"]} == {200, 400}
    found = {way: counted(bridge) for way, bridge in bridges.items()}
    assert found["hot"] == found["ordinary"]
    assert found["hot"]['telemetry_events_total{dialect="samples",result="rejected"}'] != 0


@pytest.mark.stack
def test_each_push_gets_its_own_reply(bridges: Bridges) -> None:
    """On many connections at once, so that they share a group commit, and one behind the other on each of them."""
    bodies = [[{"name": "own", "value": 1}, *[{"name": "a-b", "value": 1}] * count] for count in range(6)]
    requests = [push(body_of(one), target=PATH) for one in bodies]
    for bridge in bridges.values():
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(Connection(bridge.port)) for _ in bodies]
            for number, connection in enumerate(connections):
                connection.send(b"".join([requests[number], *requests]))
            told = [
                [json.loads(connection.read_answer().body) for _ in [0, *requests]]
                for connection in connections
            ]

        assert [[len(one["rejected"]) for one in answers] for answers in told] == [
            [number, *range(6)] for number in range(6)
        ]
        assert {one["accepted"] for answers in told for one in answers} == {1}


@pytest.mark.stack
def test_what_was_accepted_of_a_push_is_there_after_a_kill(tmp_path: Path) -> None:
    items = [
        {"name": "a", "value": "NaN"},
        {"name": "kept", "value": "-Inf", "time_to_live_seconds": "keep"},
        {"name": "a-b", "value": 1},
    ]
    with BridgeProcess(tmp_path) as bridge:
        [answer] = ask(bridge, [push(body_of(items), target=PATH)])
        bridge.kill()
        bridge.start()
        after = bridge.get("/metrics").splitlines()
        reports = bridge.series()['telemetry_reports_total{job="samples",instance=""}']

    assert (answer.status, json.loads(answer.body)["accepted"]) == (200, 2)
    assert 'a{job="samples",instance=""} NaN' in after
    assert 'kept{job="samples",instance=""} -Inf' in after
    assert reports == 1


@pytest.mark.stack
def test_late_samples_reach_a_remote_with_their_own_time_and_held_ones_do_not(tmp_path: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    times = [now_ms - 3_600_000, now_ms - 1000, now_ms]
    items: list[dict[str, object]] = [
        {"name": "late", "value": number, "timestamp": moment / 1000} for number, moment in enumerate(times)
    ]
    items.append({"name": "kept", "value": 1, "time_to_live_seconds": "keep"})
    items.append({"name": "nan", "value": "NaN", "timestamp": times[0] / 1000})
    with FakeRemote() as remote:
        config = tmp_path / "bridge.yml"
        settings = {"remotes": [{"name": "one", "url": remote.url()}]}
        config.write_text(yaml.safe_dump({"delivery": "remote_write", "remote_write": settings}))
        with BridgeProcess(tmp_path / "journal", f"--config.file={config}") as bridge:
            [answer] = ask(bridge, [push(body_of(items), target=PATH)])
            wait_until(lambda: len(remote.samples()) >= 4, "four samples")
            narrow = bridge.get("/metrics?class[]=undelivered")
            assert bridge.terminate() == 0

    assert json.loads(answer.body) == {"accepted": 5, "rejected": []}
    assert remote.faults == []
    late = 'late{job="samples"}'
    assert sorted(remote.samples(), key=lambda sample: (sample[0], sample[1])) == [
        *((late, moment, float(number)) for number, moment in enumerate(times)),
        ('nan{job="samples"}', times[0], "nan"),
    ]
    assert 'kept{job="samples",instance=""} 1' in narrow
    assert "late{" not in narrow
