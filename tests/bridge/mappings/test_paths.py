from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonpath import JSONPathEnvironment

from pushgateway_bridge.mappings.load import parse_mapping
from pushgateway_bridge.mappings.paths import MISSING, BadPath, compile_path
from pushgateway_bridge.mappings.problems import MappingsInvalid
from pushgateway_bridge.mappings.units import KINDS, UNITS, between, linear

STEPS = st.sampled_from(
    [
        ".a",
        ".b",
        "['a']",
        '["b"]',
        "[0]",
        "[1]",
        "[-1]",
        "[5]",
        ".*",
        "[*]",
        "..a",
        "[0:2]",
        "[?@.a]",
        "[?@ > 1]",
    ]
)
PATHS = st.lists(STEPS, max_size=4).map(lambda steps: "$" + "".join(steps))
LEAVES = st.integers(0, 3) | st.text("ab1[", max_size=3) | st.none() | st.booleans()
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=2)
    ),
    max_leaves=12,
)
LIBRARY = JSONPathEnvironment(strict=True)


@settings(deadline=None)
@given(PATHS, st.lists(DOCUMENTS, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), DOCUMENTS))
def test_paths_match_what_the_standard_says(text: str, document: object) -> None:
    """Simple paths are walked here, and give what the library gives."""
    expected = [(match.parts, match.obj) for match in LIBRARY.finditer(text, document)]  # type: ignore[arg-type]
    path = compile_path(text)

    assert list(path.matches(document)) == expected
    if path.singular:
        assert path.find(document) == (expected[0][1] if expected else MISSING)
        assert len(expected) <= 1


@pytest.mark.parametrize("document", ["[1]", "text", 1, None, True])
@pytest.mark.parametrize("text", ["$[0]", "$.a", "$..*", "$[?@.a]", "$[0:1]"])
def test_nothing_matches_in_a_scalar(text: str, document: object) -> None:
    assert list(compile_path(text).matches(document)) == []


@pytest.mark.parametrize("text", ["$", "@"])
def test_root_matches_itself(text: str) -> None:
    path = compile_path(text)

    assert (path.find(5), list(path.matches(5))) == (5, [((), 5)])


@given(st.text("$@.[]*?()'\"ab0-:,&|!=<>\\ué ", max_size=20).map(lambda text: f"$.{text}"))
def test_any_text_is_a_path_or_a_bad_one(text: str) -> None:
    with suppress(BadPath):
        list(compile_path(text).matches({"a": [1, {"b": "a"}], "b": 0}))


@given(st.text("metricsna:-{}[],$.*@&!|>#'\"%\n\t 1", max_size=40))
def test_any_text_is_a_mapping_or_its_problems_are_told(text: str) -> None:
    with suppress(MappingsInvalid):
        assert parse_mapping(f"metrics:\n - {{name: a, path: $.a}}\n{text}", "m").metrics


@pytest.mark.parametrize(
    ("source", "value", "target", "expected"),
    [
        ("ms", 1001, "seconds", 1.001),
        ("percent", 37, "ratio", 0.37),
        ("MiB", 1.5, "bytes", 1572864.0),
        ("°F", 212, "celsius", 100.0),
        ("F", -40, "C", -40.0),
        ("K", 300, "celsius", 26.85),
        ("celsius", 100, "F", 212.0),
        ("kWh", 2, "joules", 7_200_000.0),
        ("Mbit/s", 8, "bytes_per_second", 1_000_000.0),
        ("seconds", 1.5, "ms", 1500.0),
        ("km/h", 36, "m/s", 10.0),
    ],
)
def test_units_convert_exactly(source: str, value: float, target: str, expected: float) -> None:
    assert between(source, target).of(value) == expected


def test_every_unit_converts_to_its_base_unit_and_back() -> None:
    for unit, base in UNITS.items():
        assert base in KINDS[base]
        assert between(base, unit).of(between(unit, base).of(7.0)) == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("factor", "offset", "value", "expected"),
    [(0.1, 0, 3, 0.3), (0.001, 0, 1001, 1.001), (2, -1, 5, 9), (1, 0.5, 1, 1.5)],
)
def test_factors_mean_the_decimal_number(factor: float, offset: float, value: float, expected: float) -> None:
    assert linear(factor, offset).of(value) == expected
