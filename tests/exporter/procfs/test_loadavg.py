from __future__ import annotations

import pytest

from host_exporter.procfs.loadavg import LoadAvg, parse_loadavg


def test_the_three_averages_come_first() -> None:
    assert parse_loadavg("0.21 0.37 1.39 1/719 19737\n") == LoadAvg(0.21, 0.37, 1.39)


@pytest.mark.parametrize("text", ["", "0.21 0.37", "a b c 1/2 3"], ids=["empty", "two numbers", "words"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|convert"):
        parse_loadavg(text)
