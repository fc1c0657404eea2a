from __future__ import annotations

import pytest

from host_exporter.procfs.pressure import parse_pressure

AVERAGES = "avg10=0.10 avg60=2.00 avg300=3.85"


def test_totals_are_told_apart_and_other_lines_left_out() -> None:
    text = f"some {AVERAGES} total=15\nfull {AVERAGES} total=8\nfuture {AVERAGES} total=1\n"

    assert parse_pressure(text) == {"some": 15, "full": 8}


def test_interrupts_have_no_line_some() -> None:
    assert parse_pressure(f"full {AVERAGES} total=8\n") == {"full": 8}


@pytest.mark.parametrize("text", ["some\n", f"some {AVERAGES}\n", "full total=\n", "some total=1.5\n"])
def test_a_line_without_its_total_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected total=<microseconds>"):
        parse_pressure(text)
