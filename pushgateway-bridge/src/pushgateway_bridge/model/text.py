"""How labels, series and numbers are written in both text formats.

https://prometheus.io/docs/instrumenting/exposition_formats/
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

import math

from pushgateway_bridge.model.labels import LabelSet

LABEL_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def render_labels(labels: LabelSet) -> str:
    """``job="a",instance="b"``"""
    return ",".join(f'{name}="{value.translate(LABEL_ESCAPES)}"' for name, value in labels)


def series_prefix(name: str, group: str, labels: LabelSet) -> str:
    """What stands before a value, for a group whose labels are already rendered: ``up{job="a"} ``."""
    own = render_labels(labels)
    together = f"{group},{own}" if group and own else group or own
    return f"{name}{{{together}}} " if together else f"{name} "


def format_value(value: float) -> str:
    """The shortest number that reads back as *value*; ``NaN``, ``+Inf``, ``-Inf``."""
    if math.isfinite(value):
        return repr(value)
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"
