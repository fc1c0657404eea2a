"""``/sys/fs/xfs/<device>/stats/stats``: https://xfs.org/index.php/Runtime_Stats."""

from __future__ import annotations

from collections.abc import Mapping


def parse_xfs_stats(text: str, fewest: Mapping[str, int]) -> dict[str, list[int]]:
    """The numbers of the lines that *fewest* names, in their order; it says how many there must be at least.

    Raises ValueError if there are fewer, or if one is no number.
    """
    numbers = {}
    for line in text.splitlines():
        label, _, rest = line.partition(" ")
        if label in fewest:
            try:
                counts = [int(word) for word in rest.split()]
            except ValueError:
                counts = []
            if len(counts) < fewest[label]:
                raise ValueError(f"expected {fewest[label]} numbers after {label}, got {line!r}")
            numbers[label] = counts
    return numbers
