from __future__ import annotations

import os

import pytest

from host_exporter.procfs.undecodable import replace_undecodable


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (b"plain", "plain"),
        ("é\N{SNOWMAN}".encode(), "é\N{SNOWMAN}"),
        (b"SA\xff\xfeNYO\xff", "SA\ufffdNYO\ufffd"),
    ],
)
def test_a_run_of_bytes_that_are_no_text_becomes_one_character(stored: bytes, text: str) -> None:
    assert replace_undecodable(os.fsdecode(stored)) == text
