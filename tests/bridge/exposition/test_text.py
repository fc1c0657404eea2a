from __future__ import annotations

import math
from collections.abc import Iterable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pushgateway_bridge.exposition.text import family_header, own_families
from pushgateway_bridge.model.family import Family, MetricType
from pushgateway_bridge.model.text import format_value, series_prefix

Rows = list[tuple[str, dict[str, str], str]]


def parse(text: str, *, openmetrics: bool) -> list[Metric]:
    if openmetrics:
        return list(parse_openmetrics(text))  # type: ignore[no-untyped-call]
    return list(parse_text(text))


def rows_of(metrics: Iterable[Metric]) -> Rows:
    """Name, labels and value of each sample; the value as text, in which NaN equals NaN and -0.0 differs from 0.0."""
    return [
        (sample.name, dict(sample.labels), repr(float(sample.value)))
        for metric in metrics
        for sample in metric.samples
        if not sample.name.endswith("_created")
    ]


def exposition_of(registry: CollectorRegistry, *, openmetrics: bool) -> str:
    parts = [
        family_header(family, openmetrics=openmetrics).decode() + "".join(lines)
        for family, lines in own_families(registry.collect())
    ]
    return "".join(parts) + ("# EOF\n" if openmetrics else "")


@pytest.mark.parametrize(
    ("family", "text", "openmetrics"),
    [
        (
            Family("a_total", "counter", "All of it."),
            "# HELP a_total All of it.\n# TYPE a_total counter\n",
            "# HELP a All of it.\n# TYPE a counter\n",
        ),
        (
            Family("a", "counter", "Pushed without the ending."),
            "# HELP a Pushed without the ending.\n# TYPE a counter\n",
            "# HELP a Pushed without the ending.\n# TYPE a unknown\n",
        ),
        (
            Family("a_seconds_total", "counter", "Time.", "seconds"),
            "# HELP a_seconds_total Time.\n# TYPE a_seconds_total counter\n",
            "# HELP a_seconds Time.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n",
        ),
        (
            Family("a_bytes", "gauge", "Size.", "bytes"),
            "# HELP a_bytes Size.\n# TYPE a_bytes gauge\n",
            "# HELP a_bytes Size.\n# TYPE a_bytes gauge\n# UNIT a_bytes bytes\n",
        ),
        (
            Family("a", "gauge", "The unit is not in its name.", "bytes"),
            "# HELP a The unit is not in its name.\n# TYPE a gauge\n",
            "# HELP a The unit is not in its name.\n# TYPE a gauge\n",
        ),
        (
            Family("a", "histogram", "Spread."),
            "# HELP a Spread.\n# TYPE a histogram\n",
            "# HELP a Spread.\n# TYPE a histogram\n",
        ),
        (
            Family("a", "summary", "Spread."),
            "# HELP a Spread.\n# TYPE a summary\n",
            "# HELP a Spread.\n# TYPE a summary\n",
        ),
        (
            Family("a_info", "info", "Facts."),
            "# HELP a_info Facts.\n# TYPE a_info gauge\n",
            "# HELP a Facts.\n# TYPE a info\n",
        ),
        (
            Family("a", "info", "Facts under another name."),
            "# HELP a Facts under another name.\n# TYPE a gauge\n",
            "# HELP a Facts under another name.\n# TYPE a unknown\n",
        ),
        (
            Family("a", "unknown", "Who knows."),
            "# HELP a Who knows.\n# TYPE a untyped\n",
            "# HELP a Who knows.\n# TYPE a unknown\n",
        ),
        (
            Family("a", "gauge", 'Back\\slash, "quote",\nline.'),
            '# HELP a Back\\\\slash, "quote",\\nline.\n# TYPE a gauge\n',
            '# HELP a Back\\\\slash, \\"quote\\",\\nline.\n# TYPE a gauge\n',
        ),
    ],
    ids=lambda value: f"{value.type} {value.name}" if isinstance(value, Family) else "",
)
def test_header_of_each_type(family: Family, text: str, openmetrics: str) -> None:
    assert family_header(family, openmetrics=False).decode() == text
    assert family_header(family, openmetrics=True).decode() == openmetrics


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
@pytest.mark.parametrize("kind", get_args(MetricType))
def test_help_reads_back_as_it_was(kind: MetricType, openmetrics: bool) -> None:
    suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
    help_text = 'One \\ two "three"\nfour \\n five é.'
    header = family_header(Family(f"a{suffix}", kind, help_text), openmetrics=openmetrics).decode()

    [metric] = parse(header + ("# EOF\n" if openmetrics else ""), openmetrics=openmetrics)

    assert metric.documentation == help_text
    assert metric.type == ({"info": "gauge"}.get(kind, kind) if not openmetrics else kind)


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
@given(
    value=st.sampled_from([math.nan, math.inf, -math.inf, 1e308, 5e-324, -0.0, 0.0, 1.0]) | st.floats(),
    labels=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        max_size=3,
    ),
)
def test_series_reads_back_as_it_was(openmetrics: bool, value: float, labels: dict[str, str]) -> None:
    header = family_header(Family("a_ratio", "gauge", "A part."), openmetrics=openmetrics).decode()
    line = f"{series_prefix('a_ratio', '', tuple(sorted(labels.items())))}{format_value(value)}\n"

    metrics = parse(header + line + ("# EOF\n" if openmetrics else ""), openmetrics=openmetrics)

    assert rows_of(metrics) == [("a_ratio", labels, repr(value))]


@pytest.fixture
def registry() -> CollectorRegistry:
    """One metric of each type that prometheus-client has, with values that are hard to write."""
    registry = CollectorRegistry()
    Counter("things", "Things.", ("kind",), registry=registry).labels('a"b\\c\nd').inc(3)
    sizes = Gauge("size_bytes", "Size.", ("of",), registry=registry, unit="bytes")
    for name, value in {
        "nan": math.nan,
        "inf": math.inf,
        "-inf": -math.inf,
        "large": 1e308,
        "zero": -0.0,
        "é🖥": 0.1,
    }.items():
        sizes.labels(name).set(value)
    Histogram("wait_seconds", "Wait.", registry=registry, buckets=(0.0005, 1, 2.5)).observe(1.5)
    Summary("work", "Work.", registry=registry).observe(4)
    Info("build", "Build.", registry=registry).info({"version": "1.0"})
    return registry


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
def test_own_families_say_the_same_as_prometheus_clients_own_renderer(
    registry: CollectorRegistry, openmetrics: bool
) -> None:
    oracle = (openmetrics_exposition.generate_latest if openmetrics else generate_latest)(registry).decode()
    ours = parse(exposition_of(registry, openmetrics=openmetrics), openmetrics=openmetrics)
    theirs = [
        metric for metric in parse(oracle, openmetrics=openmetrics) if not metric.name.endswith("_created")
    ]

    assert [(metric.name, metric.type, metric.documentation) for metric in ours] == [
        (metric.name, metric.type, metric.documentation) for metric in theirs
    ]
    assert rows_of(ours) == rows_of(theirs)


def test_own_families_have_the_name_of_their_samples(registry: CollectorRegistry) -> None:
    names = [family.name for family, _ in own_families(registry.collect())]

    assert names == ["things_total", "size_bytes", "wait_seconds", "work", "build_info"]
