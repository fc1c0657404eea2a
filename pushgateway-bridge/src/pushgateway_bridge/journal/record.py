"""Change ↔ bytes, and records ↔ the body of a frame. Pure.

A frame's body is a version byte, then each record behind its length (four bytes, little-endian).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pushgateway_bridge.model.change import Change

VERSION: Final = 1
_HEADER = bytes((VERSION,))
_LENGTH = struct.Struct("<I")

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Change] = msgspec.msgpack.Decoder(Change)


class CorruptRecord(Exception):
    """A frame does not hold what it should."""


def encode_change(change: Change) -> bytes:
    """One record."""
    return _encoder.encode(change)


def decode_change(record: bytes | memoryview) -> Change:
    """Raises CorruptRecord."""
    try:
        return _decoder.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptRecord(str(error)) from error


def pack_frame(records: Iterable[bytes]) -> bytes:
    """The body of a frame that holds *records*."""
    parts = [_HEADER]
    for record in records:
        parts.append(_LENGTH.pack(len(record)))
        parts.append(record)
    return b"".join(parts)


def unpack_frame(body: bytes) -> Iterator[memoryview]:
    """The records of a frame, in order. Raises CorruptRecord if it is torn or of another version."""
    if body[:1] != _HEADER:
        raise CorruptRecord(f"expected a frame of version {VERSION}, got {body[:1]!r}")
    view = memoryview(body)
    position = 1
    while position < len(view):
        try:
            (length,) = _LENGTH.unpack_from(view, position)
        except struct.error as error:
            raise CorruptRecord("a frame ends inside a length") from error
        position += _LENGTH.size
        if position + length > len(view):
            raise CorruptRecord("a frame ends inside a record")
        yield view[position : position + length]
        position += length
