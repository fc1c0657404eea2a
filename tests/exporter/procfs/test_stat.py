from __future__ import annotations

import pytest

from host_exporter.procfs.stat import parse_counts, parse_cpu_times

TEXT = """\
cpu  30 1 11 89 3 0 3 0 4 3
cpu0 20 1 5 44 1 0 3 0 4 3
cpu11 10 0 6 45 2 0 0 0 0 0
intr 8885917 17 0 0
ctxt 38014093
btime 1795302774
softirq 5057579 250191 1481983
"""


def test_each_cpu_has_its_ticks_and_the_sum_is_left_out() -> None:
    assert parse_cpu_times(TEXT) == {
        "0": [20, 1, 5, 44, 1, 0, 3, 0, 4, 3],
        "11": [10, 0, 6, 45, 2, 0, 0, 0, 0, 0],
    }


def test_an_old_kernel_has_fewer_modes_and_a_future_one_no_more_than_are_known() -> None:
    assert parse_cpu_times("cpu0 1 2 3 4\ncpu1 1 2 3 4 5 6 7 8 9 10 11 12\n") == {
        "0": [1, 2, 3, 4],
        "1": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    }


def test_counts_are_the_first_number_of_the_other_lines() -> None:
    assert parse_counts(TEXT) == {"intr": 8885917, "ctxt": 38014093, "btime": 1795302774, "softirq": 5057579}


@pytest.mark.parametrize("text", ["", "intr 1\n", "cpu  1 2 3 4\n"], ids=["empty", "no CPU", "only the sum"])
def test_no_cpu_at_all_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected a line cpu0"):
        parse_cpu_times(text)


def test_a_count_without_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        parse_counts("btime\n")
