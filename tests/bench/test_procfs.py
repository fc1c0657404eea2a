from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bench.machine import parse_cpu_model
from bench.procfs import cpu_seconds, parse_busy_ticks, parse_resident_bytes


def test_cpu_of_a_process_is_what_its_own_clock_says() -> None:
    """Finer than a tick, which is as long as several scrapes take."""
    before = time.process_time()
    found = cpu_seconds(os.getpid())

    assert before <= found <= time.process_time()


def test_a_process_that_has_ended_has_no_clock() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as ended:
        ended.wait()

    with pytest.raises(ProcessLookupError):
        cpu_seconds(ended.pid)


def test_resident_memory_is_in_bytes() -> None:
    assert parse_resident_bytes("Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  512 kB\n") == 512 * 1024


def test_a_process_without_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="VmRSS"):
        parse_resident_bytes("Name:\tkthreadd\n")


def test_busy_is_all_but_idle_and_waiting() -> None:
    """Guest time is part of user time already."""
    assert parse_busy_ticks("cpu  100 10 50 9000 700 5 6 7 40 4\ncpu0 1 1 1 1 1 1 1 1 1 1\n") == 178


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\n", "Some CPU @ 2.00GHz"),
        ("processor\t: 0\n", "unknown"),
    ],
)
def test_cpu_model(text: str, model: str) -> None:
    assert parse_cpu_model(text) == model
