"""A read-only way to Prometheus' query API for the dashboard page, so that it needs no second origin."""

from __future__ import annotations

import logging
import re
from typing import Annotated, Any, Final

import httpx2
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from pushgateway_bridge.web.openapi import (
    DENIED,
    JSON,
    PROBLEM,
    TOKEN_OR_NOTHING,
    Responses,
    problem,
    query_parameter,
)

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 30.0
MAX_QUERY_CHARACTERS: Final = 16_384
LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

_ANSWER: Final[dict[str, Any]] = {
    "schema": {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"enum": ["success", "error"]}},
    }
}
_TOLD: Final[Responses] = {
    status: {"description": description, "content": {JSON: _ANSWER}}
    for status, description in {
        200: "What Prometheus found.",
        400: "Prometheus, or the bridge before it, finds a parameter missing or wrong.",
        414: f"The query is longer than {MAX_QUERY_CHARACTERS} characters.",
        422: "Prometheus cannot carry the query out.",
        502: "Prometheus cannot be reached.",
        504: f"Prometheus did not answer within {TIMEOUT_SECONDS:.0f} s.",
    }.items()
}
ANSWERS: Final[Responses] = {
    **DENIED,
    **_TOLD,
    404: problem("There is no such path."),
    503: {
        "description": "Prometheus gave the query up, or too many passwords are being checked here.",
        "content": {JSON: {"schema": {"anyOf": [_ANSWER["schema"], PROBLEM["schema"]]}}},
    },
}

QUERY: Final = query_parameter("query", "PromQL.", required=True)
MOMENT: Final = query_parameter("time", "A Unix time, or one as in RFC 3339.")
RANGE: Final = (
    query_parameter("start", "A Unix time, or one as in RFC 3339."),
    query_parameter("end", "A Unix time, or one as in RFC 3339."),
)
STEP: Final = query_parameter("step", "Seconds, or a duration such as 15s.", required=True)


def _described(*parameters: dict[str, Any]) -> dict[str, Any]:
    return {**TOKEN_OR_NOTHING, "parameters": list(parameters)}


def prometheus_router(client: httpx2.AsyncClient) -> APIRouter:
    """GET routes that ask Prometheus through *client*, whose base address is Prometheus'."""
    router = APIRouter(prefix="/api/v1/prometheus", tags=["prometheus"], responses=ANSWERS)

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

    @router.get("/query", openapi_extra=_described(QUERY, MOMENT))
    async def query(request: Request) -> Response:
        """An instant query: https://prometheus.io/docs/prometheus/latest/querying/api/"""
        return await ask(request, "query")

    @router.get("/query_range", openapi_extra=_described(QUERY, *RANGE, STEP))
    async def query_range(request: Request) -> Response:
        """A range query."""
        return await ask(request, "query_range")

    @router.get(
        "/series",
        openapi_extra=_described(
            query_parameter("match[]", "Series selectors.", required=True, many=True), *RANGE
        ),
    )
    async def series(request: Request) -> Response:
        """Series by matchers."""
        return await ask(request, "series")

    @router.get("/labels", openapi_extra=_described(*RANGE))
    async def labels(request: Request) -> Response:
        """Label names."""
        return await ask(request, "labels")

    @router.get("/label/{name}/values", openapi_extra=_described(*RANGE))
    async def label_values(
        name: Annotated[str, Path(json_schema_extra={"pattern": f"^{LABEL_NAME.pattern}$"})], request: Request
    ) -> Response:
        """The values of one label."""
        if not LABEL_NAME.fullmatch(name):
            return failure(400, "bad_data", f"{name!r} is no label name")
        return await ask(request, f"label/{name}/values")

    return router


def failure(status: int, kind: str, message: str) -> JSONResponse:
    """An error in the form of Prometheus' own."""
    return JSONResponse({"status": "error", "errorType": kind, "error": message}, status)
