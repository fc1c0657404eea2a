"""What a collector declares and what it yields: families, and values of them. Formats do not matter here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """All series of one metric name. Equal only to itself, so that it is a cheap key at every value.

    A counter's name ends in ``_total``; a label's value stands at the label's place in ``labels``.
    """

    name: str
    kind: Literal["counter", "gauge", "untyped"]
    help: str
    labels: tuple[str, ...] = ()


Value: TypeAlias = tuple[Family, tuple[str, ...], float]
"""One series' number at a scrape: its family, the values of the family's labels, the number.

A plain tuple, because a scrape makes hundreds and a named one costs four times as much.
"""
