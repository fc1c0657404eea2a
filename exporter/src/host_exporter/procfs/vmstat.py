"""``/proc/vmstat``, see proc_vmstat(5)."""

from __future__ import annotations

from typing import NamedTuple


class VmStat(NamedTuple):
    """The fields in the kernel's order, and their numbers as text, since few of the 200 are ever wanted."""

    fields: list[str]
    numbers: list[str]


def parse_vmstat(text: str) -> VmStat:
    """Raises ValueError if a field has no number."""
    words = text.split()
    if len(words) % 2:
        raise ValueError(f"expected a name and a number in each line of vmstat, got {words[-1]!r} at its end")
    return VmStat(words[::2], words[1::2])
