from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.model.text import format_value, render_labels, series_prefix


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (8.0, "8.0"),
        (0.1, "0.1"),
        (32911654912.0, "32911654912.0"),
        (1e308, "1e+308"),
        (5e-324, "5e-324"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_value_is_written(value: float, text: str) -> None:
    assert format_value(value) == text


@given(st.floats(allow_nan=False))
def test_written_value_reads_back_to_the_last_bit(value: float) -> None:
    assert struct.pack("d", float(format_value(value))) == struct.pack("d", value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("a\nb", r'"a\nb"'),
        ("a\\nb", r'"a\\nb"'),
        ("Küche 🖥\t\r", '"Küche 🖥\t\r"'),
        ("", '""'),
    ],
)
def test_label_value_is_escaped(value: str, text: str) -> None:
    assert render_labels((("name", value),)) == f"name={text}"


@pytest.mark.parametrize(
    ("group", "labels", "prefix"),
    [
        ("", (), "up "),
        ('job="a"', (), 'up{job="a"} '),
        ("", (("x", "1"), ("y", "2")), 'up{x="1",y="2"} '),
        ('job="a"', (("x", "1"),), 'up{job="a",x="1"} '),
    ],
)
def test_series_prefix_joins_group_and_labels(
    group: str, labels: tuple[tuple[str, str], ...], prefix: str
) -> None:
    assert series_prefix("up", group, labels) == prefix
