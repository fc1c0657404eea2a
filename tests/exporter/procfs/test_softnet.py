from __future__ import annotations

import pytest

from host_exporter.procfs.softnet import Softnet, parse_softnet


def test_a_new_kernel_tells_the_cpu_of_each_line() -> None:
    text = (
        "0000000a 0000000b 0000000c 0 0 0 0 0 0000000d 0000000e 0000000f 00000010 00000000 0 0\n"
        "ffffffff 00000000 00000000 0 0 0 0 0 00000000 00000000 00000000 00000000 00000003 0 0\n"
    )

    assert parse_softnet(text) == [
        Softnet("0", 10, 11, 12, 13, 14, 15, 16),
        Softnet("3", 0xFFFFFFFF, 0, 0, 0, 0, 0, 0),
    ]


@pytest.mark.parametrize(
    ("columns", "rps", "limits"), [(9, 0, 0), (10, 10, 0), (11, 10, 11)], ids=["2.6.23", "2.6.39", "4.18"]
)
def test_an_older_kernel_has_fewer_columns_and_its_lines_are_counted(
    columns: int, rps: int, limits: int
) -> None:
    line = " ".join(f"{number:08x}" for number in range(1, columns + 1))

    assert parse_softnet(f"{line}\n{line}\n") == [
        Softnet("0", 1, 2, 3, 9, rps, limits, 0),
        Softnet("1", 1, 2, 3, 9, rps, limits, 0),
    ]


@pytest.mark.parametrize("text", ["1 2 3\n", "1 2 3 4 5 6 7 8 x\n"])
def test_what_is_no_row_of_nine_numbers_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"at least 9 columns|invalid literal"):
        parse_softnet(text)
