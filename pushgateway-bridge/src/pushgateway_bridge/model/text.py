"""How labels, series and numbers are written in both text formats.

https://prometheus.io/docs/instrumenting/exposition_formats/
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

import math
from typing import Final

from pushgateway_bridge.model.labels import LabelSet

LABEL_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def render_labels(labels: LabelSet) -> str:
    """``job="a",instance="b"``"""
    return ",".join(f'{name}="{value.translate(LABEL_ESCAPES)}"' for name, value in labels)


LINE_NAME: Final = "__name__"
"""A label of series that are lines of a pushed histogram or summary: what the line is named, as ``x_bucket``."""


def series_prefix(name: str, group: str, labels: LabelSet) -> str:
    """What stands before a value, for a group whose labels are already rendered: ``up{job="a"} ``.

    An ``instance`` of the series' own takes the place of its group's, which is empty then.
    """
    if labels and labels[0][0] == LINE_NAME:  # it sorts before all labels that one can push
        name, labels = labels[0][1], labels[1:]
    own = render_labels(labels)
    if any(label == "instance" for label, _ in labels):
        group = group.replace(',instance=""', "", 1)
    together = f"{group},{own}" if group and own else group or own
    return f"{name}{{{together}}} " if together else f"{name} "


def format_value(value: float) -> str:
    """The shortest number that reads back as *value*; ``NaN``, ``+Inf``, ``-Inf``."""
    if math.isfinite(value):
        return repr(value)
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"
