"""What one item says: the series that it sets and their values, and what it adds. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from pushgateway_bridge.mappings.compiled import Mapping, Metric
from pushgateway_bridge.mappings.values import Refused
from pushgateway_bridge.model.labels import LabelSet, PushGroup, make_label_set
from pushgateway_bridge.model.report import Shape

Part = int | tuple[int | str, ...]
"""A series of an item: the number of its metric, and behind that its labels that are not fixed."""


class ItemShape:
    """The series that an item sets; alike items have the same object, as long as it is remembered."""

    __slots__ = ("duplicate", "identities", "shape")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.identities = frozenset([(family.name, labels) for family, labels in shape])
        self.duplicate = len(self.identities) != len(shape)
        """Whether two of the series are one."""


NO_SERIES: Final = ItemShape(())


class Source:
    """What all series of an item have in common: push group and labels."""

    __slots__ = ("group", "labels", "mapping", "parts", "remembered", "shape")

    def __init__(
        self, mapping: Mapping, group: PushGroup, labels: dict[str, str], *, remembered: bool
    ) -> None:
        self.mapping = mapping
        self.group = group
        self.labels = labels
        self.remembered = remembered
        self.parts: Sequence[Part] = ()
        """Those of its last item, and the series that they are."""
        self.shape = NO_SERIES


class Reading(NamedTuple):
    """What one item says."""

    item: int
    """Its number in the body, from 0."""
    source: Source
    parts: Sequence[Part]
    """What each series of the shape comes from."""
    shape: ItemShape
    values: list[float]
    timestamp_ms: int | None
    additions: list[tuple[Metric, LabelSet, float | int]]
    """What is added, observed, or seen (a hash)."""


def metric_of(metrics: Sequence[Metric], part: Part) -> Metric:
    """The one of *metrics* that *part* comes from."""
    return metrics[part if isinstance(part, int) else int(part[0])]


def labels_of(source: Source, metric: Metric, texts: Sequence[object]) -> LabelSet:
    """The labels of a series of *metric* beyond the push group's; *texts* are its own that are not fixed."""
    own = {one.name: str(value) for one, value in zip(metric.texts, texts, strict=True)}
    return make_label_set(source.labels, metric.fixed, own)


def moment_of(reading: Reading, received_ms: int) -> int:
    """When it was so (Unix ms)."""
    return received_ms if reading.timestamp_ms is None else reading.timestamp_ms


def note_series(
    reading: Reading, received_ms: int, seen: dict[tuple[PushGroup, int], set[tuple[str, LabelSet]]]
) -> None:
    """Raises Refused if another item has set a series of this one at this time."""
    key = (reading.source.group, moment_of(reading, received_ms))
    identities = reading.shape.identities
    known = seen.get(key)
    if known is None:
        seen[key] = set(identities)
        return
    if known.isdisjoint(identities):
        known |= identities
        return
    metrics = reading.source.mapping.metrics
    for part, (family, labels) in zip(reading.parts, reading.shape.shape, strict=True):
        if (family.name, labels) in known:
            metric = metric_of(metrics, part)
            message = f"{family.name}: the push has a value of this series and time already"
            raise Refused("duplicate", message, metric.place)


def duplicate(mapping: Mapping, shape: Shape, parts: Sequence[Part]) -> Refused:
    """The refusal of an item that sets a series twice."""
    seen = set()
    second: Part = 0
    for part, (family, labels) in zip(parts, shape, strict=True):
        if (family.name, labels) in seen:
            second = part
            break
        seen.add((family.name, labels))
    metric = metric_of(mapping.metrics, second)
    hint = ""
    if metric.path is not None and not metric.path.singular:
        hint = "; a label {key: true} tells matches apart"
    message = f"{metric.family.name}: {metric.shown_path}: two values of one series in one item{hint}"
    return Refused("duplicate", message, metric.place)


def check_finite(mapping: Mapping, parts: Sequence[Part], values: Sequence[float]) -> None:
    """Raises Refused if one of *values* is not finite: their sum may be so alone."""
    for part, value in zip(parts, values, strict=True):
        if not math.isfinite(value):
            metric = metric_of(mapping.metrics, part)
            message = f"{metric.family.name}: {metric.shown_path}: the number is out of range"
            raise Refused("not_finite", message, metric.place)
