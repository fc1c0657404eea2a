"""Lines of an exposition: the values of a family in blocks of a few hundred, beside the text that surrounds them.

A push stores a number and marks the block; a scrape renders again only the blocks that were marked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.text import format_value

BLOCK_SERIES: Final = 256
HOLE: Final = b""
"""Stands for a line that was taken out."""

_encode = msgspec.json.Encoder().encode


class Block:
    """Lines of one family and class that are rendered together: up to BLOCK_SERIES series, or one histogram.

    While lines come and go they are kept one by one; once the block is full or rendered they are one template with
    a ``%s`` for each value, which is smaller, and three times as fast to render.
    """

    __slots__ = (
        "_free",
        "_lines",
        "_rendered",
        "_rows",
        "_suffixed",
        "_template",
        "changed",
        "owner",
        "values",
    )

    def __init__(self) -> None:
        self._lines: list[bytes] | None = []
        """Templates of single lines, HOLE where there is none; ``None`` while ``_template`` is all of them."""
        self._template = b""
        self.values: list[float] = []
        self._suffixed = False
        self.changed = False
        self._rendered: list[bytes | None] = [None, None]
        self._free: list[int] = []
        self._rows: list[Row] = []
        self.owner = ""
        """The push group that has it for itself, if one has."""

    def row(self, blocks: Row) -> Row:
        """*blocks*, which begin with this one, as one object for all groups whose series stand in these."""
        known = next((row for row in self._rows if row == blocks), None)
        if known is None:
            self._rows.append(blocks)
        return known or blocks

    @property
    def full(self) -> bool:
        return not self._free and len(self.values) >= BLOCK_SERIES

    @property
    def empty(self) -> bool:
        return len(self._free) == len(self.values)

    def place(self, prefix: str, value: float, suffix: str = "") -> int:
        """Put a line into a free place and return which.

        *suffix* is a line that follows it in OpenMetrics alone: when counting began.
        """
        lines = self._loosen()
        line = b"%b%%s\n%b" % (_escape(prefix), _escape(suffix))
        if self._free:
            index = self._free.pop()
            lines[index], self.values[index] = line, value
        else:
            index = len(self.values)
            lines.append(line)
            self.values.append(value)
        self._suffixed = self._suffixed or bool(suffix)
        if self.full and len(self.values) == BLOCK_SERIES:
            self._join()
        return index

    def remove(self, index: int) -> None:
        self._loosen()[index] = HOLE
        self.values[index] = 0.0
        self._free.append(index)

    def text(self, *, openmetrics: bool) -> bytes:
        """The lines; rendered again only if a value changed since."""
        if self.changed:
            self.changed = False
            self._rendered = [None, None]
        which = int(openmetrics and self._suffixed)
        rendered = self._rendered[which]
        if rendered is None:
            self._join()
            template = self._template
            if self._suffixed and not openmetrics:
                template = b"".join([_without_suffix(line) for line in _split(template)])
            rendered = self._rendered[which] = template % self._numbers()
        return rendered

    def _numbers(self) -> tuple[bytes, ...]:
        """The values as text."""
        values = self.values
        if self._free:
            free = set(self._free)
            values = [value for index, value in enumerate(values) if index not in free]
        if not values:
            return ()
        # As right as repr, and four times as fast.
        numbers = _encode(values)[1:-1].split(b",")
        if not math.isfinite(sum(values)):  # JSON has no word for those that are not
            numbers = [
                number if number != b"null" else format_value(values[i]).encode()
                for i, number in enumerate(numbers)
            ]
        return tuple(numbers)

    def _loosen(self) -> list[bytes]:
        """The lines, to be changed."""
        self.changed = True
        lines = self._lines
        if lines is None:
            free = set(self._free)
            known = iter(_split(self._template))
            lines = [HOLE if index in free else next(known) for index in range(len(self.values))]
            self._lines, self._template = lines, b""
        return lines

    def _join(self) -> None:
        if self._lines is not None:
            self._template, self._lines = b"".join(self._lines), None


Row = tuple[Block, ...]
"""Blocks in which a group's series stand, at the same place in each: groups that push alike fill them alike."""


def row_of(places: Sequence[tuple[Block | None, int]]) -> tuple[Row, int] | None:
    """The blocks and the place in them, if it is the same in all of *places*."""
    blocks = tuple(block for block, _ in places if block is not None)
    if not blocks or len(blocks) < len(places) or len({index for _, index in places}) > 1:
        return None
    return blocks[0].row(blocks), places[0][1]


def set_row(row: Row, index: int, values: Sequence[float]) -> None:
    """Write one value into each block, without looking at the series themselves: they lie all over the memory."""
    for block, value in zip(row, values, strict=True):
        block.values[index] = value
        block.changed = True


def _escape(text: str) -> bytes:
    return text.replace("%", "%%").encode()


def _split(template: bytes) -> list[bytes]:
    """The lines of a template, each with what follows it: a value's line is the only one that ends with ``%s``.

    Labels hold no line break of their own, since it is escaped, and no single ``%``.
    """
    lines: list[bytes] = []
    for line in template.split(b"\n")[:-1]:
        if line.endswith(b" %s"):
            lines.append(line + b"\n")
        else:
            lines[-1] += line + b"\n"
    return lines


def _without_suffix(line: bytes) -> bytes:
    return line[: line.index(b"\n") + 1]


class FamilyBlocks:
    """All series of one family, in blocks by class."""

    __slots__ = ("_lines_of", "blocks", "counted", "family", "held", "series_count")

    def __init__(self, family: Family) -> None:
        self.family = family
        self.blocks: dict[SeriesClass, list[Block]] = {}
        self.series_count = 0
        """Those that are shown."""
        self.held = 0
        """Those and the ones that are queued: while there are some, the family is what it is."""
        self.counted = 0
        """Of ``held``: counters and histograms that are counted here."""
        self._lines_of: dict[SeriesClass, dict[str, Block]] = {}
        """By class and push group: its lines of a pushed histogram or summary."""

    @property
    def in_lines(self) -> bool:
        """Whether values of it are lines of something larger: a histogram or summary that was counted elsewhere."""
        return self.family.type in ("histogram", "summary")

    def place_line(
        self, group: str, prefix: str, value: float, series_class: SeriesClass
    ) -> tuple[Block, int]:
        """Put a line behind the others of its push group, which stand in a block of their own, in order."""
        lines_of = self._lines_of.setdefault(series_class, {})
        block = lines_of.get(group)
        if block is None:
            block = lines_of[group] = Block()
            block.owner = group
            self.blocks.setdefault(series_class, []).insert(0, block)
        self.series_count += 1
        return block, block.place(prefix, value)

    def place(
        self, prefix: str, value: float, series_class: SeriesClass, suffix: str = ""
    ) -> tuple[Block, int]:
        """Put a series of one line into a block that has room."""
        blocks = self.blocks.setdefault(series_class, [])
        # New series go to the last block; places that expiry freed in earlier ones are found when it is full.
        block = blocks[-1] if blocks else None
        if block is None or block.full:
            block = next((block for block in blocks if not block.full), None)
            if block is None:
                block = Block()
                blocks.append(block)
        self.series_count += 1
        return block, block.place(prefix, value, suffix)

    def place_together(
        self, lines: Sequence[tuple[str, float]], series_class: SeriesClass, suffix: str = ""
    ) -> Block:
        """Put the lines of one series into a block of its own, in their order; *suffix* follows the last one."""
        block = Block()
        for position, (prefix, value) in enumerate(lines):
            block.place(prefix, value, suffix if position == len(lines) - 1 else "")
        blocks = self.blocks.setdefault(series_class, [])
        # In front, as place looks for room in the last one.
        blocks.insert(0, block)
        self.series_count += 1
        return block

    def remove(self, block: Block, index: int, series_class: SeriesClass) -> None:
        """Take a series of one line out of its block."""
        block.remove(index)
        self.series_count -= 1
        if block.empty:
            self.blocks[series_class].remove(block)
            if self._lines_of:
                self._lines_of.get(series_class, {}).pop(block.owner, None)

    def remove_together(self, block: Block, series_class: SeriesClass) -> None:
        """Take out the block of one series."""
        self.series_count -= 1
        self.blocks[series_class].remove(block)
