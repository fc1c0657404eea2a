from __future__ import annotations

import pytest

from host_exporter.procfs.schedstat import CpuSchedule, parse_schedstat


def test_the_last_three_of_nine_numbers_are_times_and_timeslices() -> None:
    text = "version 15\ntimestamp 1\ncpu0 1 0 3 4 5 6 70 80 90\ndomain0 3 1 1\ncpu11 1 0 3 4 5 6 7 8 9\n"

    assert parse_schedstat(text) == [CpuSchedule("0", 70, 80, 90), CpuSchedule("11", 7, 8, 9)]


def test_an_old_kernel_writes_more_after_them() -> None:
    assert parse_schedstat("cpu0 1 2 3 4 5 6 7 8 9 10 11 12\n") == [CpuSchedule("0", 7, 8, 9)]


@pytest.mark.parametrize("text", ["cpu0 1 2 3\n", "cpu0 1 2 3 4 5 6 7 8 x\n"])
def test_too_few_numbers_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"schedstat|invalid literal"):
        parse_schedstat(text)
