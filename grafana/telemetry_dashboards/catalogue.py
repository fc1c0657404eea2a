"""Which dashboards there are, and the JSON document of each."""

from __future__ import annotations

import json
from collections.abc import Callable

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from telemetry_dashboards.host import host

DASHBOARDS: tuple[Callable[[], Dashboard], ...] = (host,)


def documents() -> dict[str, str]:
    """File name → JSON text of every dashboard."""
    return {f"{built.uid}.json": _document(built) for built in (build() for build in DASHBOARDS)}


def _document(built: Dashboard) -> str:
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
