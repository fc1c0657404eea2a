from __future__ import annotations

import pytest

from host_exporter.procfs.xfs_stats import parse_xfs_stats


def test_only_the_wanted_lines_are_read() -> None:
    assert parse_xfs_stats("rw 1 2\nabt 3\nvnodes 4 5 6\n", {"rw": 2, "vnodes": 2, "dir": 1}) == {
        "rw": [1, 2],
        "vnodes": [4, 5, 6],
    }


def test_a_line_of_other_words_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected 2 numbers after rw, got 'rw one two'"):
        parse_xfs_stats("rw one two\n", {"rw": 2})
