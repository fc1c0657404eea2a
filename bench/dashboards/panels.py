"""The queries of each panel, as a page asks them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from bench.dashboards import targets

SECONDS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600}
CHOSEN: Mapping[str, Mapping[str, str]] = {
    "host": {"job": "node", "instance": "host-007"},
    "events": {"job": "minigem"},
    "installations": {"job": "proxmoxve"},
    "bridge": {"job": "bridge", "instance": "local"},
    "stack": {"job": "prometheus", "instance": "local"},
}
"""What is chosen on each dashboard; on the others, everything."""
EVERYTHING = ".*"
_PLACEHOLDER = re.compile(r"\$(?:([A-Za-z_]\w*)|\{(\w+)(?::\w+)?\})")


class Query(NamedTuple):
    """One query of a panel, with placeholders in it."""

    expr: str
    instant: bool
    """Whether only the end of the range is asked for."""
    min_step_seconds: int
    points: int = targets.POINTS
    """At most so many of each line."""


class Panel(NamedTuple):
    """One panel, and what it asks."""

    dashboard: str
    title: str
    queries: tuple[Query, ...]

    def requests(self, end: int, seconds: int, chosen: Mapping[str, str]) -> list[str]:
        """Paths of Prometheus' API for the *seconds* up to *end*, with the *chosen* values of variables."""
        paths = []
        for query in self.queries:
            step = max(
                query.min_step_seconds,
                -(-seconds // query.points // query.min_step_seconds) * query.min_step_seconds,
            )
            expr = filled(
                query.expr,
                {
                    "__rate_interval": f"{max(4 * query.min_step_seconds, step + query.min_step_seconds)}s",
                    "__interval": f"{step}s",
                    **of_range(seconds),
                    **CHOSEN.get(self.dashboard, {}),
                    **chosen,
                },
            )
            if query.instant:
                paths.append(f"/api/v1/query?{urlencode({'query': expr, 'time': end})}")
            else:
                asked = {"query": expr, "start": end - seconds, "end": end, "step": step}
                paths.append(f"/api/v1/query_range?{urlencode(asked)}")
        return paths


class Variable(NamedTuple):
    """One that nobody chooses: what it is follows from the time range."""

    dashboard: str
    name: str
    expr: str
    pattern: str

    def request(self, end: int, seconds: int) -> str:
        """Path of Prometheus' API for what it is over the *seconds* up to *end*."""
        expr = filled(self.expr, {**of_range(seconds), **CHOSEN.get(self.dashboard, {})})
        return f"/api/v1/query?{urlencode({'query': expr, 'time': end})}"

    def value(self, answer: bytes) -> str:
        """What *answer* makes of it. Raises ValueError if that is nothing."""
        for series in json.loads(answer)["data"]["result"]:
            labels = ",".join(f'{name}="{value}"' for name, value in series["metric"].items())
            found = re.search(self.pattern, f"{{{labels}}} {series['value'][1]}")
            if found:
                return found[1]
        raise ValueError(f"{self.dashboard} finds no value of {self.name} in {answer[:300]!r}")


def filled(text: str, known: Mapping[str, str]) -> str:
    """*text* with all placeholders filled; those that are not *known* match everything."""
    return _PLACEHOLDER.sub(lambda found: known.get(found[1] or found[2], EVERYTHING), text)


def of_range(seconds: int) -> dict[str, str]:
    """What each query knows of a range."""
    return {"__range": f"{seconds}s", "__range_s": str(seconds)}


def read_panels(folder: Path) -> list[Panel]:
    """Of all dashboards in *folder*, those that ask anything."""
    return [
        Panel(document["uid"], panel["title"], queries)
        for document in _documents(folder)
        for panel in _all_panels(document)
        if (
            queries := tuple(
                Query(
                    one["expr"],
                    bool(one.get("instant")),
                    _seconds(one["interval"]),
                    min(panel.get("maxDataPoints") or targets.POINTS, targets.POINTS),
                )
                for one in panel.get("targets") or []
            )
        )
    ]


def read_variables(folder: Path) -> list[Variable]:
    """Of all dashboards in *folder*, those that nobody chooses."""
    return [
        Variable(document["uid"], one["name"], query[len("query_result(") : -1], one["regex"].strip("/"))
        for document in _documents(folder)
        for one in document["templating"]["list"]
        if one["type"] == "query" and (query := one["query"]["query"]).startswith("query_result(")
    ]


def _documents(folder: Path) -> list[Any]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * SECONDS[duration[-1]]


def _all_panels(document: Any) -> list[Any]:
    return [one for panel in document["panels"] for one in (panel, *(panel.get("panels") or []))]


def expressions(panels: Sequence[Panel]) -> list[str]:
    """All that is asked."""
    return [query.expr for panel in panels for query in panel.queries]


def names(panels: Sequence[Panel]) -> set[str]:
    """Every word in what is asked: metrics are among them."""
    return {name for expr in expressions(panels) for name in re.findall(r"[a-zA-Z_:][\w:]*", expr)}
