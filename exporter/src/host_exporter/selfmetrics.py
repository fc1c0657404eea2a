"""Metrics about the exporter itself: which build it is and what its process uses."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from host_exporter.family import Family, Value

BUILD_INFO = Family(
    "host_exporter_build_info", "gauge", "Always 1; the label says which version runs.", ("version",)
)
CPU_SECONDS = Family(
    "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds."
)
OPEN_FDS = Family("process_open_fds", "gauge", "Number of open file descriptors.")
MAX_FDS = Family("process_max_fds", "gauge", "Maximum number of open file descriptors.")
VIRTUAL_MEMORY = Family("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.")
RESIDENT_MEMORY = Family("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.")
START_TIME = Family(
    "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds."
)
FAMILIES = (BUILD_INFO, CPU_SECONDS, OPEN_FDS, MAX_FDS, VIRTUAL_MEMORY, RESIDENT_MEMORY, START_TIME)

_START_TICKS_FIELD = 22 - 3
"""Of ``/proc/<pid>/stat``, counted from what follows the command's closing bracket. See proc_pid_stat(5)."""


class OwnProcess:
    """Reads what this process uses, always from the real ``/proc``, wherever the host's is mounted."""

    def __init__(self, version: str, procfs: Path = Path("/proc")) -> None:
        self._version = version
        self._procfs = procfs
        self._statm = os.open(procfs / "self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._page_bytes = resource.getpagesize()
        self._start_time_seconds = self._read_start_time()

    def collect(self) -> Iterator[Value]:
        """One value of each of ``FAMILIES``."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        size, resident, *_ = os.pread(self._statm, 256, 0).split()
        yield BUILD_INFO, (self._version,), 1
        yield CPU_SECONDS, (), usage.ru_utime + usage.ru_stime
        yield OPEN_FDS, (), self._count_open_files()
        yield MAX_FDS, (), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        yield VIRTUAL_MEMORY, (), int(size) * self._page_bytes
        yield RESIDENT_MEMORY, (), int(resident) * self._page_bytes
        yield START_TIME, (), self._start_time_seconds

    def _count_open_files(self) -> int:
        folder = self._procfs / "self/fd"
        if told := folder.stat().st_size:  # from Linux 6.2 on
            return told
        # Listing the folder opens it, which is one more than there are otherwise.
        return sum(1 for _ in folder.iterdir()) - 1

    def _read_start_time(self) -> float:
        after_command = (self._procfs / "self/stat").read_text().rpartition(")")[2].split()
        boot_line = (self._procfs / "stat").read_text().partition("btime ")[2]
        ticks = int(after_command[_START_TICKS_FIELD])
        return int(boot_line.split("\n", 1)[0]) + ticks / os.sysconf("SC_CLK_TCK")
