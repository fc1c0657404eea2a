"""Readings of items → reports of push groups. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pushgateway_bridge.mappings.compiled import Mapping, Operation
from pushgateway_bridge.mappings.reading import ItemShape, Reading, moment_of
from pushgateway_bridge.model.additions import Distinct, Increment, Observation
from pushgateway_bridge.model.labels import PushGroup
from pushgateway_bridge.model.report import GroupReport, Shape


def groups_of(
    mapping: Mapping,
    readings: Sequence[Reading],
    received_ms: int,
    join: Callable[[tuple[ItemShape, ...]], Shape],
) -> tuple[GroupReport, ...]:
    """One report for each push group and time, and one for each item that adds to series: it is refused by itself.

    *join* makes one shape of several.
    """
    buckets: dict[tuple[PushGroup, int | None], list[Reading]] = {}
    groups: list[tuple[int, GroupReport]] = []
    for one in readings:
        if one.additions:
            groups.append((moment_of(one, received_ms), group_of(mapping, one)))
        else:
            buckets.setdefault((one.source.group, one.timestamp_ms), []).append(one)
    for bucket in buckets.values():
        first = bucket[0]
        if len(bucket) == 1:
            group = group_of(mapping, first)
        else:
            group = GroupReport(
                first.source.group,
                join(tuple([one.shape for one in bucket])),
                [value for one in bucket for value in one.values],
                first.timestamp_ms,
                items=tuple([one.item for one in bucket for _ in one.values]),
                series_class=mapping.series_class,
                time_to_live_seconds=mapping.time_to_live_seconds,
            )
        groups.append((moment_of(first, received_ms), group))
    groups.sort(key=lambda one: one[0])
    return tuple([group for _, group in groups])


def group_of(mapping: Mapping, reading: Reading) -> GroupReport:
    """The report of one item."""
    shape = reading.shape.shape
    if not reading.additions:
        return GroupReport(
            reading.source.group,
            shape,
            reading.values,
            reading.timestamp_ms,
            items=(reading.item,) * len(shape),
            series_class=mapping.series_class,
            time_to_live_seconds=mapping.time_to_live_seconds,
        )
    increments: list[Increment] = []
    observations: list[Observation] = []
    distinct: list[Distinct] = []
    for metric, labels, number in reading.additions:
        if metric.operation is Operation.ADD:
            increments.append(Increment(metric.family, labels, number))
        elif metric.operation is Operation.OBSERVE:
            observations.append(Observation(metric.family, labels, number))
        else:
            assert isinstance(number, int)
            distinct.append(Distinct(metric.family, labels, number))
    return GroupReport(
        reading.source.group,
        shape,
        reading.values,
        reading.timestamp_ms,
        increments,
        observations,
        distinct,
        (reading.item,) * (len(shape) or 1),
        mapping.series_class,
        mapping.time_to_live_seconds,
    )


def join(shapes: tuple[ItemShape, ...]) -> Shape:
    """All series of *shapes*, one after the other."""
    return tuple([series for one in shapes for series in one.shape])
