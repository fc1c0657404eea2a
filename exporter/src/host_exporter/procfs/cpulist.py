"""CPUs as sysfs names them: lists such as ``/sys/devices/system/cpu/isolated``, and the folders beside it."""

from __future__ import annotations

from collections.abc import Iterable


def parse_cpu_list(text: str) -> list[int]:
    """The numbers that a list such as ``0,2-4`` names, in its order; none for an empty one.

    Raises ValueError if a part is neither a number nor a range.
    """
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        if not part:
            continue
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"expected a list of CPUs such as 0,2-4, got {text!r}")
        cpus.extend(range(int(first), int(last if dash else first) + 1))
    return cpus


def cpu_folders(names: Iterable[str]) -> list[str]:
    """Those of *names* that are a CPU's folder: ``cpu0``, but not ``cpufreq``."""
    return [name for name in names if name.startswith("cpu") and name[3:].isdecimal()]
