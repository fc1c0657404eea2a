from __future__ import annotations

import pytest

from pushgateway_bridge.journal.names import GroupRow, Names, definitions_of
from pushgateway_bridge.model.change import Expiry, GroupChange, GroupDefinition, Push, SeriesDefinition
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.state.checkpoint import VERSION, GroupState

GROUP = GroupDefinition((("job", "a"), ("instance", "b")), "pixeltracker", 0)
OTHER = GroupDefinition((("job", "a"), ("instance", "c")), "pixeltracker", 0)
LOAD = SeriesDefinition(1, "node_load1", (), SeriesClass.POINT)
CORES = SeriesDefinition(2, "host_cpu_cores", (), SeriesClass.POINT)


def row(position: int, *definitions: SeriesDefinition) -> GroupRow:
    numbers = [[1.0] for _ in definitions]
    times = [0 for _ in definitions]
    return GroupState(VERSION, position, GROUP, 0, 1, [], list(definitions), numbers, times, times, 99)


def names_with(**rows: GroupRow) -> Names:
    return Names(lambda group_id: rows.get(f"g{group_id}"))


def push(*definitions: SeriesDefinition, group: GroupDefinition | None = None) -> Push:
    return Push(0, [GroupChange(9, 0, 1, (), [], list(definitions), group)])


def test_a_record_defines_what_it_and_later_ones_name() -> None:
    names = names_with()
    names.learn(push(LOAD, group=GROUP), 10)
    names.learn(push(CORES, group=GROUP), 11)

    assert (names.group(9), names.series(9, 1), names.series(9, 2)) == (GROUP, LOAD, CORES)


def test_the_checkpoint_defines_what_freed_records_did() -> None:
    names = names_with(g9=row(50, LOAD))

    assert (names.group(9), names.series(9, 1), names.series(9, 2)) == (GROUP, LOAD, None)


def test_the_checkpoint_adds_to_what_records_define() -> None:
    names = names_with(g9=row(50, LOAD))
    names.learn(push(CORES, group=GROUP), 11)

    assert (names.series(9, 1), names.series(9, 2)) == (LOAD, CORES)


def test_a_record_that_adds_a_series_to_a_checkpointed_group_is_understood() -> None:
    names = names_with(g9=row(50, LOAD))
    names.learn(push(CORES), 60)

    assert (names.group(9), names.series(9, 2)) == (GROUP, CORES)


def test_what_nothing_defines_has_no_name() -> None:
    names = names_with()
    names.learn(push(CORES), 60)

    assert (names.group(9), names.series(9, 1), names.checkpointed_at(9)) == (None, None, 0)


def test_an_expired_series_is_unknown_to_an_older_checkpoint_and_known_to_a_newer_one() -> None:
    for position, expected in ((50, None), (200, LOAD)):
        names = names_with(g9=row(position, LOAD))
        assert names.series(9, 1) == LOAD
        names.forget(Expiry(0, [(9, [1])]), 100)

        assert names.series(9, 1) == expected


def test_a_removed_group_is_unknown_to_an_older_checkpoint() -> None:
    names = names_with(g9=row(50, LOAD))
    names.forget(Expiry(0, [], [9]), 100)

    assert (names.group(9), names.series(9, 1), names.removed_at(9)) == (None, None, 100)


def test_a_number_that_another_group_gets_means_only_that_one() -> None:
    names = names_with()
    names.learn(push(LOAD, group=GROUP), 10)
    names.learn(push(group=OTHER), 11)

    assert (names.group(9), names.series(9, 1)) == (OTHER, None)


@pytest.mark.parametrize(
    ("at", "meant_before"), [((10,), True), ((10, 30), False), ((10, 50), False), ((10, 51), True)]
)
def test_a_newer_checkpoint_tells_what_a_number_meant_unless_it_was_given_anew_between(
    at: tuple[int, ...], meant_before: bool
) -> None:
    definitions = {(9, 1): at, (9, None): (10,)}
    names = Names(lambda _group_id: row(50, LOAD), lambda: definitions)
    names.learn(push(), 20)

    assert names.group(9) == GROUP
    assert names.series(9, 1) == (LOAD if meant_before else None)


def test_a_group_whose_number_is_given_anew_later_is_not_the_later_one() -> None:
    names = Names(lambda _group_id: row(50, LOAD), lambda: {(9, None): (30,)})
    names.learn(push(), 20)

    assert (names.group(9), names.series(9, 1)) == (None, None)


def test_definitions_are_told_by_group_and_series() -> None:
    assert list(definitions_of(push(LOAD, CORES, group=GROUP))) == [(9, None), (9, 1), (9, 2)]
    assert list(definitions_of(Expiry(0, [(9, [1])]))) == []
