"""Statistics of measured rounds. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """The median of some rounds, with the smallest and the largest."""

    median: float
    low: float
    high: float
    rounds: tuple[float, ...]
    """All of them, in the order in which they were measured."""


def spread(values: Iterable[float]) -> Spread:
    """Raises ValueError if there are none."""
    rounds = tuple(values)
    if not rounds:
        raise ValueError("no round was measured")
    return Spread(statistics.median(rounds), min(rounds), max(rounds), rounds)


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """The least of the sorted values that *fraction* of them do not exceed (nearest rank).

    Raises ValueError if there are none.
    """
    if not ordered:
        raise ValueError("no value to take a percentile of")
    return ordered[max(math.ceil(fraction * len(ordered)), 1) - 1]


def paired_ratios(ours: Sequence[float], peers: Sequence[float]) -> list[float]:
    """Ours as a multiple of the peer's, round by round: what slows the machine slows both of a round.

    Raises ValueError if the two have different numbers of rounds, or a peer's value is not above 0.
    """
    if any(peer <= 0 for peer in peers):
        raise ValueError(f"a peer's values must be above 0, got {min(peers)}")
    return [our / peer for our, peer in zip(ours, peers, strict=True)]


def relative_range(values: Iterable[float]) -> float:
    """How far the largest is above the smallest, as a part of the median."""
    found = spread(values)
    return (found.high - found.low) / found.median
