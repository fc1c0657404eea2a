"""The one push handler, on every path of every dialect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from pushgateway_bridge.dialects.dialect import DEFAULT_LIMITS, Dialect, PushContext, Pusher, Reply
from pushgateway_bridge.errors import ClientGone, PushRejected, WrongMethod
from pushgateway_bridge.once import Once
from pushgateway_bridge.pipeline import Ingest
from pushgateway_bridge.selfmetrics import SelfMetrics
from pushgateway_bridge.web import any_text as any_text  # noqa: PLC0414 - a grouping key's values may be any text
from pushgateway_bridge.web.body import read_body
from pushgateway_bridge.web.context import push_context
from pushgateway_bridge.web.geo import Countries
from pushgateway_bridge.web.guard import Guard
from pushgateway_bridge.web.openapi import push_operation, push_responses
from pushgateway_bridge.web.rate import ClientAddresses, RateLimiter

SEVERAL_GROUPS = "/api/v1/groups"
"""Where pushes are taken, but nothing that belongs to one group."""
OTHER_METHODS = ("PUT", "PATCH", "DELETE", "TRACE")


class PushSizes:
    """How large a push may be in other ways than the bytes that are sent."""

    __slots__ = ("inflated_bytes", "limits")

    def __init__(self) -> None:
        self.inflated_bytes = 32 * 1024**2
        self.limits = DEFAULT_LIMITS


class PushGate(NamedTuple):
    """What a push passes before its body is read."""

    guard: Guard
    addresses: ClientAddresses
    limiters: dict[str, RateLimiter]
    """Dialect → how often its clients may push; changed in place by a reload, as the next."""
    body_bytes: dict[str, int]
    """Dialect → how long a body may be."""
    sizes: PushSizes
    """Of all dialects; changed in place."""
    countries: Countries

    async def enter(self, request: Request, dialect: Dialect) -> Pusher | None:
        """Who pushes. Raises MissingToken, WrongToken, Forbidden or RateLimited."""
        pusher = await self.guard.pusher(request, dialect)
        limiter = self.limiters.get(dialect.name)
        if limiter is not None:
            limiter.admit(self._client(request, pusher))
        return pusher

    def _client(self, request: Request, pusher: Pusher | None) -> str:
        return token_client(pusher) or self.addresses.of(request)

    def rate_headers(self, request: Request, dialect: Dialect, pusher: Pusher | None) -> dict[str, str]:
        """What tells the client that sent *request* how many pushes it has left; empty if there is no limit.

        *pusher* is what ``enter`` gave; ``None`` where it refused, too.
        """
        limiter = self.limiters.get(dialect.name) if dialect.tells_rate else None
        if limiter is None:
            return {}
        return rate_headers(limiter, self._client(request, pusher))


def knows_path(dialect: Dialect) -> bool:
    """Whether the dialect's decoder is told the path."""
    return dialect.paths_go_on or dialect.needs_path


def rate_headers(limiter: RateLimiter, client: str) -> dict[str, str]:
    """How many pushes *client* has left, and in how many seconds it has all of them again."""
    left, whole_seconds = limiter.left(client)
    return {
        "x-ratelimit-limit": str(limiter.rate.number),
        "x-ratelimit-remaining": str(left),
        "x-ratelimit-reset": str(whole_seconds),
    }


def token_client(pusher: Pusher | None) -> str:
    """What stands for the client among those whose rate is limited, if a token tells who it is."""
    return f"token {pusher.token_id}" if pusher is not None and pusher.token_id else ""


def push_router(
    dialect: Dialect,
    ingest: Ingest,
    once: Once,
    metrics: SelfMetrics,
    clock_ms: Callable[[], int],
    gate: PushGate,
    answered: Sequence[str] = (),
) -> APIRouter:
    """A route for each path of *dialect*, and an answer in its own form for methods that do not push.

    *answered* are methods that another router answers on its paths.
    """
    router = APIRouter(tags=[dialect.name])
    counts = metrics.dialects[dialect.name]

    async def push(request: Request) -> Response:
        """Store one push. The accepted reply means that it is on disk and survives a crash."""
        counts.pushes += 1
        context: PushContext | None = None
        pusher: Pusher | None = None
        body = b""
        try:
            pusher = await gate.enter(request, dialect)
            encoding = request.headers.get("content-encoding", "")
            inflated_bytes = gate.sizes.inflated_bytes if dialect.max_inflated_bytes else 0
            body = await read_body(request, encoding, gate.body_bytes[dialect.name], inflated_bytes)
            context = push_context(
                request.headers.get("content-type", ""),
                clock_ms(),
                pusher,
                request.scope["raw_path"].decode("latin-1") if knows_path(dialect) else "",
                request.method,
                request.headers.get("x-time-to-live-seconds", ""),
                gate.sizes.limits,
                gate.countries.of(request) if dialect.counts_countries else "",
            )
            key = request.headers.get("idempotency-key")
            if key is None and dialect.own_key is not None:
                key = dialect.own_key(body, context)
            if key is not None:
                reply = await once.push(dialect, body, context, key, counts)
            else:
                reply = await ingest.push(dialect, body, context)
            response = to_response(reply)
        except ClientDisconnect:
            return refused(ClientGone("the client closed the connection before its body was whole"))
        except PushRejected as error:
            if dialect.failed is not None and context is not None:
                await ingest.note_failed(dialect, error, body, context)
            await ingest.pacer.pace_refusal()
            response = refused(error)
        if dialect.tells_rate:
            response.headers.update(gate.rate_headers(request, dialect, pusher))
        return response

    async def wrong_method(request: Request) -> Response:
        counts.pushes += 1
        path = request.scope["path"]
        response = refused(WrongMethod(f"Cannot {request.method} {path}"))
        if response.status_code == 405:
            shared = ("GET", "HEAD", *dialect.methods, "OPTIONS") if path == "/metrics" else dialect.methods
            others = () if path.startswith(SEVERAL_GROUPS) else answered
            response.headers["Allow"] = ", ".join(dict.fromkeys((*shared, *others)))
        return response

    def refused(error: PushRejected) -> Response:
        counts.rejected[error.reason] += 1
        response = to_response(dialect.refuse(error))
        response.headers.update(gate.guard.challenge(error))
        if error.retry_after_seconds:
            response.headers["Retry-After"] = str(error.retry_after_seconds)
        return response

    for begin in dialect.paths:
        path = f"{begin}{{rest:text}}" if dialect.paths_go_on else begin
        for method in dialect.methods:  # one by one, as each operation has a name of its own
            router.add_api_route(
                path,
                push,
                methods=[method],
                status_code=dialect.accepted_at.get(begin, dialect.accepted).status,
                response_class=Response,
                responses=push_responses(dialect, begin),
                openapi_extra=push_operation(dialect),
            )
        router.add_api_route(
            path,
            wrong_method,
            methods=[method for method in OTHER_METHODS if method not in (*dialect.methods, *answered)],
            response_class=Response,
            include_in_schema=False,
        )
    return router


def to_response(reply: Reply) -> Response:
    """*reply* as the web framework sends it."""
    return Response(reply.body, reply.status, media_type=None, headers={"Content-Type": reply.content_type})
