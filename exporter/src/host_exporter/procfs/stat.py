"""``/proc/stat``, see proc_stat(5): the time each CPU spent in each mode, and counts of the whole kernel."""

from __future__ import annotations

USER_HZ = 100
"""Ticks per second of every time in procfs; 100 on each architecture that is still built."""

CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
"""The columns of a ``cpu`` line. Kernels before 2.6.33 leave out some of the last."""


def parse_cpu_times(text: str) -> dict[str, list[int]]:
    """Ticks in the order of ``CPU_MODES`` by CPU number; the sum over all CPUs is left out.

    Raises ValueError if there is no CPU or if a column is not a number.
    """
    times: dict[str, list[int]] = {}
    for line in text.splitlines():
        name, *ticks = line.split()[: 1 + len(CPU_MODES)] or [""]
        if not name.startswith("cpu"):
            break  # the CPUs stand first, and the interrupts after them fill kilobytes
        if name != "cpu":
            times[name[3:]] = [int(tick) for tick in ticks]
    if not times:
        raise ValueError("expected a line cpu0 at the start of stat")
    return times


def parse_counts(text: str) -> dict[str, int]:
    """The first number of every other line by its name: ``intr``, ``ctxt``, ``btime``, ``processes``, ...

    Raises ValueError if a line has no number.
    """
    counts: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name and not name.startswith("cpu"):
            counts[name] = int(rest.partition(" ")[0])
    return counts
