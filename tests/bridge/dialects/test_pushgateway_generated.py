"""Bodies that nobody wrote by hand: against other readers of the same formats, and broken in every way."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.pushgateway import DIALECT, PROTOBUF
from pushgateway_bridge.dialects.pushgateway_known import Outlines
from pushgateway_bridge.dialects.pushgateway_outline import SERVER_SERIES, go_number
from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.model.report import GroupReport

NO_NAMES = frozenset({"job"})
NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_:]{0,6}", fullmatch=True).map(lambda name: f"x_{name}x")
LABEL_NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,6}", fullmatch=True).map(lambda name: f"{name}_l")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LABELS = st.dictionaries(LABEL_NAMES, TEXTS.filter(bool), max_size=3)
NUMBERS = st.floats(allow_nan=False) | st.integers(-(10**18), 10**18).map(float)

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def decode(body: bytes, content_type: str = "text/plain") -> GroupReport:
    sent = PushContext(1_769_932_860_000, content_type, path="/metrics/job/j", method="POST")
    (group,) = DIALECT.decode(body, sent).groups
    return group


def series_of(group: GroupReport) -> Series:
    """Name and labels of each pushed line, and its value."""
    series: Series = {}
    for (family, labels), value in zip(group.shape, group.values, strict=True):
        own = dict(labels)
        name = own.pop("__name__", family.name)
        if (family, labels) not in SERVER_SERIES:
            series[name, frozenset(own.items())] = value
    return series


def assert_can_be_stored(group: GroupReport) -> None:
    assert [name for name, _ in group.group] == ["job", "instance"]
    assert group.shape[-1:] == SERVER_SERIES
    assert len(group.shape) == len(group.values)
    assert len({(family.name, labels) for family, labels in group.shape}) == len(group.shape)
    for family, labels in group.shape:
        assert len(family.name) <= 1024
        assert len(family.help) <= 1024
        assert len(labels) <= 42
        assert list(labels) == sorted(labels)
        assert len(dict(labels)) == len(labels)
        assert all(value and len(value.encode()) <= 1100 for _, value in labels)


def taken_or_refused(body: bytes, content_type: str) -> GroupReport | None:
    """The group twice, as the second time the body may be known."""
    first, second = (group_or_reason(body, content_type) for _ in range(2))
    if isinstance(first, str) or isinstance(second, str):
        assert first == second
        return None
    assert first.shape == second.shape
    assert [value.hex() for value in first.values] == [value.hex() for value in second.values]
    assert_can_be_stored(first)
    return first


def group_or_reason(body: bytes, content_type: str) -> GroupReport | str:
    try:
        return decode(body, content_type)
    except PushRejected as refusal:
        return str(refusal)


def escaped(text: str, quote: str = "") -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace(quote, f"\\{quote}") if quote else text


@st.composite
def text_bodies(draw: st.DrawFn) -> str:
    """Gauges, counters and untyped metrics as clients write them."""
    families = draw(st.dictionaries(NAMES, st.lists(LABELS, max_size=4, unique_by=str), max_size=4))
    body = ""
    for name, metrics in families.items():
        if draw(st.booleans()):
            body += f"# HELP {name} {escaped(draw(TEXTS.filter(lambda text: text.strip() == text)))}\n"
        if draw(st.booleans()):
            body += f"# TYPE {name} {draw(st.sampled_from(['gauge', 'untyped']))}\n"
        for labels in metrics:
            pairs = ",".join(f'{label}="{escaped(value, chr(34))}"' for label, value in labels.items())
            braces = f"{{{pairs}}}" if pairs or draw(st.booleans()) else ""
            body += f"{name}{braces} {draw(NUMBERS)!r}\n"
    return body


@given(text_bodies())
def test_text_means_what_another_parser_reads(body: str) -> None:
    expected: Series = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }

    for _ in range(2):
        assert series_of(decode(body.encode())) == expected


def test_everything_that_pythons_client_library_pushes_is_read() -> None:
    registry = CollectorRegistry()
    Gauge("job_last_success_unixtime", "Time 5", registry=registry).set_to_current_time()
    counter = Counter("job_items", "Items\nof\\ a job.", ["kind"], registry=registry)
    counter.labels('a"b').inc(2)
    Histogram("job_seconds", "Durations.", buckets=(0.5, 1, 1e6), registry=registry).observe(0.7)
    Summary("job_bytes", "Sizes.", registry=registry).observe(10)
    text = generate_latest(registry).decode()

    expected: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            if "le" in labels:
                labels["le"] = go_number(float(labels["le"]))
            expected[sample.name, frozenset(labels.items())] = sample.value
    assert expected
    assert series_of(decode(text.encode())) == expected


@given(text_bodies(), st.data())
def test_known_body_with_other_numbers_gives_what_reading_gives(body: str, data: st.DataObject) -> None:
    outlines = Outlines()
    outlines.text(body.encode(), NO_NAMES)
    lines = body.split("\n")[:-1]
    again = "".join(
        f"{line}\n" if line.startswith("#") else f"{line[: line.rindex(' ')]} {data.draw(NUMBERS)!r}\n"
        for line in lines
    )

    known, read = (one.text(again.encode(), NO_NAMES) for one in (outlines, Outlines()))
    assert known == read


def test_outlines_that_are_kept_are_bounded() -> None:
    outlines = Outlines(max_bytes=50)
    shapes = [outlines.text(f"name_{i} 1\n".encode(), NO_NAMES)[0].shape for i in range(10)]

    assert outlines.text(b"name_9 2\n", NO_NAMES)[0].shape is shapes[9]
    assert outlines.text(b"name_0 2\n", NO_NAMES)[0].shape is not shapes[0]


FRAGMENTS = st.sampled_from(
    [
        *(
            "foo",
            "foo_sum",
            "foo_count",
            "foo_bucket",
            "# TYPE foo ",
            "# HELP foo ",
            "job",
            "instance",
            "é",
            "#",
        ),
        *("histogram\n", "summary\n", "gauge\n", "gaugehistogram\n", "counter\n", "push_time_seconds 1\n"),
        *('{le="1"}', '{quantile="0.5"}', '{a="b"}', '{a="b",', '{job="a"}', '{instance="b"}', '{"foo"} 1\n'),
        *(
            "{",
            "}",
            '"',
            "\\",
            "=",
            ",",
            " ",
            " 1\n",
            " 2\n",
            " -1\n",
            " NaN\n",
            " +Inf\n",
            " 1e999\n",
            " 5 5\n",
        ),
        *("\n", "\t", "\x00", "\udcff"),
    ]
)


@given(
    st.binary(max_size=100)
    | st.lists(FRAGMENTS, max_size=25).map("".join).map(lambda text: text.encode(errors="surrogateescape"))
)
@settings(max_examples=400)
def test_any_text_is_taken_or_refused(body: bytes) -> None:
    taken_or_refused(body, "text/plain")


@given(text_bodies(), st.integers(0, 300), st.binary(max_size=3))
def test_torn_text_is_taken_or_refused(body: str, at: int, put: bytes) -> None:
    data = body.encode()

    taken_or_refused(data[:at] + put + data[at:], "text/plain")
    torn = data[:at]
    taken = taken_or_refused(torn, "text/plain")
    assert (taken is None) or torn.endswith(b"\n") or not torn, "what is torn within a line is never taken"


# A protobuf message is a list of its fields: number, and a float, a count, a text or a message.

Field = tuple[int, "float | int | str | list[Field]"]
TYPES = {"counter": 0, "gauge": 1, "summary": 2, "untyped": 3, "histogram": 4}
SAID_IN = {"gauge": 2, "counter": 3, "summary": 4, "untyped": 5, "histogram": 7}


def varint(number: int) -> bytes:
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


def encode(message: Sequence[Field]) -> bytes:
    encoded = b""
    for number, value in message:
        if isinstance(value, float):
            encoded += varint(number << 3 | 1) + struct.pack("<d", value)
        elif isinstance(value, int):
            encoded += varint(number << 3) + varint(value)
        else:
            inner = value.encode() if isinstance(value, str) else encode(value)
            encoded += varint(number << 3 | 2) + varint(len(inner)) + inner
    return encoded


def delimited(message: Sequence[Field]) -> bytes:
    encoded = encode(message)
    return varint(len(encoded)) + encoded


def label_fields(labels: Mapping[str, str]) -> list[Field]:
    return [(1, [(1, name), (2, value)]) for name, value in labels.items()]


@st.composite
def protobuf_bodies(draw: st.DrawFn) -> tuple[bytes, Series]:
    """A body, and the series that it means."""
    body = b""
    series: Series = {}
    for name in draw(st.lists(NAMES, max_size=3, unique=True)):
        kind = draw(st.sampled_from(sorted(TYPES)))
        metrics: list[Field] = []
        for labels in draw(st.lists(LABELS, max_size=3, unique_by=str)):
            own = frozenset(labels.items())
            said: list[Field]
            if kind in ("histogram", "summary"):
                count, total = draw(st.integers(0, 2**53)), draw(NUMBERS)
                series[f"{name}_count", own], series[f"{name}_sum", own] = count, total
                said = [(1, count), (2, total)]
                lines = draw(
                    st.dictionaries(st.floats(-1e9, 1e9).map(lambda one: one + 0.0), NUMBERS, max_size=3)
                )
                if kind == "histogram":
                    for place, bound in enumerate(lines):
                        said.append((3, [(1, place), (2, bound)]))
                        series[f"{name}_bucket", own | {("le", go_number(bound))}] = place
                    series[f"{name}_bucket", own | {("le", "+Inf")}] = count
                else:
                    for bound, value in lines.items():
                        said.append((3, [(1, bound), (2, value)]))
                        series[name, own | {("quantile", go_number(bound))}] = value
            else:
                value = draw(NUMBERS)
                said = [(1, value)]
                series[name, own] = value
            metrics.append((4, [*label_fields(labels), (SAID_IN[kind], said)]))
        body += delimited([(1, name), (2, draw(TEXTS)), (3, TYPES[kind]), *metrics])
    return body, series


@given(protobuf_bodies())
def test_protobuf_means_what_another_encoder_wrote(generated: tuple[bytes, Series]) -> None:
    body, expected = generated

    for _ in range(2):
        assert series_of(decode(body, PROTOBUF)) == expected


@given(protobuf_bodies(), st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
def test_torn_protobuf_is_taken_or_refused(
    generated: tuple[bytes, Series], at: int, put: bytes, cut: int
) -> None:
    body, _ = generated

    taken_or_refused(body[:at], PROTOBUF)
    taken_or_refused(body[:at] + put + body[at + cut :], PROTOBUF)


@given(st.binary(max_size=200))
def test_any_protobuf_is_taken_or_refused(body: bytes) -> None:
    taken_or_refused(body, PROTOBUF)


@pytest.mark.parametrize("value", [0.0, -1.5, math.inf, math.nan, 1e300])
def test_known_protobuf_brings_its_new_numbers(value: float) -> None:
    def body(number: float) -> bytes:
        labelled: Field = (4, [*label_fields({"a": "b"}), (2, [(1, 1.0)])])
        return delimited([(1, "known"), (3, 1), (4, [(2, [(1, number)])]), labelled])

    outlines = Outlines()
    first, _ = outlines.protobuf(body(7.0), NO_NAMES)

    second, values = outlines.protobuf(body(value), NO_NAMES)
    assert second is first
    assert [number.hex() for number in values] == [value.hex(), (1.0).hex()]


def test_label_that_looks_like_a_number_in_protobuf_is_kept() -> None:
    """Nine bytes of a label's value can be what the value of a gauge is; such a body is read each time."""
    texts = ["\t12345678", "\tabcdefgh"]
    bodies = [
        delimited([(1, "looks"), (3, 1), (4, [*label_fields({"a": text}), (2, [(1, 1.0)])])])
        for text in texts
    ]

    values = [dict(decode(body, PROTOBUF).shape[0][1])["a"] for body in (*bodies, *bodies)]

    assert values == texts * 2
