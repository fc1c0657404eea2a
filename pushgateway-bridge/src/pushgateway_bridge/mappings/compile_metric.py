"""A metric as a mapping has it written → as it runs, and what is wrong with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from typing import Final

from pushgateway_bridge.mappings.compile_labels import MAX_LABELS, MAX_NAME_CHARACTERS, Sections, as_name
from pushgateway_bridge.mappings.compiled import Metric, Operation, Place
from pushgateway_bridge.mappings.language import MetricSpec, Spec
from pushgateway_bridge.mappings.problems import nearest
from pushgateway_bridge.mappings.units import UNCHANGED, UNITS, Conversion, between, linear
from pushgateway_bridge.model.family import Family, MetricType
from pushgateway_bridge.state.conflicts import RESERVED_NAMES, RESERVED_PREFIXES

SHARED_PREFIXES: Final = ("process_", "python_")
"""Of families that client libraries and the bridge itself have."""
MAX_HELP_CHARACTERS: Final = 1024
MAX_BUCKETS: Final = 100

_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")

TYPES: Final[Table[str, tuple[MetricType, ...]]] = {
    "set": ("gauge", "unknown"),
    "add": ("counter",),
    "total": ("counter",),
    "observe": ("histogram",),
    "distinct": ("gauge",),
}
"""Types that a metric of each operation may have, the usual one first."""
OPERATION_OF: Final = {"counter": "add or total", "histogram": "observe", "gauge": "set", "unknown": "set"}
RESERVED_LABELS: Final[Table[str, str]] = {"observe": "le", "distinct": "window"}
"""Labels that the bridge puts on what it counts."""


class MetricCompiler:
    """Compiles the metrics of one mapping."""

    def __init__(self, sections: Sections) -> None:
        self._sections = sections
        self._problem = sections.problem

    def metric(self, number: int, spec: MetricSpec, shared: Table[str, str]) -> Metric | None:
        """One metric; ``None`` if so much of it is wrong that there is none."""
        self._check_name(spec)
        kind = self._type(spec)
        path = self._sections.path(spec, "path", spec.path)
        if not {"path", "value"} & spec.lines.keys():
            self._problem(spec, "path", "is missing; say where the value stands, or value: 1 to count items")
        if spec.operation == "distinct":
            self._only_paths(spec)
        fixed, texts = self._sections.labels(spec, spec.labels)
        own = RESERVED_LABELS.get(spec.operation)
        if own is not None and own in {*spec.labels, *self._sections.spec.labels}:
            where: Spec = spec if own in spec.labels else self._sections.spec
            self._problem(where, "labels", f"{own!r} is set by the bridge where it counts ({spec.operation})")
        if len({*fixed, *shared, *(one.name for one in texts)}) > MAX_LABELS:
            self._problem(spec, "labels", f"more than {MAX_LABELS} labels, with those of the whole mapping")
        conversion, unit = self._conversion(spec)
        if len(spec.help) > MAX_HELP_CHARACTERS:
            self._problem(spec, "help", f"has {len(spec.help)} characters, more than {MAX_HELP_CHARACTERS}")
        if spec.value is not None and path is None and "path" in spec.lines:
            return None
        buckets = self._buckets(spec)
        if not spec.name or (path is None and spec.value is None):
            return None
        family = Family(spec.name, kind, spec.help, _unit_shown(spec.name, unit), buckets)
        return Metric(
            number=number,
            family=family,
            operation=Operation[spec.operation.upper()],
            place=Place(spec.line, spec.place),
            path=path,
            constant=spec.value,
            conversion=conversion,
            values=spec.values,
            fixed=fixed,
            texts=texts,
            required=spec.required,
            strict=self._sections.spec.strict if spec.strict is None else spec.strict,
        )

    def _check_name(self, spec: MetricSpec) -> None:
        name = spec.name
        if "name" not in spec.lines:
            self._problem(spec, "name", "is missing")
        elif not _METRIC_NAME.fullmatch(name) or len(name) > MAX_NAME_CHARACTERS:
            self._problem(
                spec,
                "name",
                f"{name[:60]!r}: a name has letters, digits and _ only, at most {MAX_NAME_CHARACTERS}; "
                f"as {as_name(name)!r}",
            )
        elif name.startswith(RESERVED_PREFIXES) or name in RESERVED_NAMES:
            self._problem(spec, "name", f"{name!r} is this stack's own; as {'my_' + name!r}")
        elif name.startswith(SHARED_PREFIXES):
            self._problem(spec, "name", f"{name!r} is what client libraries say; as {'app_' + name!r}")

    def _type(self, spec: MetricSpec) -> MetricType:
        operation = spec.operation
        types = TYPES[operation]
        if spec.type is not None and spec.type not in types:
            self._problem(
                spec,
                "type",
                f"a {spec.type} does not fit operation {operation}: that makes a {types[0]}, "
                f"and a {spec.type} needs operation {OPERATION_OF[spec.type]}",
            )
        if types[0] == "counter" and spec.name and not spec.name.endswith("_total"):
            meant = f"{spec.name}_total"
            self._problem(spec, "name", f"a counter's name ends with _total, as {meant!r}", warning=True)
        if types[0] != "counter" and spec.name.endswith("_total"):
            self._problem(
                spec,
                "operation",
                "a name that ends with _total is a counter's: say operation: total (what the pusher counted) "
                "or add (what came on top)",
                warning=True,
            )
        return spec.type if spec.type in types else types[0]

    def _only_paths(self, spec: MetricSpec) -> None:
        for key in ("value", "factor", "offset", "from", "to", "values", "strict"):
            if key in spec.lines:
                self._problem(
                    spec, key, "is for numbers; operation distinct counts different texts or numbers"
                )

    def _conversion(self, spec: MetricSpec) -> tuple[Conversion, str]:
        """What is done to values, and the unit that they are then in."""
        for key, name in (("from", spec.from_), ("to", spec.to)):
            if name is not None and name not in UNITS:
                self._problem(spec, key, f"unknown unit {name!r}; {nearest(name, UNITS)}")
                return UNCHANGED, ""
        numbers = [key for key in ("factor", "offset") if key in spec.lines]
        if "to" in spec.lines and "from" not in spec.lines:
            self._problem(spec, "from", "is missing: to needs the unit that the values come in")
        elif spec.from_ is not None:
            if numbers:
                self._problem(
                    spec, numbers[0], "from and to say the same as factor and offset: use one of them"
                )
            target = spec.to or UNITS[spec.from_]
            try:
                return between(spec.from_, target), target
            except ValueError as error:
                self._problem(spec, "to", f"{error}; say to: {UNITS[spec.from_]}")
        elif numbers:
            try:
                return linear(
                    1.0 if spec.factor is None else spec.factor, 0.0 if spec.offset is None else spec.offset
                ), ""
            except ValueError as error:
                self._problem(spec, numbers[0], str(error))
        return UNCHANGED, ""

    def _buckets(self, spec: MetricSpec) -> tuple[float, ...]:
        if spec.operation != "observe":
            if "buckets" in spec.lines:
                self._problem(spec, "buckets", "are for operation observe")
            return ()
        buckets = spec.buckets or ()
        if "buckets" not in spec.lines:
            self._problem(
                spec, "buckets", "is missing: operation observe needs upper bounds, as [0.1, 0.5, 1]"
            )
        elif not 1 <= len(buckets) <= MAX_BUCKETS:
            self._problem(spec, "buckets", f"expected 1 to {MAX_BUCKETS} upper bounds, got {len(buckets)}")
        elif list(buckets) != sorted(set(buckets)):
            self._problem(spec, "buckets", f"must ascend: {sorted(set(buckets))}")
        return buckets


def _unit_shown(name: str, unit: str) -> str:
    """The unit of a family that is named for it; OpenMetrics shows no other."""
    return unit if unit and name.removesuffix("_total").endswith(f"_{unit}") else ""
