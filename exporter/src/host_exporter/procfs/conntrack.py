"""``/proc/net/stat/nf_conntrack``: what connection tracking counted on each CPU."""

from __future__ import annotations

NAMES = ("found", "invalid", "ignore", "insert", "insert_failed", "drop", "early_drop", "search_restart")
"""What is summed up; the other columns are always 0 in current kernels, or are not counts of one CPU."""


def sum_conntrack(text: str) -> dict[str, int]:
    """The sums over all CPUs by ``NAMES``; a column that the kernel does not have is 0.

    Raises ValueError if a line has more or fewer numbers than the heading has names, or others than hexadecimal.
    """
    heading, *lines = text.splitlines() or [""]
    names = heading.split()
    sums = dict.fromkeys(NAMES, 0)
    places = [(place, name) for place, name in enumerate(names) if name in sums]
    if not places:
        raise ValueError(f"net/stat/nf_conntrack: expected the columns' names, got {heading!r}")
    for line in lines:
        numbers = line.split()
        if len(numbers) != len(names):
            raise ValueError(f"net/stat/nf_conntrack: expected {len(names)} numbers, got {line!r}")
        for place, name in places:
            sums[name] += int(numbers[place], 16)
    return sums
