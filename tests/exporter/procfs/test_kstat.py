from __future__ import annotations

import pytest

from host_exporter.procfs.kstat import parse_kstat, parse_objset, parse_pool_io

HEAD = "6 1 0x01 91 4368 5266997922 97951858082072\nname  type data\n"


def test_only_64_bit_numbers_are_taken() -> None:
    text = HEAD + "hits 4 18446744073709537686\nfree 3 -5\nold 2 7\ndataset 7 tank\nshort 4\n"

    assert parse_kstat(text, "arcstats") == {"hits": 18446744073709537686, "free": -5}


def test_a_name_of_a_dataset_may_have_blanks() -> None:
    assert parse_objset(HEAD + "dataset_name 7 tank/a  b\nreads 4 3\n", "objset-1") == (
        "tank/a  b",
        {"reads": 3},
    )


def test_a_pool_that_was_just_imported_may_have_no_numbers() -> None:
    assert parse_pool_io("12 3 0x00 1 80\n", "io") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("6 1 0x01\nhits 4 5\n", "zil: expected the heading 'name type data'"),
        (HEAD + "hits 4 five\n", "zil: hits: expected a number, got 'five'"),
    ],
    ids=["no heading", "no number"],
)
def test_a_file_of_another_form_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_kstat(text, "zil")


def test_a_pool_with_too_few_numbers_is_named() -> None:
    heading = "nread nwritten reads writes wtime wlentime wupdate rtime rlentime rupdate wcnt rcnt"

    with pytest.raises(ValueError, match="tank/io: expected 12 numbers, got '1 2'"):
        parse_pool_io(f"{heading}\n1 2\n", "tank/io")
