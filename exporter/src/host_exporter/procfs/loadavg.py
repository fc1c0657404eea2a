"""``/proc/loadavg``, see proc_loadavg(5)."""

from __future__ import annotations

from typing import NamedTuple


class LoadAvg(NamedTuple):
    """Tasks that ran or waited for the disk, averaged over 1, 5 and 15 minutes."""

    load1: float
    load5: float
    load15: float


def parse_loadavg(text: str) -> LoadAvg:
    """Raises ValueError if *text* does not start with three numbers."""
    load1, load5, load15 = (float(field) for field in text.split()[:3])
    return LoadAvg(load1, load5, load15)
