"""Every route of the bridge's web application, and what stands around all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx2
from fastapi import Depends, FastAPI
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pushgateway_bridge.alerts.history import AlertHistory
from pushgateway_bridge.config import Config, Delivery
from pushgateway_bridge.dialects.dialect import Dialect
from pushgateway_bridge.mappings.pushes import MappedPushes
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.once import Once
from pushgateway_bridge.pipeline import Ingest
from pushgateway_bridge.selfmetrics import SelfMetrics
from pushgateway_bridge.tallies.minigem import MinigemTally
from pushgateway_bridge.tallies.proxmoxve import ProxmoxveTally
from pushgateway_bridge.tallies.tally import Tally
from pushgateway_bridge.web.alerts import alerts_router, history_router
from pushgateway_bridge.web.compat.minigem import AnyOrigin, minigem_router
from pushgateway_bridge.web.compat.pixeltracker import pixeltracker_router
from pushgateway_bridge.web.compat.proxmoxve import proxmoxve_router
from pushgateway_bridge.web.compat.pushgateway import pushgateway_router
from pushgateway_bridge.web.compat.statix import statix_router
from pushgateway_bridge.web.compat.statusmonitor import CORS_PATHS, statusmonitor_router
from pushgateway_bridge.web.cors import FamilyCors
from pushgateway_bridge.web.explain import explain_router
from pushgateway_bridge.web.guard import REFUSALS
from pushgateway_bridge.web.health import health_router
from pushgateway_bridge.web.login import login_router
from pushgateway_bridge.web.openapi import DESCRIPTION, Application, tags
from pushgateway_bridge.web.pages import landing_router, viewer_router
from pushgateway_bridge.web.paths import LenientPaths, no_route
from pushgateway_bridge.web.prometheus import prometheus_router
from pushgateway_bridge.web.push import PushGate, push_router
from pushgateway_bridge.web.reload import Reloaded, reload_router
from pushgateway_bridge.web.scrape import scrape_router
from pushgateway_bridge.web.sources import SOURCES, deletion_router, list_router
from pushgateway_bridge.web.tokens import tokens_router

ANSWERED: Final[Mapping[str, tuple[str, ...]]] = {"pushgateway": ("DELETE",), "statix": ("OPTIONS",)}
"""Methods that a router of its own answers on a dialect's paths."""
UNDELIVERED: Final[Mapping[Delivery, Sequence[SeriesClass]]] = {
    "scrape": tuple(SeriesClass),
    "remote_write": (SeriesClass.AGGREGATE, SeriesClass.HELD),
}
"""What Prometheus must scrape, as nothing else brings it there."""


class Parts(NamedTuple):
    """What the routes need of a bridge."""

    config: Config
    """As it was at the start."""
    version: str
    dialects: Mapping[str, Dialect]
    tallies: Mapping[str, Tally]
    ingest: Ingest
    once: Once
    metrics: SelfMetrics
    gate: PushGate
    clock_ms: Callable[[], int]
    recent_entries: Callable[[str], list[bytes]]
    """Of a dialect; it blocks."""
    mapped: MappedPushes
    stats_secret: str
    client: httpx2.AsyncClient
    """Of Prometheus."""
    history: AlertHistory
    reload: Callable[[], Awaitable[Reloaded]]


def build_application(
    parts: Parts, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]
) -> ASGIApp:
    """The application whose life is *lifespan*."""
    app = Application(
        title="Push bridge",
        version=parts.version,
        description=DESCRIPTION,
        openapi_tags=tags(parts.dialects),
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=lifespan,
    )
    dialects, ingest, clock_ms = parts.dialects, parts.ingest, parts.clock_ms
    for dialect in dialects.values():
        answered = ANSWERED.get(dialect.name, ())
        app.include_router(
            push_router(dialect, ingest, parts.once, parts.metrics, clock_ms, parts.gate, answered)
        )
    _include_compatibility(app, parts)
    config, guard = parts.config, parts.gate.guard
    reads: dict[str, Any] = {"dependencies": [Depends(guard.reader)], "responses": REFUSALS}
    lenient: tuple[str, ...] = ()
    if pixeltracker := dialects.get("pixeltracker"):
        app.include_router(pixeltracker_router(pixeltracker, parts.recent_entries), **reads)
        lenient = (*pixeltracker.paths, "/pt/health")
    app.include_router(
        scrape_router(ingest.state, parts.metrics.registry, UNDELIVERED[config.delivery]), **reads
    )
    app.include_router(health_router(lambda: ingest.ready, clock_ms))
    app.include_router(prometheus_router(parts.client), **reads)
    app.include_router(history_router(parts.history, guard, clock_ms), **reads)
    app.include_router(alerts_router(parts.history, guard, config.alerts.webhook_token_hash_file, clock_ms))
    app.include_router(list_router(ingest), **reads)
    app.include_router(deletion_router(ingest, guard))
    if "mapped" in dialects:
        app.include_router(explain_router(parts.mapped, parts.gate, clock_ms), **reads)
    app.include_router(tokens_router(guard, clock_ms))
    app.include_router(reload_router(guard, parts.reload))
    app.include_router(login_router(guard, parts.gate.addresses))
    app.include_router(landing_router(parts.version, f"http://{config.web.listen_address}"))
    app.include_router(viewer_router(Path(config.viewer.dashboards_directory), config.grafana.url, guard))
    app.add_exception_handler(404, no_route)
    app.add_exception_handler(405, no_route)
    whole: ASGIApp = LenientPaths(ReadyGate(app, ingest), lenient)
    if "minigem" in dialects:
        whole = AnyOrigin(whole)
    if "statusmonitor" in dialects and (origins := config.access.cors_origins):
        whole = FamilyCors(whole, origins, CORS_PATHS)
    return whole


def _include_compatibility(app: FastAPI, parts: Parts) -> None:
    """What the systems' own servers answer besides pushes."""
    dialects, ingest, clock_ms, guard = parts.dialects, parts.ingest, parts.clock_ms, parts.gate.guard

    def ready() -> bool:
        return ingest.ready

    if statusmonitor := dialects.get("statusmonitor"):
        app.include_router(statusmonitor_router(statusmonitor, guard))
    if statix := dialects.get("statix"):
        app.include_router(statix_router(statix, ingest, guard, parts.recent_entries, clock_ms))
    if pushgateway := dialects.get("pushgateway"):
        counts = parts.metrics.dialects[pushgateway.name]
        app.include_router(
            pushgateway_router(pushgateway, ingest, counts, parts.gate, parts.version, clock_ms)
        )
    minigem, proxmoxve = parts.tallies.get("minigem"), parts.tallies.get("proxmoxve")
    if isinstance(minigem, MinigemTally):
        app.include_router(
            minigem_router(
                minigem,
                guard,
                parts.recent_entries,
                ready,
                clock_ms,
                parts.stats_secret,
                parts.config.minigem.stats_window_days,
                parts.version,
            )
        )
    if isinstance(proxmoxve, ProxmoxveTally):
        app.include_router(
            proxmoxve_router(
                dialects["proxmoxve"], guard, parts.recent_entries, proxmoxve.today, ready, clock_ms
            )
        )


class ReadyGate:
    """Answers 503 to scrapes and reads until the state is whole: half of it would look like a counter reset.

    Pushes are refused by the pipeline, in their dialect's own form; pages need no state.
    """

    PATHS = frozenset(
        {
            *("/metrics", "/api/telemetry", "/pt/api/telemetry", "/api/v1/metrics", SOURCES),
            *("/pve/metrics", "/api/records", "/pve/api/records"),
            *(f"{prefix}/{name}" for prefix in ("", "/sx") for name in ("data", "hosts", "details")),
        }
    )

    def __init__(self, app: ASGIApp, ingest: Ingest) -> None:
        self._app = app
        self._ingest = ingest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and not self._ingest.ready
            and scope["method"] in ("GET", "HEAD")
            and scope["path"] in self.PATHS
        ):
            response = PlainTextResponse("The bridge is starting or stopping.\n", 503, {"Retry-After": "1"})
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)
