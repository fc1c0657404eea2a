from __future__ import annotations

import pytest

from host_exporter.procfs.bcachefs import parse_io_errors, parse_size, parse_table


@pytest.mark.parametrize(
    ("text", "size"), [("720", 720), ("1.26k", 1290), ("100K", 102400), ("10.8T", 11874725579980)]
)
def test_units_are_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_lines_without_two_numbers_are_no_rows() -> None:
    assert parse_table("heading of it\n\nlz4: 1k 2k 3k\nshort 1\n") == [("lz4", 1024, 2048)]


def test_errors_of_another_time_are_not_counted() -> None:
    assert parse_io_errors("IO errors since 8 y ago\n  read: 1\n") == {}
