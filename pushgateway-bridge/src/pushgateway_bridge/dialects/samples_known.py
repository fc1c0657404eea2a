"""The usual push brings other values and another time than the last and is else the same, byte by byte. Pure.

So a body that was read is kept as a template, with gaps for these numbers. If a later one is what the template gives
with its numbers, only they are read. All other bodies are read item by item, which decides what is right: nothing is
taken here that is refused there.
"""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import Final

import msgspec

from pushgateway_bridge.dialects.samples_series import Place
from pushgateway_bridge.model.report import Shape

MAX_KEPT_BYTES: Final = 32 * 2**20
"""Of all that is kept, with what Python needs for it, roughly."""
MAX_KEPT_BODY: Final = 64 * 2**10
MAX_ALIKE: Final = 4
"""Bodies with one key that are kept: each is one more to compare with."""
KNOWN_BYTES: Final = 512
ITEM_BYTES: Final = 64
LABEL_BYTES: Final = 128

_TIME: Final = b'"timestamp":'
_VALUE: Final = b'"value":'
_SPACES_AND_DIGITS: Final = b" -+.0123456789eE"
_TIMES: Final = re.compile(rb'"timestamp": ?([-+.0-9eE]+)')
_NUMBERS: Final = re.compile(rb'"(?:value|timestamp)": ?([-+.0-9eE]+)')
_ESCAPED_ASCII: Final = re.compile(rb"\\u00[0-7]")
_numbers = msgspec.json.Decoder(list[float])

GAP_STEP: Final = 8
LONGEST_GAP: Final = 512
SHORTER_BY: Final = 8
"""How much less may stand between two values than in the body that was kept, as a time is shorter."""

Key = tuple[str, str, str, bool, bytes, bytes]
"""Content type, job and instance; whether there are times; what stands around the first value."""


class Outline(msgspec.Struct, frozen=True, gc=False):
    """Which bodies one is to be compared with, and its time."""

    key: Key
    time: bytes | None
    """The first one, as it is written."""


class KnownBody(msgspec.Struct, frozen=True, gc=False):
    """What was found in a body whose items were all taken, for one place and one time."""

    place: Place
    shape: Shape
    items: tuple[int, ...]
    has_counters: bool
    template: bytes
    """The body with ``%b`` where values and times are, which take turns."""
    first_value: int
    """Which number is the first value: 0 or, if a time stands before it, 1."""
    values: re.Pattern[bytes]
    """Finds them."""
    size: int

    def numbers_in(self, body: bytes, time: bytes | None) -> list[bytes] | None:
        """The values as they are written in *body*; ``None`` if it is not alike, with *time* in all items or none."""
        values = self.values.findall(body)
        if len(values) != len(self.items):
            return None
        numbers = values
        if time is not None:
            numbers = [time] * (2 * len(values))
            numbers[self.first_value :: 2] = values
        return values if self.template % tuple(numbers) == body else None


class KnownBodies:
    """Bodies by the keys of their outlines; the oldest go when they are too many."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._known: dict[Key, tuple[KnownBody, ...]] = {}

    def find(self, outline: Outline, body: bytes) -> tuple[KnownBody, list[bytes]] | None:
        """What was found in a body that is like *body*, and the values of this one as they are written."""
        for known in self._known.get(outline.key, ()):
            values = known.numbers_in(body, outline.time)
            if values is not None:
                return known, values
        return None

    def keep(
        self, outline: Outline, body: bytes, place: Place, shape: Shape, *, timed: bool, has_counters: bool
    ) -> None:
        """Keep what was found in *body*: one item for each of *shape*, in its order, which are *timed* all or none.

        It is not kept unless each number of its template is an item's own: labels may be called so too.
        """
        items = len(shape)
        times = items if timed else 0
        numbers = list(_NUMBERS.finditer(body))
        values = [number for number in numbers if number[0].startswith(_VALUE)]
        first_value = int(numbers[:1] != values[:1])
        sent_times = [number[1] for number in numbers[1 - first_value :: 2]] if timed else []
        # Each item has a value, and each or none a time. Without escaped letters there is one way to write their
        # names: if these stand there as often as there are items, there is one in each, and it is the item's.
        if (
            _ESCAPED_ASCII.search(body)
            or body.count(b'"value"') != items
            or body.count(b'"timestamp"') != times
            or (outline.time is not None) is not timed
            or len(values) != items
            or values != numbers[first_value :: 2 if timed else 1]
            or sent_times != [outline.time] * times
        ):
            return
        ends = [0, *(number.end() for number in numbers)]
        starts = [*(number.start(1) for number in numbers), len(body)]
        between = [body[end:start].replace(b"%", b"%%") for end, start in zip(ends, starts, strict=True)]
        template = b"%b".join(between)
        gaps = [after.start() - one.end() - SHORTER_BY for one, after in itertools.pairwise(values)]
        gap = min(max(min(gaps, default=0), 0), LONGEST_GAP) // GAP_STEP * GAP_STEP
        labels = sum([len(labels) for _, labels in shape])
        *_, before, behind = outline.key
        size = (
            len(template)
            + len(before)
            + len(behind)
            + KNOWN_BYTES
            + ITEM_BYTES * items
            + LABEL_BYTES * labels
        )
        known = KnownBody(
            place,
            shape,
            tuple(range(items)),
            has_counters,
            template,
            first_value,
            _values_apart(gap),
            size,
        )
        alike = self._known.pop(outline.key, ())
        self._known[outline.key] = (known, *alike[: MAX_ALIKE - 1])
        self._bytes += size - sum([one.size for one in alike[MAX_ALIKE - 1 :]])
        while self._bytes > self._max_bytes:
            self._bytes -= sum([one.size for one in self._known.pop(next(iter(self._known)))])


@lru_cache(maxsize=LONGEST_GAP // GAP_STEP + 1)
def _values_apart(gap: int) -> re.Pattern[bytes]:
    """Finds values between which at least *gap* bytes stand: it is quicker not to look at these."""
    return re.compile(rb'"value": ?([-+.0-9eE]+)(?s:.{0,%d})' % gap)


def make_outline(body: bytes, content_type: str, job: str, instance: str) -> Outline | None:
    """The outline of a body that came for this source; ``None`` if it must be read item by item."""
    if len(body) > MAX_KEPT_BODY:
        return None
    begin = body.find(_TIME)
    if begin < 0:
        time = None
        begin = end = body.find(_VALUE)
        if begin < 0:
            return None
        following = body.find(_VALUE, begin + 1)
    else:
        found = _TIMES.match(body, begin)
        if found is None:
            return None
        time, end = found[1], found.end()
        following = body.find(_TIME, end)
    # From one number to the next of its kind all is found once that an item has, and so what tells its source.
    around = body[end:following] if following >= 0 else body[:begin] + body[end:]
    before, _, behind = around.partition(_VALUE)
    behind = behind.lstrip(_SPACES_AND_DIGITS)
    return Outline((content_type, job, instance, time is None, before, behind), time)


def read_numbers(values: list[bytes], time: bytes | None) -> tuple[list[float], float | None]:
    """*values* and *time*. Raises DecodeError if one of them is no number as JSON has it."""
    if time is None:
        return _numbers.decode(b"[%b]" % b",".join(values)), None
    numbers = _numbers.decode(b"[%b,%b]" % (b",".join(values), time))
    return numbers, numbers.pop()
