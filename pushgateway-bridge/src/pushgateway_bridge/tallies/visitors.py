"""Small sketches of who was there, as bytes: adding, uniting, and how many there were.

A sketch (HyperLogLog of Apache DataSketches, 1 024 registers) takes at most 600 bytes and errs by 3.3 % (one standard
deviation). A checksum stands before it, as the library trusts the lengths that a sketch states.
https://datasketches.apache.org/docs/HLL/HLL.html
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, Final

LOG2_REGISTERS: Final = 10
_CHECKSUM_BYTES: Final = 4


def _library() -> Any:
    # Imported only where somebody is counted: it brings numpy, 30 MiB that a bridge for hosts does without.
    import datasketches  # noqa: PLC0415

    return datasketches


def check_visitors(body: bytes) -> None:
    """Raises ValueError if *body* is no sketch that was made here."""
    sketch = body[_CHECKSUM_BYTES:]
    if not sketch or int.from_bytes(body[:_CHECKSUM_BYTES], "big") != zlib.crc32(sketch):
        raise ValueError(f"{len(body)} bytes are no sketch of visitors")


def add_visitors(body: bytes | None, hashes: Iterable[int]) -> bytes | None:
    """*body* with those of *hashes* (64 bits, unsigned) added; ``None`` if it has them all. ``None`` is nobody yet."""
    library = _library()
    if body is None:
        sketch = library.hll_sketch(LOG2_REGISTERS, library.tgt_hll_type.HLL_4)
    else:
        sketch = library.hll_sketch.deserialize(body[_CHECKSUM_BYTES:])
    before = sketch.get_estimate()
    for hash64 in hashes:
        # The library takes an integer over 63 bits for a float, and would lose its low bits.
        sketch.update(hash64 - 2**64 if hash64 >= 2**63 else hash64)
    if body is not None and sketch.get_estimate() == before:
        return None
    written = bytes(sketch.serialize_compact())
    return zlib.crc32(written).to_bytes(_CHECKSUM_BYTES, "big") + written


class Union:
    """Those that are in any of several sketches."""

    def __init__(self) -> None:
        library = _library()
        self._read = library.hll_sketch.deserialize
        self._union = library.hll_union(LOG2_REGISTERS)

    def add(self, body: bytes) -> None:
        """Unite with a sketch that add_visitors made."""
        self._union.update(self._read(body[_CHECKSUM_BYTES:]))

    def count(self) -> int:
        """How many different ones there are, estimated."""
        estimate: float = self._union.get_estimate()
        return round(estimate)
