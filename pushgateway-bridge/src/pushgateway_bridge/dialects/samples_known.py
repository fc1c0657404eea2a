"""The usual push brings other values and another time than the last and is else the same, byte by byte. Pure.

So these numbers are taken out of a body; if what is left has been read before, only they are read. All other bodies
are read item by item, which decides what is right: nothing is taken here that is refused there.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pushgateway_bridge.dialects.samples_series import Place
from pushgateway_bridge.model.report import Shape

MAX_KEPT_BYTES: Final = 32 * 2**20
"""Of all that is kept, with what Python needs for it, roughly."""
MAX_KEPT_BODY: Final = 64 * 2**10
PIECE_BYTES: Final = 64
LABEL_BYTES: Final = 128

_TIME: Final = re.compile(rb'"timestamp": ?([-+.0-9eE]+)')
_VALUES: Final = re.compile(rb'"value": ?([-+.0-9eE]+)')
_ESCAPED_ASCII: Final = re.compile(rb"\\u00[0-7]")
_NO_TIME: Final = b'"timestamp":\0'
"""Stands where a time was: no body that can be read has the last of these bytes."""
_numbers = msgspec.json.Decoder(list[float])


class Outline(msgspec.Struct, frozen=True, gc=False):
    """A body without its numbers, and these."""

    key: tuple[str | bytes, ...]
    values: list[bytes]
    time: bytes | None
    """The same in all items that have one, or else what is left of the body still has a time."""

    def read_numbers(self) -> tuple[list[float], float | None]:
        """The values and the time. Raises DecodeError if one of them is no number as JSON has it."""
        if self.time is None:
            return _numbers.decode(b"[%b]" % b",".join(self.values)), None
        numbers = _numbers.decode(b"[%b,%b]" % (b",".join(self.values), self.time))
        return numbers, numbers.pop()


class KnownBody(msgspec.Struct, frozen=True, gc=False):
    """What was found in a body whose items were all taken, for one place and one time."""

    place: Place
    shape: Shape
    items: tuple[int, ...]
    has_counters: bool
    size: int


class KnownBodies:
    """Bodies by their outlines; the oldest go when they are too many."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._known: dict[tuple[str | bytes, ...], KnownBody] = {}

    def find(self, outline: Outline) -> KnownBody | None:
        """What was found in a body with this outline."""
        return self._known.get(outline.key)

    def keep(
        self, outline: Outline, body: bytes, place: Place, shape: Shape, *, timed: bool, has_counters: bool
    ) -> None:
        """Keep what was found in *body*: one item for each of *shape*, in its order, which are *timed* all or none.

        It is not kept unless each number of the outline is an item's own: labels may be called so too.
        """
        items = len(shape)
        # Each item has a value, and each or none a time. Without escaped letters there is one way to write their
        # names: if these stand there as often as there are items, there is one in each, and it is the item's.
        if (
            len(outline.values) == items
            and not _ESCAPED_ASCII.search(body)
            and body.count(b'"value"') == items
            and body.count(b'"timestamp"') == (items if timed else 0)
            and sum([piece.count(_NO_TIME) for piece in outline.key if isinstance(piece, bytes)])
            == (items if timed else 0)
        ):
            labels = sum([len(labels) for _, labels in shape])
            size = len(body) + PIECE_BYTES * len(outline.key) + LABEL_BYTES * labels
            replaced = self._known.pop(outline.key, None)
            self._bytes += size - (replaced.size if replaced else 0)
            self._known[outline.key] = KnownBody(place, shape, tuple(range(items)), has_counters, size)
            while self._bytes > self._max_bytes:
                self._bytes -= self._known.pop(next(iter(self._known))).size


def make_outline(body: bytes, content_type: str, job: str, instance: str) -> Outline | None:
    """The outline of a body that came for this source; ``None`` if it must be read item by item."""
    if len(body) > MAX_KEPT_BODY or b"\0" in body:
        return None
    time = _TIME.search(body)
    rest = body if time is None else body.replace(time[0], _NO_TIME)
    pieces = _VALUES.split(rest)
    if len(pieces) == 1:
        return None
    return Outline((content_type, job, instance, *pieces[::2]), pieces[1::2], time[1] if time else None)
