"""Values → the lines that Prometheus reads: its text format 0.0.4, and OpenMetrics 1.0.

https://prometheus.io/docs/instrumenting/exposition_formats/
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from host_exporter.family import Family, Value

SPARE_PREFIXES = 256
"""How many more label sets than were just rendered a family may remember before it forgets all."""


class Format(NamedTuple):
    """How one media type writes what stands around the numbers."""

    content_type: bytes
    header: Callable[[Family], str]
    end: str


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
    elif kind != "gauge":
        kind = "unknown"
    return f"# HELP {name} {_escape_label(family.help)}\n# TYPE {name} {kind}\n"


TEXT = Format(b"text/plain; version=0.0.4; charset=utf-8", _text_header, "")
OPENMETRICS = Format(
    b"application/openmetrics-text; version=1.0.0; charset=utf-8", _openmetrics_header, "# EOF\n"
)


class Renderer:
    """Renders in one format, and keeps what stands before each number from one scrape to the next.

    Numbers are never kept. For one thread.
    """

    def __init__(self, format_: Format) -> None:
        self._format = format_
        self._known: dict[Family, tuple[str, dict[tuple[str, ...], str]]] = {}

    def render(self, values: Iterable[Value]) -> str:
        """The lines of *values*: families in the order of their first value, each family's lines together.

        Raises TypeError for a number that is none, ValueError if label values are missing or too many.
        """
        blocks: dict[Family, tuple[list[str], dict[tuple[str, ...], str]]] = {}
        for family, labels, number in values:
            try:
                lines, prefixes = blocks[family]
            except KeyError:
                header, prefixes = self._known_parts(family)
                lines = [header]
                blocks[family] = lines, prefixes
            try:
                prefix = prefixes[labels]
            except KeyError:
                prefix = prefixes[labels] = _prefix(family, labels)
            text = repr(number)
            if not "0" <= text[-1] <= "9":
                text = _unusual(number)
            lines.append(f"{prefix}{text}\n")
        self._forget_unused(blocks)
        return "".join([line for lines, _ in blocks.values() for line in lines])

    def end(self) -> str:
        """What closes the whole exposition."""
        return self._format.end

    def _known_parts(self, family: Family) -> tuple[str, dict[tuple[str, ...], str]]:
        known = self._known.get(family)
        if known is None:
            known = self._known[family] = self._format.header(family), {}
        return known

    @staticmethod
    def _forget_unused(blocks: dict[Family, tuple[list[str], dict[tuple[str, ...], str]]]) -> None:
        """Devices come and go; their lines' beginnings must not stay for ever."""
        for lines, prefixes in blocks.values():
            if len(prefixes) > len(lines) + SPARE_PREFIXES:
                prefixes.clear()


def _prefix(family: Family, labels: tuple[str, ...]) -> str:
    """``name{a="1",b="2"}`` and a blank; labels in the order of their names."""
    pairs = sorted(zip(family.labels, labels, strict=True))
    if not pairs:
        return f"{family.name} "
    inside = ",".join(f'{name}="{_escape_label(value)}"' for name, value in pairs)
    return f"{family.name}{{{inside}}} "


def _unusual(number: object) -> str:
    """Numbers whose ``repr`` is not the format's: infinities, NaN, booleans."""
    if not isinstance(number, int | float):
        raise TypeError(f"expected a number, got {number!r}")
    number = float(number)
    if number != number:  # noqa: PLR0124 - only NaN differs from itself
        return "NaN"
    return {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(number) or repr(number)
