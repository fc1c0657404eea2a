"""A body → what a mapping makes of it: the readings of its items, each taken or refused by itself. Pure.

The reports of pushes and what ``explain`` shows come from the same readings.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.json_body import read_json
from pushgateway_bridge.dialects.samples_body import LINES
from pushgateway_bridge.errors import MalformedBody
from pushgateway_bridge.mappings.compiled import Mapping, Metric, Operation
from pushgateway_bridge.mappings.items import Item, Refusal, bounded, nothing_matched, read_items, refusal_of
from pushgateway_bridge.mappings.paths import MISSING
from pushgateway_bridge.mappings.quick import Plan
from pushgateway_bridge.mappings.reading import (
    ItemShape,
    Part,
    Reading,
    Source,
    check_finite,
    duplicate,
    labels_of,
    metric_of,
    note_series,
)
from pushgateway_bridge.mappings.report import group_of, groups_of, join
from pushgateway_bridge.mappings.texts import identity_text, matches_of, text_at, time_ms_of
from pushgateway_bridge.mappings.values import Refused, kind_of, read_number, required, text_of
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet, PushGroup, make_push_group
from pushgateway_bridge.model.report import GroupReport, Report, Shape

VALUES_PER_ITEM: Final = 10
"""On average: paths that match many things must not make more of a push than can be stored."""
FEW_SERIES: Final = 64
REMEMBERED_SOURCES: Final = 16_384
REMEMBERED_SHAPES: Final = 16_384
REMEMBERED_LONG_SHAPES: Final = 128
"""Of shapes with more than FEW_SERIES series, which may have as many as a push has values."""
REMEMBERED_CHARACTERS: Final = 1024
"""Labels that are longer than this together are put together anew at each push: memory must stay bounded."""


class MappedDecoder:
    """Decodes bodies by mappings, and remembers their series. *secret* keys the hashes of what is counted."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret
        self._group = lru_cache(REMEMBERED_SOURCES)(make_push_group)
        self._known_source = lru_cache(REMEMBERED_SOURCES)(self._make_source)
        self._known_shape = lru_cache(REMEMBERED_SHAPES)(self._make_shape)
        self._known_long_shape = lru_cache(REMEMBERED_LONG_SHAPES)(self._make_shape)
        self._plan = lru_cache(None)(lambda mapping: Plan(mapping.metrics))
        self._joined = lru_cache(REMEMBERED_SHAPES)(join)
        self._long_joined = lru_cache(REMEMBERED_LONG_SHAPES)(join)

    # A push

    def decode(self, mapping: Mapping, body: bytes, context: PushContext) -> Report:
        """The report of *body*. Raises MalformedBody and ItemLimit, which refuse the whole push."""
        readings, refusals = self.read(mapping, body, context)
        groups: Sequence[GroupReport]
        if len(readings) == 1:
            groups = (group_of(mapping, readings[0]),)
        else:
            groups = groups_of(mapping, readings, context.received_ms, self._join)
        if not refusals:
            return Report(groups, len(readings))
        return Report(groups, len(readings), rejected=[one.rejection for one in refusals])

    def idempotency_key(self, mapping: Mapping, body: bytes, context: PushContext) -> str | None:
        """The body's own key, ``None`` if it has none. Raises MalformedBody."""
        path = mapping.idempotency
        if path is None or context.content_type in LINES:
            return None
        found = path.find(read_json(body, context.limits.max_nesting))
        if found is MISSING or found is None:
            return None
        text = text_of(found)
        if text is None:
            raise MalformedBody(f"idempotency: {path.text}: expected a text or number, got {kind_of(found)}")
        return text

    def read(
        self, mapping: Mapping, body: bytes, context: PushContext
    ) -> tuple[list[Reading], list[Refusal]]:
        """What each item of *body* says, and why others are not taken."""
        max_values = VALUES_PER_ITEM * context.limits.max_items
        if mapping.items is None and context.content_type not in LINES:
            document = read_json(body, context.limits.max_nesting)
            try:
                return [self.read_item(mapping, Item(0, (), document, document), context, max_values)], []
            except Refused as refused:
                return [], [refusal_of(0, refused)]
        readings: list[Reading] = []
        refusals: list[Refusal] = []
        seen: dict[tuple[PushGroup, int], set[tuple[str, LabelSet]]] = {}
        for item in read_items(mapping, body, context, refusals):
            try:
                reading = self.read_item(mapping, item, context, max_values)
                if reading.values:
                    note_series(reading, context.received_ms, seen)
            except Refused as refused:
                refusals.append(refusal_of(item.number, refused))
                continue
            max_values -= len(reading.values) + len(reading.additions)
            readings.append(reading)
        return readings, refusals

    # An item

    def read_item(
        self,
        mapping: Mapping,
        item: Item,
        context: PushContext,
        max_values: int,
        metrics: Sequence[Metric] | None = None,
    ) -> Reading:
        """What *item* says, of *metrics* or all of them. Raises Refused, and ItemLimit for too many values."""
        source = self._source(mapping, item, context)
        timestamp_ms = None
        if mapping.time is not None:
            timestamp_ms = time_ms_of(mapping.time, item, context.received_ms)
        parts: Sequence[Part] = ()
        values: list[float] = []
        additions: list[tuple[Metric, LabelSet, float | int]] = []
        if metrics is None:
            plan = self._plan(mapping)
            parts, values = plan.read(item.value, item.body)
            metrics = plan.others
        characters = 0
        if metrics:
            parts, characters = self._read_metrics(
                metrics, item, source, max_values, parts, values, additions
            )
        if not parts and not additions:
            raise nothing_matched(mapping, item)
        if values and not math.isfinite(sum(values)):
            check_finite(mapping, parts, values)
        if parts is source.parts:
            shape = source.shape
        else:
            shape = self._shape(source, tuple(parts), characters)
            source.parts, source.shape = parts, shape
        if shape.duplicate:
            raise duplicate(mapping, shape.shape, parts)
        return Reading(item.number, source, parts, shape, values, timestamp_ms, additions)

    def _read_metrics(
        self,
        metrics: Iterable[Metric],
        item: Item,
        source: Source,
        max_values: int,
        parts: Iterable[Part],
        values: list[float],
        additions: list[tuple[Metric, LabelSet, float | int]],
    ) -> tuple[tuple[Part, ...], int]:
        """Read *metrics* one by one, and add what they give to *parts*, *values* and *additions*.

        Returns the parts, and how many characters their labels have.
        """
        found = list(parts)
        characters = 0
        for metric in metrics:
            path = metric.path
            if path is not None and path.singular and metric.is_set and not metric.texts:
                value = path.find(item.body if path.of_body else item.value)
                if value is not MISSING and value is not None:
                    found.append(metric.number)
                    values.append(read_number(metric, value))
                elif metric.required:
                    raise required(metric)
                continue
            room = max_values - len(values) - len(additions)
            for part, labels, number in self._read_metric(metric, item, source, room):
                if part is None:
                    additions.append((metric, labels, number))
                    continue
                found.append(part)
                values.append(number)
                if type(part) is tuple:
                    characters += sum([len(text) for text in part if isinstance(text, str)])
        return tuple(found), characters

    def _source(self, mapping: Mapping, item: Item, context: PushContext) -> Source:
        job, instance = mapping.job, mapping.instance
        pusher = context.pusher
        if job is None:
            job = (pusher.job if pusher is not None else "") or mapping.name
        elif type(job) is not str:
            job = identity_text(job, item)  # type: ignore[arg-type]
        if instance is None:
            instance = pusher.instance if pusher is not None else ""
        elif type(instance) is not str:
            instance = identity_text(instance, item)  # type: ignore[arg-type]
        if not mapping.texts:
            return self._known_source(mapping, job, instance, ())
        texts = tuple([text_at(one, item, item.keys) for one in mapping.texts])
        if sum(map(len, texts)) <= REMEMBERED_CHARACTERS:
            return self._known_source(mapping, job, instance, texts)
        return self._make_source(mapping, job, instance, texts, remembered=False)

    def _make_source(
        self, mapping: Mapping, job: str, instance: str, texts: tuple[str, ...], *, remembered: bool = True
    ) -> Source:
        labels = dict(mapping.fixed)
        for text, value in zip(mapping.texts, texts, strict=True):
            labels[text.name] = value
        return Source(mapping, self._group(job, instance), labels, remembered=remembered)

    def _read_metric(
        self, metric: Metric, item: Item, source: Source, max_values: int
    ) -> list[tuple[Part | None, LabelSet, float]]:
        """All values of *metric* in *item*: the part of the shape that each is, or the labels of what is added."""
        found: list[tuple[Part | None, LabelSet, float]] = []
        for keys, value in bounded(matches_of(metric.path, item), max_values, metric.place):
            if value is None:
                continue
            counts = metric.operation is Operation.DISTINCT
            number = self._hash(metric, value) if counts else read_number(metric, value)
            texts = tuple([text_at(one, item, keys) for one in metric.texts])
            if metric.is_set:
                found.append(((metric.number, *texts) if texts else metric.number, (), number))
            else:
                found.append((None, labels_of(source, metric, texts), number))
        if not found and metric.required:
            raise required(metric)
        return found

    def _hash(self, metric: Metric, value: object) -> int:
        """64 bits that say nothing of *value* to those who do not have the secret."""
        text = text_of(value)
        if text is None:
            message = (
                f"{metric.family.name}: {metric.shown_path}: expected a text or number, got {kind_of(value)}"
            )
            raise Refused("wrong_type", message, metric.place)
        digest = hashlib.blake2b(key=self._secret(), digest_size=8)
        digest.update(f"{metric.family.name}\0{text}".encode(errors="surrogatepass"))
        return int.from_bytes(digest.digest(), "big")

    # Shapes

    def _join(self, shapes: tuple[ItemShape, ...]) -> Shape:
        return (self._joined if len(shapes) <= FEW_SERIES else self._long_joined)(shapes)

    def _shape(self, source: Source, parts: tuple[Part, ...], characters: int) -> ItemShape:
        if characters > REMEMBERED_CHARACTERS or not source.remembered:
            return self._make_shape(source, parts)
        if len(parts) > FEW_SERIES:
            return self._known_long_shape(source, parts)
        return self._known_shape(source, parts)

    @staticmethod
    def _make_shape(source: Source, parts: tuple[Part, ...]) -> ItemShape:
        metrics = source.mapping.metrics
        series: list[tuple[Family, LabelSet]] = []
        for part in parts:
            metric = metric_of(metrics, part)
            texts = () if isinstance(part, int) else part[1:]
            series.append((metric.family, labels_of(source, metric, texts)))
        return ItemShape(tuple(series))
