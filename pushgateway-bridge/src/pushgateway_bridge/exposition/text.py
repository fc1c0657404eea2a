"""Text format 0.0.4 and OpenMetrics 1.0: headers, and samples of prometheus-client's model. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from prometheus_client.metrics_core import Metric

from pushgateway_bridge.model.family import Family, MetricType
from pushgateway_bridge.model.text import LABEL_ESCAPES, format_value, series_prefix

_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})

_SAMPLE_SUFFIXES = {"counter": "_total", "info": "_info"}
_TEXT_TYPES = {"unknown": "untyped", "info": "gauge"}


def family_header(family: Family, *, openmetrics: bool) -> bytes:
    """HELP, TYPE and (OpenMetrics) UNIT lines of *family*, whose name is the one its samples have.

    OpenMetrics names the family of a counter or an info without the ``_total`` or ``_info`` that its samples must
    have; one that was pushed without it keeps its name and is of unknown type there, since a pushed name never
    changes.
    """
    name: str = family.name
    kind: str = family.type
    if openmetrics and (suffix := _SAMPLE_SUFFIXES.get(kind)):
        name, kind = (name.removesuffix(suffix), kind) if name.endswith(suffix) else (name, "unknown")
    elif not openmetrics:
        kind = _TEXT_TYPES.get(kind, kind)
    help_text = family.help.translate(LABEL_ESCAPES if openmetrics else _HELP_ESCAPES)
    lines = f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n"
    if openmetrics and family.unit and name.endswith(f"_{family.unit}"):
        lines += f"# UNIT {name} {family.unit}\n"
    return lines.encode()


def own_families(metrics: Iterable[Metric]) -> Iterator[tuple[Family, list[str]]]:
    """Self-metrics as families with their sample lines, ``_created`` series left out.

    The name is that of the samples, ``_total`` or ``_info`` included, so that a pushed family of that name meets it.
    """
    for metric in metrics:
        name = f"{metric.name}{_SAMPLE_SUFFIXES.get(metric.type, '')}"
        family = Family(name, cast(MetricType, metric.type), metric.documentation, metric.unit)
        lines = [
            f"{series_prefix(sample.name, '', tuple(sample.labels.items()))}{format_value(float(sample.value))}\n"
            for sample in metric.samples
            if not sample.name.endswith("_created")
        ]
        yield family, lines
