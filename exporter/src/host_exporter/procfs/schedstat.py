"""``/proc/schedstat``: https://docs.kernel.org/scheduler/sched-stats.html."""

from __future__ import annotations

from typing import NamedTuple


class CpuSchedule(NamedTuple):
    """What tasks did on one CPU: time they ran, time they waited for it, and how often one ran."""

    cpu: str
    running_ns: int
    waiting_ns: int
    timeslices: int


def parse_schedstat(text: str) -> list[CpuSchedule]:
    """One for each CPU; the domains between them, which are most of the text, are left out.

    Raises ValueError if a CPU has fewer than nine numbers.
    """
    schedules = []
    for line in text.splitlines():
        if line.startswith("cpu"):
            fields = line.split()
            if len(fields) < 10:
                raise ValueError(f"expected nine numbers for each CPU in schedstat, got {line!r}")
            schedules.append(CpuSchedule(fields[0][3:], int(fields[7]), int(fields[8]), int(fields[9])))
    return schedules
