"""What a body would become, without storing it: each series, each refusal, and what in the mapping says so. Pure.

What is refused only because of what the bridge holds (another type, no room, a cap) is not among it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.mappings.compiled import Mapping, Metric, Operation
from pushgateway_bridge.mappings.decode import MappedDecoder
from pushgateway_bridge.mappings.items import ALL_METRICS, Item, Refusal, read_items, refusal_of
from pushgateway_bridge.mappings.reading import Reading, metric_of
from pushgateway_bridge.mappings.values import Refused
from pushgateway_bridge.model.labels import LabelSet

MAX_SERIES: Final = 1000
MAX_REFUSED: Final = 100

OperationName = Literal["set", "add", "total", "observe", "distinct"]


class ExplainedSeries(msgspec.Struct, frozen=True):
    """One value, and the metric of the mapping that it comes from."""

    item: int
    name: str
    labels: dict[str, str]
    """With job and instance."""
    value: float | None
    """``None`` where it is only counted who was seen."""
    type: str
    operation: OperationName
    unit: str
    timestamp_ms: int | None
    """The pusher's; ``None``: the time received."""
    line: int
    key: str
    """In the mapping, as ``metrics[0]``."""


class ExplainedRefusal(msgspec.Struct, frozen=True):
    """Why an item is not taken; an item may have several reasons."""

    item: int
    reason: str
    message: str
    line: int
    """0 if it is not the mapping that says so."""
    key: str


class Unmatched(msgspec.Struct, frozen=True):
    """A metric whose path matched nothing in the whole body."""

    name: str
    path: str
    line: int
    key: str


class Explanation(msgspec.Struct, frozen=True):
    """What a body would become."""

    mapping: str
    file: str
    accepted: int
    """Items that would be taken."""
    series: list[ExplainedSeries]
    """The first MAX_SERIES."""
    series_total: int
    refused: list[ExplainedRefusal]
    """Of the first MAX_REFUSED items that are refused."""
    refused_total: int
    """Items that are refused."""
    unmatched: list[Unmatched]
    series_class: str
    """``point`` or ``held``; what is added, observed and counted is always an aggregate."""
    time_to_live_seconds: float | None
    """``None``: three report intervals, or for ever where the class is held."""
    idempotency_key: bool
    """Whether the body has a key of its own."""


def explain(decoder: MappedDecoder, mapping: Mapping, body: bytes, context: PushContext) -> Explanation:
    """What *mapping* makes of *body*. Raises the PushRejected that would refuse the whole push."""
    readings, refusals = decoder.read(mapping, body, context)
    series = [one for reading in readings for one in _series_of(mapping, reading)]
    refused = list(_all_refusals(decoder, mapping, body, context, refusals[:MAX_REFUSED]))
    matched = {one.key for one in series} | {one.key for one in refused}
    unmatched = [
        Unmatched(one.family.name, one.shown_path, one.place.line, one.place.key)
        for one in mapping.metrics
        if one.place.key not in matched
    ]
    held = mapping.series_class.name.lower()
    keeps = mapping.time_to_live_seconds
    return Explanation(
        mapping=mapping.name,
        file=mapping.file,
        accepted=len(readings),
        series=series[:MAX_SERIES],
        series_total=len(series),
        refused=refused,
        refused_total=len(refusals),
        unmatched=unmatched,
        series_class=held,
        time_to_live_seconds=None if keeps is None or keeps == float("inf") else keeps,
        idempotency_key=decoder.idempotency_key(mapping, body, context) is not None,
    )


def _series_of(mapping: Mapping, reading: Reading) -> Iterator[ExplainedSeries]:
    for part, (_, labels), value in zip(reading.parts, reading.shape.shape, reading.values, strict=True):
        yield _series(reading, metric_of(mapping.metrics, part), labels, value)
    for metric, labels, number in reading.additions:
        yield _series(reading, metric, labels, None if metric.operation is Operation.DISTINCT else number)


def _series(reading: Reading, metric: Metric, labels: LabelSet, value: float | None) -> ExplainedSeries:
    operation: OperationName = metric.operation.name.lower()  # type: ignore[assignment]
    return ExplainedSeries(
        item=reading.item,
        name=metric.family.name,
        labels=dict((*reading.source.group, *labels)),
        value=value,
        type=metric.family.type,
        operation=operation,
        unit=metric.family.unit,
        timestamp_ms=reading.timestamp_ms,
        line=metric.place.line,
        key=metric.place.key,
    )


def _all_refusals(
    decoder: MappedDecoder, mapping: Mapping, body: bytes, context: PushContext, refusals: Sequence[Refusal]
) -> Iterator[ExplainedRefusal]:
    """*refusals*, and what else is wrong with the same items: a push is told the first."""
    if not refusals:
        return
    items = {item.number: item for item in read_items(mapping, body, context, [])}
    for refusal in refusals:
        item = items.get(refusal.rejection.index)
        told = {_explained(refusal): None}
        if item is not None and refusal.place.key:
            for other in _refusals_of(decoder, mapping, item, context):
                told.setdefault(_explained(other))
        yield from told


def _refusals_of(
    decoder: MappedDecoder, mapping: Mapping, item: Item, context: PushContext
) -> Iterator[Refusal]:
    """Why each metric alone could not be taken of *item*."""
    for metric in mapping.metrics:
        try:
            decoder.read_item(mapping, item, context, context.limits.max_items, (metric,))
        except Refused as refused:
            if refused.place.key != ALL_METRICS:
                yield refusal_of(item.number, refused)


def _explained(refusal: Refusal) -> ExplainedRefusal:
    rejection, place = refusal
    return ExplainedRefusal(rejection.index, rejection.reason, rejection.message, place.line, place.key)
