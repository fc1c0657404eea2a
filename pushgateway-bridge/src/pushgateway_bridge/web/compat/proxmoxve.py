"""What of ProxmoxVE's telemetry service does not push: health, today's numbers, the newest records, exit codes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse

from pushgateway_bridge.dialects.dialect import Dialect
from pushgateway_bridge.dialects.proxmoxve import PREFIX
from pushgateway_bridge.dialects.proxmoxve_exit_codes import EXIT_CODES
from pushgateway_bridge.errors import WrongMethod
from pushgateway_bridge.exposition.negotiation import TEXT
from pushgateway_bridge.model.text import format_value
from pushgateway_bridge.model.timestamps import format_iso8601_ms
from pushgateway_bridge.tallies.proxmoxve import DAY_MS, TodayNumbers
from pushgateway_bridge.tallies.proxmoxve_records import DEFAULT_LIMIT, RecordQuery, read_records
from pushgateway_bridge.web.guard import Guard
from pushgateway_bridge.web.openapi import DENIED, JSON, STARTING, TOKEN_OR_NOTHING, plain
from pushgateway_bridge.web.push import to_response

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
MAX_PAGE: Final = 1_000_000
MAX_DAYS: Final = 365


def not_found() -> Response:
    """What is answered below ``/pve/`` where there is nothing."""
    return PlainTextResponse("404 page not found\n", 404, HEADERS)


def legacy_metrics(today: TodayNumbers) -> str:
    """Today's numbers under the six names that the original shows; the counters begin again at midnight UTC."""
    finished = today.success + today.failed
    rate = 100 * today.success / finished if finished else 0.0
    total = sum(today)
    lines = []
    for name, kind, text, value in (
        ("telemetry_installs_total", "counter", "Executions today.", total),
        ("telemetry_installs_success_total", "counter", "Executions today that succeeded.", today.success),
        ("telemetry_installs_failed_total", "counter", "Executions today that failed.", today.failed),
        ("telemetry_installs_aborted_total", "counter", "Executions today that were aborted.", today.aborted),
        ("telemetry_installs_pending", "gauge", "Executions of today that still run.", today.pending),
        ("telemetry_success_rate", "gauge", "Succeeded in percent of succeeded and failed today.", rate),
    ):
        lines.append(f"# HELP {name} {text}\n# TYPE {name} {kind}\n{name} {format_value(value)}\n")
    return "".join(lines)


def proxmoxve_router(
    dialect: Dialect,
    guard: Guard,
    recent: Callable[[str], list[bytes]],
    today: Callable[[int], TodayNumbers],
    ready: Callable[[], bool],
    clock_ms: Callable[[], int],
) -> APIRouter:
    """The reads, at the root and under ``/pve``. *recent* may block; *today* is the tally's."""
    router = APIRouter(tags=[dialect.name])
    answered: dict[str, Any] = {"content": {JSON: {"schema": {}}}}
    guarded: dict[str, Any] = {
        "dependencies": [Depends(guard.reader)],
        "response_class": Response,
        "openapi_extra": TOKEN_OR_NOTHING,
    }

    async def health() -> JSONResponse:
        """Whether pushes are taken. ``clickhouse`` stands for the store."""
        is_ready = ready()
        document = {
            "status": "ok" if is_ready else "degraded",
            "time": f"{format_iso8601_ms(clock_ms())[:-5]}Z",
            "clickhouse": "connected" if is_ready else "disconnected",
        }
        return JSONResponse(document, 200 if is_ready else 503, HEADERS)

    async def metrics() -> Response:
        """Today's numbers under the names that the original service shows."""
        return Response(legacy_metrics(today(clock_ms())), headers={**HEADERS, "Content-Type": TEXT})

    async def records(
        *,
        page: str = "",
        limit: str = "",
        status: str = "",
        app: str = "",
        search: str = "",
        os: str = "",
        type: str = "",  # noqa: A002 - the query's word
        sort: str = "",
        repo: str = "",
        slug: str = "",
        days: str = "",
    ) -> Response:
        """The newest executions, one row each. What is no number is as good as absent."""
        query = RecordQuery(
            page=min(_number(page, 1), MAX_PAGE),
            limit=_number(limit, DEFAULT_LIMIT),
            status=status,
            app=app or search,
            os=os,
            type=type,
            sort=sort,
            repo="" if repo == "all" else repo or RecordQuery().repo,
            slug=slug,
            since=_first_day(_number(days, 0), clock_ms()),
        )
        entries = await asyncio.to_thread(recent, dialect.name)
        document = await asyncio.to_thread(read_records, entries, query)
        return Response(document, media_type=JSON, headers=HEADERS)

    async def exit_codes() -> JSONResponse:
        """What the exit codes of the installers mean."""
        return JSONResponse(dict(EXIT_CODES), headers=HEADERS)

    async def wrong_method(request: Request) -> Response:
        response = to_response(dialect.refuse(WrongMethod(f"Cannot {request.method} {request.url.path}")))
        response.headers.update({**HEADERS, "Allow": "POST"})
        return response

    async def page() -> Response:
        return RedirectResponse("/dashboard", 303, HEADERS)

    for prefix in ("", PREFIX):
        shown = not prefix
        router.add_api_route(
            f"{prefix}/healthz",
            health,
            methods=["GET"],
            include_in_schema=shown,
            responses={
                200: {"description": "Pushes are taken.", **answered},
                503: {"description": "The bridge is starting or stopping.", **answered},
            },
        )
        router.add_api_route(f"{prefix}/healthz", health, methods=["HEAD"], include_in_schema=False)
        router.add_api_route(
            f"{prefix}/api/records",
            records,
            methods=["GET"],
            include_in_schema=shown,
            responses={200: {"description": "A page of executions.", **answered}, **DENIED, **STARTING},
            **guarded,
        )
        router.add_api_route(
            f"{prefix}/api/exit-codes",
            exit_codes,
            methods=["GET"],
            include_in_schema=shown,
            responses={200: {"description": "Exit codes and what they mean.", **answered}, **DENIED},
            **guarded,
        )
    router.add_api_route(f"{PREFIX}/health", health, methods=["GET", "HEAD"], include_in_schema=False)
    router.add_api_route(
        f"{PREFIX}/metrics",
        metrics,
        methods=["GET"],
        responses={200: plain("Six values in the text format 0.0.4."), **DENIED, **STARTING},
        **guarded,
    )
    for path in dialect.paths:
        if path == f"{PREFIX}/":
            router.add_api_route(path, page, methods=["GET", "HEAD"], include_in_schema=False)
        elif path != "/":  # the landing page
            router.add_api_route(path, wrong_method, methods=["GET", "HEAD"], include_in_schema=False)
    router.add_api_route(f"{PREFIX}/dashboard", page, methods=["GET", "HEAD"], include_in_schema=False)
    return router


def _number(text: str, default: int) -> int:
    """The positive number in *text*, else *default*."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return number or default


def _first_day(days: int, now_ms: int) -> str:
    """Midnight UTC at which the last *days* days begin, today being one of them, as rows have it; 0: empty."""
    if not days:
        return ""
    begin_ms = (now_ms // DAY_MS - min(days, MAX_DAYS) + 1) * DAY_MS
    return format_iso8601_ms(begin_ms)[:10]
