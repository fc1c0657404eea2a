from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.mapped import PATH
from pushgateway_bridge.mappings.compiled import Mappings
from pushgateway_bridge.mappings.load import parse_mapping
from pushgateway_bridge.mappings.pushes import MappedPushes
from pushgateway_bridge.mappings.tally import MappedTally
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.report import Report

NOW_MS = 1_769_932_860_000
POINTS = "items: $[*]\nlabels: {x: {path: '@.x', cap: 2}}\nmetrics: [{name: a, path: '@.a'}]"
ADDED = (
    "items: $[*]\nlabels: {x: {path: '@.x', cap: 2}}\n"
    "metrics: [{name: a_total, path: '@.a', operation: add},"
    " {name: b, path: '@.a', operation: observe, buckets: [1]},"
    " {name: c, path: '@.a', operation: distinct}]"
)
LATER_MS = 301_000
"""After this, point series that were not pushed again have expired."""


class Bridge:
    """A mapping ``m`` with its tally."""

    def __init__(self, text: str) -> None:
        self.mappings = Mappings({"m": parse_mapping(text, "m")})
        self.pushes = MappedPushes(self.mappings, lambda: b"secret")
        self.tally = MappedTally(self.mappings)

    def push(self, items: Sequence[object], now_ms: int = NOW_MS) -> Report:
        context = PushContext(now_ms, "application/json", path=f"{PATH}m")
        report = self.pushes.decode(json.dumps(items).encode(), context)
        plan = self.tally.plan(report, now_ms)
        assert not plan.facts
        return plan.report

    def label_of(self, value: str, now_ms: int = NOW_MS) -> str:
        """What becomes of *value* when it is pushed alone."""
        (group,) = self.push([{"x": value, "a": 1}], now_ms).groups
        ((_, ((_, label),)),) = group.shape
        return label


def test_values_over_the_cap_become_other() -> None:
    bridge = Bridge(POINTS)

    assert [bridge.label_of(value) for value in ("p", "q", "r", "p", "other", "s", "q")] == [
        *("p", "q", "other", "p", "other", "other", "q")
    ]


def test_report_with_nothing_over_a_cap_is_the_same_object() -> None:
    bridge = Bridge(POINTS)
    context = PushContext(NOW_MS, "application/json", path=f"{PATH}m")
    for _ in range(2):
        report = bridge.pushes.decode(b'[{"x":"p","a":1},{"a":2}]', context)

        assert bridge.tally.plan(report, NOW_MS).report is report


def test_shape_over_a_cap_is_the_same_object_each_time() -> None:
    bridge = Bridge(POINTS)
    items = [{"x": value, "a": 1} for value in ("p", "q", "r")]
    first, second = bridge.push(items), bridge.push(items)

    assert first.groups[0].shape is second.groups[0].shape


def test_what_is_added_is_capped_too() -> None:
    bridge = Bridge(ADDED)
    report = bridge.push([{"x": value, "a": 1} for value in ("p", "q", "r", "s")])

    for additions in (
        [one.labels for group in report.groups for one in group.increments],
        [one.labels for group in report.groups for one in group.observations],
        [one.labels for group in report.groups for one in group.distinct],
    ):
        assert [dict(labels)["x"] for labels in additions] == ["p", "q", "other", "other"]
    assert report.accepted == 4


def test_items_that_would_set_the_same_other_are_refused_but_the_first() -> None:
    bridge = Bridge(POINTS)
    report = bridge.push([{"x": value, "a": number} for number, value in enumerate("pqrst")])

    (group,) = report.groups
    assert [
        (dict(labels)["x"], value, item)
        for (_, labels), value, item in zip(group.shape, group.values, group.items, strict=True)
    ] == [("p", 0.0, 0), ("q", 1.0, 1), ("other", 2.0, 2)]
    assert [(one.index, one.reason) for one in report.rejected] == [(3, "label_cap"), (4, "label_cap")]
    assert report.accepted == 3


def test_item_that_is_refused_is_refused_with_all_its_series() -> None:
    bridge = Bridge(
        "items: $[*]\nmetrics: [{name: a, path: '@.a', labels: {x: {path: '@.x', cap: 1}}}, {name: b, path: '@.b'}]"
    )
    report = bridge.push([{"x": "p", "a": 1}, {"x": "q", "a": 2}, {"x": "r", "a": 3, "b": 4}])

    assert [one.index for one in report.rejected] == [2]
    assert [item for group in report.groups for item in group.items] == [0, 1]


def test_series_on_disk_take_their_room_again() -> None:
    bridge = Bridge(POINTS)
    family = Family("a", "gauge", "")
    bridge.label_of("p")
    bridge.tally.restore(
        [], [(family, (("x", "q"),)), (family, (("x", "other"),)), (family, (("y", "1"),))], NOW_MS
    )

    assert [bridge.label_of(value) for value in ("r", "p", "q")] == ["r", "other", "q"]


@pytest.mark.parametrize(
    ("time_to_live", "operation", "label"),
    [
        ("60s", "set", "new"),
        ("4m", "total", "new"),
        ("10m", "set", "other"),
        ("keep", "set", "other"),
        ("60s", "add", "other"),
    ],
)
def test_value_makes_room_when_its_series_are_gone(time_to_live: str, operation: str, label: str) -> None:
    bridge = Bridge(
        f"time_to_live: {time_to_live}\nitems: $[*]\nlabels: {{x: {{path: '@.x', cap: 1}}}}\n"
        f"metrics: [{{name: a_total, path: '@.a', operation: {operation}}}]"
    )

    def push(value: str, now_ms: int) -> str:
        (group,) = bridge.push([{"x": value, "a": 1}], now_ms).groups
        labels = group.shape[0][1] if group.shape else group.increments[0].labels
        return dict(labels)["x"]

    assert push("old", NOW_MS) == "old"
    assert push("new", NOW_MS + 1000) == "other"
    assert push("new", NOW_MS + 2 * LATER_MS) == "other", "it may have come just before the generation ended"
    assert push("new", NOW_MS + 3 * LATER_MS) == label


def test_value_that_goes_on_coming_keeps_its_room() -> None:
    bridge = Bridge(POINTS)
    for minute in range(30):
        assert bridge.label_of("p", NOW_MS + minute * 60_000) == "p"
        assert bridge.label_of(f"new-{minute // 10}", NOW_MS + minute * 60_000) in (
            "other",
            f"new-{minute // 10}",
        )


def test_never_more_values_than_the_cap_within_the_life_of_a_series() -> None:
    bridge = Bridge(POINTS)
    shown: list[tuple[int, str]] = []
    for step in range(200):
        now_ms = NOW_MS + step * 30_000
        shown.append((now_ms, bridge.label_of(f"v{step}", now_ms)))
        alive = {label for time_ms, label in shown if now_ms - time_ms <= 240_000}
        assert len(alive - {"other"}) <= 2
    assert len({label for _, label in shown}) > 10


def test_other_mappings_bring_other_caps_and_keep_what_is_known() -> None:
    bridge = Bridge(POINTS)
    for value in "pqr":
        bridge.label_of(value)
    bridge.tally.use(Mappings({"m": parse_mapping(POINTS.replace("cap: 2", "cap: 3"), "m")}), NOW_MS)

    assert [bridge.label_of(value) for value in ("r", "p", "s")] == ["r", "p", "other"]


def test_default_cap_is_500_values_and_fixed_labels_have_none() -> None:
    text = "items: $[*]\nlabels: {x: '@.x', fixed: y}\nmetrics: [{name: a, path: '@.a'}]"
    caps = parse_mapping(text, "m").caps

    assert {key: cap.number for key, cap in caps.items()} == {("a", "x"): 500}


def test_time_alone_changes_nothing() -> None:
    assert Bridge(POINTS).tally.plan_time(NOW_MS) is None
