"""Families whose series have labels of their own, and those of more than one kind of line."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from host_exporter.family import Family, Value
from host_exporter.render import MOST_FAMILIES, OPENMETRICS, TEXT, Format, Renderer

SPARSE = Family("info", "gauge", "Facts.", ("b", "a", "c"), sparse=True)
HISTOGRAM = Family("h", "histogram", "How long.", free=True)
CREATED = Family("h_created", "gauge", "Since when.", free=True, created_of=HISTOGRAM)
VALUES: list[Value] = [
    (HISTOGRAM, ("_bucket", "q", 'a"b', "le", "1"), 1),
    (HISTOGRAM, ("_bucket", "q", 'a"b', "le", "1e+06"), 2),
    (HISTOGRAM, ("_bucket", "q", 'a"b', "le", "+Inf"), 2),
    (HISTOGRAM, ("_sum", "q", 'a"b'), 1.5),
    (HISTOGRAM, ("_count", "q", 'a"b'), 2),
    (CREATED, ("", "q", 'a"b'), 1.5e9),
    (HISTOGRAM, ("_bucket", "le", "+Inf"), 0),
    (HISTOGRAM, ("_sum",), 0),
    (HISTOGRAM, ("_count",), 0),
    (CREATED, ("",), 1.6e9),
]


def rendered(format_: Format, values: list[Value]) -> str:
    renderer = Renderer(format_)
    first, second = (renderer.render(values) + renderer.end() for _ in range(2))
    assert first == second
    return first


def test_labels_without_a_value_are_left_out_of_a_sparse_family() -> None:
    lines = rendered(TEXT, [(SPARSE, ("", "x", "y"), 1), (SPARSE, ("", "", ""), 2)]).splitlines()

    assert lines[2:] == ['info{a="x",c="y"} 1', "info 2"]


@pytest.mark.parametrize("labels", [("1",), ("1", "2", "3", "4")])
def test_a_sparse_familys_labels_are_counted_too(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        Renderer(TEXT).render([(SPARSE, labels, 1)])


def test_in_text_each_kind_of_line_is_under_its_familys_header() -> None:
    assert rendered(TEXT, VALUES) == (
        "# HELP h How long.\n"
        "# TYPE h histogram\n"
        'h_bucket{le="1",q="a\\"b"} 1\n'
        'h_bucket{le="1e+06",q="a\\"b"} 2\n'
        'h_bucket{le="+Inf",q="a\\"b"} 2\n'
        'h_sum{q="a\\"b"} 1.5\n'
        'h_count{q="a\\"b"} 2\n'
        'h_bucket{le="+Inf"} 0\n'
        "h_sum 0\n"
        "h_count 0\n"
        "# HELP h_created Since when.\n"
        "# TYPE h_created gauge\n"
        'h_created{q="a\\"b"} 1500000000.0\n'
        "h_created 1600000000.0\n"
    )


def test_openmetrics_has_creation_times_inside_and_bounds_with_a_point() -> None:
    text = rendered(OPENMETRICS, VALUES)

    (family,) = parse_openmetrics(text)  # type: ignore[no-untyped-call]
    assert family.type == "histogram"
    assert [(sample.name, sample.labels.get("le")) for sample in family.samples] == [
        ("h_bucket", "1.0"),
        ("h_bucket", "1e+06"),
        ("h_bucket", "+Inf"),
        ("h_sum", None),
        ("h_count", None),
        ("h_created", None),
        ("h_bucket", "+Inf"),
        ("h_sum", None),
        ("h_count", None),
        ("h_created", None),
    ]


def test_only_so_many_families_are_remembered() -> None:
    """Those of textfiles come and go, with help texts that may hold a date."""
    renderer = Renderer(TEXT)

    for number in range(2 * MOST_FAMILIES):
        renderer.render([(Family("x", "gauge", str(number)), (), 1)])

    assert len(renderer._known) <= MOST_FAMILIES
