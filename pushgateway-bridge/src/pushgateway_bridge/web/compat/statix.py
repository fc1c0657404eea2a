"""What of Monitoring Stack's server does not push: reads of its dashboard, and forgetting a host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.responses import JSONResponse

from pushgateway_bridge.dialects.dialect import Dialect
from pushgateway_bridge.dialects.statix_reads import Forgetting, read_details, read_hosts, read_rows
from pushgateway_bridge.errors import PushRejected, WrongMethod
from pushgateway_bridge.model.labels import make_push_group
from pushgateway_bridge.pipeline import Ingest
from pushgateway_bridge.web import any_text as any_text  # noqa: PLC0414 - a host's name may be any text
from pushgateway_bridge.web.guard import Guard, check_binding, visitor_of
from pushgateway_bridge.web.openapi import BEARER, DENIED, JSON, STARTING, TOKEN_OR_NOTHING
from pushgateway_bridge.web.push import to_response

PREFIX: Final = "/sx"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")


def statix_router(
    dialect: Dialect,
    ingest: Ingest,
    guard: Guard,
    recent: Callable[[str], list[bytes]],
    clock_ms: Callable[[], int],
) -> APIRouter:
    """``/data``, ``/details``, ``/hosts`` and what changes hosts, at the root and under ``/sx``. *recent* may block."""
    router = APIRouter(tags=[dialect.name])
    answered: dict[str, Any] = {"content": {JSON: {"schema": {}}}}
    reads: dict[str, Any] = {
        "dependencies": [Depends(guard.reader)],
        "responses": {
            200: {"description": "What is kept.", **answered},
            400: {"description": "The query is wrong.", **answered},
            404: {"description": "The host is not known.", **answered},
            **DENIED,
            **STARTING,
        },
        "response_class": Response,
        "openapi_extra": TOKEN_OR_NOTHING,
    }
    changes: dict[str, Any] = {
        "dependencies": [Depends(guard.deleter), Security(BEARER)],
        "responses": {200: {"description": "How much was deleted.", **answered}, **DENIED, **STARTING},
        "response_class": Response,
    }

    async def data(hostname: str = "", timeframe: str = "") -> Response:
        """The numbers of the newest reports, oldest first."""
        entries = await asyncio.to_thread(recent, dialect.name)
        reply = await asyncio.to_thread(read_rows, entries, hostname, timeframe, clock_ms() // 1000)
        return to_response(reply)

    async def hosts() -> Response:
        """Hosts among the newest reports, and when each was last heard of."""
        entries = await asyncio.to_thread(recent, dialect.name)
        return to_response(await asyncio.to_thread(read_hosts, entries))

    async def details(hostname: str = "") -> Response:
        """What a host said last about itself."""
        entries = await asyncio.to_thread(recent, dialect.name)
        return to_response(await asyncio.to_thread(read_details, entries, hostname))

    async def forget(request: Request, hostname: str, *, keep_details: bool) -> Forgetting:
        """Delete the series and entries of *hostname*."""
        group = make_push_group(dialect.name, hostname)
        forgetting = Forgetting(hostname, keep_details=keep_details)
        try:
            check_binding(visitor_of(request), dialect.name, {hostname})
            await ingest.delete(lambda labels: ingest.state.dialect_of(labels) == dialect.name, group)
            await ingest.rewrite_entries(dialect.name, forgetting)
        except PushRejected as refusal:
            raise guard.denied(refusal) from refusal
        return forgetting

    async def clean(request: Request, hostname: str) -> JSONResponse:
        """Delete the numbers of a host; its details stay."""
        forgotten = await forget(request, hostname, keep_details=True)
        return JSONResponse({"status": "ok", "metrics_deleted": forgotten.metrics})

    async def delete(request: Request, hostname: str) -> JSONResponse:
        """Delete all there is of a host."""
        forgotten = await forget(request, hostname, keep_details=False)
        return JSONResponse({"status": "ok", "metrics": forgotten.metrics, "details": forgotten.details})

    for prefix in ("", PREFIX):
        shown = not prefix
        for path, answer in (("/data", data), ("/hosts", hosts), ("/details", details)):
            router.add_api_route(f"{prefix}{path}", answer, methods=["GET"], include_in_schema=shown, **reads)
            router.add_api_route(
                f"{prefix}{path}", answer, methods=["HEAD"], include_in_schema=False, **reads
            )
            answer_others(router, dialect, f"{prefix}{path}", "GET", "HEAD")
        host = f"{prefix}/hosts/{{hostname:text}}"
        router.add_api_route(f"{host}/clean", clean, methods=["POST"], include_in_schema=shown, **changes)
        router.add_api_route(host, delete, methods=["DELETE"], include_in_schema=shown, **changes)
        # A DELETE there is of a host whose name ends so.
        answer_others(router, dialect, f"{host}/clean", "POST", elsewhere=("DELETE",))
        answer_others(router, dialect, host, "DELETE")

    @router.head(f"{PREFIX}/health", include_in_schema=False)
    @router.get(f"{PREFIX}/health", include_in_schema=False)
    async def health() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.options("/metrics", include_in_schema=False)
    async def options_of_metrics() -> Response:
        """What the exposition allows, too."""
        allowed = {"Allow": "GET, HEAD, POST, OPTIONS", "Content-Type": "text/html; charset=utf-8"}
        return Response(headers=allowed)

    answer_others(router, dialect, f"{PREFIX}/metrics", "POST")
    answer_others(router, dialect, f"{PREFIX}/health", "GET", "HEAD")
    return router


def answer_others(
    router: APIRouter, dialect: Dialect, path: str, *allowed: str, elsewhere: tuple[str, ...] = ()
) -> None:
    """What the original's framework says itself: OPTIONS, and 405 to methods neither *allowed* nor *elsewhere*."""
    headers = {"Allow": ", ".join((*allowed, "OPTIONS")), "Content-Type": "text/html; charset=utf-8"}

    async def options() -> Response:
        return Response(headers=headers)

    async def wrong_method(request: Request) -> Response:
        response = to_response(dialect.refuse(WrongMethod(f"Cannot {request.method} {request.url.path}")))
        response.headers["Allow"] = headers["Allow"]
        return response

    router.add_api_route(path, options, methods=["OPTIONS"], include_in_schema=False)
    router.add_api_route(
        path,
        wrong_method,
        methods=[method for method in METHODS if method not in (*allowed, *elsewhere)],
        include_in_schema=False,
    )
