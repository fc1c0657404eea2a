"""The time that each CPU spent in each mode, what it is, and how often heat slowed it down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from host_exporter.collector import Collect, Collector, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.cpuinfo import parse_cpuinfo
from host_exporter.procfs.cpulist import cpu_folders, parse_cpu_list
from host_exporter.procfs.stat import CPU_MODES, USER_HZ, parse_cpu_times

_LABELS = ("cpu", "mode")
SECONDS = Family("node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode.", _LABELS)
GUEST_SECONDS = Family(
    "node_cpu_guest_seconds_total",
    "counter",
    "Seconds the CPUs spent in guests (VMs) for each mode.",
    _LABELS,
)
INFO = Family(
    "node_cpu_info",
    "gauge",
    "CPU information from /proc/cpuinfo.",
    (
        "package",
        "core",
        "cpu",
        "vendor",
        "family",
        "model",
        "model_name",
        "microcode",
        "stepping",
        "cachesize",
    ),
)
FREQUENCY = Family(
    "node_cpu_frequency_hertz",
    "gauge",
    "CPU frequency in hertz from /proc/cpuinfo.",
    ("package", "core", "cpu"),
)
FLAG = Family(
    "node_cpu_flag_info",
    "gauge",
    "The `flags` field of CPU information from /proc/cpuinfo taken from the first core.",
    ("flag",),
)
BUG = Family(
    "node_cpu_bug_info",
    "gauge",
    "The `bugs` field of CPU information from /proc/cpuinfo taken from the first core.",
    ("bug",),
)
CORE_THROTTLES = Family(
    "node_cpu_core_throttles_total",
    "counter",
    "Number of times this CPU core has been throttled.",
    ("package", "core"),
)
PACKAGE_THROTTLES = Family(
    "node_cpu_package_throttles_total",
    "counter",
    "Number of times this CPU package has been throttled.",
    ("package",),
)
ISOLATED = Family(
    "node_cpu_isolated",
    "gauge",
    "Whether each core is isolated, information from /sys/devices/system/cpu/isolated.",
    ("cpu",),
)
ONLINE = Family("node_cpu_online", "gauge", "CPUs that are online and being scheduled.", ("cpu",))
FAMILIES = (
    SECONDS,
    GUEST_SECONDS,
    INFO,
    FREQUENCY,
    FLAG,
    BUG,
    CORE_THROTTLES,
    PACKAGE_THROTTLES,
    ISOLATED,
    ONLINE,
)
SETTINGS = (
    Setting("guest", True, "Show node_cpu_guest_seconds_total."),
    Setting("info", False, "Show node_cpu_info."),
    Setting("info.flags-include", "", "Flags to show of the first CPU; switches cpu.info on."),
    Setting("info.bugs-include", "", "Bugs to show of the first CPU; switches cpu.info on."),
)

JUMP_BACK_TICKS = 3 * USER_HZ
"""A CPU whose idle time falls by this much came back after it was taken out, and counts anew."""

_CPUS = "devices/system/cpu"
_IDLE = CPU_MODES.index("idle")
_GUEST_MODES = {"guest": "user", "guest_nice": "nice"}
_COLUMNS = tuple(
    (GUEST_SECONDS if mode in _GUEST_MODES else SECONDS, _GUEST_MODES.get(mode, mode)) for mode in CPU_MODES
)

CpuTimes: TypeAlias = dict[str, list[int]]


def collect(
    paths: HostPaths, steady: Callable[[CpuTimes], CpuTimes] = dict, guest: bool = True
) -> Iterator[Value]:
    """One series for each CPU and mode. Guest time is in ``user`` and ``nice`` too: do not add them up."""
    columns = _COLUMNS if guest else [column for column in _COLUMNS if column[0] is SECONDS]
    for cpu, times in steady(parse_cpu_times(paths.read("stat"))).items():
        # Older kernels have fewer modes, and those are all they tell.
        for (family, mode), ticks in zip(columns, times, strict=False):
            yield family, (cpu, mode), ticks / USER_HZ


class SteadyTimes:
    """Keeps what each CPU last showed, for the kernel's idle times fall back a little now and then."""

    def __init__(self) -> None:
        self._shown: CpuTimes = {}

    def __call__(self, times: CpuTimes) -> CpuTimes:
        """*times*, none of them less than before, except for a CPU that counts anew."""
        shown = self._shown
        self._shown = {
            cpu: [*map(max, ticks, shown[cpu])]
            if cpu in shown and shown[cpu][_IDLE] - ticks[_IDLE] < JUMP_BACK_TICKS
            else ticks
            for cpu, ticks in times.items()
        }
        return self._shown


class _Layout(NamedTuple):
    """Which files tell more about the CPUs: those that count throttling, and whether each is online."""

    throttles: tuple[tuple[Family, tuple[str, ...], str], ...]
    online: tuple[str, ...]


class Topology:
    """Reads what sysfs tells of the CPUs.

    Which files there are is looked up again when a CPU came or went and when one of them cannot be read:
    most threads share their core's and package's counters, and most virtual machines have none.
    """

    def __init__(self) -> None:
        self._layout_of: tuple[str, str] | None = None
        self._layout = _Layout((), ())

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """The isolated CPUs, the throttles of each core and package, and which CPUs are online."""
        isolated = _text(paths, f"{_CPUS}/isolated")
        for number in parse_cpu_list(isolated):
            yield ISOLATED, (str(number),), 1
        present = (_text(paths, f"{_CPUS}/present"), _text(paths, f"{_CPUS}/online"))
        if present != self._layout_of:
            self._layout, self._layout_of = _layout(paths), present
        for family, labels, name in self._layout.throttles:
            count = _count(paths, name)
            if count is None:
                self._layout_of = None
            else:
                yield family, labels, count
        for cpu in self._layout.online:
            yield ONLINE, (cpu[3:],), int(_text(paths, f"{_CPUS}/{cpu}/online").strip() == "1")


def _layout(paths: HostPaths) -> _Layout:
    try:
        cpus = cpu_folders(paths.names_sys(_CPUS))
    except FileNotFoundError:
        return _Layout((), ())  # a container without sysfs
    throttles: dict[tuple[Family, tuple[str, ...]], str] = {}
    for cpu in cpus:
        counters = [
            (family, name)
            for family, name in (
                (CORE_THROTTLES, f"{_CPUS}/{cpu}/thermal_throttle/core_throttle_count"),
                (PACKAGE_THROTTLES, f"{_CPUS}/{cpu}/thermal_throttle/package_throttle_count"),
            )
            if _count(paths, name) is not None
        ]
        if not counters:
            continue
        package = _count(paths, f"{_CPUS}/{cpu}/topology/physical_package_id")
        core = _count(paths, f"{_CPUS}/{cpu}/topology/core_id")
        if package is None or core is None:
            continue
        for family, name in counters:
            labels = (str(package), str(core))[: len(family.labels)]
            throttles.setdefault((family, labels), name)
    return _Layout(
        tuple((family, labels, name) for (family, labels), name in throttles.items()),
        tuple(cpus) if cpus and _is_file(paths, f"{_CPUS}/{cpus[0]}/online") else (),
    )


def _is_file(paths: HostPaths, name: str) -> bool:
    """Whether there is such a file, even if it cannot be read."""
    try:
        paths.read_sys(name)
    except FileNotFoundError:
        return False
    except OSError:
        pass
    return True


def _text(paths: HostPaths, name: str) -> str:
    """A file's text, empty if it cannot be read."""
    try:
        return paths.read_sys(name)
    except OSError:
        return ""


def _count(paths: HostPaths, name: str) -> int | None:
    """The number in a file, or None if there is none; an unknown package is -1."""
    text = _text(paths, name).strip()
    return int(text) if text.isdecimal() else None


def collect_info(
    paths: HostPaths, flags: re.Pattern[str] | None = None, bugs: re.Pattern[str] | None = None
) -> Iterator[Value]:
    """What each CPU is, and those flags and bugs of the first that the patterns find."""
    cpus = parse_cpuinfo(paths.read("cpuinfo"))
    for cpu in cpus:
        place = (cpu.package, cpu.core, cpu.number)
        identity = (cpu.vendor, cpu.family, cpu.model, cpu.model_name)
        yield INFO, (*place, *identity, cpu.microcode, cpu.stepping, cpu.cache_size), 1
    # Who may read this file gets the family from the collector cpufreq, with other labels.
    if not any(_text(paths, f"{_CPUS}/cpu{cpu.number}/cpufreq/cpuinfo_cur_freq") for cpu in cpus):
        for cpu in cpus:
            yield FREQUENCY, (cpu.package, cpu.core, cpu.number), cpu.mhz * 1e6
    for family, pattern, names in ((FLAG, flags, cpus[0].flags), (BUG, bugs, cpus[0].bugs)):
        if pattern is not None:
            for name in names:
                if pattern.search(name):
                    yield family, (name,), 1


def make(settings: Settings) -> Collect:
    """The times and sysfs, and what the CPUs are if that was asked for."""
    guest = settings.switch("guest")
    flags, bugs = settings.pattern("info.flags-include"), settings.pattern("info.bugs-include")
    info = settings.switch("info") or flags is not None or bugs is not None
    steady, topology = SteadyTimes(), Topology()

    def collect_all(paths: HostPaths) -> Iterable[Value]:
        if info:
            yield from collect_info(paths, flags, bugs)
        yield from collect(paths, steady, guest)
        yield from topology.collect(paths)

    return collect_all


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
