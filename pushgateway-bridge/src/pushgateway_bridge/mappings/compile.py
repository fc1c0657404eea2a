"""A mapping as it is written → as it runs, and everything that is wrong with it. Pure."""

from __future__ import annotations

import math
import re
from typing import Final

from pushgateway_bridge.dialects.samples_series import LONGEST_POINT_SECONDS
from pushgateway_bridge.mappings.compile_labels import Sections
from pushgateway_bridge.mappings.compile_metric import MetricCompiler
from pushgateway_bridge.mappings.compiled import (
    ADDITIONS,
    DEFAULT_CAP,
    Cap,
    Mapping,
    Metric,
    Place,
    Text,
    Time,
)
from pushgateway_bridge.mappings.language import MappingSpec, Spec, TextSpec
from pushgateway_bridge.mappings.paths import Path
from pushgateway_bridge.mappings.problems import Problems
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.state.conflicts import RESERVED_JOBS

MAX_METRICS: Final = 1000
LONGEST_TIME_TO_LIVE_SECONDS: Final = 10 * 365 * 86400.0
POINTS_ARE_GONE_SECONDS: Final = LONGEST_POINT_SECONDS + 60.0
"""After this a point series that was not pushed again has expired."""

_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|m|h|d|)")
_SECONDS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def compile_mapping(spec: MappingSpec, problems: Problems) -> Mapping:
    """The mapping that *spec* says, without the parts that are noted in *problems*."""
    return _Compiler(Sections(spec, problems)).mapping()


class _Compiler:
    """Compiles one mapping."""

    def __init__(self, sections: Sections) -> None:
        self._spec = sections.spec
        self._sections = sections
        self._problem = sections.problem

    def mapping(self) -> Mapping:
        """The whole."""
        spec = self._spec
        items = self._sections.path(spec, "items", spec.items)
        if items is not None and not items.of_body:
            self._problem(spec, "items", f"items stand in the body: begin with $, as ${items.text[1:]}")
        series_class, time_to_live = self._time_to_live()
        fixed, texts = self._sections.labels(spec, spec.labels)
        written = spec.metrics or ()
        if "metrics" not in spec.lines:
            self._problem(spec, "metrics", "is missing: a mapping needs one metric at least")
        elif spec.metrics is not None and not 1 <= len(written) <= MAX_METRICS:
            self._problem(spec, "metrics", f"expected 1 to {MAX_METRICS} metrics, got {len(written)}")
        compiler = MetricCompiler(self._sections)
        found = [compiler.metric(number, metric, fixed) for number, metric in enumerate(written)]
        metrics = [one for one in found if one is not None]
        return Mapping(
            name=spec.name,
            file=spec.file,
            description=spec.description,
            metrics=tuple(metrics),
            job=self._job(),
            instance=self._identity("instance"),
            items=items,
            items_place=Place(spec.at("items")[0], "items"),
            time=self._time(),
            idempotency=self._idempotency(),
            fixed=fixed,
            texts=texts,
            series_class=series_class,
            time_to_live_seconds=time_to_live,
            caps=self._caps(metrics, texts, series_class, time_to_live),
        )

    # Identity, time and life

    def _job(self) -> Text | str | None:
        job = self._identity("job")
        name = job or self._spec.name
        if isinstance(name, str) and name in RESERVED_JOBS:
            section: Spec = self._spec.identity
            if job is None:
                section = self._spec
            why = "the mapping's name is its job, and" if job is None else "job"
            key = "identity" if job is None else "job"
            self._problem(
                section, key, f"{why} {name!r} is scraped by this stack; choose another, as my_{name}"
            )
        return job

    def _identity(self, name: str) -> Text | str | None:
        spec: TextSpec | None = getattr(self._spec.identity, name)
        if spec is None:
            return None
        for key in ("cap", "required"):
            if key in spec.lines:
                self._problem(spec, key, f"is for labels; the {name} must always be there, and has no cap")
        text = self._sections.text(name, spec, located=self._spec.items is not None)
        if isinstance(text, Text) and text.path is not None and not text.path.singular:
            self._not_singular(spec, text.path)
        if text == "" and name == "job":
            self._problem(spec, "value", "a job is not empty; leave it out to take the mapping's name")
        return text

    def _not_singular(self, section: Spec, path: Path, key: str = "path") -> None:
        self._problem(section, key, f"{path.text} may match several values; one is needed here")

    def _time(self) -> Time | None:
        spec = self._spec.time
        if spec is None:
            return None
        path = self._sections.path(spec, "path", spec.path)
        if path is None:
            if "path" not in spec.lines:
                self._problem(spec, "path", "is missing")
            return None
        if not path.singular:
            self._not_singular(spec, path)
        return Time(path, spec.format, spec.required, Place(*spec.at("path")))

    def _idempotency(self) -> Path | None:
        spec = self._spec
        path = self._sections.path(spec, "idempotency", spec.idempotency)
        if path is None:
            return None
        if not path.of_body:
            self._problem(spec, "idempotency", "a body has one key: begin with $")
        if not path.singular:
            self._not_singular(spec, path, "idempotency")
        return path

    def _time_to_live(self) -> tuple[SeriesClass, float | None]:
        text = self._spec.time_to_live
        if text is None:
            return SeriesClass.POINT, None
        if text == "keep":
            return SeriesClass.HELD, math.inf
        found = _DURATION.fullmatch(text)
        seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
        if not 0 < seconds <= LONGEST_TIME_TO_LIVE_SECONDS:
            self._problem(
                self._spec, "time_to_live", f"expected keep, or a time as 300s, 5m, 2h or 1d; got {text!r}"
            )
            return SeriesClass.POINT, None
        return (SeriesClass.HELD if seconds > LONGEST_POINT_SECONDS else SeriesClass.POINT), seconds

    def _caps(
        self,
        metrics: list[Metric],
        shared: tuple[Text, ...],
        series_class: SeriesClass,
        time_to_live: float | None,
    ) -> dict[tuple[str, str], Cap]:
        caps: dict[tuple[str, str], Cap] = {}
        for metric in metrics:
            own = (self._spec.metrics or ())[metric.number].labels
            named = {one.name for one in metric.texts} | set(metric.fixed)
            for text in (*metric.texts, *(one for one in shared if one.name not in named)):
                spec = own[text.name] if text in metric.texts else self._spec.labels[text.name]
                forgets = POINTS_ARE_GONE_SECONDS
                if metric.operation in ADDITIONS:
                    forgets = math.inf
                elif series_class is SeriesClass.HELD and time_to_live is not None:
                    forgets = time_to_live + 60.0
                caps[metric.family.name, text.name] = merge_caps(
                    caps.get((metric.family.name, text.name)), Cap(spec.cap or DEFAULT_CAP, forgets)
                )
        return caps


def merge_caps(one: Cap | None, other: Cap) -> Cap:
    """The cap of a label that two metrics of one family have: the larger, and the longer memory."""
    if one is None:
        return other
    return Cap(max(one.number, other.number), max(one.forgets_seconds, other.forgets_seconds))
