"""What the kernel says of a process and of the machine: pure parsers, and the reads that use them."""

from __future__ import annotations

import ctypes
import functools
import os
import time
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def parse_resident_bytes(status: str) -> int:
    """VmRSS out of ``/proc/PID/status``. Raises ValueError if there is none."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no VmRSS in the status of the process")


def parse_busy_ticks(stat: str) -> int:
    """Time that all CPUs of the machine were not idle, out of ``/proc/stat``; stolen time counts as busy."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.split("\n", 1)[0].split()[1:9])
    return user + nice + system + irq + softirq + steal


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads that the process *pid* has or had; see clock_getcpuclockid(3).

    ``/proc/PID/stat`` tells the same in steps of 10 ms, which is as long as several scrapes take. Raises
    ProcessLookupError if there is no such process.
    """
    clock = ctypes.c_int()
    error = _libc().clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise ProcessLookupError(error, os.strerror(error))
    return time.clock_gettime(clock.value)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def resident_bytes(pid: int) -> int:
    """Memory of the process *pid*."""
    return parse_resident_bytes(Path(f"/proc/{pid}/status").read_text())


def busy_seconds() -> float:
    """CPU that the whole machine has used, summed over its CPUs."""
    return parse_busy_ticks(Path("/proc/stat").read_text()) / TICKS_PER_SECOND
