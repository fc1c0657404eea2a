from __future__ import annotations

import pytest

from host_exporter.procfs.number import parse_number


def test_blanks_around_a_number_are_no_part_of_it() -> None:
    assert parse_number(" 17\n", "poolsize") == 17


def test_a_hexadecimal_number_is_read_where_it_may_occur() -> None:
    assert parse_number("0x1f\n", "bootstatus", base=0) == 31


@pytest.mark.parametrize("text", ["", "12 kB", "0x1f"])
def test_what_is_no_number_is_an_error_that_names_the_file(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number in poolsize, got"):
        parse_number(text, "poolsize")
