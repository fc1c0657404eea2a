"""The one push handler, on every path of every dialect."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from pushgateway_bridge.dialects.dialect import Dialect, Reply
from pushgateway_bridge.errors import ClientGone, PushRejected, WrongMethod
from pushgateway_bridge.once import Once
from pushgateway_bridge.pipeline import Ingest
from pushgateway_bridge.selfmetrics import SelfMetrics
from pushgateway_bridge.web.body import read_body
from pushgateway_bridge.web.context import push_context

OTHER_METHODS = ("PUT", "PATCH", "DELETE", "TRACE")


def push_router(
    dialect: Dialect, ingest: Ingest, once: Once, metrics: SelfMetrics, clock_ms: Callable[[], int]
) -> APIRouter:
    """A POST route for each path of *dialect*, and an answer in its own form for methods that do not push."""
    router = APIRouter(tags=[dialect.name])
    counts = metrics.dialects[dialect.name]

    async def push(request: Request) -> Response:
        """Store one push. The accepted reply means that it is on disk and survives a crash."""
        counts.pushes += 1
        try:
            encoding = request.headers.get("content-encoding", "")
            body = await read_body(request, encoding, dialect.max_body_bytes)
            context = push_context(request.headers.get("content-type", ""), clock_ms())
            key = request.headers.get("idempotency-key")
            if key is not None:
                return to_response(await once.push(dialect, body, context, key, counts))
            return to_response(await ingest.push(dialect, body, context))
        except ClientDisconnect:
            return refused(ClientGone("the client closed the connection before its body was whole"))
        except PushRejected as error:
            return refused(error)

    async def wrong_method(request: Request) -> Response:
        counts.pushes += 1
        return refused(WrongMethod(f"Cannot {request.method} {request.scope['path']}"))

    def refused(error: PushRejected) -> Response:
        counts.rejected[error.reason] += 1
        response = to_response(dialect.refuse(error))
        if error.status == 503:
            response.headers["Retry-After"] = "1"
        return response

    for path in dialect.paths:
        router.add_api_route(path, push, methods=["POST"], response_class=Response)
        router.add_api_route(
            path, wrong_method, methods=list(OTHER_METHODS), response_class=Response, include_in_schema=False
        )
    return router


def to_response(reply: Reply) -> Response:
    """*reply* as the web framework sends it."""
    return Response(reply.body, reply.status, media_type=None, headers={"Content-Type": reply.content_type})
