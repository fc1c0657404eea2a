"""Whether the bridge lives and whether it can take pushes."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse


def health_router(ready: Callable[[], bool], clock_ms: Callable[[], int]) -> APIRouter:
    """``/-/healthy``, ``/-/ready``, and ``/health`` as agents of several systems expect it."""
    router = APIRouter(tags=["health"])

    @router.api_route("/-/healthy", methods=["GET", "HEAD"])
    async def healthy() -> PlainTextResponse:
        """200 while the process lives."""
        return PlainTextResponse("The bridge is healthy.\n")

    @router.api_route("/-/ready", methods=["GET", "HEAD"])
    async def is_ready() -> PlainTextResponse:
        """200 if pushes are taken, 503 while the journal is replayed or the bridge stops."""
        if ready():
            return PlainTextResponse("The bridge is ready.\n")
        return PlainTextResponse("The bridge is starting or stopping.\n", 503)

    @router.api_route("/health", methods=["GET", "HEAD"])
    async def health(request: Request) -> Response:
        """200 while the process lives, in the form that each system's clients look at."""
        if request.headers.get("accept", "").lower().startswith("text/plain"):
            return PlainTextResponse("OK")
        return JSONResponse({"status": "ok", "ok": True, "ts": clock_ms()})

    @router.api_route("/pt/health", methods=["GET", "HEAD"])
    async def pixeltracker_health() -> Response:
        """The text that pixelTracker's hosting platform looks for."""
        return Response("OK", headers={"Content-Type": "text/html; charset=utf-8"})

    return router
