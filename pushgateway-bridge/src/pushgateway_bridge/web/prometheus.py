"""A read-only way to Prometheus' query API for the dashboard page, so that it needs no second origin."""

from __future__ import annotations

import logging
import re
from typing import Final

import httpx2
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 30.0
MAX_QUERY_CHARACTERS: Final = 16_384
LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def prometheus_router(client: httpx2.AsyncClient) -> APIRouter:
    """GET routes that ask Prometheus through *client*, whose base address is Prometheus'."""
    router = APIRouter(prefix="/api/v1/prometheus", tags=["prometheus"])

    async def ask(request: Request, path: str) -> Response:
        parameters = request.scope["query_string"].decode("latin-1")
        if len(parameters) > MAX_QUERY_CHARACTERS:
            return failure(414, "bad_data", f"the query is longer than {MAX_QUERY_CHARACTERS} characters")
        try:
            answer = await client.get(f"/api/v1/{path}", params=parameters)
        except httpx2.TimeoutException:
            return failure(504, "timeout", f"Prometheus did not answer within {TIMEOUT_SECONDS:.0f} s")
        except httpx2.HTTPError as error:
            logger.debug("prometheus unreachable error=%r", error)
            return failure(502, "unavailable", "Prometheus cannot be reached")
        headers = {"Content-Type": answer.headers.get("content-type", "application/json")}
        return Response(answer.content, answer.status_code, headers=headers)

    @router.get("/query")
    async def query(request: Request) -> Response:
        """An instant query: https://prometheus.io/docs/prometheus/latest/querying/api/"""
        return await ask(request, "query")

    @router.get("/query_range")
    async def query_range(request: Request) -> Response:
        """A range query."""
        return await ask(request, "query_range")

    @router.get("/series")
    async def series(request: Request) -> Response:
        """Series by matchers."""
        return await ask(request, "series")

    @router.get("/labels")
    async def labels(request: Request) -> Response:
        """Label names."""
        return await ask(request, "labels")

    @router.get("/label/{name}/values")
    async def label_values(name: str, request: Request) -> Response:
        """The values of one label."""
        if not LABEL_NAME.fullmatch(name):
            return failure(400, "bad_data", f"{name!r} is no label name")
        return await ask(request, f"label/{name}/values")

    return router


def failure(status: int, kind: str, message: str) -> JSONResponse:
    """An error in the form of Prometheus' own."""
    return JSONResponse({"status": "error", "errorType": kind, "error": message}, status)
