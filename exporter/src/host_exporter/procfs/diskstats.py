"""``/proc/diskstats``: https://docs.kernel.org/admin-guide/iostats.html."""

from __future__ import annotations

from typing import NamedTuple

IDENTITY_COLUMNS = 3
"""Major number, minor number and name stand before the counts."""


class Disk(NamedTuple):
    """One block device; ``counts`` are the kernel's columns after the name, 11 to 17 by the kernel's age."""

    name: str
    major: str
    minor: str
    counts: list[int]


def parse_diskstats(text: str) -> list[Disk]:
    """Raises ValueError if a line has no name or a count is not a number."""
    disks = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) <= IDENTITY_COLUMNS:
            raise ValueError(f"expected counts after the device's name, got {line!r}")
        major, minor, name = fields[:IDENTITY_COLUMNS]
        disks.append(Disk(name, major, minor, [int(field) for field in fields[IDENTITY_COLUMNS:]]))
    return disks
