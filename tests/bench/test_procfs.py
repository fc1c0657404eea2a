from __future__ import annotations

import pytest

from bench.machine import parse_cpu_model
from bench.procfs import parse_busy_ticks, parse_cpu_ticks, parse_resident_bytes

STAT = "2317 (a) b (x) S 1 2317 2317 0 -1 4194560 7150 0 3 0 412 98 5 7 20 0 9 0 4103 734003200 6200 184467\n"


def test_cpu_of_a_process_is_user_and_system_time() -> None:
    """Its name may hold blanks and parentheses; times of children it waited for are not its own."""
    assert parse_cpu_ticks(STAT) == 412 + 98


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
