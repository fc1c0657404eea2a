"""The group ``cpu``: how busy the CPUs are, how many there are, how fast they run and what they are called."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from host_exporter.paths import HostPaths
from host_exporter.procfs.stat import CPU_MODES, parse_cpu_times

MIN_INTERVAL_SECONDS = 0.1
"""Below ten of the kernel's ticks a share says nothing; the original always measures just that long."""

IDLE_MODES = ("idle", "iowait")
COUNTED_TWICE = ("guest", "guest_nice")
"""These stand in ``user`` and ``nice`` too."""

CPUS = "devices/system/cpu"
KILOHERTZ_PER_MEGAHERTZ = 1000

UNKNOWN_FREQUENCIES: Mapping[str, Any] = MappingProxyType(
    {"frequency_mhz": None, "min_frequency_mhz": None, "max_frequency_mhz": None, "frequency": None}
)


class CpuUsage:
    """How busy the CPUs were since it was asked last, or, the first time, for a tenth of a second."""

    def __init__(
        self, timer: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._timer = timer
        self._sleep = sleep
        self._last: tuple[float, list[int]] | None = None

    def read(self, paths: HostPaths) -> Mapping[str, Any]:
        """``percent`` and ``logical_cores``: the CPUs that are online."""
        if self._last is None:
            self._last = self._timer(), _ticks(paths.read("stat"))
        at, before = self._last
        if (early := at + MIN_INTERVAL_SECONDS - self._timer()) > 0:
            self._sleep(early)
        text = paths.read("stat")
        ticks = _ticks(text)
        self._last = self._timer(), ticks
        return {"percent": busy_percent(before, ticks), "logical_cores": len(parse_cpu_times(text))}


def busy_percent(before: list[int], after: list[int]) -> float:
    """The share of the ticks between two sums that were not idle, rounded to 0.1; both are as ``CPU_MODES``.

    0.0 if there is none. A column that falls, as ``iowait`` may, counts as no tick.
    """
    spent = {mode: max(0, late - early) for mode, early, late in zip(CPU_MODES, before, after, strict=False)}
    total = sum(ticks for mode, ticks in spent.items() if mode not in COUNTED_TWICE)
    idle = sum(spent.get(mode, 0) for mode in IDLE_MODES)
    return round((total - idle) / total * 100, 1) if total else 0.0


def _ticks(text: str) -> list[int]:
    """The sum over all CPUs, also of those that are switched off by now: it never falls."""
    name, *ticks = text.partition("\n")[0].split()[: 1 + len(CPU_MODES)] or [""]
    if name != "cpu":
        raise ValueError(f"expected the line cpu at the start of stat, got {name!r}")
    return [int(tick) for tick in ticks]


def physical_cores(paths: HostPaths) -> Mapping[str, Any]:
    """``physical_cores``: sets of CPUs that share a core, else what cpuinfo says; null if neither tells."""
    cores = set()
    for name in _numbered(paths, CPUS, r"cpu(\d+)"):
        shared = _first(
            paths, *(f"{CPUS}/{name}/topology/{f}" for f in ("core_cpus_list", "thread_siblings_list"))
        )
        if shared is not None:
            cores.add(shared)
    if cores:
        return {"physical_cores": len(cores)}
    of_packages = {}
    for block in paths.read("cpuinfo").split("\n\n"):
        package, number = parse_cpuinfo(block, "physical id"), parse_cpuinfo(block, "cpu cores")
        if package and number:
            of_packages[package[0]] = int(number[0])
    return {"physical_cores": sum(of_packages.values()) or None}


def frequencies(paths: HostPaths) -> Mapping[str, Any]:
    """Averages over all CPUs, in MHz. Without a frequency driver the limits are 0.0, which means unknown.

    ``frequency`` says the same as the three fields beside it, as the original's README does.
    """
    of_cpuinfo = [float(text) for text in parse_cpuinfo(paths.read("cpuinfo"), "cpu MHz")]
    if not all(map(math.isfinite, of_cpuinfo)):
        raise ValueError(f"expected finite MHz, got {of_cpuinfo}")
    found = _of_drivers(paths, of_cpuinfo) or [(megahertz, 0.0, 0.0) for megahertz in of_cpuinfo]
    if not found:
        return UNKNOWN_FREQUENCIES
    current, lowest, highest = (sum(column) / len(found) for column in zip(*found, strict=True))
    return {
        "frequency_mhz": current,
        "min_frequency_mhz": lowest,
        "max_frequency_mhz": highest,
        "frequency": {"current": current, "min": lowest, "max": highest},
    }


def _of_drivers(paths: HostPaths, of_cpuinfo: list[float]) -> list[tuple[float, float, float]]:
    """Current, lowest and highest MHz of each frequency policy whose CPUs are online."""
    policies = [f"{CPUS}/cpufreq/{name}" for name in _numbered(paths, f"{CPUS}/cpufreq", r"policy(\d+)")]
    found = []
    for index, policy in enumerate(policies):
        texts = [
            _first(paths, f"{policy}/scaling_cur_freq", f"{policy}/cpuinfo_cur_freq"),
            _first(paths, f"{policy}/scaling_min_freq"),
            _first(paths, f"{policy}/scaling_max_freq"),
        ]
        kilohertz = [int(text) for text in texts if text is not None]
        if len(kilohertz) == len(texts):
            current, lowest, highest = (number / KILOHERTZ_PER_MEGAHERTZ for number in kilohertz)
            # The kernel's own average is steadier than what the driver has set for this moment.
            known = len(of_cpuinfo) == len(policies)
            found.append((of_cpuinfo[index] if known else current, lowest, highest))
    return found


def processor(paths: HostPaths) -> Mapping[str, Any]:
    """``processor``: the model's name as the kernel has it; empty where it has none, as on most ARM machines."""
    named = parse_cpuinfo(paths.read("cpuinfo"), "model name")
    return {"processor": named[0] if named else ""}


def parse_cpuinfo(text: str, name: str) -> list[str]:
    """What ``/proc/cpuinfo`` says under *name*, once for each CPU that has it, see proc_cpuinfo(5)."""
    return re.findall(rf"^{re.escape(name)}[ \t]*:[ \t]*(.*?)[ \t]*$", text, re.MULTILINE)


def _numbered(paths: HostPaths, folder: str, pattern: str) -> list[str]:
    """The names in *folder* that match *pattern*, by their number; none if there is no such folder."""
    try:
        names = paths.names_sys(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    matches = [match for name in names if (match := re.fullmatch(pattern, name))]
    return [match[0] for match in sorted(matches, key=lambda match: int(match[1]))]


def _first(paths: HostPaths, *names: str) -> str | None:
    """The text of the first of these files that can be read."""
    for name in names:
        try:
            return paths.read_sys(name).strip()
        except OSError:  # missing, or of a CPU that is off, or one that only root may read
            continue
    return None
