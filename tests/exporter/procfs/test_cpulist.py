from __future__ import annotations

import pytest

from host_exporter.procfs.cpulist import cpu_folders, parse_cpu_list


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("\n", []), ("3\n", [3]), ("0-2\n", [0, 1, 2]), ("1,3-5,9\n", [1, 3, 4, 5, 9])],
    ids=["none", "one", "a range", "both"],
)
def test_numbers_and_ranges_are_all_named(text: str, cpus: list[int]) -> None:
    assert parse_cpu_list(text) == cpus


@pytest.mark.parametrize("text", ["a", "1-", "-1", "1-2-3", "1;2"])
def test_what_is_no_list_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected a list of CPUs"):
        parse_cpu_list(text)


def test_only_folders_of_cpus_count_as_such() -> None:
    assert cpu_folders(["cpu0", "cpu12", "cpufreq", "cpuidle", "online", "cpu"]) == ["cpu0", "cpu12"]
