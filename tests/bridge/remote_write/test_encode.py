"""What is encoded reads back with a decoder that shares nothing with it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.remote_write.encode import (
    FIRST_MS,
    LAST_MS,
    STALE,
    doubles,
    head,
    label_bytes,
    labels_of,
    several,
    singles,
)
from tests.bridge.remote import STALE_BITS, Series, decode, faults_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
names = st.from_regex(r"[a-zA-Z_:é€][a-zA-Z0-9_:é€]{0,20}", fullmatch=True).filter(
    lambda name: name != "__name__"
)
label_sets = st.dictionaries(names, texts, max_size=8)
times = st.integers(FIRST_MS, LAST_MS)
bits = st.one_of(
    st.integers(0, 2**64 - 1),
    st.floats().map(lambda value: int.from_bytes(struct.pack("<d", value), "little")),
    st.just(STALE_BITS),
)


def packed(value: int) -> bytes:
    return value.to_bytes(8, "little")


@given(name=names, group=label_sets, labels=label_sets, external=label_sets, value=bits, time=times)
def test_labels_read_back_sorted_without_empty_ones_and_the_series_own_win(
    name: str, group: dict[str, str], labels: dict[str, str], external: dict[str, str], value: int, time: int
) -> None:
    block = label_bytes(name, tuple(group.items()), tuple(labels.items()), external)

    (found,) = decode(singles([head(block)], [packed(value)], time))

    own = {key: text for one in (group, labels) for key, text in one.items() if text} | {"__name__": name}
    expected = {**external, **own}
    assert found == Series(
        tuple(sorted((key, text) for key, text in expected.items() if text)), ((time, value),)
    )
    assert faults_of([found]) == []


def test_a_label_named_like_the_metric_does_not_replace_its_name() -> None:
    block = label_bytes("up", (("__name__", "a"),), (("__name__", "b"),), {"__name__": "c"})

    (found,) = decode(singles([head(block)], doubles([1.0]), FIRST_MS))

    assert found.labels == (("__name__", "up"),)


@given(st.lists(st.floats(), max_size=20))
def test_doubles_keep_every_bit(values: list[float]) -> None:
    assert doubles(values) == [struct.pack("<d", value) for value in values]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("inf"), 0x7FF0000000000000),
        (float("-inf"), 0xFFF0000000000000),
        (0.0, 0),
        (-0.0, 0x8000000000000000),
        (1e308, 0x7FE1CCF385EBC8A0),
        (5e-324, 1),
    ],
    ids=str,
)
def test_odd_values_are_sent_as_they_are(value: float, expected: int) -> None:
    (found,) = decode(singles([head(label_bytes("a", (), (), {}))], doubles([value]), FIRST_MS))

    assert found.samples == ((FIRST_MS, expected),)


def test_an_ordinary_nan_is_no_stale_marker() -> None:
    (found,) = decode(singles([head(label_bytes("a", (), (), {}))], doubles([float("nan")]), FIRST_MS))
    ((_, value),) = found.samples

    assert value & 0x7FF0000000000000 == 0x7FF0000000000000
    assert value not in (0x7FF0000000000000, STALE_BITS)


def test_the_stale_marker_is_the_one_that_prometheus_knows() -> None:
    """https://prometheus.io/docs/specs/prw/remote_write_spec/#stale-markers"""
    (found,) = decode(singles([head(label_bytes("a", (), (), {}))], [STALE], FIRST_MS))

    assert found.samples == ((FIRST_MS, 0x7FF0000000000002),)


@given(label_sets, st.dictionaries(times, bits, min_size=1, max_size=30))
def test_several_samples_of_a_series_read_back_in_order(
    labels: dict[str, str], samples: dict[int, int]
) -> None:
    block = label_bytes("a", tuple(labels.items()), (), {})
    in_order = sorted(samples.items())

    (found,) = decode(several(block, [(time, packed(value)) for time, value in in_order]))

    assert found.samples == tuple(in_order)
    assert dict(found.labels) == {key: text for key, text in labels.items() if text} | {"__name__": "a"}


@given(label_sets, bits, times)
def test_one_sample_is_encoded_the_same_both_ways(labels: dict[str, str], value: int, time: int) -> None:
    block = label_bytes("a", tuple(labels.items()), (), {})

    assert singles([head(block)], [packed(value)], time) == several(block, [(time, packed(value))])


@given(st.lists(st.tuples(label_sets, bits), min_size=1, max_size=10), times)
def test_many_series_at_one_time_read_back_in_their_order(
    rows: list[tuple[dict[str, str], int]], time: int
) -> None:
    heads = [head(label_bytes("a", tuple(labels.items()), (), {})) for labels, _ in rows]

    found = decode(singles(heads, [packed(value) for _, value in rows], time))

    assert [one.samples for one in found] == [((time, value),) for _, value in rows]


@given(st.integers(0, 20_000))
def test_labels_are_found_again_in_a_head_of_any_length(length: int) -> None:
    block = bytes(i & 0xFF for i in range(length))

    assert labels_of(head(block)) == block


@pytest.mark.parametrize("length", [0, 1, 107, 108, 109, 110, 111, 112, 16363, 16364, 16365, 16366, 20_000])
def test_labels_are_found_again_where_a_length_needs_one_more_byte(length: int) -> None:
    block = b"\xff" * length

    assert labels_of(head(block)) == block


@pytest.mark.parametrize("time", [FIRST_MS, LAST_MS, 1_770_000_000_000], ids=["first", "last", "now"])
def test_the_first_and_last_time_read_back(time: int) -> None:
    (found,) = decode(singles([head(label_bytes("a", (), (), {}))], doubles([1.5]), time))

    assert found.samples == ((time, 0x3FF8000000000000),)
