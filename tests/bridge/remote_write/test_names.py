"""Numbers in changes mean what their last definition said, until every remote has passed their end."""

from __future__ import annotations

import pytest

from pushgateway_bridge.model.change import GroupDefinition, SeriesDefinition
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.remote_write.encode import doubles, head, label_bytes, singles
from pushgateway_bridge.remote_write.names import GroupNames, Names
from tests.bridge.remote import decode
from tests.bridge.remote_write.changes import POINT, START_MS, defined, group_named


def known(names: Names, group_id: int = 1) -> GroupNames:
    group = names.group(group_id)
    assert group is not None
    return group


@pytest.fixture
def names() -> Names:
    """Group 1 with the series a, b and one that is scraped."""
    names = Names({})
    names.define(1, group_named("one"), defined((1, "a", POINT), (2, "b", POINT), (3, "c", SeriesClass.HELD)))
    return names


def head_of(name: str, instance: str = "one") -> bytes:
    return head(label_bytes(name, group_named(instance).labels, (), {}))


# Definitions


def test_a_definition_gives_the_whole_label_set_with_external_labels() -> None:
    names = Names({"replica": "a", "job": "other"})
    definition = SeriesDefinition(1, "up", (("mode", "idle"),), POINT)
    names.define(1, GroupDefinition((("job", "j"), ("instance", "")), "events", 0), [definition])

    heads, where = known(names).layout((1,))

    (found,) = decode(singles(heads, doubles([1.0]), START_MS))
    assert where is None
    assert found.labels == (("__name__", "up"), ("job", "j"), ("mode", "idle"), ("replica", "a"))


def test_a_group_that_was_never_defined_stays_unknown() -> None:
    names = Names({})

    assert names.define(1, None, defined((1, "a", POINT))) is None
    assert names.group(1) is None
    assert len(names) == 0


def test_a_later_definition_adds_to_a_group(names: Names) -> None:
    names.define(1, None, defined((4, "d", POINT)))

    assert known(names).layout((4, 1)) == ([head_of("d"), head_of("a")], None)


def test_the_same_number_in_another_group_means_something_else(names: Names) -> None:
    names.define(2, group_named("two"), defined((1, "z", POINT)))

    assert known(names, 1).layout((1,)) == ([head_of("a")], None)
    assert known(names, 2).layout((1,)) == ([head_of("z", "two")], None)


def test_a_new_definition_of_a_number_is_used_at_once(names: Names) -> None:
    known(names).layout((1, 2))
    names.define(1, None, defined((1, "x", POINT)))

    assert known(names).layout((1, 2)) == ([head_of("x"), head_of("b")], None)


# Layout


def test_a_layout_has_the_order_of_the_change(names: Names) -> None:
    assert known(names).layout((2, 1)) == ([head_of("b"), head_of("a")], None)
    assert known(names).layout((1, 2)) == ([head_of("a"), head_of("b")], None)


def test_a_layout_leaves_out_what_is_scraped_and_says_where_the_rest_stands(names: Names) -> None:
    assert known(names).layout((3, 2, 3, 1)) == ([head_of("b"), head_of("a")], [1, 3])
    assert known(names).layout((3,)) == ([], [])
    assert known(names).layout(()) == ([], None)


def test_an_unknown_number_raises_also_when_it_is_asked_again(names: Names) -> None:
    for _ in range(2):
        with pytest.raises(KeyError):
            known(names).layout((1, 9))

    assert known(names).layout((1,)) == ([head_of("a")], None)


# Departures


def test_series_are_forgotten_when_every_remote_has_passed_their_end(names: Names) -> None:
    known(names).layout((1, 2))
    names.depart(10, 1, [1])

    names.forget_through(9)
    assert known(names).layout((1, 2)) == ([head_of("a"), head_of("b")], None)

    names.forget_through(10)
    with pytest.raises(KeyError):
        known(names).layout((1, 2))
    assert known(names).layout((2,)) == ([head_of("b")], None)


def test_a_group_is_forgotten_when_every_remote_has_passed_its_end(names: Names) -> None:
    names.depart(10, 1, None)

    names.forget_through(9)
    assert len(names) == 1

    names.forget_through(11)
    assert len(names) == 0


def test_what_several_remotes_say_of_one_end_counts_once(names: Names) -> None:
    names.depart(10, 1, [1])
    names.depart(10, 1, [1])
    names.forget_through(10)
    names.define(1, None, defined((1, "a", POINT)))

    names.forget_through(20)

    assert known(names).layout((1,)) == ([head_of("a")], None)


def test_ends_may_be_told_in_any_order(names: Names) -> None:
    names.define(2, group_named("two"), defined((1, "z", POINT)))
    names.depart(20, 2, None)
    names.depart(10, 1, [2])
    names.depart(10, 2, [1])

    names.forget_through(10)

    assert known(names).layout((1,)) == ([head_of("a")], None)
    assert known(names, 2).heads == {}
    names.forget_through(20)
    assert names.group(2) is None


def test_the_end_of_what_is_forgotten_already_is_no_error(names: Names) -> None:
    names.depart(10, 1, None)
    names.depart(11, 1, [1])
    names.depart(12, 7, None)

    names.forget_through(12)

    assert len(names) == 0


@pytest.mark.parametrize("second", [[2], None], ids=["other_series", "the_group"])
def test_two_ends_of_a_group_in_one_commit_are_both_remembered(
    second: list[int] | None, names: Names
) -> None:
    names.depart(10, 1, [1])
    names.depart(10, 1, second)

    names.forget_through(10)

    group = names.group(1)
    assert group is None or not {1, 2} & group.heads.keys()


def test_what_was_forgotten_can_be_learned_again(names: Names) -> None:
    names.depart(10, 1, None)
    names.forget_through(10)
    names.define(1, group_named("one"), defined((1, "a", POINT)))

    assert known(names).layout((1,)) == ([head_of("a")], None)
