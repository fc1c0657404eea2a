from __future__ import annotations

import pytest

from host_exporter.procfs.bcache import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512\n", 512),
        ("0.0k\n", 0),
        ("1.0k", 1024),
        ("1.10k", 2024),
        ("1.9k", 1924),
        ("-3M", -3 * 1024**2),
        ("2G", 2 * 1024**3),
    ],
    ids=["digits", "zero", "whole", "ten is more", "than nine", "below zero", "no fraction"],
)
def test_a_number_for_people_is_read_as_the_kernel_wrote_it(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "k", "1.5q", "1.xk"])
def test_another_text_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a number such as 12 or 1\.5k"):
        parse_size(text)
