"""Samples → the protobuf messages of remote write 1.0. Pure.

https://prometheus.io/docs/specs/prw/remote_write_spec/

A request is a list of ``TimeSeries`` (field 1): labels (field 1, each a name and a value, sorted by name), then
samples (field 2, each a double and Unix milliseconds, oldest first). Written by hand, since nearly every series has
one sample in a request: then all of it but eight bytes of value and seven of time stays the same from one request
to the next.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from pushgateway_bridge.model.labels import LabelSet

STALE: Final = struct.pack("<Q", 0x7FF0000000000002)
"""The value that tells Prometheus that a series ended: one certain NaN."""
DOUBLE_BYTES: Final = 8

_VALUE_TAG: Final = b"\x09"
_TIME_TAG: Final = b"\x10"
_TIME_BYTES: Final = 6
"""Of a time between 1971 and 2109 as a varint."""
_SAMPLE_BYTES: Final = 1 + DOUBLE_BYTES + 1 + _TIME_BYTES
_SAMPLE_HEAD: Final = b"\x12" + bytes((_SAMPLE_BYTES,)) + _VALUE_TAG
FIRST_MS: Final = 1 << 35
LAST_MS: Final = (1 << 42) - 1
"""Times that can be sent: from 1971 to 2109."""


def label_bytes(name: str, group: LabelSet, labels: LabelSet, external: Mapping[str, str]) -> bytes:
    """The labels of a series as they stand in its ``TimeSeries``: no empty ones, sorted, the series' own win."""
    own = {key: value for key, value in (*group, *labels) if value}
    merged = {**external, **own, "__name__": name}
    pairs = (
        _field(b"\x0a", _field(b"\x0a", key.encode()) + _field(b"\x12", value.encode()))
        for key, value in sorted(merged.items())
        if value
    )
    return b"".join(pairs)


def head(labels: bytes) -> bytes:
    """What stands before the value in the ``TimeSeries`` of a series with these labels and one sample."""
    return b"\x0a" + _varint(len(labels) + 2 + _SAMPLE_BYTES) + labels + _SAMPLE_HEAD


def labels_of(series_head: bytes) -> bytes:
    """The labels in what ``head`` made of them."""
    start = 2
    while series_head[start - 1] & 0x80:
        start += 1
    return series_head[start : -len(_SAMPLE_HEAD)]


class Heads(list[bytes]):
    """The heads of series that are pushed together, with what packs a sample of each in one go."""

    __slots__ = ("_pack", "_parts")

    def __init__(self, heads: Iterable[bytes]) -> None:
        super().__init__(heads)
        self._pack = _packer(tuple(map(len, self)))
        self._parts: list[object] = [None] * (3 * len(self))
        self._parts[::3] = self

    def singles(self, values: Sequence[float], timestamp_ms: int) -> bytes:
        """The same as the function below gives for these values as they are sent."""
        parts = self._parts.copy()  # other remotes' threads have the same heads
        parts[1::3] = values
        parts[2::3] = [tail(timestamp_ms)] * len(values)
        return self._pack(*parts)


@lru_cache(maxsize=4096)
def _packer(lengths: tuple[int, ...]) -> Callable[..., bytes]:
    """Packs heads of these lengths, each with a value and a tail: one after the other."""
    return struct.Struct("<" + "".join(f"{length}sd{1 + _TIME_BYTES}s" for length in lengths)).pack


@lru_cache(maxsize=1024)
def tail(timestamp_ms: int) -> bytes:
    """What stands behind a value. *timestamp_ms* must be from FIRST_MS to LAST_MS."""
    return _TIME_TAG + _varint(timestamp_ms)


def doubles(values: Sequence[float]) -> list[bytes]:
    """Each value as it is sent."""
    packed = struct.pack(f"<{len(values)}d", *values)
    return [packed[at : at + DOUBLE_BYTES] for at in range(0, len(packed), DOUBLE_BYTES)]


def singles(heads: Sequence[bytes], values: Sequence[bytes], timestamp_ms: int) -> bytes:
    """The ``TimeSeries`` of series that have one sample each, all at *timestamp_ms*."""
    end = tail(timestamp_ms)
    return b"".join(
        chain.from_iterable([(one, value, end) for one, value in zip(heads, values, strict=True)])
    )


def several(labels: bytes, samples: Iterable[tuple[int, bytes]]) -> bytes:
    """The ``TimeSeries`` of one series with *samples*: time and value, oldest first."""
    body = labels + b"".join(_SAMPLE_HEAD + value + tail(timestamp_ms) for timestamp_ms, value in samples)
    return _field(b"\x0a", body)


def _field(tag: bytes, body: bytes) -> bytes:
    return tag + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
