"""Files below ``/sys/fs/btrfs/<uuid>`` that hold more than one number: https://docs.kernel.org/filesystems/btrfs.html."""

from __future__ import annotations


def parse_commit_stats(text: str) -> dict[str, int]:
    """The numbers by their names. Raises ValueError if a line is not a name and a number."""
    numbers = {}
    for line in text.splitlines():
        name, _, count = line.partition(" ")
        if not count.isdecimal():
            raise ValueError(f"expected a name and a number, got {line!r}")
        numbers[name] = int(count)
    return numbers
