"""What of minigem's server does not push: statistics, what is kept of the newest events, and whether it lives.

Statistics are guarded as all reads; ``/debug/*`` asks for a secret of its own, and is closed without one.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pushgateway_bridge.dialects.minigem import DIALECT, no_route
from pushgateway_bridge.dialects.minigem import JSON as JSON_UTF8
from pushgateway_bridge.tallies.minigem import MinigemTally
from pushgateway_bridge.tallies.minigem_counts import KEPT_DAYS, Counts
from pushgateway_bridge.tallies.minigem_recent import recent_document
from pushgateway_bridge.tallies.minigem_rows import decode_rows
from pushgateway_bridge.tallies.minigem_stats import counts_document, read_range, stats_document
from pushgateway_bridge.web.guard import Guard
from pushgateway_bridge.web.openapi import DENIED, JSON, RETRY_AFTER, TOKEN_OR_NOTHING, query_parameter
from pushgateway_bridge.web.push import to_response

PREFIXES: Final = ("", "/mg")
OPEN_TO_PAGES: Final = tuple(f"{prefix}/{name}" for prefix in PREFIXES for name in ("t", "stats"))
"""Paths that pages of any origin may ask."""
OTHER_METHODS: Final = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS")
DEBUG_ROWS: Final = 50
MAX_DEBUG_ROWS: Final = 500
DEBUG_HOURS: Final = 24

ReadRecent = Callable[[str], list[bytes]]


def minigem_router(
    tally: MinigemTally,
    guard: Guard,
    read_recent: ReadRecent,
    ready: Callable[[], bool],
    clock_ms: Callable[[], int],
    secret: str,
    window_days: int,
    version: str,
) -> APIRouter:
    """``/stats``, ``/debug/recent``, ``/debug/counts`` and ``/dbhealth`` at the root and under ``/mg``; ``/mg/health``.

    *read_recent* may block. *secret* opens ``/debug/*``; empty: nothing does. *window_days* is what ``/stats`` covers
    unless it is asked for other days.
    """
    router = APIRouter(tags=[DIALECT.name])

    def documents(counts: Counts, active: int, query: dict[str, str]) -> bytes:
        now_ms = clock_ms()
        days = read_range(query.get("from", ""), query.get("to", ""), now_ms, window_days)
        rows = list(decode_rows(read_recent(DIALECT.name)))
        return msgspec.json.encode(stats_document(counts, rows, days, now_ms, window_days, active))

    async def stats(request: Request) -> Response:
        """Statistics of the last days, or of those between two dates."""
        if not ready():
            return _starting()
        active = tally.active_sessions(clock_ms())
        query = dict(request.query_params)
        return _ok(await asyncio.to_thread(documents, tally.counts(), active, query))

    async def recent(request: Request) -> Response:
        """The newest events, ids as keyed hashes."""
        if (refusal := _closed(request, secret, ready)) is not None:
            return refusal
        limit = read_number(request.query_params.get("limit", ""), DEBUG_ROWS, 1, MAX_DEBUG_ROWS)

        def read() -> bytes:
            rows = list(decode_rows(read_recent(DIALECT.name)))
            return msgspec.json.encode(recent_document(rows, limit))

        return _ok(await asyncio.to_thread(read))

    async def counts(request: Request) -> Response:
        """How many events there were in the last hours."""
        if (refusal := _closed(request, secret, ready)) is not None:
            return refusal
        hours = read_number(request.query_params.get("hours", ""), DEBUG_HOURS, 1, KEPT_DAYS * 24)
        return _ok(msgspec.json.encode(counts_document(tally.counts(), hours, clock_ms())))

    async def dbhealth() -> Response:
        """Whether pushes can be stored: always 200, as the original's."""
        if not ready():
            return _json(200, {"enabled": True, "ok": False, "error": "the bridge is starting or stopping"})
        return _json(200, {"enabled": True, "ok": True, "db": "journal", "version": version})

    async def health() -> Response:
        return _json(200, {"ok": True, "ts": clock_ms()})

    async def nothing_here(request: Request) -> Response:
        return to_response(no_route(request.method, request.url.path))

    answered: dict[str, Any] = {"content": {JSON: {"schema": {"type": "object"}}}}
    starting: dict[str, Any] = {
        "description": "The bridge is starting or stopping.",
        "headers": RETRY_AFTER,
        **answered,
    }
    guarded: dict[str, Any] = {
        "dependencies": [Depends(guard.reader)],
        "responses": {200: {"description": "The statistics.", **answered}, **DENIED, 503: starting},
        "openapi_extra": {
            **TOKEN_OR_NOTHING,
            "parameters": [
                query_parameter("from", "The first day (UTC), such as 2026-02-01; only together with to."),
                query_parameter("to", "The last day."),
            ],
        },
    }
    routes: tuple[tuple[str, Callable[..., Awaitable[Response]], dict[str, Any]], ...] = (
        ("/stats", stats, guarded),
        (
            "/debug/recent",
            recent,
            _debug(answered, starting, query_parameter("limit", "How many: 1 to 500, 50 if it is left out.")),
        ),
        (
            "/debug/counts",
            counts,
            _debug(
                answered, starting, query_parameter("hours", "How many: 1 or more, 24 if it is left out.")
            ),
        ),
        (
            "/dbhealth",
            dbhealth,
            {"responses": {200: {"description": "Whether the journal can be written.", **answered}}},
        ),
    )
    for prefix in PREFIXES:
        for path, answer, said in routes:
            _add(router, f"{prefix}{path}", answer, nothing_here, shown=not prefix, said=said)
        for method in ("GET", "HEAD"):
            router.add_api_route(f"{prefix}/t", nothing_here, methods=[method], include_in_schema=False)
    _add(router, "/mg/health", health, nothing_here, shown=False, said={})
    return router


def _add(
    router: APIRouter,
    path: str,
    answer: Callable[..., Awaitable[Response]],
    others: Callable[..., Awaitable[Response]],
    *,
    shown: bool,
    said: dict[str, Any],
) -> None:
    router.add_api_route(
        path, answer, methods=["GET"], response_class=Response, include_in_schema=shown, **said
    )
    router.add_api_route(
        path, answer, methods=["HEAD"], response_class=Response, include_in_schema=False, **said
    )
    router.add_api_route(path, others, methods=list(OTHER_METHODS), include_in_schema=False)


def _debug(answered: dict[str, Any], starting: dict[str, Any], parameter: dict[str, Any]) -> dict[str, Any]:
    """What the document says of a path that asks for the secret."""
    key = query_parameter("key", "The secret, unless it stands in the header x-stats-key.")
    header = {**key, "name": "x-stats-key", "in": "header", "description": "The secret."}
    return {
        "responses": {
            200: {"description": "What is kept.", **answered},
            401: {"description": "No secret, or a wrong one; or none is configured.", **answered},
            503: starting,
        },
        "openapi_extra": {"parameters": [parameter, header, key]},
    }


def read_number(text: str, usual: int, least: int, most: int) -> int:
    """The whole number in *text*, within bounds; *usual* if there is none."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        return usual
    return min(max(int(text), least), most)


def _closed(request: Request, secret: str, ready: Callable[[], bool]) -> Response | None:
    """Why a path that asks for the secret does not answer *request*; ``None`` if it does."""
    given = (request.headers.get("x-stats-key", ""), request.query_params.get("key", ""))
    # All are compared, so that the time tells nothing.
    equal = [hmac.compare_digest(one.encode(), secret.encode()) for one in given]
    if not secret or not any(equal):
        return _json(401, {"error": "unauthorized"})
    return None if ready() else _starting()


def _starting() -> Response:
    document = {"error": "db_disabled", "message": "the bridge is starting or stopping; try again later"}
    response = _json(503, document)
    response.headers["Retry-After"] = "1"
    return response


def _ok(body: bytes) -> Response:
    return Response(body, headers={"Content-Type": JSON_UTF8})


def _json(status: int, document: Mapping[str, object]) -> Response:
    return Response(msgspec.json.encode(document), status, headers={"Content-Type": JSON_UTF8})


def minigem_no_route(request: Request, _error: HTTPException) -> Response:
    """404 below ``/mg/`` as the original's framework words it, also for a wrong method."""
    return to_response(no_route(request.method, request.scope["path"]))


_PREFLIGHT: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (b"access-control-allow-headers", b"authorization, content-encoding, content-type, idempotency-key"),
    (b"access-control-max-age", b"86400"),
)
_EXPOSED: Final = "retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"


class AnyOrigin:
    """Lets pages of any origin ask *paths*, without credentials, and answers their preflight requests itself."""

    def __init__(self, app: ASGIApp, paths: Iterable[str] = OPEN_TO_PAGES) -> None:
        self._app = app
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT)})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_open(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = "*"
                headers["Access-Control-Expose-Headers"] = _EXPOSED
            await send(message)

        await self._app(scope, receive, send_open)
