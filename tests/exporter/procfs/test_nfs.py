from __future__ import annotations

import pytest

from host_exporter.procfs.nfs import parse_rpc

LENGTHS = {"net": range(4, 5), "th": range(2, 3), "proc2": range(2, 10)}


def test_lines_are_told_apart_by_name_and_the_count_in_front_is_left_out() -> None:
    text = "net 70 69 68 45\nth 8 0 0.000 0.125\nproc2 3 16 57 74\n"

    assert parse_rpc(text, LENGTHS) == {"net": [70, 69, 68, 45], "th": [8, 0], "proc2": [16, 57, 74]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("proc9 1 2\n", "expected one of net, th, proc2, got 'proc9 1 2'"),
        ("net 70 69 68\n", "expected another count of numbers than 3, got 'net 70 69 68'"),
        ("proc2 3 1 2\n", "expected as many numbers as the first one says, got 'proc2 3 1 2'"),
        ("proc2\n", "expected as many numbers as the first one says, got 'proc2'"),
        ("proc2 1 1\n", "expected another count of numbers than 1, got 'proc2 1 1'"),
        ("net 1 2 3 x\n", "'x'"),
        ("\n", "expected one of net, th, proc2, got ''"),
    ],
    ids=["unknown", "too few", "wrong count", "no count", "too short", "no number", "empty line"],
)
def test_a_line_that_is_not_as_it_should_be_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_rpc(text, LENGTHS)
