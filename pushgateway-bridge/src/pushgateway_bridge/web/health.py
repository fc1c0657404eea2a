"""Whether the bridge lives and whether it can take pushes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse

from pushgateway_bridge.web.openapi import PLAIN, STRING, plain

STATUSMONITOR_HEALTH: Final[Mapping[str, object]] = {
    "kafka": "connected",
    "redis": "connected",
    "cache_ttl_seconds": 300,
    "broker": "kafka",
    "total_connections": 0,
    "users_connected": 0,
    "influxdb": "connected",
}
"""Keys that the five services of StatusMonitor answer with; there are no such parts here that could be away."""


def health_router(ready: Callable[[], bool], clock_ms: Callable[[], int]) -> APIRouter:
    """``/-/healthy``, ``/-/ready``, and ``/health`` as agents of several systems expect it."""
    router = APIRouter(tags=["health"])

    @router.head("/-/healthy", include_in_schema=False)
    @router.get("/-/healthy", response_class=PlainTextResponse)
    async def healthy() -> PlainTextResponse:
        """200 while the process lives."""
        return PlainTextResponse("The bridge is healthy.\n")

    @router.head("/-/ready", include_in_schema=False)
    @router.get(
        "/-/ready",
        response_class=PlainTextResponse,
        responses={503: plain("The journal is replayed, or the bridge stops.")},
    )
    async def is_ready() -> PlainTextResponse:
        """200 if pushes are taken, 503 while the journal is replayed or the bridge stops."""
        if ready():
            return PlainTextResponse("The bridge is ready.\n")
        return PlainTextResponse("The bridge is starting or stopping.\n", 503)

    @router.head("/health", include_in_schema=False)
    @router.get("/health", responses={200: {"content": {PLAIN: STRING}}})
    async def health(request: Request) -> Response:
        """200 while the process lives, in the form that each system's clients look at."""
        if request.headers.get("accept", "").lower().startswith("text/plain"):
            return PlainTextResponse("OK")
        return JSONResponse({"status": "ok", "ok": True, "ts": clock_ms(), **STATUSMONITOR_HEALTH})

    @router.head("/pt/health", include_in_schema=False)
    @router.get("/pt/health", response_class=HTMLResponse)
    async def pixeltracker_health() -> Response:
        """The text that pixelTracker's hosting platform looks for."""
        return Response("OK", headers={"Content-Type": "text/html; charset=utf-8"})

    @router.options("/pt/health", include_in_schema=False)
    async def pixeltracker_options() -> Response:
        headers = {"Allow": "GET,HEAD", "Content-Type": "text/html; charset=utf-8"}
        return Response("GET,HEAD", headers=headers)

    @router.get("/sm/health", include_in_schema=False)
    async def statusmonitor_health() -> JSONResponse:
        return JSONResponse({"status": "ok", **STATUSMONITOR_HEALTH})

    return router
