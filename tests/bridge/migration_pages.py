"""The tables of docs/migration: every figure of an old dashboard, and where it is now."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = {
    "minigem": REPOSITORY / "docs/migration/from-minigem.md",
    "proxmoxve": REPOSITORY / "docs/migration/from-proxmoxve.md",
}
SECTION = "## Where each figure is now"
HEAD = "| Old figure | Now | |"
NOT_KEPT = "not kept"
EMPTY_UNTIL = "Empty until "
"""Begins the sentence of a note that says from when on a query gives anything."""
_CELLS = re.compile(r"(?<!\\)\|")


class Row(NamedTuple):
    """One row of a table."""

    page: str
    section: str
    """The headline above its table."""
    figure: str
    """Its first cell."""
    now: str
    """Its second: PromQL, ``GET PATH``, or NOT_KEPT."""
    note: str

    @property
    def promql(self) -> str:
        """The query; empty if it is none."""
        return "" if self.path or self.now == NOT_KEPT else self.now

    @property
    def path(self) -> str:
        """What is to be asked for with GET; empty if it is a query or not kept."""
        return self.now.removeprefix("GET ") if self.now.startswith("GET /") else ""

    @property
    def names(self) -> list[str]:
        """What the figure is called, as far as that is code."""
        return re.findall(r"`([^`]+)`", self.figure)

    @property
    def may_be_empty(self) -> bool:
        """Whether its note allows that."""
        return EMPTY_UNTIL in self.note


def rows_of(page: str) -> list[Row]:
    """All rows of *page*, in order. Raises AssertionError at one that is none of the three kinds."""
    text = PAGES[page].read_text(encoding="utf-8").split(f"\n{SECTION}\n")[1]
    rows, section = [], ""
    for line in text.splitlines():
        if line.startswith("### "):
            section = line.removeprefix("### ")
        elif line.startswith("|") and not line.startswith(("|---", HEAD)):
            figure, now, note = (cell.strip() for cell in _CELLS.split(line)[1:-1])
            code = re.fullmatch(r"`([^`]+)`", now)
            assert code is not None or now == NOT_KEPT, line
            rows.append(Row(page, section, figure, code[1].replace("\\|", "|") if code else now, note))
    return rows


ROWS = [row for page in PAGES for row in rows_of(page)]


def row_id(row: Row) -> str:
    """Of a test about *row*."""
    return f"{row.page}: {row.figure}"
