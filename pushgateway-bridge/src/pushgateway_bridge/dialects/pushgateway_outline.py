"""What a Pushgateway body says, whichever its format: families as read, and the series that they become.

A histogram or summary becomes several series of one family, as its lines: ``x_bucket`` for each bound, ``x_sum``,
``x_count``. The name of such a line, which is not the family's, is a label ``__name__``; nobody can push that one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from pushgateway_bridge.dialects.host_families import HOST_FAMILIES
from pushgateway_bridge.dialects.pushgateway_path import (
    LABEL_NAME,
    MAX_LABELS,
    quoted,
)
from pushgateway_bridge.errors import MalformedBody
from pushgateway_bridge.model.family import Family, MetricType
from pushgateway_bridge.model.labels import LabelSet, make_label_set
from pushgateway_bridge.model.report import Shape

METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
MAX_NAME: Final = 1024
MAX_HELP: Final = 1024
"""Longest help text; a longer one is cut."""
MAX_SAMPLES: Final = 10_000

PUSH_TIME: Final = Family(
    "push_time_seconds", "gauge", "Last Unix time when changing this group in the Pushgateway succeeded."
)
PUSH_FAILURE_TIME: Final = Family(
    "push_failure_time_seconds",
    "gauge",
    "Last Unix time when changing this group in the Pushgateway failed.",
)
SERVER_NAMES: Final = frozenset({PUSH_TIME.name, PUSH_FAILURE_TIME.name})
"""Set by the server: pushed ones are replaced, as Pushgateway replaces them."""

TYPES: Final[Mapping[str, MetricType]] = {
    "COUNTER": "counter",
    "GAUGE": "gauge",
    "SUMMARY": "summary",
    "UNTYPED": "unknown",
    "HISTOGRAM": "histogram",
    "GAUGE_HISTOGRAM": "histogram",
    "GAUGEHISTOGRAM": "histogram",
}
"""In capitals, as they are compared without regard to case."""

NOTHING: Final = -1
"""Stands for the place of a value that was not sent: the last of a list of values, which is 0."""

_LINES: Final = ("histogram", "summary")

Bound = tuple[float, int]
"""A bucket's upper bound or a quantile, and the place of its value."""


class InconsistentPush(MalformedBody):
    """The body can be read, but what it says contradicts itself. Pushgateway then sets the group's failure time."""

    families: Sequence[ReadFamily] = ()
    """What was read, where that is whole."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{INCONSISTENT}{why}")


INCONSISTENT: Final = "pushed metrics are invalid or inconsistent with existing metrics: "


class ReadMetric:
    """One metric of a family: its labels, and the places of its values in the order in which they were read."""

    __slots__ = ("bounds", "count", "labels", "sum", "value")

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        self.value = NOTHING
        self.bounds: list[Bound] = []
        """Of a histogram or a summary."""
        self.sum = NOTHING
        self.count = NOTHING


class ReadFamily:
    """One family as it was read."""

    __slots__ = ("help", "metrics", "name", "type")

    def __init__(self, name: str, type_: MetricType | None = None, help_: str | None = None) -> None:
        self.name = name
        self.type = type_
        self.help = help_
        self.metrics: list[ReadMetric] = []


class Outline(NamedTuple):
    """Which series a body sets, and the place of each one's value among the values that were read."""

    shape: Shape
    """With SERVER_SERIES at the end."""
    places: tuple[int, ...] | None
    """Of all but those; ``None`` if there is one for each value that was read, in order."""
    counts: bool
    """Whether some of the values are counts, which must not be negative."""

    def values(self, read: list[float], received_ms: int) -> list[float]:
        """One for each series of the shape."""
        if self.places is None:
            return [*read, received_ms / 1000]
        return self.picked_values([*read, 0.0], received_ms)

    def picked_values(self, padded: list[float], received_ms: int) -> list[float]:
        """The same of values with NOTHING's behind them; there must be places."""
        return [*[padded[place] for place in self.places or ()], received_ms / 1000]


SERVER_SERIES: Final[Shape] = ((PUSH_TIME, ()),)
"""When the group was last changed."""


def make_outline(families: Iterable[ReadFamily], values: int | None, names: frozenset[str]) -> Outline:
    """The series of *families*; labels that the grouping key decides, *names*, are left out.

    *values* is how many were read; ``None`` if these families are not all, so that there must be places. Raises
    InconsistentPush if two would be the same, or a label cannot be.
    """
    shape: list[tuple[Family, LabelSet]] = []
    places: list[int] = []
    for read in families:
        if read.name in SERVER_NAMES or not read.metrics:
            continue
        check_name(read.name)
        own = HOST_FAMILIES.get(read.name)
        if own is not None and (read.type or "unknown") == "unknown":
            family = own  # without a type it is what it is from every other host
        else:
            family = Family(read.name, read.type or "unknown", (read.help or "")[:MAX_HELP])
        seen: set[LabelSet] = set()
        for metric in read.metrics:
            labels = _own_labels(read.name, metric.labels, names)
            for line_labels, place in _lines(family, metric, labels, names):
                if line_labels in seen:
                    raise InconsistentPush(
                        f"collected metric {quoted(read.name)} was collected before with the same name and"
                        " label values"
                    )
                seen.add(line_labels)
                shape.append((family, line_labels))
                places.append(place)
    in_order = values is not None and places == list(range(values))
    counts = any(family.type in _LINES for family, _ in shape)
    return Outline((*shape, *SERVER_SERIES), None if in_order else tuple(places), counts)


def _own_labels(metric: str, labels: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    check_label_count(metric, labels)
    own = {}
    for name, value in labels.items():
        if name.startswith("__"):
            raise InconsistentPush(
                f"collected metric {quoted(metric)} has a label with an invalid name: {name}"
            )
        if name not in names:
            own[name] = value
    return own


def _lines(
    family: Family, metric: ReadMetric, labels: dict[str, str], names: frozenset[str]
) -> list[tuple[LabelSet, int]]:
    """Labels and place of each line of *metric*, in the order in which they are shown."""
    if family.type not in _LINES:
        return [(make_label_set(labels), metric.value)]
    name = family.name
    bucketed = family.type == "histogram"
    bound_label = "le" if bucketed else "quantile"
    if bound_label in labels or bound_label in names:
        raise InconsistentPush(
            f"collected metric {quoted(name)} has two or more labels with the same name: {bound_label}"
        )
    line = {"__name__": f"{name}_bucket"} if bucketed else {}
    bounds = [one for one in metric.bounds if not math.isnan(one[0])]
    if bucketed and all(bound != math.inf for bound, _ in bounds):
        bounds.append((math.inf, metric.count))
    return [
        *((make_label_set(labels, line, {bound_label: go_number(bound)}), place) for bound, place in bounds),
        (make_label_set(labels, {"__name__": f"{name}_sum"}), metric.sum),
        (make_label_set(labels, {"__name__": f"{name}_count"}), metric.count),
    ]


def timestamps(families: Iterable[ReadFamily]) -> InconsistentPush:
    """The refusal of *families* some of whose samples have a time."""
    error = InconsistentPush("pushed metrics must not have timestamps")
    error.families = list(families)
    return error


def go_number(value: float) -> str:
    """*value* as Pushgateway shows it: the shortest digits, with an exponent if that is below -4 or above 5.

    Bounds are labels, so they are written exactly as there: ``1`` and not ``1.0``.
    """
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "0"
    number = Decimal(repr(value)).normalize()
    exponent = number.adjusted()
    if -4 <= exponent < 6:
        return f"{number:f}"
    return f"{number.scaleb(-exponent):f}e{exponent:+03d}"


def check_name(name: str) -> None:
    """Raises MalformedBody for what is no name of a metric."""
    if len(name) > MAX_NAME or not METRIC_NAME.fullmatch(name):
        raise MalformedBody(f"invalid metric name {quoted(name)}")


def check_label_count(metric: str, labels: Mapping[str, str]) -> None:
    """Raises MalformedBody."""
    if len(labels) > MAX_LABELS:
        raise MalformedBody(f"{quoted(metric)} has more than {MAX_LABELS} labels")


def check_label_name(name: str) -> None:
    """Raises MalformedBody for what is no name of a label."""
    if len(name) > MAX_NAME or not LABEL_NAME.fullmatch(name):
        raise MalformedBody(f"invalid label name {quoted(name)}")
