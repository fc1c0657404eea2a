"""Reads length-delimited messages ``io.prometheus.client.MetricFamily``, which Go's client library pushes.

Of https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto all is read that the text
format can say. Native histograms, exemplars, units and creation times are passed over, as is what is not known: a
histogram's classic buckets, sum and count are what Pushgateway's own text shows of it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Final

from pushgateway_bridge.dialects.pushgateway_outline import (
    MAX_SAMPLES,
    NOTHING,
    InconsistentPush,
    ReadFamily,
    ReadMetric,
    check_label_count,
    check_label_name,
    check_name,
    timestamps,
)
from pushgateway_bridge.dialects.pushgateway_path import check_value, quoted
from pushgateway_bridge.errors import MalformedBody
from pushgateway_bridge.model.family import MetricType

MAX_FIELDS: Final = 500_000
"""Of all messages together."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TYPES: Final[tuple[MetricType, ...]] = ("counter", "gauge", "summary", "unknown", "histogram", "histogram")
"""By the enumeration MetricType; the last is a gauge histogram."""
_VALUE_FIELDS: Final[dict[MetricType, int]] = {
    "gauge": 2,
    "counter": 3,
    "summary": 4,
    "unknown": 5,
    "histogram": 7,
}
"""Which field of a Metric holds what a metric of each type says."""
_GO_TYPES: Final[dict[MetricType, str]] = {"unknown": "UNTYPED"}
_DOUBLE: Final = struct.Struct("<d")

_Span = tuple[int, int]
"""Where a message begins and ends in the body."""


def read_protobuf(
    body: bytes, max_samples: int = MAX_SAMPLES
) -> tuple[list[ReadFamily], list[float], list[int]]:
    """The families in *body*, the values of their metrics in order, and where each one stands as a double.

    A count stands nowhere as such. Of two families of one name the last counts. Raises MalformedBody.
    """
    reader = _Reader(body, max_samples)
    families: dict[str, ReadFamily] = {}
    at = 0
    while at < len(body):
        reader.count_field()
        length, at = reader.varint(at, len(body))
        if at + length > len(body):
            raise MalformedBody("unexpected EOF")
        if length:
            family = reader.family(at, at + length)
            families[family.name] = family
        at += length
    if reader.timed:
        raise timestamps(families.values())
    return list(families.values()), reader.values, reader.offsets


class _Reader:
    """Reads messages out of one body; what it gives are places in ``values``."""

    def __init__(self, body: bytes, max_samples: int) -> None:
        self._max_samples = max_samples
        self.values: list[float] = []
        self.offsets: list[int] = []
        self.timed = False
        self._body = body
        self._fields_left = MAX_FIELDS
        self._metrics_left = max_samples

    def count_field(self) -> None:
        """Raises MalformedBody if there are too many."""
        self._fields_left -= 1
        if self._fields_left < 0:
            raise MalformedBody(f"more than {MAX_FIELDS} fields in one push")

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """The number at *at*, of at most 64 bits, and where it ends."""
        value = shift = 0
        while True:
            if at >= end:
                raise MalformedBody("unexpected EOF")
            byte = self._body[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise MalformedBody("proto: variable length integer overflow")
        if value >> 64:
            raise MalformedBody("proto: variable length integer overflow")
        return value, at

    def _fields(self, span: _Span) -> Iterator[tuple[int, int, int, int]]:
        """Number, wire type, value (of a varint) or begin, and end of each field."""
        at, end = span
        while at < end:
            self.count_field()
            tag, at = self.varint(at, end)
            number, wire = tag >> 3, tag & 7
            value = at
            if wire == _VARINT:
                value, at = self.varint(at, end)
            elif wire == _FIXED64:
                at += 8
            elif wire == _BYTES:
                length, value = self.varint(at, end)
                at = value + length
            elif wire == _FIXED32:
                at += 4
            if wire not in (_VARINT, _FIXED64, _BYTES, _FIXED32) or not number or at > end:
                raise MalformedBody("proto: cannot parse invalid wire-format data")
            yield number, wire, value, at

    def family(self, begin: int, end: int) -> ReadFamily:
        name, help_, type_number = "", "", 0
        metrics: list[_Span] = []
        for number, wire, value, field_end in self._fields((begin, end)):
            if wire == _BYTES and number == 1:
                name = self._text(value, field_end, "a metric's name")
            elif wire == _BYTES and number == 2:
                help_ = self._text(value, field_end, "a help text")
            elif wire == _VARINT and number == 3:
                type_number = value
            elif wire == _BYTES and number == 4:
                metrics.append((value, field_end))
        check_name(name)
        if type_number >= len(_TYPES):
            raise MalformedBody(f"unknown metric type {type_number} of {quoted(name)}")
        type_ = _TYPES[type_number]
        family = ReadFamily(name, type_, help_)
        self._metrics_left -= len(metrics)
        if self._metrics_left < 0:
            raise _too_many(self._max_samples)
        family.metrics = [self._metric(span, name, type_) for span in metrics]
        return family

    def _metric(self, span: _Span, name: str, type_: MetricType) -> ReadMetric:
        labels: dict[str, str] = {}
        metric = ReadMetric(labels)
        said: _Span | None = None
        for number, wire, value, end in self._fields(span):
            if wire == _BYTES and number == 1:
                self._label((value, end), name, labels)
                check_label_count(name, labels)
            elif wire == _BYTES and number == _VALUE_FIELDS[type_]:
                said = value, end
            elif wire == _VARINT and number == 6:
                self.timed = True
        if said is None:
            raise InconsistentPush(
                f"collected metric {quoted(name)} is not a {_GO_TYPES.get(type_, type_.upper())}"
            )
        if type_ == "histogram":
            self._histogram(said, metric)
        elif type_ == "summary":
            self._summary(said, metric)
        else:
            metric.value = self._doubles(said, (1,))[0]
        return metric

    def _label(self, span: _Span, metric: str, labels: dict[str, str]) -> None:
        name = label_value = ""
        for number, wire, value, end in self._fields(span):
            if wire == _BYTES and number == 1:
                name = self._text(value, end, "a label's name")
            elif wire == _BYTES and number == 2:
                label_value = self._text(value, end, "a label's value")
        if name in labels:
            raise InconsistentPush(
                f"collected metric {quoted(metric)} has two or more labels with the same name: {name}"
            )
        check_label_name(name)
        check_value(name, label_value)
        labels[name] = label_value

    def _summary(self, span: _Span, metric: ReadMetric) -> None:
        for number, wire, value, end in self._fields(span):
            if wire == _VARINT and number == 1:
                metric.count = self._keep(float(value))
            elif wire == _FIXED64 and number == 2:
                metric.sum = self._keep(self._double(value), value)
            elif wire == _BYTES and number == 3:
                quantile, place = self._doubles((value, end), (1, 2))
                metric.bounds.append((self._value(quantile), place))

    def _histogram(self, span: _Span, metric: ReadMetric) -> None:
        for number, wire, value, end in self._fields(span):
            if wire == _VARINT and number == 1:
                metric.count = self._keep(float(value))
            elif wire == _FIXED64 and number == 2:
                metric.sum = self._keep(self._double(value), value)
            elif wire == _FIXED64 and number == 4 and self._double(value) > 0:
                metric.count = self._keep(self._double(value))
            elif wire == _BYTES and number == 3:
                metric.bounds.append(self._bucket((value, end)))

    def _bucket(self, span: _Span) -> tuple[float, int]:
        bound, place = 0.0, NOTHING
        for number, wire, value, _ in self._fields(span):
            if wire == _VARINT and number == 1:
                place = self._keep(float(value))
            elif wire == _FIXED64 and number == 2:
                bound = self._double(value)
            elif wire == _FIXED64 and number == 4 and self._double(value) > 0:
                place = self._keep(self._double(value))
        return bound, place

    def _doubles(self, span: _Span, numbers: tuple[int, ...]) -> list[int]:
        """The places of the double fields of these numbers."""
        places = dict.fromkeys(numbers, NOTHING)
        for number, wire, value, _ in self._fields(span):
            if wire == _FIXED64 and number in places:
                places[number] = self._keep(self._double(value), value)
        return list(places.values())

    def _value(self, place: int) -> float:
        return 0.0 if place == NOTHING else self.values[place]

    def _keep(self, value: float, offset: int = -1) -> int:
        if len(self.values) >= self._max_samples:
            raise _too_many(self._max_samples)
        self.values.append(value)
        self.offsets.append(offset)
        return len(self.values) - 1

    def _double(self, at: int) -> float:
        value: float = _DOUBLE.unpack_from(self._body, at)[0]
        return math.nan if math.isnan(value) else value  # one NaN of many means that a series has ended

    def _text(self, begin: int, end: int, what: str) -> str:
        try:
            return self._body[begin:end].decode()
        except UnicodeDecodeError:
            raise MalformedBody(f"{what} is no UTF-8") from None


def _too_many(max_samples: int) -> MalformedBody:
    return MalformedBody(f"more than {max_samples} samples in one push")
