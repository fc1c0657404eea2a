"""The caps on labels that come from bodies: the first so many values of each stand, later ones become ``other``.

A value that did not come again for longer than its series stay makes room for another.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from pushgateway_bridge.mappings.compile import merge_caps
from pushgateway_bridge.mappings.compiled import Cap, Mappings
from pushgateway_bridge.model.additions import Distinct, Increment, Observation
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet, PushGroup, make_label_set
from pushgateway_bridge.model.report import GroupReport, Rejection, Report, Shape
from pushgateway_bridge.tallies.caps import OTHER
from pushgateway_bridge.tallies.tally import Fact, Plan

REMEMBERED_SHAPES: Final = 32_768

Added = TypeVar("Added", Increment, Observation, Distinct)

CapKey = tuple[str, str]
"""Family and label."""


class _Values:
    """The values that one capped label has had, in two generations: the older one goes when the younger is old."""

    __slots__ = ("_older", "_younger", "cap", "since_ms")

    def __init__(self, cap: Cap, now_ms: int) -> None:
        self.cap = cap
        self.since_ms = now_ms
        self._younger: set[str] = set()
        self._older: set[str] = set()

    def is_old(self, now_ms: int) -> bool:
        """Whether a generation has passed by *now_ms*."""
        return now_ms - self.since_ms > self.cap.forgets_seconds * 1000

    def age(self, now_ms: int) -> None:
        """Forget values that did not come within the last generation."""
        self._older, self._younger = self._younger, set()
        self.since_ms = now_ms

    def add(self, value: str) -> None:
        """Note a value that a series has already."""
        if value != OTHER:
            self._younger.add(value)

    def admit(self, value: str) -> str:
        """*value*, or ``other`` if there is no room for it."""
        if value in self._younger or value == OTHER:
            return value
        if value in self._older:
            self._older.discard(value)
        elif len(self._younger) + len(self._older) >= self.cap.number:
            return OTHER
        self._younger.add(value)
        return value


class _Capped(NamedTuple):
    """A shape with its labels within their caps."""

    shape: Shape
    """As it came: kept, so that its identity is not given to another."""
    capped: Shape


class MappedTally:
    """Keeps the labels of all mappings within their caps."""

    def __init__(self, mappings: Mappings) -> None:
        self._values: dict[CapKey, _Values] = {}
        self._shapes: dict[int, _Capped] = {}
        """By the identity of the shape as it came."""
        self._next_look_ms = 0
        self.use(mappings, 0)

    def use(self, mappings: Mappings, now_ms: int) -> None:
        """Take the caps of other *mappings*; values that labels have had stay."""
        caps: dict[CapKey, Cap] = {}
        for mapping in mappings.by_name.values():
            for key, cap in mapping.caps.items():
                caps[key] = merge_caps(caps.get(key), cap)
        kept = self._values
        self._values = {}
        for key, cap in caps.items():
            values = self._values[key] = kept.get(key) or _Values(cap, now_ms)
            values.cap = cap
        self._shapes.clear()

    def restore(self, facts: Iterable[Fact], series: Iterable[tuple[Family, LabelSet]], now_ms: int) -> None:
        """Begin anew with the values that the labels of *series* have; there are no *facts*."""
        del facts
        self._values = {key: _Values(one.cap, now_ms) for key, one in self._values.items()}
        self._shapes.clear()
        for family, labels in series:
            for name, value in labels:
                values = self._values.get((family.name, name))
                if values is not None:
                    values.add(value)

    def plan_time(self, now_ms: int) -> Plan | None:
        """Nothing changes with time alone: room is made when a push comes."""
        del now_ms
        return None

    def plan(self, report: Report, received_ms: int) -> Plan:
        """*report* with its labels within their caps."""
        if not self._values:
            return Plan(report)
        self._age(received_ms)
        groups = [self._within(one) for one in report.groups]
        if all(map(_is_same, groups, report.groups)):
            return Plan(report)
        return Plan(_without_duplicates(msgspec.structs.replace(report, groups=groups)))

    def _age(self, now_ms: int) -> None:
        if now_ms < self._next_look_ms:
            return
        old = [one for one in self._values.values() if one.is_old(now_ms)]
        for one in old:
            one.age(now_ms)
        if old:
            self._shapes.clear()
        forgets = [one.cap.forgets_seconds for one in self._values.values()]
        shortest = min([seconds for seconds in forgets if math.isfinite(seconds)], default=3600.0)
        self._next_look_ms = now_ms + round(shortest * 100)

    def _within(self, group: GroupReport) -> GroupReport:
        shape = self._shape(group.shape)
        if not (group.increments or group.observations or group.distinct):
            if shape is group.shape:
                return group
            return msgspec.structs.replace(group, shape=shape)
        return msgspec.structs.replace(
            group,
            shape=shape,
            increments=[self._addition(one) for one in group.increments],
            observations=[self._addition(one) for one in group.observations],
            distinct=[self._addition(one) for one in group.distinct],
        )

    def _addition(self, one: Added) -> Added:
        labels = self._labels(one.family, one.labels)
        return one if labels is one.labels else msgspec.structs.replace(one, labels=labels)

    def _shape(self, shape: Shape) -> Shape:
        """*shape* within the caps: the same object if nothing is over one."""
        known = self._shapes.get(id(shape))
        if known is not None:
            return known.capped
        capped = tuple([(family, self._labels(family, labels)) for family, labels in shape])
        if all(one[1] is other[1] for one, other in zip(capped, shape, strict=True)):
            capped = shape
        if len(self._shapes) >= REMEMBERED_SHAPES:
            self._shapes.clear()
        self._shapes[id(shape)] = _Capped(shape, capped)
        return capped

    def _labels(self, family: Family, labels: LabelSet) -> LabelSet:
        changed: dict[str, str] = {}
        for name, value in labels:
            values = self._values.get((family.name, name))
            if values is not None:
                admitted = values.admit(value)
                if admitted != value:
                    changed[name] = admitted
        return make_label_set(dict(labels), changed) if changed else labels


def _is_same(one: GroupReport, other: GroupReport) -> bool:
    return one is other


def _without_duplicates(report: Report) -> Report:
    """*report* without items of which a series has become one that another item of the push sets too."""
    seen: dict[tuple[PushGroup, int | None], set[tuple[str, LabelSet]]] = {}
    refused: dict[int, Rejection] = {}
    for group in report.groups:
        known = seen.setdefault((group.group, group.timestamp_ms), set())
        for item, series in _by_item(group):
            names = [(family.name, labels) for family, labels in series]
            if len(set(names)) < len(names) or not known.isdisjoint(names):
                refused[item] = Rejection(
                    item, "label_cap", "a label has as many values as it may, and two series would become one"
                )
            else:
                known.update(names)
    if not refused:
        return report
    groups = [kept for one in report.groups if (kept := _without(one, refused)) is not None]
    rejected = [*report.rejected, *refused.values()]
    return msgspec.structs.replace(
        report, groups=groups, accepted=report.accepted - len(refused), rejected=rejected
    )


def _by_item(group: GroupReport) -> list[tuple[int, list[tuple[Family, LabelSet]]]]:
    items: dict[int, list[tuple[Family, LabelSet]]] = {}
    for item, series in zip(group.items, group.shape, strict=False):  # of what only adds, the shape is empty
        items.setdefault(item, []).append(series)
    return list(items.items())


def _without(group: GroupReport, refused: Mapping[int, Rejection]) -> GroupReport | None:
    """*group* without the items that are *refused*; ``None`` if nothing is left."""
    if not any(item in refused for item in group.items):
        return group
    kept: Sequence[int] = [number for number, item in enumerate(group.items) if item not in refused]
    if not kept:
        return None
    return msgspec.structs.replace(
        group,
        shape=tuple([group.shape[number] for number in kept]),
        values=[group.values[number] for number in kept],
        items=tuple([group.items[number] for number in kept]),
    )
