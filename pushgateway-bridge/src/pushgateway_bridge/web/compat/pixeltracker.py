"""GET /api/telemetry: the entries that pixelTracker's dashboard reads back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from pushgateway_bridge.dialects.dialect import Dialect
from pushgateway_bridge.web.openapi import DENIED, JSON, STARTING, TOKEN_OR_NOTHING, Responses


def pixeltracker_router(dialect: Dialect, read_recent: Callable[[str], list[bytes]]) -> APIRouter:
    """The newest entries as a JSON array, oldest first; ``[]`` when there are none. *read_recent* may block."""
    router = APIRouter(tags=[dialect.name])

    async def entries() -> Response:
        """The newest entries, oldest first, addresses masked."""
        documents = await asyncio.to_thread(read_recent, dialect.name)
        return Response(b"[" + b",".join(documents) + b"]", media_type="application/json")

    async def options(_request: Request) -> Response:
        return Response(
            "GET,HEAD,POST", headers={"Allow": "GET,HEAD,POST", "Content-Type": "text/html; charset=utf-8"}
        )

    answers: Responses = {
        200: {
            "description": "The entries, each as it was sent, with the time at which it was received.",
            "content": {JSON: {"schema": {"type": "array", "items": {}}}},
        },
        **DENIED,
        **STARTING,
    }
    for path in dialect.paths:
        router.add_api_route(
            path,
            entries,
            methods=["GET"],
            response_class=Response,
            responses=answers,
            openapi_extra=TOKEN_OR_NOTHING,
        )
        router.add_api_route(
            path, entries, methods=["HEAD"], response_class=Response, include_in_schema=False
        )
        router.add_api_route(
            path, options, methods=["OPTIONS"], response_class=Response, include_in_schema=False
        )
    return router
