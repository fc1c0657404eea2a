from __future__ import annotations

import pytest

from host_exporter.procfs.meminfo import parse_meminfo


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("MemTotal:       16042172 kB\n", {"MemTotal": 16042172 * 1024}),
        ("HugePages_Total:       8\n", {"HugePages_Total": 8}),
        ("Active(anon):    1530124 kB\n", {"Active(anon)": 1530124 * 1024}),
        ("", {}),
    ],
    ids=["kibibytes", "a count", "a name with brackets", "empty"],
)
def test_fields_become_bytes_or_counts(text: str, fields: dict[str, int]) -> None:
    assert parse_meminfo(text) == fields


def test_a_field_without_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        parse_meminfo("MemTotal: much kB\n")
