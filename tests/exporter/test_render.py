"""prometheus-client is the oracle: the same families, the same lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest as generate_text
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from host_exporter.family import Family, Value
from host_exporter.render import OPENMETRICS, SPARE_PREFIXES, TEXT, Format, Renderer

PLAIN = Family("plain", "gauge", "A gauge.")
LABELLED = Family("labelled_total", "counter", "A counter.", ("b", "a"))

KINDS: tuple[Literal["counter", "gauge", "untyped"], ...] = ("counter", "gauge", "untyped")
kinds = st.sampled_from(KINDS)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)
numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.booleans())


@st.composite
def one_family(draw: st.DrawFn) -> list[Value]:
    kind = draw(kinds)
    labels = draw(st.lists(st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True), unique=True, max_size=3))
    family = Family("x_total" if kind == "counter" else "x", kind, draw(texts), tuple(labels))
    series = draw(st.lists(st.tuples(*[texts] * len(labels)), unique=True, max_size=4, min_size=1))
    return [(family, tuple(values), draw(numbers)) for values in series]


class Fixed(Collector):
    """What prometheus-client calls a collector, giving one family's values."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values

    def collect(self) -> Iterable[Metric]:
        family = self._values[0][0]
        kind = "unknown" if family.kind == "untyped" else family.kind
        metric = Metric(family.name.removesuffix("_total"), family.help, kind)
        for _, labels, number in self._values:
            metric.add_sample(family.name, dict(zip(family.labels, labels, strict=True)), number)
        return [metric]


def split(exposition: str) -> list[tuple[str, Any]]:
    """Lines as what stands before the number and the number, because it may be written in several ways."""
    lines: list[tuple[str, Any]] = []
    for line in exposition.split("\n"):
        if line.startswith("#") or not line:
            lines.append((line, None))
        else:
            prefix, _, number = line.rpartition(" ")
            lines.append((prefix, "NaN" if math.isnan(float(number)) else float(number)))
    return lines


def rendered(format_: Format, values: Sequence[Value]) -> str:
    renderer = Renderer(format_)
    return renderer.render(values) + renderer.end()


@given(one_family())
def test_text_is_what_prometheus_client_writes(values: list[Value]) -> None:
    assert split(rendered(TEXT, values)) == split(generate_text(Fixed(values)).decode())


@given(one_family())
def test_openmetrics_is_what_prometheus_client_writes(values: list[Value]) -> None:
    assert split(rendered(OPENMETRICS, values)) == split(generate_openmetrics(Fixed(values)).decode())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (True, "1.0"),
        (1.5, "1.5"),
        (-3, "-3"),
        (1e300, "1e+300"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (2**64, "18446744073709551616"),
    ],
    ids=str,
)
def test_numbers_are_written_as_the_format_wants_them(number: float, text: str) -> None:
    assert Renderer(TEXT).render([(PLAIN, (), number)]).splitlines()[-1] == f"plain {text}"


@pytest.mark.parametrize("number", ["5", None, [1], object()], ids=["text", "nothing", "list", "object"])
def test_what_is_no_number_is_refused(number: Any) -> None:
    with pytest.raises(TypeError, match="expected a number"):
        Renderer(TEXT).render([(PLAIN, (), number)])


@pytest.mark.parametrize("labels", [("1",), ("1", "2", "3")], ids=["too few", "too many"])
def test_label_values_must_be_as_many_as_the_labels(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        Renderer(TEXT).render([(LABELLED, labels, 1)])


def test_the_lines_of_a_family_stand_together_in_whatever_order_they_come() -> None:
    values = [(LABELLED, ("1", "x"), 1.5), (PLAIN, (), 2), (LABELLED, ("2", "x"), 3)]

    assert Renderer(TEXT).render(values) == (
        "# HELP labelled_total A counter.\n"
        "# TYPE labelled_total counter\n"
        'labelled_total{a="x",b="1"} 1.5\n'
        'labelled_total{a="x",b="2"} 3\n'
        "# HELP plain A gauge.\n"
        "# TYPE plain gauge\n"
        "plain 2\n"
    )


def test_a_counter_whose_name_lacks_total_is_unknown_in_openmetrics() -> None:
    family = Family("old_style", "counter", "Counts.")

    assert "# TYPE old_style unknown\n" in rendered(OPENMETRICS, [(family, (), 1)])


def test_only_the_beginning_of_a_line_is_kept_from_one_scrape_to_the_next() -> None:
    renderer = Renderer(TEXT)
    renderer.render([(PLAIN, (), 1)])

    assert renderer.render([(PLAIN, (), 2)]).endswith("\nplain 2\n")


def test_label_sets_that_are_gone_are_forgotten() -> None:
    """Container hosts make a network device a minute; after a year of that memory must be as it was."""
    renderer = Renderer(TEXT)
    family = Family("x", "gauge", "X.", ("device",))

    for number in range(10 * SPARE_PREFIXES):
        renderer.render([(family, (f"veth{number}",), 1)])

    assert len(renderer._known[family][1]) <= SPARE_PREFIXES + 2
