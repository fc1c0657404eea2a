"""The frequency at which each CPU runs and may run, and its governor."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collect, Collector, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.cpulist import cpu_folders, parse_cpu_list
from host_exporter.procfs.number import parse_number


def _hertz(name: str, help_text: str) -> Family:
    return Family(f"node_cpu_{name}_hertz", "gauge", f"{help_text} CPU thread frequency in hertz.", ("cpu",))


FREQUENCY_OF = {
    "cpuinfo_cur_freq": _hertz("frequency", "Current"),
    "cpuinfo_min_freq": _hertz("frequency_min", "Minimum"),
    "cpuinfo_max_freq": _hertz("frequency_max", "Maximum"),
    "scaling_cur_freq": _hertz("scaling_frequency", "Current scaled"),
    "scaling_min_freq": _hertz("scaling_frequency_min", "Minimum scaled"),
    "scaling_max_freq": _hertz("scaling_frequency_max", "Maximum scaled"),
}
"""Each family by its file, which is in kHz: https://docs.kernel.org/admin-guide/pm/cpufreq.html."""

GOVERNOR = Family(
    "node_cpu_scaling_governor", "gauge", "Current enabled CPU frequency governor.", ("cpu", "governor")
)
FAMILIES = (*FREQUENCY_OF.values(), GOVERNOR)

_CPUS = "devices/system/cpu"
HERTZ_PER_KHZ = 1000


class Frequencies:
    """Reads the frequencies of those CPUs that tell them.

    Which ones do is looked up again when a CPU comes or goes, or a policy, which every CPU that tells has.
    """

    def __init__(self) -> None:
        self._folders_of: tuple[str, list[str]] | None = None
        self._folders: list[str] = []

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """What the files of each CPU tell; a file that is missing or that only root may read is left out."""
        offline = paths.read_sys(f"{_CPUS}/offline")
        policies = _names(paths, f"{_CPUS}/cpufreq")
        if self._folders_of != (offline, policies):
            self._folders, self._folders_of = _folders(paths, offline), (offline, policies)
        for cpu in self._folders:
            label = cpu[3:]
            for file, family in FREQUENCY_OF.items():
                name = f"{_CPUS}/{cpu}/cpufreq/{file}"
                try:
                    text = paths.read_sys(name)
                except (FileNotFoundError, PermissionError):
                    continue
                yield family, (label,), parse_number(text, name) * HERTZ_PER_KHZ
            chosen = paths.read_sys(f"{_CPUS}/{cpu}/cpufreq/scaling_governor").strip()
            available = paths.read_sys(f"{_CPUS}/{cpu}/cpufreq/scaling_available_governors").strip()
            if chosen:
                for governor in available.split(" "):
                    yield GOVERNOR, (label, governor), int(governor == chosen)


def _folders(paths: HostPaths, offline: str) -> list[str]:
    """The CPUs that are online and have frequencies. Raises FileNotFoundError if there are no CPUs at all."""
    silent = {f"cpu{number}" for number in parse_cpu_list(offline)}
    cpus = [cpu for cpu in cpu_folders(paths.names_sys(_CPUS)) if cpu not in silent]
    if not cpus:
        raise FileNotFoundError(f"no CPU is online in {_CPUS}")
    return [cpu for cpu in cpus if _names(paths, f"{_CPUS}/{cpu}/cpufreq")]


def _names(paths: HostPaths, name: str) -> list[str]:
    try:
        return paths.names_sys(name)
    except FileNotFoundError:
        return []


def make(_settings: Settings) -> Collect:
    """One reader, which remembers which CPUs have frequencies."""
    return Frequencies().collect


COLLECTOR = Collector(FAMILIES, make)
