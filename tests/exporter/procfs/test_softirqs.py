from __future__ import annotations

import pytest

from host_exporter.procfs.stat import parse_cpu_times, parse_softirqs


def test_each_kind_of_soft_interrupt_has_its_count_and_the_sum_is_left_out() -> None:
    assert parse_softirqs("cpu0 1 2 3 4\nsoftirq 55 1 2 3 4 5 6 7 8 9 10\n") == {
        "hi": 1,
        "timer": 2,
        "net_tx": 3,
        "net_rx": 4,
        "block": 5,
        "block_iopoll": 6,
        "tasklet": 7,
        "sched": 8,
        "hrtimer": 9,
        "rcu": 10,
    }


def test_a_kernel_that_tells_no_soft_interrupts_has_none() -> None:
    assert parse_softirqs("cpu0 1 2 3 4\nbtime 1\n") == {}


@pytest.mark.parametrize("counts", ["55 1 2", "55 1 2 3 4 5 6 7 8 9 x"])
def test_too_few_kinds_are_an_error(counts: str) -> None:
    with pytest.raises(ValueError, match=r"in stat, got|invalid literal"):
        parse_softirqs(f"softirq {counts}\n")


def test_a_cpu_without_idle_time_is_an_error() -> None:
    with pytest.raises(
        ValueError, match="expected at least 4 numbers for each CPU in stat, got 'cpu0 1 2 3'"
    ):
        parse_cpu_times("cpu0 1 2 3\n")
