"""What the run stands on: the machine, and how steady it was."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path

import msgspec

LOOP_COUNT = 400_000
FSYNC_COUNT = 100
PAGE_BYTES = 4096


class Machine(msgspec.Struct, frozen=True):
    """What does not change within a run."""

    cpu_model: str
    cores: int
    kernel: str
    python: str
    fsync_ms: float
    """Median time of one fsync of an appended page, in the folder of the journals."""


def describe(folder: Path) -> Machine:
    """The machine; *folder* is where the journals will be."""
    return Machine(
        parse_cpu_model(Path("/proc/cpuinfo").read_text()),
        os.cpu_count() or 1,
        platform.release(),
        platform.python_version(),
        statistics.median(time_fsyncs(folder / "fsync")) * 1000,
    )


def parse_cpu_model(cpuinfo: str) -> str:
    """The first ``model name`` of ``/proc/cpuinfo``; some architectures have none."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return "unknown"


def time_fsyncs(path: Path) -> list[float]:
    """Seconds that each of FSYNC_COUNT fsyncs took."""
    seconds = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNC_COUNT):
            file.write(bytes(PAGE_BYTES))
            began = time.perf_counter()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - began)
    path.unlink()
    return seconds


def time_fixed_loop() -> float:
    """Seconds that a fixed piece of work takes now: its spread over a run is the machine's noise."""
    began = time.perf_counter()
    total = 0
    for number in range(LOOP_COUNT):
        total += number
    assert total == LOOP_COUNT * (LOOP_COUNT - 1) // 2
    return time.perf_counter() - began
