"""What the journal keeps of the state, checked without building one: for those who look into a journal."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from pushgateway_bridge.model.family import SeriesKind
from pushgateway_bridge.state.checkpoint import VERSION, GroupState
from pushgateway_bridge.state.distinct import LOG2_REGISTERS, DistinctCount

_decoder = msgspec.msgpack.Decoder(GroupState)

_SKETCH_HEADER: Final = struct.Struct("<8B")
_COMPACT: Final = 8
"""The flag that every sketch has which was serialised in its compact form."""
_COUNT: Final = struct.Struct("<I")


def decode_group(body: bytes) -> GroupState:
    """A checkpointed group. Raises ValueError if a replay could not restore it."""
    try:
        state = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    if state.version != VERSION:
        raise ValueError(f"has version {state.version}, expected {VERSION}")
    lengths = [len(part) for part in (state.definitions, state.numbers, state.timestamps_ms, state.seen_ms)]
    if len(set(lengths)) != 1:
        raise ValueError(f"has {lengths[0]} series, but {', '.join(map(str, lengths[1:]))} of what they hold")
    for definition, numbers in zip(state.definitions, state.numbers, strict=True):
        if definition.kind in (SeriesKind.VALUE, SeriesKind.COUNTER) and len(numbers) != 1:
            raise ValueError(f"has {len(numbers)} numbers for series {definition.id}, expected 1")
    return state


def check_sketch(body: bytes) -> None:
    """Raises ValueError if *body* is no sketch of distinct counts.

    The library trusts the lengths that a sketch states and may overrun its memory, so they are looked at first.
    https://github.com/apache/datasketches-cpp/blob/master/hll/include/HllUtil.hpp
    """
    expected = _sketch_bytes(body)
    if len(body) != expected:
        raise ValueError(f"a sketch of {expected} bytes has {len(body)}")
    try:
        DistinctCount().restore_hour(0, body)
    except (ValueError, IndexError, RuntimeError, MemoryError) as error:
        raise ValueError(str(error)) from error


def _sketch_bytes(body: bytes) -> int:
    """How long the sketch must be by what its first bytes say. Raises ValueError if they cannot be true."""
    if len(body) < _SKETCH_HEADER.size:
        raise ValueError(f"a sketch ends inside its header, after {len(body)} bytes")
    header: tuple[int, ...] = _SKETCH_HEADER.unpack_from(body)
    ints, version, family, registers, log2_slots, flags, entries, mode = header
    if (version, family, registers) != (1, 7, LOG2_REGISTERS) or not flags & _COMPACT or ints * 4 > len(body):
        raise ValueError(
            f"the header {body[: _SKETCH_HEADER.size].hex(' ')} is of no sketch that is made here"
        )
    match ints, mode & 3:
        case 2, 0:  # a list of up to 8 hashes
            return 8 + 4 * entries
        case 3, 1:  # a hash table
            count: int = _COUNT.unpack_from(body, 8)[0]
            if 4 * count <= 3 << min(log2_slots, LOG2_REGISTERS):
                return 12 + 4 * count
        case 10, 2 if _COUNT.unpack_from(body, 36) == (0,):  # a byte a register, without exceptions
            return 40 + (1 << LOG2_REGISTERS)
    raise ValueError(f"the header {body[: _SKETCH_HEADER.size].hex(' ')} contradicts itself")
