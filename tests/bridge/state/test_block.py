"""Blocks against a plain list of lines, while lines come, go and change."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.model.text import series_prefix
from pushgateway_bridge.state.block import BLOCK_SERIES, Block

LABELS = st.text(alphabet='%srd"\\\n {}0é', max_size=6)
VALUES = st.floats() | st.sampled_from([1e16, 1e-7, -0.0, 1e308, 5e-324])
SUFFIXES = st.sampled_from(["", 'a_created{x="%s"} 1.5\n'])
STEPS = st.lists(
    st.tuples(st.just("place"), LABELS, VALUES, SUFFIXES)
    | st.tuples(st.just("remove"), st.integers(0, 20))
    | st.tuples(st.just("set"), st.integers(0, 20), VALUES)
    | st.just(("render",)),
    max_size=30,
)


def read_back(text: bytes) -> list[tuple[str, float]]:
    lines = [line.rsplit(" ", 1) for line in text.decode().splitlines()]
    return [(name, float(value)) for name, value in lines]


def same(one: list[tuple[str, float]], other: list[tuple[str, float]]) -> bool:
    return [name for name, _ in one] == [name for name, _ in other] and all(
        (a == b and math.copysign(1, a) == math.copysign(1, b)) or (math.isnan(a) and math.isnan(b))
        for (_, a), (_, b) in zip(one, other, strict=True)
    )


@given(STEPS)
def test_renders_what_it_holds(steps: list[tuple[object, ...]]) -> None:
    block = Block()
    held: dict[int, tuple[str, float, str]] = {}
    for step, *arguments in [*steps, ("render",)]:
        if step == "place":
            label, value, suffix = arguments
            prefix = series_prefix("a", "", (("l", str(label)),))
            assert isinstance(value, float)
            held[block.place(prefix, value, str(suffix))] = (prefix, value, str(suffix))
        elif step == "render":
            lines = [held[index] for index in sorted(held)]
            plain = [(prefix[:-1], value) for prefix, value, _ in lines]
            assert same(read_back(block.text(openmetrics=False)), plain)
            every = [
                pair
                for (prefix, value, suffix) in lines
                for pair in ((prefix[:-1], value), *read_back(suffix.encode()))
            ]
            assert same(read_back(block.text(openmetrics=True)), every)
            assert block.empty == (not held)
        elif held:
            number = arguments[0]
            assert isinstance(number, int)
            index = sorted(held)[number % len(held)]
            if step == "remove":
                block.remove(index)
                del held[index]
            else:
                value = arguments[1]
                assert isinstance(value, float)
                block.values[index] = value
                block.changed = True
                held[index] = (held[index][0], value, held[index][2])


def test_a_full_block_gives_back_a_place() -> None:
    block = Block()
    for number in range(BLOCK_SERIES):
        block.place(f"a_{number} ", float(number))
    assert block.full
    assert block.text(openmetrics=True).count(b"\n") == BLOCK_SERIES
    block.remove(7)
    assert b"a_7 " not in block.text(openmetrics=True)
    assert block.place("b ", 1.0) == 7
    assert block.full
    assert block.text(openmetrics=True).splitlines()[6:9] == [b"a_6 6.0", b"b 1.0", b"a_8 8.0"]
