"""Which dashboards there are, and the JSON document of each."""

from __future__ import annotations

import json
from collections.abc import Callable

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from telemetry_dashboards.alerts import alerts
from telemetry_dashboards.bridge import bridge
from telemetry_dashboards.events import events
from telemetry_dashboards.fleet import fleet
from telemetry_dashboards.host import host
from telemetry_dashboards.installations import installations
from telemetry_dashboards.stack_health import stack_health

DASHBOARDS: tuple[Callable[[], Dashboard], ...] = (
    fleet,
    host,
    events,
    installations,
    alerts,
    bridge,
    stack_health,
)


def documents() -> dict[str, str]:
    """File name → JSON text of every dashboard."""
    return {f"{built.uid}.json": _document(built) for built in (build() for build in DASHBOARDS)}


def _document(built: Dashboard) -> str:
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
