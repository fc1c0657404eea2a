"""Changes become requests in which no remote finds anything to refuse, and nothing of them is lost on the way."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.model.change import Deletion, Expiry, GroupChange, Push
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.remote_write import encode
from pushgateway_bridge.remote_write.batch import (
    SAME_TIME,
    UNNAMED,
    UNSENDABLE_TIME,
    Batch,
    Collector,
    Row,
    Run,
)
from pushgateway_bridge.remote_write.encode import doubles, head, label_bytes
from pushgateway_bridge.remote_write.names import Names
from tests.bridge.remote import decode, value_of
from tests.bridge.remote_write.changes import (
    POINT,
    START_MS,
    Sample,
    arriving,
    defined,
    first_push,
    group_named,
    push,
)


class Collected:
    """A collector, and what it dropped."""

    def __init__(self) -> None:
        self.names = Names({})
        self.dropped: Counter[str] = Counter()
        self.collector = Collector(self.names, self._drop)
        self._position = 0

    def _drop(self, reason: str, samples: int) -> None:
        self.dropped[reason] += samples

    def add(self, *changes: Push | Expiry | Deletion) -> None:
        for change in changes:
            self._position += 1
            self.collector.add(self._position, change)

    def take(self) -> list[Sample]:
        """What a remote reads of the next batch."""
        counted = self.collector.samples
        batch = self.collector.take()
        found = arriving(batch) if batch.pieces else []
        assert batch.samples == len(found) <= counted
        assert self.collector.samples == 0
        return found


@pytest.fixture
def collected() -> Collected:
    return Collected()


# Times


def test_a_push_is_sent_with_its_own_time(collected: Collected) -> None:
    collected.add(first_push(5, {1: 1.0, 2: 2.0}, received=99))

    assert collected.take() == [("a one", 5, 1.0), ("b one", 5, 2.0)]
    assert collected.take() == []


def test_pushes_of_several_groups_stand_in_one_batch(collected: Collected) -> None:
    collected.add(
        first_push(5, {1: 1.0}), first_push(3, {1: 2.0}, group_id=2), first_push(9, {1: 3.0}, group_id=3)
    )

    assert collected.take() == [("a one", 5, 1.0), ("a two", 3, 2.0), ("a three", 9, 3.0)]


def test_samples_of_a_series_stand_in_time_order(collected: Collected) -> None:
    collected.add(first_push(20, {1: 2.0, 2: 20.0}), push(30, {1: 3.0}), push(10, {1: 1.0, 2: 10.0}))

    assert collected.take() == [
        *(("a one", 10, 1.0), ("a one", 20, 2.0), ("a one", 30, 3.0)),
        *(("b one", 10, 10.0), ("b one", 20, 20.0)),
    ]


def test_a_late_sample_is_sent_with_its_own_time_in_a_later_batch(collected: Collected) -> None:
    collected.add(first_push(20, {1: 2.0}))
    collected.take()
    collected.add(push(10, {1: 1.0}))

    assert collected.take() == [("a one", 10, 1.0)]
    assert collected.dropped == {}


@pytest.mark.parametrize(
    "timestamp_ms", [0, -1, 2**35 - 1, 2**42], ids=["1970", "1969", "before_1971", "after_2109"]
)
def test_a_time_that_cannot_be_sent_is_dropped_and_counted(timestamp_ms: int, collected: Collected) -> None:
    collected.add(first_push(timestamp_ms - START_MS, {1: 1.0, 2: 2.0}))

    assert collected.take() == []
    assert collected.dropped == {UNSENDABLE_TIME: 2}


# One sample per series and millisecond


def test_a_later_value_of_a_millisecond_replaces_one_that_is_not_sent(collected: Collected) -> None:
    collected.add(first_push(10, {1: 1.0, 2: 2.0}), push(10, {1: 5.0}))

    assert collected.take() == [("a one", 10, 5.0), ("b one", 10, 2.0)]
    assert collected.dropped == {SAME_TIME: 1}


def test_a_later_value_of_a_millisecond_that_was_sent_is_dropped(collected: Collected) -> None:
    collected.add(first_push(10, {1: 1.0}))
    collected.take()
    collected.add(push(10, {1: 5.0, 2: 6.0}, definitions=defined((2, "b", POINT))))

    assert collected.take() == [("b one", 10, 6.0)]
    assert collected.dropped == {SAME_TIME: 1}


def test_a_batch_of_nothing_but_repeated_milliseconds_is_empty(collected: Collected) -> None:
    collected.add(first_push(10, {1: 1.0}))
    collected.take()
    collected.add(push(10, {1: 5.0}), push(10, {1: 6.0}))

    assert collected.take() == []
    assert collected.dropped == {SAME_TIME: 2}


def test_the_same_millisecond_of_another_group_is_no_repetition(collected: Collected) -> None:
    collected.add(first_push(10, {1: 1.0}))
    collected.take()
    collected.add(first_push(10, {1: 2.0}, group_id=2))

    assert collected.take() == [("a two", 10, 2.0)]
    assert collected.dropped == {}


def test_a_sent_millisecond_is_dropped_also_behind_a_newer_sample_of_the_same_batch(
    collected: Collected,
) -> None:
    collected.add(first_push(10, {1: 1.0}))
    collected.take()
    collected.add(push(11, {1: 2.0}), push(10, {1: 5.0}))

    assert collected.take() == [("a one", 11, 2.0)]
    assert collected.dropped == {SAME_TIME: 1}


# The end of series


def test_an_expiry_ends_its_series_and_no_other(collected: Collected) -> None:
    collected.add(first_push(10, {1: 1.0, 2: 2.0}))
    collected.take()
    collected.add(Expiry(START_MS + 70_000, [(1, [2])]))

    assert collected.take() == [("b one", 70_000, "stale")]


def test_an_expiry_is_told_in_the_pushers_time(collected: Collected) -> None:
    """A host whose clock is 30 s ahead ends 60 s after its last sample by its own clock, too."""
    collected.add(first_push(40_000, {1: 1.0}, received=10_000))
    collected.take()
    collected.add(Expiry(START_MS + 70_000, [(1, [1])]))

    assert collected.take() == [("a one", 100_000, "stale")]


def test_an_expiry_stands_behind_the_newest_sample_when_the_clock_fell_back(collected: Collected) -> None:
    collected.add(first_push(80_000, {1: 1.0}, received=80_000))
    collected.take()
    collected.add(Expiry(START_MS + 70_000, [(1, [1])]))

    assert collected.take() == [("a one", 80_001, "stale")]


def test_an_expiry_in_the_batch_of_the_last_sample_stands_behind_it(collected: Collected) -> None:
    collected.add(first_push(10, {1: 1.0}), push(20, {1: 2.0}), Expiry(START_MS + 60_020, [(1, [1])]))

    assert collected.take() == [("a one", 10, 1.0), ("a one", 20, 2.0), ("a one", 60_020, "stale")]


def test_an_expiry_of_what_was_sent_by_another_process_is_told_in_the_bridges_time(
    collected: Collected,
) -> None:
    collected.names.define(1, group_named("one"), defined((1, "a", POINT)))
    collected.add(Expiry(START_MS + 70_000, [(1, [1])]))

    assert collected.take() == [("a one", 70_000, "stale")]


def test_a_series_that_comes_back_after_its_end_is_sent_again(collected: Collected) -> None:
    collected.add(first_push(10, {1: 1.0}), Expiry(START_MS + 60_010, [(1, [1])]))
    collected.take()
    collected.add(push(70_000, {2: 2.0}, definitions=defined((2, "a", POINT))))

    assert collected.take() == [("a one", 70_000, 2.0)]


@pytest.mark.parametrize(
    "change", [Deletion(START_MS + 99, [1]), Expiry(START_MS + 99, [], [1])], ids=["del", "exp"]
)
def test_the_end_of_a_group_ends_all_of_its_series(change: Deletion | Expiry, collected: Collected) -> None:
    collected.add(first_push(10, {1: 1.0, 2: 2.0}), first_push(10, {1: 3.0}, group_id=2))
    collected.take()
    collected.add(change)

    assert collected.take() == [("a one", 99, "stale"), ("b one", 99, "stale")]


def test_the_end_of_an_unknown_group_sends_nothing(collected: Collected) -> None:
    collected.add(Deletion(START_MS, [7]), Expiry(START_MS, [(8, [1])], [9]))

    assert collected.take() == []


def test_the_end_of_series_that_are_scraped_sends_nothing(collected: Collected) -> None:
    collected.add(
        push(0, {1: 1.0}, definitions=defined((1, "a", SeriesClass.HELD)), group=group_named("one")),
        Deletion(START_MS + 5, [1]),
    )

    assert collected.take() == []


# What is not sent


def test_aggregates_and_held_samples_are_never_sent(collected: Collected) -> None:
    definitions = defined((1, "a", SeriesClass.AGGREGATE), (2, "b", POINT), (3, "c", SeriesClass.HELD))
    collected.add(push(10, {1: 1.0, 2: 2.0, 3: 3.0}, definitions=definitions, group=group_named("one")))
    collected.add(push(20, {3: 3.0, 2: 2.5, 1: 1.0}), push(30, {1: 1.0}))

    assert collected.take() == [("b one", 10, 2.0), ("b one", 20, 2.5)]
    assert collected.dropped == {}


@pytest.mark.parametrize(
    "unknown",
    [push(10, {1: 1.0, 2: 2.0}, group_id=9), push(10, {1: 1.0, 9: 2.0})],
    ids=["group", "one_series_of_a_push"],
)
def test_samples_of_unknown_numbers_are_counted_as_unnamed(unknown: Push, collected: Collected) -> None:
    collected.add(first_push(5, {1: 0.0}))
    collected.take()
    collected.add(unknown)

    assert collected.take() == []
    assert collected.dropped == {UNNAMED: 2}


def test_definitions_of_an_unknown_group_make_it_no_known_one(collected: Collected) -> None:
    collected.add(push(10, {1: 1.0}, definitions=defined((1, "a", POINT))))

    assert collected.take() == []
    assert collected.dropped == {UNNAMED: 1}


def test_a_push_without_values_sends_nothing(collected: Collected) -> None:
    collected.add(Push(START_MS, [GroupChange(1, START_MS, 1, (), [], [], group_named("one"))]))

    assert collected.take() == []
    assert collected.dropped == {}


# All together

pushes = st.lists(
    st.tuples(
        st.integers(1, 3),  # the group
        st.integers(0, 6),  # the time
        st.sets(st.integers(1, 3), min_size=1),  # the series
    ),
    max_size=30,
)
INSTANCES = {1: "one", 2: "two", 3: "three"}


@given(pushes)
def test_of_what_stands_in_one_batch_the_last_value_of_each_millisecond_arrives(
    steps: list[tuple[int, int, set[int]]],
) -> None:
    collected = Collected()
    latest: dict[tuple[str, int], float] = {}
    accepted = 0
    for step, (group_id, at, numbers) in enumerate(steps):
        collected.add(first_push(at, dict.fromkeys(sorted(numbers), float(step)), group_id=group_id))
        latest |= {(f"{'abc'[number - 1]} {INSTANCES[group_id]}", at): float(step) for number in numbers}
        accepted += len(numbers)

    assert {(series, at): value for series, at, value in collected.take()} == latest
    assert collected.dropped[SAME_TIME] == accepted - len(latest)


@given(pushes, st.sets(st.integers(0, 30)))
def test_every_value_arrives_or_is_counted(
    steps: list[tuple[int, int, set[int]]], batch_ends: set[int]
) -> None:
    collected = Collected()
    arrived: list[Sample] = []
    for step, (group_id, at, numbers) in enumerate(steps):
        collected.add(first_push(at, dict.fromkeys(sorted(numbers), float(step)), group_id=group_id))
        if step in batch_ends:
            arrived += collected.take()
    arrived += collected.take()

    assert len(arrived) + collected.dropped[SAME_TIME] == sum(len(numbers) for *_, numbers in steps)
    assert collected.dropped.keys() <= {SAME_TIME}


def test_remotes_that_encode_the_same_series_at_once_do_not_mix_their_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each remote has a thread, and the names are shared; the second comes in while the first encodes."""
    names = Names({})
    group = names.define(1, group_named("one"), defined((1, "a", POINT)))
    assert group is not None
    heads, _ = group.layout((1,))
    tail = encode.tail
    other = threading.Thread(target=lambda: Row(heads, [2.0], START_MS + 2).encode())

    def interrupted(timestamp_ms: int) -> bytes:
        monkeypatch.setattr(encode, "tail", tail)
        other.start()
        other.join(1.0)  # it may have to wait for us
        return tail(timestamp_ms)

    monkeypatch.setattr(encode, "tail", interrupted)
    message = Row(heads, [1.0], START_MS + 1).encode()
    other.join()

    assert [(at - START_MS, value_of(bits)) for one in decode(message) for at, bits in one.samples] == [
        (1, 1.0)
    ]


# Halves

HEADS = [head(label_bytes(f"m{i}", (), (("instance", "x"),), {})) for i in range(12)]
rows = st.tuples(st.sets(st.integers(0, 11), min_size=1), st.integers(0, 99)).map(
    lambda row: Row(
        [HEADS[i] for i in sorted(row[0])], doubles([float(i) for i in sorted(row[0])]), START_MS + row[1]
    )
)
runs = st.tuples(st.integers(0, 11), st.sets(st.integers(0, 99), min_size=2)).map(
    lambda run: Run(HEADS[run[0]], [(START_MS + at, doubles([float(at)])[0]) for at in sorted(run[1])])
)
pieces = st.lists(st.one_of(rows, runs), min_size=1, max_size=8)


def loose(batch: Batch) -> list[tuple[str, int, int]]:
    """Series, time and bits of each sample, in order."""
    return [(one.name, at, bits) for one in decode(batch.encode()) for at, bits in one.samples]


def parted(batch: Batch) -> list[Batch]:
    """*batch* halved until each part has one sample."""
    if batch.samples == 1:
        return [batch]
    first, second = batch.halves()
    assert first.samples > 0
    assert second.samples > 0
    assert loose(first) + loose(second) == loose(batch)
    return parted(first) + parted(second)


@given(pieces)
def test_halves_part_a_batch_down_to_its_single_samples(given_pieces: list[Row | Run]) -> None:
    batch = Batch(given_pieces)

    parts = parted(batch)

    assert [sample for part in parts for sample in loose(part)] == loose(batch)
    assert len(parts) == batch.samples
    assert sum(len(arriving(part)) for part in parts) == batch.samples
