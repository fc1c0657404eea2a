from __future__ import annotations

import pytest

from host_exporter.procfs.diskstats import Disk, parse_diskstats


@pytest.mark.parametrize("columns", [11, 15, 17], ids=["before 4.18", "before 5.5", "today"])
def test_every_count_that_the_kernel_has_is_kept(columns: int) -> None:
    counts = list(range(columns))

    disks = parse_diskstats(f" 259       0 nvme0n1 {' '.join(map(str, counts))}\n")

    assert disks == [Disk("nvme0n1", "259", "0", counts)]


def test_a_line_without_counts_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected counts after the device's name, got '8 0 sda'"):
        parse_diskstats("8 0 sda\n")
