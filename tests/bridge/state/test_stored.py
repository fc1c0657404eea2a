from __future__ import annotations

import msgspec
import pytest

from pushgateway_bridge.model.change import GroupDefinition, SeriesDefinition
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.state.checkpoint import VERSION, GroupState
from pushgateway_bridge.state.distinct import DistinctCount
from pushgateway_bridge.state.stored import check_sketch, decode_group

STATE = GroupState(
    VERSION,
    5,
    GroupDefinition((("job", "a"), ("instance", "b")), "pixeltracker", 0),
    0,
    1,
    [],
    [SeriesDefinition(1, "up", (), SeriesClass.POINT)],
    [[1.0]],
    [0],
    [0],
    2,
)


def sketch_of(people: int) -> bytes:
    count = DistinctCount()
    for person in range(people):
        count.add(person, 0)
    body = count.hour_body(0)
    assert body is not None
    return body


def test_a_group_is_given_as_it_was() -> None:
    assert decode_group(msgspec.msgpack.encode(STATE)) == STATE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 99}, "has version 99, expected 1"),
        ({"seen_ms": []}, "has 1 series, but 1, 1, 0 of what they hold"),
        ({"numbers": [[]]}, "has 0 numbers for series 1, expected 1"),
        ({"reports": "many"}, "Expected `int`"),
    ],
)
def test_a_group_that_a_replay_could_not_restore_is_told(changes: dict[str, object], message: str) -> None:
    body = msgspec.msgpack.encode(msgspec.structs.replace(STATE, **changes))

    with pytest.raises(ValueError, match=message):
        decode_group(body)


def test_text_that_is_no_text_is_told() -> None:
    with pytest.raises(ValueError, match="can't decode byte 0xff"):
        decode_group(msgspec.msgpack.encode(STATE).replace(b"instance", b"instanc\xff"))


@pytest.mark.parametrize("people", [1, 7, 8, 20, 100, 383, 384, 400, 2000, 20_000])
def test_every_form_of_a_sketch_is_accepted_and_not_a_byte_less(people: int) -> None:
    body = sketch_of(people)
    check_sketch(body)

    for length in (0, 5, 8, len(body) - 1):
        with pytest.raises(ValueError, match=r"sketch|header|insufficient"):
            check_sketch(body[:length])


@pytest.mark.parametrize(
    ("people", "place", "value", "message"),
    [
        (5, 2, 9, "is of no sketch that is made here"),
        (5, 3, 21, "is of no sketch that is made here"),
        (5, 5, 0, "is of no sketch that is made here"),
        (5, 6, 255, "a sketch of 1028 bytes has 28"),
        (5, 7, 10, "contradicts itself"),
        (100, 4, 3, "contradicts itself"),
        (100, 11, 255, "contradicts itself"),
        (2000, 39, 200, "contradicts itself"),
    ],
)
def test_a_sketch_that_would_lead_the_library_astray_is_told(
    people: int, place: int, value: int, message: str
) -> None:
    body = bytearray(sketch_of(people))
    body[place] = value

    with pytest.raises(ValueError, match=message):
        check_sketch(bytes(body))
