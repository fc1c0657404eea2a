"""``/proc/stat``, see proc_stat(5): the time each CPU spent in each mode, and counts of the whole kernel."""

from __future__ import annotations

USER_HZ = 100
"""Ticks per second of every time in procfs; 100 on each architecture that is still built."""

CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
"""The columns of a ``cpu`` line. Kernels before 2.6.33 leave out some of the last."""

FEWEST_MODES = 4
"""The first kernels had only these."""

SOFTIRQS = (
    "hi",
    "timer",
    "net_tx",
    "net_rx",
    "block",
    "block_iopoll",
    "tasklet",
    "sched",
    "hrtimer",
    "rcu",
)
"""The columns of the line ``softirq``, after their sum."""


def parse_cpu_times(text: str) -> dict[str, list[int]]:
    """Ticks in the order of ``CPU_MODES`` by CPU number; the sum over all CPUs is left out.

    Raises ValueError if there is no CPU, or if one has too few columns or one that is not a number.
    """
    times: dict[str, list[int]] = {}
    for line in text.splitlines():
        if not line.startswith("cpu"):
            break  # the CPUs stand first, and the interrupts after them fill kilobytes
        name, *ticks = line.split()[: 1 + len(CPU_MODES)]
        if name != "cpu":
            if len(ticks) < FEWEST_MODES:
                raise ValueError(
                    f"expected at least {FEWEST_MODES} numbers for each CPU in stat, got {line!r}"
                )
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


def parse_softirqs(text: str) -> dict[str, int]:
    """How often each kind of soft interrupt was served; nothing from a kernel that does not tell.

    Raises ValueError if the line has too few columns or one that is not a number.
    """
    for line in text.splitlines():
        if line.startswith("softirq "):
            counts = line.split()[2:]
            if len(counts) < len(SOFTIRQS):
                raise ValueError(f"expected a sum and {len(SOFTIRQS)} numbers in stat, got {line!r}")
            return {name: int(count) for name, count in zip(SOFTIRQS, counts, strict=False)}
    return {}
