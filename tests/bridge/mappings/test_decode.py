from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushgateway_bridge.dialects.dialect import PushContext, Pusher, PushLimits
from pushgateway_bridge.dialects.mapped import ITEM_REASONS, PATH
from pushgateway_bridge.errors import ItemLimit, MalformedBody, PushRejected
from pushgateway_bridge.mappings.compiled import Mapping, Mappings
from pushgateway_bridge.mappings.load import parse_mapping
from pushgateway_bridge.mappings.pushes import MappedPushes
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.report import GroupReport, Report
from pushgateway_bridge.model.text import format_value, render_labels, series_prefix
from pushgateway_bridge.model.timestamps import MAX_AGE_MS, MAX_AHEAD_MS, format_iso8601_ms

CASES = Path(__file__).parent / "cases"
MEDIA_TYPES = {".json": "application/json", ".ndjson": "application/x-ndjson"}
BODIES = sorted(file for file in CASES.glob("*/*") if file.suffix in MEDIA_TYPES)
MAPPINGS = {file.parent.name: file.read_text() for file in sorted(CASES.glob("*/mapping.yml"))}
RECEIVED_MS = 1_769_932_860_000
SECRET = b"a secret of the bridge's own"


def pushes_of(*texts: str) -> MappedPushes:
    """The mappings ``m0``, ``m1`` and so on."""
    mappings = [parse_mapping(text, f"m{number}") for number, text in enumerate(texts)]
    return using(*mappings)


def using(*mappings: Mapping) -> MappedPushes:
    return MappedPushes(Mappings({one.name: one for one in mappings}), lambda: SECRET)


ALL = using(*[parse_mapping(text, name) for name, text in MAPPINGS.items()])


def context_of(name: str, content_type: str = "application/json", **others: Any) -> PushContext:
    context = PushContext(RECEIVED_MS, content_type, path=f"{PATH}{name}")
    return msgspec.structs.replace(context, **others)


def decode(pushes: MappedPushes, document: object, **others: Any) -> Report:
    """The report of *document* by the first mapping."""
    return pushes.decode(json.dumps(document).encode(), context_of("m0", **others))


def series_of(group: GroupReport) -> list[str]:
    """A line for each value and each addition of *group*."""
    rendered = render_labels(group.group)
    lines = []
    for (family, labels), value in zip(group.shape, group.values, strict=True):
        unit = f" in {family.unit}" if family.unit else ""
        help_text = f" {family.help!a}" if family.help else ""
        lines.append(
            f"{series_prefix(family.name, rendered, labels)}{format_value(value)} # {family.type}{unit}{help_text}"
        )
    for increment in group.increments:
        prefix = series_prefix(increment.family.name, rendered, increment.labels)
        lines.append(f"{prefix}+ {format_value(increment.amount)} # {increment.family.type}")
    for observation in group.observations:
        prefix = series_prefix(observation.family.name, rendered, observation.labels)
        lines.append(f"{prefix}observes {format_value(observation.value)} # {observation.family.buckets}")
    for seen in group.distinct:
        prefix = series_prefix(seen.family.name, rendered, seen.labels)
        lines.append(f"{prefix}sees {seen.hash64:016x} # {seen.family.type}")
    return lines


def outcome_of(name: str, body: bytes, content_type: str) -> str:
    """The series of a push and its reply, as its case has them."""
    dialect = ALL.dialect
    assert dialect.reply is not None
    lines = []
    try:
        report = ALL.decode(body, context_of(name, content_type))
    except PushRejected as error:
        reply = dialect.refuse(error)
    else:
        reply = dialect.reply(report, report.rejected)
        for group in report.groups:
            assert group.series_class is not None
            time = "none" if group.timestamp_ms is None else format_iso8601_ms(group.timestamp_ms)
            items = ",".join(map(str, group.items))
            lines.append(
                f"# {group.series_class.name} time_to_live={group.time_to_live_seconds} time={time} items={items}"
            )
            lines += series_of(group)
    answer = json.loads(reply.body)
    rejected = answer.pop("rejected", [])
    lines.append(f"# {reply.status} {json.dumps(answer)}")
    lines += [f"# {one['index']} {one['reason']}: {one['message']}" for one in rejected]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("body", BODIES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_body_gives_its_series_and_reply(body: Path, update_golden: bool) -> None:
    outcome = outcome_of(body.parent.name, body.read_bytes(), MEDIA_TYPES[body.suffix])
    expected = body.with_suffix(".prom")
    if update_golden:
        expected.write_text(outcome)

    assert outcome == expected.read_text()


def test_every_case_has_its_outcome() -> None:
    outcomes = sorted(file.with_suffix("") for file in CASES.glob("*/*.prom"))

    assert [file.with_suffix("") for file in BODIES] == outcomes


def test_every_reason_of_decoding_has_a_case() -> None:
    outcomes = "".join(file.read_text() for file in CASES.glob("*/*.prom"))

    assert [one for one in ITEM_REASONS if f" {one}: " not in outcomes] == [
        "label_cap"
    ]  # that is the tally's


def test_outcome_does_not_depend_on_what_came_before() -> None:
    """Series are remembered from push to push."""
    for name in MAPPINGS:
        fresh = using(*ALL.mappings.by_name.values())
        for body in [one for one in reversed(BODIES) if one.parent.name == name]:
            context = context_of(name, MEDIA_TYPES[body.suffix])
            outcomes = []
            for pushes in (fresh, ALL, ALL):
                try:
                    outcomes.append(repr(pushes.decode(body.read_bytes(), context)))
                except PushRejected as error:
                    outcomes.append(repr(error))
            assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize("name", ["host/whole.json", "greenhouse/everything.json", "strict/apps.json"])
def test_same_series_are_the_same_objects(name: str) -> None:
    """The store looks at once whether they are: see Shape."""
    body = (CASES / name).read_bytes()
    context = context_of(name.split("/", 1)[0])
    first, second = ALL.decode(body, context), ALL.decode(body, context)

    assert [id(one.shape) for one in first.groups] == [id(one.shape) for one in second.groups]
    assert [id(one.group) for one in first.groups] == [id(one.group) for one in second.groups]


def test_items_of_one_source_and_time_are_one_report_with_the_same_shape() -> None:
    pushes = pushes_of("items: $[*]\nlabels: {k: '@.k'}\nmetrics: [{name: a, path: '@.a'}]")
    body = [{"k": "x", "a": 1}, {"k": "y", "a": 2}]
    (first,), (second,) = decode(pushes, body).groups, decode(pushes, body).groups

    assert first.shape is second.shape
    assert (first.values, first.items) == ([1.0, 2.0], (0, 1))


@pytest.mark.parametrize(
    ("pusher", "identity", "group"),
    [
        (None, "", ("m0", "")),
        (Pusher(1, "t", job="bound", instance="host"), "", ("bound", "host")),
        (Pusher(1, "t", job="bound"), "identity: {job: said}", ("said", "")),
        (None, "identity: {instance: $.a}", ("m0", "1")),
        (None, "identity: {job: {path: $.a, values: {1: one}}}", ("one", "")),
    ],
)
def test_identity_is_as_the_mapping_says_or_else_the_token(
    pusher: Pusher | None, identity: str, group: tuple[str, str]
) -> None:
    pushes = pushes_of(f"{identity}\nmetrics: [{{name: a, path: $.a}}]")

    assert [value for _, value in decode(pushes, {"a": 1}, pusher=pusher).groups[0].group] == list(group)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("greenhose", "there is no mapping 'greenhose'; did you mean 'greenhouse'?"),
        ("", "there is no mapping ''; known are events, greenhouse, host, strict"),
        ("greenhouse/x", "there is no mapping 'greenhouse/x'; did you mean 'greenhouse'?"),
    ],
)
def test_unknown_mapping_is_not_found(path: str, message: str) -> None:
    with pytest.raises(PushRejected) as refusal:
        ALL.decode(b"{}", context_of(path))

    assert (refusal.value.status, refusal.value.reason, str(refusal.value)) == (
        404,
        "unknown_mapping",
        message,
    )


@pytest.mark.parametrize("path", ["host", "host/", "%68ost"])
def test_path_may_be_written_in_other_ways(path: str) -> None:
    assert ALL.mapping_at(f"{PATH}{path}").name == "host"


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "a/b"])
def test_media_type_does_not_matter_but_for_lines(content_type: str) -> None:
    body = (CASES / "host/whole.json").read_bytes()

    assert ALL.decode(body, context_of("host", content_type)) == ALL.decode(body, context_of("host"))


@pytest.mark.parametrize(
    ("document", "key"),
    [({"id": "b-1"}, "b-1"), ({"id": 17}, "17"), ({"id": None}, None), ({}, None), ([], None)],
)
def test_body_may_have_a_key_of_its_own(document: object, key: str | None) -> None:
    body = json.dumps(document).encode()

    assert ALL.idempotency_key(body, context_of("greenhouse")) == key
    assert ALL.idempotency_key(body, context_of("host")) is None


def test_key_of_a_body_that_is_none_is_refused() -> None:
    with pytest.raises(MalformedBody, match=r"idempotency: \$\.id: expected a text or number, got an object"):
        ALL.idempotency_key(b'{"id":{}}', context_of("greenhouse"))


def test_hash_of_what_is_counted_depends_on_the_secret_and_the_metric() -> None:
    text = "metrics: [{name: a, path: $.u, operation: distinct}, {name: b, path: $.u, operation: distinct}]"
    mappings = Mappings({"m0": parse_mapping(text, "m0")})
    hashes = set()
    for secret in (b"one", b"two"):
        pushes = MappedPushes(mappings, lambda secret=secret: secret)  # type: ignore[misc]
        hashes |= {seen.hash64 for seen in decode(pushes, {"u": "anna"}).groups[0].distinct}

    assert len(hashes) == 4
    assert all(0 <= one < 2**64 for one in hashes)


def test_too_many_items_refuse_the_push() -> None:
    with pytest.raises(ItemLimit, match=r"items: the body has more items or values than a push may have"):
        decode(pushes_of("items: $[*]\nmetrics: [{name: a, path: '@'}]"), [1] * 4, limits=PushLimits(3))


def test_too_many_lines_refuse_the_push() -> None:
    with pytest.raises(ItemLimit, match="at most 3 items"):
        ALL.decode(b"1\n" * 4, context_of("host", "application/x-ndjson", limits=PushLimits(3)))


@pytest.mark.parametrize("path", ["$[*]", "$..*", "$[*, *]"])
def test_too_many_values_refuse_the_push(path: str) -> None:
    text = f"metrics: [{{name: a, path: '{path}', labels: {{k: {{key: true}}}}}}]"
    with pytest.raises(ItemLimit, match="more items or values"):
        decode(pushes_of(text), [1] * 31, limits=PushLimits(3))


def test_nesting_is_limited() -> None:
    with pytest.raises(MalformedBody, match="nested deeper than 32"):
        ALL.decode(b"[" * 40 + b"]" * 40, context_of("host"))


def test_other_mappings_may_be_used_from_now_on() -> None:
    pushes = pushes_of("metrics: [{name: a, path: $.a}]")
    decode(pushes, {"a": 1})
    dialect = pushes.dialect
    pushes.use(Mappings({"m0": parse_mapping("metrics: [{name: b, path: $.a}]", "m0")}))

    ((family, _),) = dialect.decode(b'{"a":1}', context_of("m0")).groups[0].shape
    assert family.name == "b"


# Whatever the body is

TEXTS = st.text(max_size=8) | st.sampled_from(["n", "open", "gh-1", "1.5", "NaN", "2026-02-01T08:00:30Z"])
NUMBERS = (
    st.integers()
    | st.integers(min_value=10**300, max_value=10**320)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(min_value=RECEIVED_MS / 1000 - 90_000, max_value=RECEIVED_MS / 1000 + 120)
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
NAMES = st.sampled_from(
    [
        *(
            "device",
            "site",
            "readings",
            "ts",
            "zone",
            "temp",
            "door",
            "waterings",
            "kwh",
            "ms",
            "card",
            "lux",
        ),
        *("host", "name", "at", "cpu", "load", "cores", "memory", "used.mib", "disks", "free", "id"),
        *("team", "apps", "t", "version", "workers", "ok", "region", "queues", "length"),
        *("event", "errors", "fatal", "parts", "bytes", "user", "took"),
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | TEXTS, inner, max_size=6),
    max_leaves=25,
)
READING = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("ts", "zone", "temp", "door", "waterings", "kwh", "ms", "card", "lux"), SCALARS | VALUES
    ),
)
BODIES_OF: dict[str, st.SearchStrategy[object]] = {
    "greenhouse": st.fixed_dictionaries(
        {"device": TEXTS | SCALARS, "readings": st.lists(READING, max_size=5)}, optional={"site": SCALARS}
    ),
    "host": st.fixed_dictionaries(
        {"host": st.just({"name": "h"})}, optional={"cpu": VALUES, "disks": VALUES}
    ),
    "strict": st.fixed_dictionaries({"team": TEXTS, "apps": VALUES}),
    "events": st.lists(VALUES, max_size=5),
}


def assert_right(report: Report, mapping: Mapping) -> None:
    """*report* keeps every promise, whatever the body was."""
    taken = {index for group in report.groups for index in group.items}
    refused = [one.index for one in report.rejected]
    assert report.accepted == len(taken)
    assert not taken & set(refused)
    assert len(set(refused)) == len(refused)
    assert taken or refused
    seen = set()
    for group in report.groups:
        assert [name for name, _ in group.group] == ["job", "instance"]
        assert group.timestamp_ms is None or -MAX_AGE_MS <= group.timestamp_ms - RECEIVED_MS <= MAX_AHEAD_MS
        assert group.series_class is mapping.series_class
        assert len(group.items) == max(1, len(group.shape))
        for labels in [
            *(labels for _, labels in group.shape),
            *(one.labels for one in group.increments),
            *(one.labels for one in group.observations),
            *(one.labels for one in group.distinct),
        ]:
            assert list(labels) == sorted(set(labels))
            assert len(labels) <= 38
            assert not {"job", "instance"} & dict(labels).keys()
            assert all(0 < len(text.encode()) <= 1024 for _, text in (*labels, group.group[0]))
        for (family, labels), value in zip(group.shape, group.values, strict=True):
            assert type(value) is float
            assert math.isfinite(value)
            assert family.type != "counter" or value >= 0
            key = (family.name, group.group, labels, group.timestamp_ms or RECEIVED_MS)
            assert key not in seen, "one push gives a series two values at one time"
            seen.add(key)
        assert all(math.isfinite(one.amount) and one.amount >= 0 for one in group.increments)
        assert all(math.isfinite(one.value) for one in group.observations)
    for rejection in report.rejected:
        assert rejection.reason in ITEM_REASONS
        assert 0 < len(rejection.message) <= 301
        rejection.message.encode()


def check(name: str, body: bytes, content_type: str = "application/json") -> None:
    context = context_of(name, content_type)
    try:
        ALL.idempotency_key(body, context)
        report = ALL.decode(body, context)
    except PushRejected:
        with pytest.raises(PushRejected):
            ALL.explain(name, body, context)
        return
    mapping = ALL.mapping(name)
    assert_right(report, mapping)
    explained = ALL.explain(name, body, context)
    msgspec.json.encode(explained)
    assert explained.accepted == report.accepted
    assert len([one for one in explained.series if one.operation in ("set", "total")]) == sum(
        len(group.values) for group in report.groups
    )
    told = {(one.item, one.reason, one.message) for one in explained.refused}
    assert {(one.index, one.reason, one.message) for one in report.rejected} <= told


@pytest.mark.parametrize("name", sorted(MAPPINGS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_body_is_taken_or_refused(name: str, data: st.DataObject) -> None:
    document = data.draw(BODIES_OF[name] | VALUES)

    check(name, json.dumps(document).encode())


@pytest.mark.parametrize("name", sorted(MAPPINGS))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_torn_bodies_and_bytes_are_taken_or_refused(name: str, data: st.DataObject) -> None:
    bodies = [one.read_bytes() for one in BODIES if one.parent.name == name]
    body = data.draw(st.sampled_from(bodies))
    cut: Callable[[bytes], bytes] = data.draw(
        st.sampled_from([lambda text: text, lambda text: text.replace(b'"', b'"\\ud800', 9)])
    )
    start = data.draw(st.integers(0, len(body)))
    inserted = data.draw(st.binary(max_size=6))

    check(
        name,
        cut(body[:start] + inserted + body[start:]),
        data.draw(st.sampled_from(list(MEDIA_TYPES.values()))),
    )


def test_classes_of_the_cases_are_different() -> None:
    assert {one.series_class for one in ALL.mappings.by_name.values()} == {
        SeriesClass.POINT,
        SeriesClass.HELD,
    }
