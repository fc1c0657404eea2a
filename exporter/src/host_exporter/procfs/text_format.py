"""Prometheus' text format 0.0.4, as others wrote it into a file: strict, as node_exporter reads it.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias, cast

Labels: TypeAlias = tuple[tuple[str, str], ...]
Kind: TypeAlias = Literal["counter", "gauge", "untyped", "histogram", "summary"]

KINDS = frozenset({"counter", "gauge", "untyped", "histogram", "summary"})
BOUND_OF = {"histogram": "le", "summary": "quantile"}
SMALLEST_PLAIN, LARGEST_PLAIN = -4, 6
"""Powers of ten between which Go writes numbers without an exponent."""
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_COMMENT = re.compile(r"[ \t]*#[ \t]*(HELP|TYPE)[ \t]+([^ \t]+)(?:[ \t]+(.*))?")
_SAMPLE = re.compile(
    rf"[ \t]*({_NAME})"
    r'(?:[ \t]*\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}[ \t]*|[ \t]+)'
    r"([^ \t{}]+)(?:[ \t]+([^ \t]+))?[ \t]*"
)
_LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\["\\n])*)"[ \t]*(?:,[ \t]*|$)')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_HELP = re.compile(r'(?:[^\\]|\\[\\n"])*')


class Sample(NamedTuple):
    """One line: what follows the family's name, the label that only this line has (a bound), the number."""

    suffix: str
    bound: Labels
    number: float


class TextFamily(NamedTuple):
    """All series of one name in one text, by label set; a label that only others have is empty.

    A histogram's or summary's label set has several samples: first its buckets, which end with ``+Inf``,
    or its quantiles, in their order, then sum and count.
    """

    name: str
    kind: Kind
    help: str | None
    series: dict[Labels, list[Sample]]
    repeated: tuple[Labels, ...] = ()
    """Label sets that stand there more than once; the first counts."""


def parse_text(text: str) -> list[TextFamily]:
    """The families that have samples, in their order. Raises ValueError with the line's number."""
    families: dict[str, _Open] = {}
    *lines, rest = text.split("\n")
    for number, line in enumerate(lines, 1):
        try:
            _take(line, families)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    if rest:
        raise ValueError(f"line {len(lines) + 1}: expected a line feed at its end")
    return [family.closed() for family in families.values() if family.series]


class _Open:
    """A family while its lines are read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind: Kind | None = None
        self.help: str | None = None
        self.series: dict[Labels, _Series] = {}
        self.repeated: list[Labels] = []

    def add(self, name: str, labels: Labels, number: float) -> None:
        suffix = name.removeprefix(self.name)
        bound_name = BOUND_OF.get(self.kind or "")
        if bound_name is None:
            if labels in self.series:
                self.repeated.append(labels)
            else:
                self.series[labels] = _Series(number)
            return
        own = tuple(pair for pair in labels if pair[0] != bound_name)
        series = self.series.setdefault(own, _Series())
        if suffix == "_sum":
            series.number = number
        elif suffix == "_count":
            series.count = _count(number)
        elif suffix == ("_bucket" if self.kind == "histogram" else ""):
            bound = next((value for label, value in labels if label == bound_name), None)
            if bound is None:
                raise ValueError(f"expected the label {bound_name} in {name}")
            series.bounds[_bound(bound)] = _count(number) if suffix else number
        else:
            raise ValueError(f"{name} is no sample of the {self.kind} {self.name}")

    def closed(self) -> TextFamily:
        names = {label for labels in self.series for label, _ in labels}
        series: dict[Labels, list[Sample]] = {}
        repeated = [_filled(labels, names) for labels in self.repeated]
        for labels, one in self.series.items():
            filled = _filled(labels, names)
            if filled in series:
                repeated.append(filled)  # a label was empty there, and is missing here
            else:
                series[filled] = self._samples(one)
        return TextFamily(self.name, self.kind or "untyped", self.help, series, tuple(repeated))

    def _samples(self, series: _Series) -> list[Sample]:
        bound_name = BOUND_OF.get(self.kind or "")
        if bound_name is None:
            return [Sample("", (), series.number)]
        suffix, bounds, count = "", series.bounds, series.count
        if self.kind == "histogram":
            suffix = "_bucket"
            bounds.setdefault(math.inf, count or 0)
            count = int(bounds[math.inf]) if count is None else count
        return [
            *(
                Sample(suffix, ((bound_name, write_go_number(bound)),), bounds[bound])
                for bound in sorted(bounds)
            ),
            Sample("_sum", (), series.number),
            Sample("_count", (), count or 0),
        ]


class _Series:
    """One label set: its number or sum, and what a histogram or summary has beside."""

    __slots__ = ("bounds", "count", "number")

    def __init__(self, number: float = 0.0) -> None:
        self.number = number
        self.count: int | None = None
        self.bounds: dict[float, float] = {}


def _take(line: str, families: dict[str, _Open]) -> None:
    sample = _SAMPLE.fullmatch(line)
    if sample is None:
        _take_other(line, families)
        return
    name, inside, number, timestamp = sample.groups()
    if timestamp is not None:
        raise ValueError(f"{name} has a timestamp, which the time of the scrape would contradict")
    labels = tuple(sorted(_labels(inside))) if inside else ()
    _family(name, families).add(name, labels, _float(number))


def _take_other(line: str, families: dict[str, _Open]) -> None:
    blank = not line.strip(" \t")
    if blank:
        return
    if not line.lstrip(" \t").startswith("#"):
        raise ValueError(f'expected NAME{{LABEL="VALUE"}} NUMBER, got {line[:80]!r}')
    comment = _COMMENT.fullmatch(line)
    if comment is None:
        return
    keyword, name, rest = comment.groups()
    if not re.fullmatch(_NAME, name):
        raise ValueError(f"expected a metric's name, got {name!r}")
    family = _family(name, families)
    if keyword == "HELP":
        _take_help(family, rest)
    elif rest:
        _take_kind(family, rest.rstrip(" \t").lower())


def _take_help(family: _Open, text: str | None) -> None:
    if family.help is not None:
        raise ValueError(f"a second HELP for {family.name}")
    if text:  # an empty one is none, to Go too
        if not _HELP.fullmatch(text):
            raise ValueError(
                f"expected n, a quote or a backslash after a backslash in the help of {family.name}"
            )
        family.help = _unescape(text)


def _take_kind(family: _Open, kind: str) -> None:
    if family.kind is not None or family.series:
        raise ValueError(f"a second TYPE for {family.name}, or one after its samples")
    if kind not in KINDS:
        raise ValueError(f"expected one of {', '.join(sorted(KINDS))}, got {kind!r}")
    family.kind = cast("Kind", kind)


def _family(name: str, families: dict[str, _Open]) -> _Open:
    """The family that *name* belongs to: a summary or histogram of which it is a part, or its own."""
    found = families.get(name)
    if found is None:
        for kind in ("summary", "histogram"):
            for suffix in SUFFIXES[kind]:
                whole = families.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
                if whole is not None and whole.kind == kind:
                    return whole
        found = families[name] = _Open(name)
    return found


def _labels(inside: str) -> Iterator[tuple[str, str]]:
    at, names = 0, set()
    while at < len(inside):
        match = _LABEL.match(inside, at)
        if match is None:
            if not inside[at:].strip(" \t"):
                return
            raise ValueError(f'expected LABEL="VALUE", got {inside[at : at + 80]!r}')
        name, value = match.groups()
        if name in names or name == "__name__":
            raise ValueError(f"the label {name} is {'reserved' if name == '__name__' else 'there twice'}")
        names.add(name)
        yield name, _unescape(value)
        at = match.end()


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text) if "\\" in text else text


def _float(text: str) -> float:
    """As Go reads it: no underscores, nothing too large."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
        readable = False
    else:
        readable = text.isascii() and "_" not in text and text.strip() == text
        readable = readable and (math.isfinite(number) or not any(map(str.isdigit, text)))
    if not readable:
        raise ValueError(f"expected a number, got {text[:80]!r}")
    return number


def _bound(text: str) -> float:
    number = _float(text)
    if math.isnan(number):
        raise ValueError("NaN is no bound and no quantile")
    return number


def _count(number: float) -> int:
    if not 0 <= number < 2**64:
        raise ValueError(f"expected a count, got {number}")
    return int(number)


def _filled(labels: Labels, names: Iterable[str]) -> Labels:
    known = dict(labels)
    return tuple((name, known.get(name, "")) for name in sorted(names))


def write_go_number(number: float) -> str:
    """The shortest text that Go writes for *number*: ``1``, ``0.5``, ``1e+06``, ``+Inf``."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else f"{number:+}".replace("inf", "Inf")
    shortest = Decimal(repr(number)).normalize()
    sign, digits, exponent = shortest.as_tuple()
    magnitude = len(digits) - 1 + int(exponent)
    if SMALLEST_PLAIN <= magnitude < LARGEST_PLAIN:
        return f"{shortest:f}"
    first, *others = map(str, digits)
    mantissa = f"{first}.{''.join(others)}" if others else first
    return f"{'-' if sign else ''}{mantissa}e{magnitude:+03d}"
