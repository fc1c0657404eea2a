"""``/proc/diskstats``: https://docs.kernel.org/admin-guide/iostats.html."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

IDENTITY_COLUMNS = 3
"""Major number, minor number and name stand before the counts."""


class Disk(NamedTuple):
    """One block device; ``counts`` are the kernel's columns after the name, 11 to 17 by the kernel's age."""

    name: str
    major: str
    minor: str
    counts: list[int]


def parse_diskstats(text: str, shows: Callable[[str], bool] | None = None) -> list[Disk]:
    """The devices whose name *shows* lets through. Raises ValueError if a line has no name or a count is no number."""
    disks = []
    for line in text.splitlines():
        fields = line.split(None, IDENTITY_COLUMNS)
        if len(fields) <= IDENTITY_COLUMNS:
            raise ValueError(f"diskstats: expected counts after the device's name, got {line!r}")
        major, minor, name, rest = fields
        if shows is None or shows(name):
            try:
                counts = [int(count) for count in rest.split()]
            except ValueError:
                raise ValueError(f"diskstats: expected numbers, got {line!r}") from None
            disks.append(Disk(name, major, minor, counts))
    return disks
