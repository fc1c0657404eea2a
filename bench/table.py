"""Rows of a comparison: what was measured, what was required, whether it holds; and the table of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple

from bench.summary import Spread, paired_ratios, spread


class Target(NamedTuple):
    """A bound: what is at least or at most *value*."""

    relation: Literal["≥", "≤"]
    value: float

    def holds(self, value: float) -> bool:
        """Whether *value* keeps to it."""
        return value >= self.value if self.relation == "≥" else value <= self.value


class Verdict(StrEnum):
    """What became of a row's targets."""

    FAILED = "NO"
    MUST = "must"
    AIM = "aim"
    NONE = ""
    SKIPPED = "skipped"


class Row(NamedTuple):
    """One line of the table."""

    what: str
    unit: str
    ours: Spread | None
    """``None`` if it was not measured; ``note`` then says why."""
    peer: Spread | None = None
    ratio: Spread | None = None
    """Ours as a multiple of the peer's; what the targets speak of where it is there."""
    must: Target | None = None
    aim: Target | None = None
    note: str = ""
    """Stands below the table."""

    @property
    def judged(self) -> Spread | None:
        """The ratio where there is one, else our own value."""
        return self.ratio or self.ours

    @property
    def verdict(self) -> Verdict:
        """By the median of what is judged."""
        if self.judged is None:
            return Verdict.SKIPPED
        if self.must is not None and not self.must.holds(self.judged.median):
            return Verdict.FAILED
        if self.aim is not None and self.aim.holds(self.judged.median):
            return Verdict.AIM
        return Verdict.NONE if self.must is None else Verdict.MUST


def compared(
    what: str,
    unit: str,
    ours: Sequence[float],
    peers: Sequence[float],
    must: Target | None = None,
    aim: Target | None = None,
    note: str = "",
) -> Row:
    """A row whose ratio is paired round by round."""
    return Row(what, unit, spread(ours), spread(peers), spread(paired_ratios(ours, peers)), must, aim, note)


def failed(rows: Iterable[Row]) -> list[Row]:
    """Rows whose must does not hold."""
    return [row for row in rows if row.verdict is Verdict.FAILED]


HEADINGS = ("Work", "Peer", "Ours", "Ratio (min–max)", "Must", "Aim", "Holds")


def render(rows: Sequence[Row]) -> str:
    """A table that reads as plain text and as Markdown, and the notes of its rows."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = [_line(line, widths) for line in cells]
    lines.insert(1, "|".join(["", *("-" * (width + 2) for width in widths), ""]))
    notes = [f"- {row.what}: {row.note}." for row in rows if row.note]
    return "\n".join([*lines, "", *notes] if notes else lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    mark = "" if row.ratio is None else " ×"
    return (
        row.what,
        _measured(row.peer, row.unit),
        _measured(row.ours, row.unit),
        "" if row.ratio is None else f"{_number(row.ratio.median)} × ({_range(row.ratio)})",
        _bound(row.must, mark),
        _bound(row.aim, mark),
        str(row.verdict),
    )


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _measured(value: Spread | None, unit: str) -> str:
    return "" if value is None else f"{_number(value.median)} {unit}".rstrip()


def _bound(target: Target | None, mark: str) -> str:
    return "" if target is None else f"{target.relation} {_number(target.value)}{mark}"


def _range(value: Spread) -> str:
    return f"{_number(value.low)}–{_number(value.high)}"


def _number(value: float) -> str:
    """Three significant digits, without an exponent; thousands apart by a narrow space."""
    return thousands(round(value)) if abs(value) >= 99.95 else f"{value:.3g}"


def thousands(number: int) -> str:
    """``12 345``, with a narrow space that does not break."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def replace_between(text: str, name: str, new: str) -> str:
    """*text* with what stands between ``<!-- name -->`` and ``<!-- /name -->`` replaced by *new*.

    Raises ValueError if the two marks are not there.
    """
    before, begin, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not begin or not end:
        raise ValueError(f"the marks <!-- {name} --> and <!-- /{name} --> are not there")
    return f"{before}{begin}{new}{end}{after}"
