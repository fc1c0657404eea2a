from __future__ import annotations

from pushgateway_bridge.model.labels import make_label_set, make_push_group


def test_label_set_is_sorted_and_without_empty_values() -> None:
    assert make_label_set({"b": "2", "a": "1", "empty": ""}) == (("a", "1"), ("b", "2"))


def test_later_layer_wins_and_may_take_a_label_away() -> None:
    assert make_label_set({"a": "1", "b": "2"}, {"a": "3", "b": ""}) == (("a", "3"),)


def test_label_set_of_nothing_is_empty() -> None:
    assert make_label_set() == ()


def test_label_sets_with_equal_labels_are_one_key() -> None:
    assert {make_label_set({"b": "2", "a": "1"}): 1}[make_label_set({"a": "1"}, {"b": "2"})] == 1


def test_push_group_starts_with_job_and_instance_even_if_empty() -> None:
    assert make_push_group("pixeltracker", "", (("a", "1"),)) == (
        ("job", "pixeltracker"),
        ("instance", ""),
        ("a", "1"),
    )
