"""The queries of each panel, as a page asks them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from bench.dashboards import targets

MIN_STEP_SECONDS = 60
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


class Panel(NamedTuple):
    """One panel, and what it asks."""

    dashboard: str
    title: str
    queries: tuple[tuple[str, bool], ...]
    """Expression, with placeholders in it, and whether only the end of the range is asked for."""

    def requests(self, end: int, seconds: int) -> list[str]:
        """Paths of Prometheus' API for the *seconds* up to *end*."""
        step = max(MIN_STEP_SECONDS, -(-seconds // targets.POINTS // MIN_STEP_SECONDS) * MIN_STEP_SECONDS)
        macros = {
            "__rate_interval": f"{max(4 * MIN_STEP_SECONDS, step + MIN_STEP_SECONDS)}s",
            "__interval": f"{step}s",
            "__range": f"{seconds}s",
            "__range_s": str(seconds),
        }
        known = {**macros, **CHOSEN.get(self.dashboard, {})}
        paths = []
        for expr, instant in self.queries:
            query = _PLACEHOLDER.sub(lambda found: known.get(found[1] or found[2], EVERYTHING), expr)
            if instant:
                paths.append(f"/api/v1/query?{urlencode({'query': query, 'time': end})}")
            else:
                asked = {"query": query, "start": end - seconds, "end": end, "step": step}
                paths.append(f"/api/v1/query_range?{urlencode(asked)}")
        return paths


def read_panels(folder: Path) -> list[Panel]:
    """Of all dashboards in *folder*, those that ask anything."""
    return [
        Panel(document["uid"], panel["title"], queries)
        for path in sorted(folder.glob("*.json"))
        for document in [json.loads(path.read_text(encoding="utf-8"))]
        for panel in _all_panels(document)
        if (queries := tuple((one["expr"], bool(one.get("instant"))) for one in panel.get("targets") or []))
    ]


def _all_panels(document: Any) -> list[Any]:
    return [one for panel in document["panels"] for one in (panel, *(panel.get("panels") or []))]


def expressions(panels: Sequence[Panel]) -> list[str]:
    """All that is asked."""
    return [expr for panel in panels for expr, _ in panel.queries]


def names(panels: Sequence[Panel]) -> set[str]:
    """Every word in what is asked: metrics are among them."""
    return {name for expr in expressions(panels) for name in re.findall(r"[a-zA-Z_:][\w:]*", expr)}
