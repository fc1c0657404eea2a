from __future__ import annotations

import pytest

from host_exporter.procfs.conntrack import sum_conntrack

HEADING = (
    "entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop "
    "icmp_error  expect_new expect_create expect_delete search_restart\n"
)


def test_hexadecimal_counts_of_all_cpus_are_summed_up() -> None:
    text = (
        HEADING
        + "00000021  00000000 00000001 00000000 00000003 0000588a 00000000 00000000 00000004 00000005 00000006 "
        + "00000007 00000000  00000000 00000000 00000000 0000000a\n"
        + "00000021  00000000 00000001 00000000 00000002 00000001 00000000 00000000 00000004 00000005 00000006 "
        + "00000007 00000000  00000000 00000000 00000000 00000001\n"
    )

    assert sum_conntrack(text) == {
        "found": 2,
        "invalid": 5,
        "ignore": 0x588B,
        "insert": 8,
        "insert_failed": 10,
        "drop": 12,
        "early_drop": 14,
        "search_restart": 11,
    }


def test_an_old_kernel_counts_no_restarts() -> None:
    heading = HEADING.replace(" search_restart", "")
    counts = sum_conntrack(f"{heading}{' '.join(['1'] * 16)}\n")

    assert (counts["found"], counts["search_restart"]) == (1, 0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected the columns' names, got ''"),
        ("one two\n1 2\n", "expected the columns' names, got 'one two'"),
        (HEADING + "1 2 3\n", "expected 17 numbers, got '1 2 3'"),
        ("found\nxyz\n", "'xyz'"),
    ],
    ids=["empty", "other names", "too few", "no number"],
)
def test_another_table_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        sum_conntrack(text)
