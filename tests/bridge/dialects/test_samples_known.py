"""A body of samples that is like one read before is read in a shorter way, which takes the same as the long one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects.dialect import PushContext, Pusher, PushLimits
from pushgateway_bridge.dialects.samples import make_dialect
from pushgateway_bridge.dialects.samples_known import MAX_ALIKE, MAX_KEPT_BODY, KnownBodies, make_outline
from pushgateway_bridge.dialects.samples_series import Place, SampleLimits
from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import make_push_group
from pushgateway_bridge.model.timestamps import MAX_AGE_MS, MAX_AHEAD_MS

RECEIVED_MS = 1_769_932_860_000
NOW = RECEIVED_MS // 1000
JSON = PushContext(RECEIVED_MS, "application/json")
LINES = PushContext(RECEIVED_MS, "application/x-ndjson")

LITERALS = st.one_of(
    st.sampled_from(
        ["0", "-0", "-1", "1.5", "1e3", "1E-3", "-0.0", "1e999", "9" * 400, "18446744073709551616"]
    ),
    st.sampled_from(["01", "+1", ".5", "1.", "-", "1e", "1-2", "1.2.3", "1 2", "", "1,2", "1\0"]),
    st.sampled_from(["NaN", "null", "true", '"2"', '"NaN"', str(NOW), str(NOW * 1000)]),
    st.sampled_from([str(NOW - MAX_AGE_MS // 1000 - 5), str(NOW + MAX_AHEAD_MS // 1000 + 5)]),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
"""What stands where numbers do, right or wrong."""
TIMES = st.sampled_from([str(NOW), f"{NOW}.25", str(NOW * 1000), "5", '"x"', "null", "\0", "", f"{NOW}0"])
FIELDS = st.sampled_from(
    ["", ',"type":"counter"', ',"type":"gauge"', ',"time_to_live_seconds":300', ',"help":"a \\"value\\":5"']
)
LABELS = st.sampled_from(
    [
        "",
        ',"labels":{"a":"x"}',
        ',"labels":{"a":"y","job":"j"}',
        ',"labels":{"value":7}',
        f',"labels":{{"timestamp":{NOW}}}',
        ',"labels":{"a":"value"}',
        ',"labels":{"a":"timestamp","b":"\xe4"}',
        ',"labels":{"\\u0076alue":"1"}',
    ]
)
USUAL_NAME = '"value"'
VALUE_NAMES = st.sampled_from(
    ['"value"', '"value"', '"value"', '"\\u0076alue"', '"value" ', '"value":1,"value"']
)


@st.composite
def templates(draw: st.DrawFn) -> str:
    """Bodies with ``@`` where a value, and ``#`` where a time belongs."""
    odd = draw(st.booleans())
    timed = draw(st.booleans())
    spaces = draw(st.sampled_from(["", " ", "  "] if odd else ["", " "]))
    items = []
    for number in range(draw(st.integers(1, 4))):
        has_time = draw(st.booleans()) if odd else timed
        time = f',"timestamp":{spaces}#' if has_time else ""
        name = f'"name":"m{0 if odd and draw(st.booleans()) else number}"'
        value = f"{draw(VALUE_NAMES) if odd else USUAL_NAME}:{spaces}@"
        labels = draw(LABELS) if odd else f',"labels":{{"a":"{number}"}}'
        both = draw(st.sampled_from([[value, name], [name, value]]))
        items.append(
            "{" + ",".join(both) + "".join(draw(st.permutations([labels, time, draw(FIELDS)]))) + "}"
        )
    return "[" + ",".join(items) + "]"


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Two or three bodies that differ in numbers, or in what stands there instead."""
    template = draw(templates())
    same_time = draw(st.booleans())
    bodies = []
    for usual in (True, draw(st.booleans()), False):
        numbers = st.sampled_from(["1", "2.5", "0", "1e2"]) if usual else LITERALS
        times = st.sampled_from([str(NOW), f"{NOW - 7}.5"]) if usual else TIMES | LITERALS
        one_time = draw(times)
        text = "".join(draw(numbers) if character == "@" else character for character in template)
        text = "".join(
            (one_time if same_time else draw(times)) if character == "#" else character for character in text
        )
        bodies.append(text.encode())
    return bodies


def outcome(decode: object, body: bytes, context: PushContext) -> object:
    """What a push gives, such that two that are the same compare equal."""
    assert callable(decode)
    try:
        report = decode(body, context)
    except PushRejected as error:
        return error.status, error.reason, str(error)
    return (
        report.accepted,
        [(one.index, one.reason, one.message) for one in report.rejected],
        repr(report.groups),
    )


@given(alike(), st.sampled_from([JSON, LINES, PushContext(RECEIVED_MS)]))
def test_what_is_taken_does_not_depend_on_what_was_read_before(
    bodies: list[bytes], context: PushContext
) -> None:
    used = make_dialect(SampleLimits()).decode
    for body in bodies * 2:
        assert outcome(used, body, context) == outcome(make_dialect(SampleLimits()).decode, body, context)


def item(value: object, number: int = 0, **fields: object) -> dict[str, object]:
    return {"name": "m", "value": value, "labels": {"n": str(number)}, **fields}


def encoded(*items: object) -> bytes:
    return json.dumps(items, ensure_ascii=False).encode()


def is_known(first: bytes, second: bytes, context: PushContext = JSON) -> bool:
    """Whether the series of *second* are found by what was read in *first*."""
    decode = make_dialect(SampleLimits()).decode
    reports = [decode(body, context) for body in (first, second)]
    (one,), (other,) = (report.groups for report in reports)
    assert one.shape is other.shape
    return decode(second, context).groups[0].items is other.items


@pytest.mark.parametrize(
    "fields", [{}, {"timestamp": NOW}, {"type": "counter", "help": 'say "value":5 or ä'}]
)
def test_body_with_other_numbers_is_known(fields: dict[str, object]) -> None:
    first = encoded(*(item(number, number, **fields) for number in range(3)))
    later = {**fields, "timestamp": NOW + 5.5} if "timestamp" in fields else fields
    second = encoded(*(item(number * 1e9 + 0.5, number, **later) for number in range(3)))

    assert is_known(first, second)


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": {"value": 7}},
        {"labels": {"a": "timestamp"}},
        {"labels": {"a": "\x07"}},
        {"timestamp": None},
    ],
    ids=str,
)
def test_body_whose_numbers_cannot_be_told_apart_is_not_known(fields: dict[str, object]) -> None:
    first, second = (encoded({"name": "m", "value": value, **fields}) for value in (1, 2))

    assert not is_known(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            b'[{"name":"m","value":"5","labels":{"value":7}}]',
            b'[{"name":"m","value":"5","labels":{"value":8}}]',
        ),
        (
            b'[{"name":"a","value":1,"timestamp":%d},{"name":"b","value":1,"timestamp":%d}]' % (NOW, NOW),
            b'[{"name":"a","value":1,"timestamp":%d},{"name":"b","value":1,"timestamp":\0}]' % NOW,
        ),
        (
            b'[{"name":"a","value":1,"timestamp":%d},{"name":"b","value":1,"timestamp":%d}]' % (NOW, NOW),
            b'[{"name":"a","value":1,"timestamp":%d},{"name":"b","value":1,"timestamp":%d0}]' % (NOW, NOW),
        ),
        (b'[{"name":"m","value":1,"type":"counter"}]', b'[{"name":"m","value":-1,"type":"counter"}]'),
        (
            b'[{"name":"a","value":1,"timestamp":%d.0},{"name":"b","value":1,"timestamp":%d.00}]'
            % (NOW, NOW),
            b'[{"name":"a","value":1,"timestamp":%d},{"name":"b","value":1,"timestamp":%d0}]' % (NOW, NOW),
        ),
        (
            b'[{"name":"a","value":1},{"name":"b","value":2}]',
            b'[{"name":"a","value":1,"value":3},{"name":"b"}]',
        ),
        (
            b'[{"name":"a","value":1},{"name":"b","value":2}]',
            b'[{"name":"a","value":1,2},{"name":"b","value":}]',
        ),
        (b'[{"name":"a","value":1}]', b'[{"name":"a","value":01}]'),
        (b'[{"name":"a","value":1}]', b'[{"name":"a","value":-0}]'),
        (b'[{"name":"a","value":1}]', b'[{"name":"a","value":1e999}]'),
        (b'[{"name":"a","value":1}]', b'[{"name":"a","value":NaN}]'),
        (b'[{"name":"a","value":1}]', b'[{"name":"a","value":\t1}]'),
        (b'[{"name":"a","value":1,"help":"%b"}]', b'[{"name":"a","value":2,"help":"%b"}]'),
        (b'[{"name":"a","value":1,"help":"%b"}]', b'[{"name":"a","value":2,"help":"2"}]'),
    ],
)
def test_what_is_else_in_one_body_is_seen(first: bytes, second: bytes) -> None:
    decode = make_dialect(SampleLimits()).decode
    for _ in range(2):
        outcome(decode, first, JSON)

    assert outcome(decode, second, JSON) == outcome(make_dialect(SampleLimits()).decode, second, JSON)


def test_known_body_is_held_against_the_limits_of_its_own_push() -> None:
    decode = make_dialect(SampleLimits()).decode
    body = encoded(item(1, 1), item(2, 2))
    decode(body, JSON)

    with pytest.raises(PushRejected, match="at most 1 items"):
        decode(body, PushContext(RECEIVED_MS, "application/json", limits=PushLimits(max_items=1)))


def test_known_body_of_another_token_is_for_its_own_source() -> None:
    decode = make_dialect(SampleLimits()).decode
    body = encoded(item(1))
    sources = [
        decode(
            body,
            PushContext(RECEIVED_MS, "application/json", Pusher(number, "n", job="j", instance=str(number))),
        )
        .groups[0]
        .group
        for number in (1, 2)
    ]

    assert sources == [make_push_group("j", "1"), make_push_group("j", "2")]


def test_known_bodies_are_bounded_and_the_oldest_go() -> None:
    known = KnownBodies(max_bytes=12_000)
    place = Place(make_push_group("j", "i"), SeriesClass.POINT, None)
    shape = ((Family("m", "gauge", ""), ()),)
    outlines = []
    for number in range(40):
        body = encoded(item(1, number))
        outline = make_outline(body, "application/json", "j", "")
        assert outline is not None
        known.keep(outline, body, place, shape, timed=False, has_counters=False)
        outlines.append((outline, body))
    kept = [known.find(outline, body) is not None for outline, body in outlines]

    assert kept == sorted(kept)
    assert 4 < sum(kept) < 40


def test_bodies_that_differ_late_are_few_under_one_key() -> None:
    known = KnownBodies()
    place = Place(make_push_group("j", "i"), SeriesClass.POINT, None)
    shape = tuple((Family(name, "gauge", ""), ()) for name in "abc")
    kept = []
    for number in range(2 * MAX_ALIKE):
        body = encoded(item(1), item(2), item(3, number))
        outline = make_outline(body, "application/json", "j", "")
        assert outline is not None
        known.keep(outline, body, place, shape, timed=False, has_counters=False)
        kept.append((outline, body))

    assert len({outline.key for outline, _ in kept}) == 1
    assert [known.find(*one) is not None for one in kept] == [False] * MAX_ALIKE + [True] * MAX_ALIKE


def test_bodies_of_one_length_are_known_in_turn() -> None:
    decode = make_dialect(SampleLimits()).decode
    bodies = [
        encoded(*(item(index, index, kind=kind) for index in range(3))).replace(b'"kind"', b'"help"')
        for kind in ("a", "b")
    ]
    items = [decode(body, JSON).groups[0].items for body in bodies * 3]

    assert [len(body) for body in bodies] == [len(bodies[0])] * 2
    assert items[2] is items[4]
    assert items[3] is items[5]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"value": 5}, {"value": 123_456.789}),
        ({"timestamp": NOW + 0.123}, {"timestamp": NOW}),
        ({"timestamp": NOW}, {"timestamp": NOW + 0.123}),
        ({"value": -1, "help": "100 % of %b"}, {"value": 1e-7, "help": "100 % of %b"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("times_first", [False, True])
def test_numbers_may_have_another_length(
    first: dict[str, object], second: dict[str, object], times_first: bool
) -> None:
    def body(fields: dict[str, object]) -> bytes:
        fields = {"timestamp": NOW, **fields} if times_first else fields
        items = [{**item(0, number), **fields} for number in range(4)]
        return encoded(*(dict(sorted(one.items(), reverse=not times_first)) for one in items))

    assert is_known(body(first), body(second))


@pytest.mark.parametrize("names", ["m", "mn"])
@pytest.mark.parametrize("fields", [{}, {"timestamp": NOW}], ids=str)
def test_sources_are_told_apart_by_what_stands_behind_the_numbers(names: str, fields: dict[str, int]) -> None:
    decode = make_dialect(SampleLimits()).decode
    bodies = [
        encoded(*({**fields, "name": name, "value": 1, "labels": {"instance": str(host)}} for name in names))
        for host in range(3 * MAX_ALIKE)
    ]
    first, second, third = ([decode(body, JSON).groups[0] for body in bodies] for _ in range(3))

    assert first == second
    assert [one.items for one in second] == [one.items for one in third]
    assert all(one.items is other.items for one, other in zip(second, third, strict=True))


def test_long_body_has_no_outline() -> None:
    assert make_outline(encoded(item(1)).ljust(MAX_KEPT_BODY + 1), "application/json", "j", "") is None
