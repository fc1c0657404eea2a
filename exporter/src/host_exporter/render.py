"""Values → the lines that Prometheus reads: its text format 0.0.4, and OpenMetrics 1.0.

https://prometheus.io/docs/instrumenting/exposition_formats/
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from host_exporter.family import Family, Value

SPARE_PREFIXES = 256
"""How many more label sets than were just rendered a family may remember before it forgets all."""

MOST_FAMILIES = 4096
"""Families remembered before all are forgotten: those of textfiles come and go."""


class Format(NamedTuple):
    """How one media type writes what stands around the numbers."""

    content_type: bytes
    header: Callable[[Family], str]
    prefix: Callable[[Family, tuple[str, ...]], str]
    end: str
    created_inside: bool
    """Creation times stand among the series that they are of."""


def _escape_label(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _text_header(family: Family) -> str:
    help_text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {family.name} {help_text}\n# TYPE {family.name} {family.kind}\n"


def _openmetrics_header(family: Family) -> str:
    """A counter is named without its ``_total`` here, and without one it is not a counter."""
    name, kind = family.name, str(family.kind)
    if kind == "counter" and name.endswith("_total"):
        name = name.removesuffix("_total")
    elif kind in ("counter", "untyped"):
        kind = "unknown"
    return f"# HELP {name} {_escape_label(family.help)}\n# TYPE {name} {kind}\n"


def _text_prefix(family: Family, labels: tuple[str, ...]) -> str:
    """``name{a="1",b="2"}`` and a blank; labels in the order of their names."""
    if family.free:
        return _line_start(f"{family.name}{labels[0]}", _free_pairs(labels))
    pairs = sorted(zip(family.labels, labels, strict=True))
    return _line_start(family.name, [pair for pair in pairs if pair[1]] if family.sparse else pairs)


def _openmetrics_prefix(family: Family, labels: tuple[str, ...]) -> str:
    """The same; but the bounds of buckets and the quantiles are written with a point: ``1.0``."""
    number = {"histogram": "le", "summary": "quantile"}.get(family.kind)
    if not (family.free and number):
        return _text_prefix(family, labels)
    pairs = [(name, _pointed(value) if name == number else value) for name, value in _free_pairs(labels)]
    return _line_start(f"{family.name}{labels[0]}", pairs)


def _free_pairs(labels: tuple[str, ...]) -> list[tuple[str, str]]:
    return sorted(zip(labels[1::2], labels[2::2], strict=True))


def _pointed(number: str) -> str:
    return f"{number}.0" if number.removeprefix("-").isdecimal() else number


def _line_start(name: str, pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return f"{name} "
    inside = ",".join(f'{label}="{_escape_label(value)}"' for label, value in pairs)
    return f"{name}{{{inside}}} "


TEXT = Format(
    b"text/plain; version=0.0.4; charset=utf-8", _text_header, _text_prefix, end="", created_inside=False
)
OPENMETRICS = Format(
    b"application/openmetrics-text; version=1.0.0; charset=utf-8",
    _openmetrics_header,
    _openmetrics_prefix,
    end="# EOF\n",
    created_inside=True,
)


class _Layout:
    """How the lines of one source stood when it was rendered last: they nearly always stand so again.

    Then there is nothing to do per line but to write its number: that is most of what a scrape costs.
    """

    __slots__ = ("_in_order", "_starts", "families", "labels")

    def __init__(
        self,
        families: tuple[Family, ...],
        labels: tuple[tuple[str, ...], ...],
        starts: Sequence[str],
        order: Sequence[int],
    ) -> None:
        self.families = families
        self.labels = labels
        self._starts = starts
        """What stands before each number, in the order of the lines, with the end of the line above."""
        straight = [*order] == [*range(len(order))]
        self._in_order = None if straight else itemgetter(*order)
        """The numbers in the order of the lines; they come in that of the source."""

    def fill(self, numbers: tuple[float, ...]) -> str:
        """The lines with these *numbers*. Raises TypeError for one that is none."""
        if self._in_order is not None:
            numbers = self._in_order(numbers)
        parts = [""] * (2 * len(numbers) + 1)
        parts[:-1:2] = self._starts
        parts[1::2] = map(repr, numbers) if _all_usual(numbers) else map(_text_of, numbers)
        parts[-1] = "\n"
        return "".join(parts)


class Renderer:
    """Renders in one format, and keeps what stands before each number from one scrape to the next.

    Numbers are never kept. For one thread.
    """

    def __init__(self, format_: Format) -> None:
        self._format = format_
        self._known: dict[Family, tuple[str, dict[tuple[str, ...], str]]] = {}
        self._layouts: dict[str, _Layout] = {}

    def render(self, values: Iterable[Value], source: str = "") -> str:
        """The lines of *values*: families in the order of their first value, each family's lines together.

        *source* says whose they are: what it gave last is remembered. Raises TypeError for a number that is none,
        ValueError if label values are missing or too many.
        """
        given = [*values]
        if not given:
            return ""
        families, labels, numbers = zip(*given, strict=True)
        layout = self._layouts.get(source)
        if layout is None or layout.families != families or layout.labels != labels:
            layout = self._layouts[source] = self._lay_out(families, labels)
        return layout.fill(numbers)

    def end(self) -> str:
        """What closes the whole exposition."""
        return self._format.end

    def _lay_out(self, families: tuple[Family, ...], labels: tuple[tuple[str, ...], ...]) -> _Layout:
        """The lines of these series, each family's together, with its header before the first."""
        blocks: dict[Family, tuple[list[tuple[str, int]], dict[tuple[str, ...], str]]] = {}
        headers: list[tuple[str, list[tuple[str, int]]]] = []
        prefix_of = self._format.prefix
        for place, (family, values) in enumerate(zip(families, labels, strict=True)):
            try:
                lines, prefixes = blocks[family]
            except KeyError:
                header, prefixes = self._known_parts(family)
                if family.created_of in blocks and self._format.created_inside:
                    lines, _ = blocks[family.created_of]
                else:
                    lines = []
                    headers.append((header, lines))
                blocks[family] = lines, prefixes
            try:
                prefix = prefixes[values]
            except KeyError:
                prefix = prefixes[values] = prefix_of(family, values)
            lines.append((prefix, place))
        self._forget_unused(blocks)
        starts: list[str] = []
        order: list[int] = []
        for header, lines in headers:
            for number, (prefix, place) in enumerate(lines):
                above = "\n" if starts else ""
                starts.append(f"{above}{'' if number else header}{prefix}")
                order.append(place)
        return _Layout(families, labels, starts, order)

    def _known_parts(self, family: Family) -> tuple[str, dict[tuple[str, ...], str]]:
        known = self._known.get(family)
        if known is None:
            if len(self._known) >= MOST_FAMILIES:
                self._known.clear()
            known = self._known[family] = self._format.header(family), {}
        return known

    @staticmethod
    def _forget_unused(
        blocks: Mapping[Family, tuple[list[tuple[str, int]], dict[tuple[str, ...], str]]],
    ) -> None:
        """Devices come and go; their lines' beginnings must not stay for ever."""
        for lines, prefixes in blocks.values():
            if len(prefixes) > len(lines) + SPARE_PREFIXES:
                prefixes.clear()


_PLAIN_TYPES = ({int}, {float}, {int, float})


def _all_usual(numbers: tuple[float, ...]) -> bool:
    """Whether each number's ``repr`` is what the format wants; ``False`` also where that is not certain."""
    if {*map(type, numbers)} not in _PLAIN_TYPES:
        return False
    try:
        return math.isfinite(sum(numbers))
    except OverflowError:  # an integer beyond any float
        return False


def _text_of(number: object) -> str:
    text = repr(number)
    return text if type(number) in (int, float) and "0" <= text[-1] <= "9" else _unusual(number)


def _unusual(number: object) -> str:
    """Numbers whose ``repr`` is not the format's: infinities, NaN, booleans."""
    if not isinstance(number, int | float):
        raise TypeError(f"expected a number, got {number!r}")
    number = float(number)
    if number != number:  # noqa: PLR0124 - only NaN differs from itself
        return "NaN"
    return {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(number) or repr(number)
