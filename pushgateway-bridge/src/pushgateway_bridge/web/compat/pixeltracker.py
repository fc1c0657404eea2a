"""GET /api/telemetry: the entries that pixelTracker's dashboard reads back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request, Response

from pushgateway_bridge.dialects.dialect import Dialect
from pushgateway_bridge.dialects.pixeltracker_entry import (
    MAX_ENTRIES,
    EntryFilter,
    read_filter,
    select_entries,
)
from pushgateway_bridge.web.openapi import (
    DENIED,
    JSON,
    STARTING,
    TOKEN_OR_NOTHING,
    Responses,
    problem,
    query_parameter,
)

MOMENT: Final = "An ISO-8601 time (UTC where it has no zone), or Unix seconds or milliseconds."
FILTERS: Final[tuple[dict[str, Any], ...]] = (
    query_parameter("hostname", "Entries of this host only: source.hostname, else name, exactly."),
    query_parameter("since", f"Entries received at this time or later. {MOMENT}"),
    query_parameter("until", f"Entries received at this time or earlier. {MOMENT}"),
    query_parameter(
        "limit",
        "The newest ones of these only, at most so many.",
        schema={"type": "integer", "minimum": 1, "maximum": MAX_ENTRIES},
    ),
)


def pixeltracker_router(dialect: Dialect, read_recent: Callable[[str], list[bytes]]) -> APIRouter:
    """The newest entries as a JSON array, oldest first; ``[]`` when there are none. *read_recent* may block."""
    router = APIRouter(tags=[dialect.name])

    def read(wanted: EntryFilter) -> bytes:
        return b"[" + b",".join(select_entries(read_recent(dialect.name), wanted)) + b"]"

    async def entries(request: Request) -> Response:
        """The newest entries, or those that are asked for, oldest first, addresses masked."""
        query = request.query_params
        try:
            wanted = read_filter(*(query.get(one["name"], "") for one in FILTERS))
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        return Response(await asyncio.to_thread(read, wanted), media_type="application/json")

    async def options(_request: Request) -> Response:
        return Response(
            "GET,HEAD,POST", headers={"Allow": "GET,HEAD,POST", "Content-Type": "text/html; charset=utf-8"}
        )

    answers: Responses = {
        200: {
            "description": "The entries, each as it was sent, with the time at which it was received.",
            "content": {JSON: {"schema": {"type": "array", "items": {}}}},
        },
        400: problem("A parameter is wrong."),
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
            openapi_extra={**TOKEN_OR_NOTHING, "parameters": list(FILTERS)},
        )
        router.add_api_route(
            path, entries, methods=["HEAD"], response_class=Response, include_in_schema=False
        )
        router.add_api_route(
            path, options, methods=["OPTIONS"], response_class=Response, include_in_schema=False
        )
    return router
