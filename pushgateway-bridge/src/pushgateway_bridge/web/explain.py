"""What a mapping would make of a body, without storing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.mappings.explain import Explanation
from pushgateway_bridge.mappings.pushes import MappedPushes
from pushgateway_bridge.web.body import read_body
from pushgateway_bridge.web.context import push_context
from pushgateway_bridge.web.openapi import DENIED, JSON, STARTING, TOKEN_OR_NOTHING, problem
from pushgateway_bridge.web.push import PushGate

_ANSWER: Final = {
    "description": "Each series that the body would become, what would be refused, and which line says so.",
    "content": {JSON: {"schema": {"type": "object"}}},
}


def explain_router(mapped: MappedPushes, gate: PushGate, clock_ms: Callable[[], int]) -> APIRouter:
    """``POST /api/v1/explain/<name>``."""
    router = APIRouter(tags=["mapped"])
    dialect = mapped.dialect

    @router.post(
        "/api/v1/explain/{name}",
        response_class=Response,
        responses={
            200: _ANSWER,
            400: problem("The body cannot be read."),
            404: problem("There is no such mapping."),
            **DENIED,
            **STARTING,
            413: problem("The body is too large."),
        },
        openapi_extra={
            **TOKEN_OR_NOTHING,
            "parameters": [
                {
                    "name": "name",
                    "in": "path",
                    "required": True,
                    "description": "The mapping's name.",
                    "schema": {"type": "string"},
                    "example": "greenhouse",
                }
            ],
            "requestBody": {"content": {JSON: {"schema": {}, "example": {"device": "north", "temp": 21.5}}}},
        },
    )
    async def explain(request: Request) -> Response:
        """What would become of a push of this body to /api/v1/push/<name>. Nothing is stored."""
        try:
            encoding = request.headers.get("content-encoding", "")
            body = await read_body(
                request, encoding, gate.body_bytes[dialect.name], gate.sizes.inflated_bytes
            )
            context = push_context(
                request.headers.get("content-type", ""), clock_ms(), limits=gate.sizes.limits
            )
            explanation: Explanation = mapped.explain(request.path_params["name"], body, context)
        except PushRejected as error:
            return JSONResponse({"detail": str(error)}, error.status)
        return Response(msgspec.json.encode(explanation), media_type=JSON)

    return router
