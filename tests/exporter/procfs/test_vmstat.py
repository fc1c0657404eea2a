from __future__ import annotations

import pytest

from host_exporter.procfs.vmstat import VmStat, parse_vmstat


def test_fields_and_numbers_stand_in_the_kernels_order() -> None:
    assert parse_vmstat("nr_free_pages 977769\noom_kill 0\n") == VmStat(
        ["nr_free_pages", "oom_kill"], ["977769", "0"]
    )


def test_a_field_without_a_number_is_an_error() -> None:
    with pytest.raises(
        ValueError, match="expected a name and a number in each line of vmstat, got 'oom_kill'"
    ):
        parse_vmstat("nr_free_pages 977769\noom_kill\n")
