from __future__ import annotations

import pytest

from host_exporter.procfs.diskstats import Disk, parse_diskstats

TEXT = "8 0 sda 1 2\n8 1 sda1 3 x\n"


def test_of_a_device_that_is_not_shown_nothing_is_read() -> None:
    assert parse_diskstats(TEXT, lambda name: name == "sda") == [Disk("sda", "8", "0", [1, 2])]


def test_a_count_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="diskstats: expected numbers, got '8 1 sda1 3 x'"):
        parse_diskstats(TEXT)
