"""The usual push brings other numbers than the last and is else the same, byte by byte.

So a body is split at its numbers; if what stands between them has been read before, only the numbers are read. All
others go through the readers of the two formats, which decide what is right: nothing is taken here that they refuse.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from pushgateway_bridge.dialects.pushgateway_outline import MAX_SAMPLES, Outline, ReadFamily, make_outline
from pushgateway_bridge.dialects.pushgateway_protobuf import read_protobuf
from pushgateway_bridge.dialects.pushgateway_text import read_text
from pushgateway_bridge.errors import MalformedBody

MAX_KEPT_BYTES: Final = 8 * 2**20
"""Of all bodies together whose outlines are kept."""
MAX_KEPT_BODY: Final = 256 * 2**10

_NUMBERS: Final = re.compile(r" ([-+.0-9eE]+|NaN|[-+]Inf)\n")
"""A number that ends a line."""
_DOUBLES: Final = re.compile(rb"([\x12\x1a\x2a])\x09\x09(.{8})", re.DOTALL)
"""A gauge, counter or untyped value of a metric: a message of nine bytes, whose one field is a double."""


class _Counts(Protocol):
    """What must be known of an outline here."""

    @property
    def counts(self) -> bool:
        """Whether some of the values are counts, which must not be negative."""
        ...


_Made = TypeVar("_Made", bound=_Counts)


class _Known(NamedTuple, Generic[_Made]):
    """A body that was read before."""

    outline: _Made
    in_comments: tuple[tuple[int, str], ...] = ()
    """Which of the numbers end a comment, and what they are: they must be the same."""
    size: int = 0


class KnownBodies(Generic[_Made]):
    """What *make* makes of bodies, by what stays the same in them; the oldest go when they are too many."""

    def __init__(
        self,
        make: Callable[[list[ReadFamily], int, frozenset[str]], _Made],
        max_bytes: int = MAX_KEPT_BYTES,
    ) -> None:
        """*make* is called with families, how many values they have, and the labels of the grouping key."""
        self._make = make
        self._max_bytes = max_bytes
        self._bytes = 0
        self._known: dict[object, _Known[_Made]] = {}

    def read(
        self, body: bytes, names: frozenset[str], max_samples: int, *, protobuf: bool
    ) -> tuple[_Made, list[float]]:
        """Outline and values of a body in one of the two formats. Raises MalformedBody."""
        return (self.protobuf if protobuf else self.text)(body, names, max_samples)

    def text(
        self, body: bytes, names: frozenset[str], max_samples: int = MAX_SAMPLES
    ) -> tuple[_Made, list[float]]:
        """Outline and values of a body in the text format, for a grouping key that decides the labels *names*.

        Raises MalformedBody.
        """
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            line = body.count(b"\n", 0, error.start) + 1
            raise MalformedBody(f"text format parsing error in line {line}: invalid UTF-8") from error
        if len(text) > MAX_KEPT_BODY:
            families, values = read_text(text, max_samples)
            return self._make(families, len(values), names), values
        pieces = _NUMBERS.split(text)
        numbers = pieces[1::2]
        key = (names, *pieces[::2])
        known = self._known.get(key)
        if known is not None:
            read = _read_numbers(numbers, known)
            if read is not None:
                return known.outline, read
        families, values = read_text(text, max_samples)
        outline = self._make(families, len(values), names)
        in_comments = tuple((place, numbers[place]) for place in _comments(pieces[::2]))
        # Each sample has one number, which ends its line: unless it is written in another way than those found.
        if len(numbers) - len(in_comments) == len(values):
            self._keep(key, _Known(outline, in_comments, len(body)))
        return outline, values

    def protobuf(
        self, body: bytes, names: frozenset[str], max_samples: int = MAX_SAMPLES
    ) -> tuple[_Made, list[float]]:
        """The same of a body of length-delimited MetricFamily messages."""
        pieces = _DOUBLES.split(body) if len(body) <= MAX_KEPT_BODY else [body]
        key = (names, tuple(pieces[1::3]), *pieces[::3])
        doubles = pieces[2::3]
        known = self._known.get(key)
        if known is not None:
            values = list(struct.unpack(f"<{len(doubles)}d", b"".join(doubles)))
            if not math.isfinite(sum(values)):
                values = [math.nan if math.isnan(value) else value for value in values]
            return known.outline, values
        families, values, offsets = read_protobuf(body, max_samples)
        outline = self._make(families, len(values), names)
        if doubles and offsets == [match.start(2) for match in _DOUBLES.finditer(body)]:
            self._keep(key, _Known(outline, size=len(body)))
        return outline, values

    def _keep(self, key: object, known: _Known[_Made]) -> None:
        replaced = self._known.pop(key, None)
        self._bytes += known.size - (replaced.size if replaced else 0)
        self._known[key] = known
        while self._bytes > self._max_bytes:
            self._bytes -= self._known.pop(next(iter(self._known))).size


class Outlines(KnownBodies[Outline]):
    """Outlines of bodies that are of one group."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        super().__init__(make_outline, max_bytes)


def _read_numbers(numbers: list[str], known: _Known[_Made]) -> list[float] | None:
    """The values; ``None`` if the body must be looked at more closely."""
    if known.in_comments:
        if any(numbers[place] != number for place, number in known.in_comments):
            return None
        comments = {place for place, _ in known.in_comments}
        numbers = [number for place, number in enumerate(numbers) if place not in comments]
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        return None
    if known.outline.counts and any(value < 0 for value in values):
        return None
    # A number that no float can hold is none; infinity has its own word.
    if not math.isfinite(sum(values)) and any(
        math.isinf(value) and number[-1] != "f" for value, number in zip(values, numbers, strict=True)
    ):
        return None
    return values


def _comments(before: list[str]) -> list[int]:
    """Which of the numbers end a comment; *before* is what stands before each, and after the last."""
    return [
        place
        for place, text in enumerate(before[:-1])
        if text[text.rfind("\n") + 1 :].lstrip(" \t").startswith("#")
    ]
