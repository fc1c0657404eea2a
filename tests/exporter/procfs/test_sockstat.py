from __future__ import annotations

import pytest

from host_exporter.procfs.sockstat import parse_sockstat


def test_counts_stand_by_protocol_and_name() -> None:
    text = "sockets: used 16\nTCP: inuse 1 orphan 0 tw 7 alloc 1 mem 185\nFRAG: inuse 0 memory 0\n"

    assert parse_sockstat(text) == {
        "sockets": {"used": 16},
        "TCP": {"inuse": 1, "orphan": 0, "tw": 7, "alloc": 1, "mem": 185},
        "FRAG": {"inuse": 0, "memory": 0},
    }


@pytest.mark.parametrize("line", ["TCP:", "TCP: inuse", "TCP: inuse 1 orphan"])
def test_a_line_that_is_not_pairs_is_an_error(line: str) -> None:
    with pytest.raises(
        ValueError, match=f"expected pairs of name and number after the protocol, got '{line}'"
    ):
        parse_sockstat(f"sockets: used 16\n{line}\n")


def test_a_count_that_is_not_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="'many'"):
        parse_sockstat("TCP: inuse many\n")
