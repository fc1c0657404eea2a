from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects import samples_series
from pushgateway_bridge.dialects.dialect import PushContext, Pusher, Reply, TokenNeed
from pushgateway_bridge.dialects.samples import DIALECT, ITEM_REASONS, MAX_LISTED, make_dialect
from pushgateway_bridge.dialects.samples_body import Item
from pushgateway_bridge.dialects.samples_series import SampleLimits
from pushgateway_bridge.errors import (
    BodyTooLarge,
    Forbidden,
    ItemLimit,
    MalformedBody,
    NotReady,
    PushRejected,
    RateLimited,
    WrongMethod,
    WrongToken,
)
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.report import Rejection, Report
from pushgateway_bridge.model.text import format_value, render_labels, series_prefix
from pushgateway_bridge.model.timestamps import MAX_AGE_MS, MAX_AHEAD_MS, format_iso8601_ms

CASES = Path(__file__).parent / "cases" / "samples"
MEDIA_TYPES = {".json": "application/json", ".ndjson": "application/x-ndjson", ".txt": "text/plain"}
BODIES = sorted(file for file in CASES.iterdir() if file.suffix in MEDIA_TYPES)
RECEIVED_MS = 1_769_932_860_000
JSON = PushContext(RECEIVED_MS, "application/json")
LINES = PushContext(RECEIVED_MS, "application/x-ndjson")
ANY = PushContext(RECEIVED_MS)
LONG = 2**70  # an integer that no 64 bits hold

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = (
    st.integers()
    | st.integers(min_value=10**300, max_value=10**320)
    | st.floats(allow_nan=False, allow_infinity=False)
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True)
TIMES = st.floats(min_value=RECEIVED_MS / 1000 - 90_000, max_value=RECEIVED_MS / 1000 + 120)
LABELS = st.dictionaries(NAMES | TEXTS | st.sampled_from(["job", "instance"]), SCALARS, max_size=4)
FIELDS = {
    "labels": LABELS | VALUES,
    "timestamp": TIMES | TIMES.map(str) | TIMES.map(lambda time: time * 1000) | VALUES,
    "type": st.sampled_from(["counter", "gauge", "unknown", "histogram", "summary"]) | VALUES,
    "help": TEXTS | VALUES,
    "unit": st.sampled_from(["seconds", "bytes"]) | VALUES,
    "time_to_live_seconds": st.sampled_from(["keep", 30, 300, -1]) | VALUES,
    "surplus": VALUES,
}
NUMBER_TEXTS = st.sampled_from(["NaN", "+Inf", "-Inf", "1e3", "-2", "1e999", "x"])
GOOD_ITEMS = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "c"]), "value": st.floats(allow_nan=False, allow_infinity=False)},
    optional={
        "labels": st.dictionaries(st.sampled_from(["job", "instance", "x"]), st.sampled_from(["1", "2"])),
        "timestamp": st.sampled_from([RECEIVED_MS / 1000 - 5, RECEIVED_MS / 1000, None]),
        "time_to_live_seconds": st.sampled_from(["keep", 60, None]),
    },
)
ITEMS = (
    st.fixed_dictionaries({"name": NAMES | VALUES, "value": NUMBERS | NUMBER_TEXTS | VALUES}, optional=FIELDS)
    | GOOD_ITEMS
    | VALUES
)


def encode(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def lines_of(documents: Sequence[object]) -> bytes:
    return b"\n".join(map(encode, documents))


def taken(items: Sequence[Mapping[str, object]], context: PushContext = JSON) -> Report:
    """The report of *items*, each of which must be taken."""
    report = DIALECT.decode(encode(items), context)
    assert report.rejected == []
    return report


def reply_of(body: bytes, context: PushContext) -> tuple[str, Reply]:
    """What a push gives: for each group its class and times, the metadata and a line for each sample; the reply."""
    assert DIALECT.reply is not None
    try:
        report = DIALECT.decode(body, context)
    except PushRejected as error:
        return "", DIALECT.refuse(error)
    lines = []
    for group in report.groups:
        assert group.series_class is not None
        time = "none" if group.timestamp_ms is None else format_iso8601_ms(group.timestamp_ms)
        items = ",".join(map(str, group.items))
        lines.append(
            f"# {group.series_class.name} time_to_live={group.time_to_live_seconds} time={time} items={items}\n"
        )
        for (family, labels), value in zip(group.shape, group.values, strict=True):
            prefix = series_prefix(family.name, render_labels(group.group), labels)
            help_text = f" {family.help!a}" if family.help else ""
            unit = f" in {family.unit}" if family.unit else ""
            lines.append(f"{prefix}{format_value(value)} # {family.type}{unit}{help_text}\n")
    return "".join(lines), DIALECT.reply(report, report.rejected)


def outcome_of(body: bytes, context: PushContext) -> str:
    """The series of a push and its reply, as its case has them: each rejection on a line of its own."""
    series, reply = reply_of(body, context)
    answer = json.loads(reply.body)
    rejected = answer.pop("rejected", [])
    return f"{series}# {reply.status} {json.dumps(answer)}\n" + "".join(
        f"# {one['index']} {one['reason']}: {one['message']}\n" for one in rejected
    )


def assert_right(report: Report, items: int) -> None:
    """*report* keeps every promise whatever the *items* were."""
    indexes = [index for group in report.groups for index in group.items]
    assert sorted([*indexes, *(one.index for one in report.rejected)]) == list(range(items))
    assert report.accepted == len(indexes)
    seen = set()
    for group in report.groups:
        assert group.items
        assert [name for name, _ in group.group] == ["job", "instance"]
        assert group.group[0][1]
        assert group.timestamp_ms is None or (-MAX_AGE_MS <= group.timestamp_ms - RECEIVED_MS <= MAX_AHEAD_MS)
        held = group.series_class is SeriesClass.HELD
        assert held == (group.time_to_live_seconds is not None and group.time_to_live_seconds > 240)
        for (family, labels), value, _ in zip(group.shape, group.values, group.items, strict=True):
            assert type(value) is float
            assert family.type != "counter" or value >= 0
            assert list(labels) == sorted(labels)
            assert len(labels) <= 40
            assert not {"job", "instance"} & dict(labels).keys()
            assert all(0 < len(text.encode()) <= 1024 for _, text in (*labels, group.group[0]))
            moment = RECEIVED_MS if group.timestamp_ms is None else group.timestamp_ms
            key = (family.name, group.group, labels, moment)
            assert key not in seen, "one push gives a series two values at one time"
            seen.add(key)
    for one in report.rejected:
        assert one.reason in ITEM_REASONS
        assert 0 < len(one.message) <= 201
        one.message.encode()


@pytest.mark.parametrize("body", BODIES, ids=lambda file: file.stem)
def test_body_gives_its_series_and_reply(body: Path, update_golden: bool) -> None:
    context = PushContext(RECEIVED_MS, MEDIA_TYPES[body.suffix])
    outcome = outcome_of(body.read_bytes(), context)
    expected = body.with_suffix(".prom")
    if update_golden:
        expected.write_text(outcome)

    assert outcome == expected.read_text()


def test_every_case_has_both_files() -> None:
    assert [file.stem for file in BODIES] == sorted(file.stem for file in CASES.glob("*.prom"))


def test_every_reason_has_a_case() -> None:
    cases = "".join(file.read_text() for file in CASES.glob("*.prom"))

    assert [reason for reason in ITEM_REASONS if f" {reason}: " not in cases] == []


def test_outcome_does_not_depend_on_what_came_before() -> None:
    """Series are remembered from push to push, whoever pushed them."""
    pushes = [(body.read_bytes(), PushContext(RECEIVED_MS, MEDIA_TYPES[body.suffix])) for body in BODIES]
    fresh = make_dialect(SampleLimits())

    for body, context in reversed(pushes):
        outcomes = []
        for dialect in (fresh, DIALECT, DIALECT):
            try:
                outcomes.append(dialect.decode(body, context))
            except PushRejected as error:
                outcomes.append(Report(rejected=[Rejection(0, error.reason, str(error))]))
        assert repr(outcomes[0]) == repr(outcomes[1]) == repr(outcomes[2])  # repr: NaN is not itself


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'[{"name":"a","value":1}]'),
        ("application/x-ndjson", b'{"name":"a","value":1}\n'),
        ("application/ndjson", b'{"name":"a","value":1}\n'),
        ("application/jsonl", b'{"name":"a","value":1}\n'),
        *(
            (content_type, body)
            for content_type in (
                "",
                "text/plain",
                "application/x-www-form-urlencoded",
                "application/octet-stream",
            )
            for body in (b'[{"name":"a","value":1}]', b'{"name":"a","value":1}')
        ),
    ],
)
def test_media_type_is_taken(content_type: str, body: bytes) -> None:
    report = DIALECT.decode(body, PushContext(RECEIVED_MS, content_type))

    assert report == taken([{"name": "a", "value": 1}])


@pytest.mark.parametrize("content_type", ["application/xml", "text/html", "multipart/form-data", "x" * 9999])
def test_other_media_type_is_refused(content_type: str) -> None:
    with pytest.raises(MalformedBody, match="expected Content-Type application/json") as refusal:
        DIALECT.decode(b'[{"name":"a","value":1}]', PushContext(RECEIVED_MS, content_type))

    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("pusher", "labels", "group"),
    [
        (None, {}, ("samples", "")),
        (None, {"job": "j"}, ("j", "")),
        (None, {"instance": "i"}, ("samples", "i")),
        (Pusher(1, "t"), {}, ("samples", "")),
        (Pusher(1, "t", job="bound"), {"instance": "i"}, ("bound", "i")),
        (Pusher(1, "t", job="bound", instance="host"), {}, ("bound", "host")),
        (Pusher(1, "t", job="bound", instance="host"), {"job": "", "instance": ""}, ("bound", "host")),
        (Pusher(1, "t", job="bound", instance="host"), {"job": "j"}, ("j", "host")),
    ],
)
def test_token_fills_in_what_the_labels_do_not_say(
    pusher: Pusher | None, labels: dict[str, str], group: tuple[str, str]
) -> None:
    context = msgspec.structs.replace(JSON, pusher=pusher)
    report = taken([{"name": "a", "value": 1, "labels": labels}], context)

    assert [value for _, value in report.groups[0].group] == list(group)


def test_same_push_gives_the_same_shape_object() -> None:
    """The store looks at once whether it is: see Shape."""
    pushes = [
        [
            {"name": name, "value": value, "labels": {"job": "j", "x": "1"}, "timestamp": RECEIVED_MS / 1000}
            for name in ("a", "b", "c")
        ]
        for value in (1, 2)
    ]

    first, second = (taken(push).groups[0] for push in pushes)
    as_lines = DIALECT.decode(lines_of(pushes[0]), LINES).groups[0]

    assert first.shape is second.shape
    assert first.shape is as_lines.shape
    assert first.group is second.group
    assert first.values != second.values


def test_long_shape_is_the_same_object_too() -> None:
    push: list[dict[str, object]] = [{"name": f"m{number}", "value": number} for number in range(500)]

    assert taken(push).groups[0].shape is taken(push).groups[0].shape


def test_families_of_alike_items_are_one_object() -> None:
    report = taken([{"name": "a", "value": 1, "help": "Some.", "labels": {"x": text}} for text in ("1", "2")])

    (first, _), (second, _) = report.groups[0].shape
    assert first is second


def test_more_series_than_are_remembered_are_all_right(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REMEMBERED_SERIES", "REMEMBERED_PLACES", "REMEMBERED_FAMILIES", "REMEMBERED_LABEL_NAMES"):
        monkeypatch.setattr(samples_series, name, 1)
    dialect = make_dialect(SampleLimits())
    items = [
        {"name": f"m{number % 3}", "value": number, "labels": {"job": f"j{number % 2}", f"l{number}": "x"}}
        for number in range(12)
    ]

    assert dialect.decode(encode(items), JSON) == DIALECT.decode(encode(items), JSON)
    repeated = dialect.decode(encode([*items, *items]), JSON)
    assert repeated.accepted == 12
    assert [one.reason for one in repeated.rejected] == ["duplicate"] * 12


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b",".join([b'{"name":"a","value":1}'] * 4) + b"]",
        b"[" + b",".join([b"{}"] * 9) + b"]",
        b"[" + b",".join([b"1"] * 9) + b"]",
        b'[{"name":"a","value":1},5,5,5,"never looked at',
        b"[" + b",".join([b'{"name":"{{{{","value":1}'] * 4) + b"]",
        b"\n".join([b'{"name":"a","value":1}'] * 4),
        b'{"name":"a","value":1}' * 4,
        b"\n".join([b"x"] * 4),
        b"\n\n" + b"\n\n".join([b"{}"] * 9),
    ],
)
def test_push_with_more_items_than_the_limit_is_refused_whole(body: bytes) -> None:
    dialect = make_dialect(SampleLimits(max_items=3))

    with pytest.raises(ItemLimit, match="at most 3 items"):
        dialect.decode(body, ANY)


@pytest.mark.parametrize("separator", [b",", b"\n", b"\n\n\n"])
def test_push_with_as_many_items_as_the_limit_is_taken(separator: bytes) -> None:
    items = [b'{"name":"a%d","value":1,"help":"{{{{{","labels":{"x":"{"}}' % number for number in range(3)]
    body = separator.join(items)
    if separator == b",":
        body = b"[" + body + b"]"

    assert make_dialect(SampleLimits(max_items=3)).decode(body, ANY).accepted == 3


def test_limits_are_those_of_the_dialect() -> None:
    dialect = make_dialect(
        SampleLimits(max_labels=1, max_label_value_bytes=3, max_name_characters=3, max_help_characters=3)
    )
    good: dict[str, object] = {"name": "abc", "value": 1, "labels": {"abc": "abc"}, "help": "abc"}
    items = [
        good,
        {**good, "name": "abcd"},
        {**good, "labels": {"a": "", "b": ""}},
        {**good, "labels": {"abc": "abcd"}},
        {**good, "labels": {"abcd": "abc"}},
        {**good, "help": "abcd"},
    ]

    report = dialect.decode(encode(items), JSON)

    assert report.accepted == 1
    assert [one.reason for one in report.rejected] == [
        "bad_name",
        "label_limit",
        "label_limit",
        "bad_label",
        "bad_metadata",
    ]


def test_limits_of_one_dialect_are_not_those_of_another() -> None:
    body = encode([{"name": "long_name", "value": 1}])

    assert DIALECT.decode(body, JSON).accepted == 1
    assert make_dialect(SampleLimits(max_name_characters=4)).decode(body, JSON).accepted == 0
    assert DIALECT.decode(body, JSON).accepted == 1


def test_deeply_nested_array_is_refused() -> None:
    with pytest.raises(MalformedBody, match="the JSON is nested too deeply"):
        DIALECT.decode(b"[" * 100_000 + b"]" * 100_000, JSON)


@pytest.mark.parametrize("depth", [40, 1_000, 100_000])
@pytest.mark.parametrize("context", [LINES, ANY], ids=["lines", "any"])
def test_deeply_nested_line_is_refused_alone(depth: int, context: PushContext) -> None:
    deep = b'{"name":"a","value":1,"labels":' + b'{"x":' * depth + b"}" * depth + b"}"

    report = DIALECT.decode(deep + b'\n{"name":"b","value":1}', context)

    assert report.accepted == 1
    assert [one.index for one in report.rejected] == [0]


def test_labels_too_long_to_be_remembered_are_read_alike() -> None:
    items: list[dict[str, object]] = [
        {"name": "a", "value": 1, "labels": {f"l{number}": "v" * 500 for number in range(10)}}
    ]

    assert taken(items) == taken(items)
    assert len(taken(items).groups[0].shape[0][1]) == 10


def test_wide_body_is_refused_before_it_is_looked_at_item_by_item() -> None:
    dialect = make_dialect(SampleLimits(max_items=3))

    with pytest.raises(MalformedBody, match="more commas than 3 items have"):
        dialect.decode(b"[[" + b"1," * 200 + b"1]]", JSON)


def test_labels_longer_than_any_within_the_limits_are_refused() -> None:
    dialect = make_dialect(SampleLimits(max_labels=2, max_label_value_bytes=4, max_name_characters=1))
    longest = {"a": "\u00e9\u00e9", "b": "\U0001f600"}
    items = [
        {"name": "a", "value": 1, "labels": labels} for labels in (longest, {"a": "x" * 400}, {"a": "x" * 5})
    ]

    report = dialect.decode(json.dumps(items, indent=4).encode(), JSON)

    assert report.groups[0].shape[0][1] == tuple(longest.items())
    assert [(one.reason, one.message) for one in report.rejected] == [
        ("label_limit", "labels take 431 bytes, more than any within the limits"),
        ("label_limit", "label a is longer than 4 bytes"),
    ]


@given(st.binary(max_size=200) | TEXTS.map(str.encode), st.sampled_from([JSON, LINES, ANY]))
def test_bytes_are_taken_or_refused(body: bytes, context: PushContext) -> None:
    try:
        report = DIALECT.decode(body, context)
    except MalformedBody:
        return
    assert_right(report, report.accepted + len(report.rejected))


@given(st.lists(ITEMS, min_size=1, max_size=6))
def test_every_array_is_taken_item_by_item(items: list[object]) -> None:
    assert_right(DIALECT.decode(encode(items), JSON), len(items))


@given(st.lists(ITEMS, min_size=1, max_size=6))
def test_lines_are_taken_as_the_same_array_is(items: list[object]) -> None:
    array = DIALECT.decode(encode(items), JSON)
    lines = DIALECT.decode(lines_of(items), LINES)

    assert repr(lines) == repr(array)  # repr: NaN is not itself


@given(st.lists(ITEMS, min_size=1, max_size=6), st.sampled_from([[{}], ["x"]]))
def test_other_items_do_not_depend_on_a_broken_one(items: list[object], broken: list[object]) -> None:
    """A push that can be read in one go is; with a broken item it is read piece by piece."""
    whole = DIALECT.decode(encode(items), JSON)
    with_more = DIALECT.decode(encode([*items, *broken]), JSON)

    assert repr(with_more.groups) == repr(whole.groups)
    rejected = sorted(with_more.rejected, key=lambda one: one.index)
    assert rejected[:-1] == sorted(whole.rejected, key=lambda one: one.index)
    assert rejected[-1].index == len(items)


@given(st.lists(GOOD_ITEMS, min_size=1, max_size=4), st.data())
def test_truncated_body_is_refused_or_gives_only_whole_items(
    items: list[object], data: st.DataObject
) -> None:
    array, lines = encode(items), lines_of(items)
    cut = data.draw(st.integers(0, len(array) - 1))

    with pytest.raises(MalformedBody):
        DIALECT.decode(array[:cut], JSON)
    try:
        report = DIALECT.decode(lines[:cut], LINES)
    except MalformedBody:
        assert not lines[:cut]
    else:
        assert_right(report, lines[:cut].rstrip(b"\n").count(b"\n") + 1)


@given(st.lists(GOOD_ITEMS, min_size=2, max_size=8))
def test_first_value_of_a_series_and_time_is_taken(items: list[dict[str, object]]) -> None:
    report = DIALECT.decode(encode([*items, *items]), JSON)

    assert_right(report, 2 * len(items))
    assert all(index < len(items) for group in report.groups for index in group.items)


@given(st.lists(GOOD_ITEMS, min_size=1, max_size=8))
def test_groups_come_in_order_of_time(items: list[object]) -> None:
    report = DIALECT.decode(encode(items), JSON)

    times = [group.timestamp_ms or RECEIVED_MS for group in report.groups]
    assert times == sorted(times)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.just(math.inf) | st.just(-math.inf))
def test_value_as_text_is_the_value(value: float) -> None:
    report = taken([{"name": "a", "value": repr(value)}, {"name": "b", "value": format_value(value)}])

    assert report.groups[0].values == [value, value]


def test_integers_of_any_length_are_values() -> None:
    report = taken([{"name": "a", "value": LONG}])

    assert report.groups[0].values == [float(LONG)]


def test_reply_counts_what_state_refused_too() -> None:
    assert DIALECT.reply is not None
    report = Report(accepted=3)
    rejected = [Rejection(4, "type_conflict", "held as a counter"), Rejection(1, "bad_name", "name")]

    reply = DIALECT.reply(report, rejected)

    assert reply == Reply(
        200,
        b'{"accepted":3,"rejected":[{"index":1,"reason":"bad_name","message":"name"},'
        b'{"index":4,"reason":"type_conflict","message":"held as a counter"}]}',
        "application/json",
    )


def test_reply_to_a_push_of_which_nothing_was_taken_is_400() -> None:
    assert DIALECT.reply is not None
    rejected = [Rejection(0, "type_conflict", "held as a counter")]

    reply = DIALECT.reply(Report(accepted=0), rejected)

    assert (reply.status, json.loads(reply.body)["accepted"]) == (400, 0)


@pytest.mark.parametrize(
    ("count", "total"), [(0, None), (MAX_LISTED, None), (MAX_LISTED + 1, MAX_LISTED + 1)]
)
def test_reply_lists_the_first_rejections_and_counts_all(count: int, total: int | None) -> None:
    assert DIALECT.reply is not None
    rejected = [Rejection(index, "bad_name", "name") for index in reversed(range(count))]

    answer = json.loads(DIALECT.reply(Report(accepted=1), rejected).body)

    assert [one["index"] for one in answer["rejected"]] == list(range(min(count, MAX_LISTED)))
    assert answer.get("rejected_total") == total


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MalformedBody("why"), 400),
        (WrongToken("why"), 401),
        (Forbidden("why"), 403),
        (WrongMethod("why"), 405),
        (BodyTooLarge("why"), 413),
        (ItemLimit("why"), 422),
        (RateLimited("why", 5), 429),
        (NotReady("why"), 503),
    ],
)
def test_refusal_has_its_status_and_reason(error: PushRejected, status: int) -> None:
    reply = DIALECT.refuse(error)

    assert (reply.status, reply.content_type) == (status, "application/json")
    assert json.loads(reply.body) == {"error": "why", "reason": error.reason}


def test_page_names_every_reason_and_shows_an_item_that_is_taken(repository: Path) -> None:
    page = (repository / "docs" / "dialects" / "samples.md").read_text()
    examples = re.findall(r"```json\n(.*?)```", page, re.DOTALL)

    assert re.findall(r"^\| `([a-z_]+)` \|", page.partition("| Reason |")[2], re.MULTILINE) == [*ITEM_REASONS]
    assert taken([json.loads(examples[0])]).accepted == 1
    assert set(json.loads(examples[0])) == {field.name for field in msgspec.structs.fields(Item)}


def test_limits_and_paths() -> None:
    assert DIALECT.paths == ("/api/v1/samples",)
    assert DIALECT.max_body_bytes == 4 * 1024**2
    assert DIALECT.max_inflated_bytes == 32 * 1024**2
    assert DIALECT.token_need is TokenNeed.BEYOND_LOOPBACK
    assert DIALECT.series_class is SeriesClass.POINT
    assert DIALECT.default_interval_seconds == 60
