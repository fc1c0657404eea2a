"""The push routes once more, answered from the HTTP parser's callbacks, without an ASGI cycle.

An ordinary push (POST to a dialect's path as it stands, HTTP/1.1, a Content-Length within the limit, no content
coding) is decoded, journalled and answered here with less than half the work. Whatever is unusual takes the
ordinary route (web/push.py), which is complete by itself: other methods and spellings, queries, chunks,
``Expect``, compression, HTTP/1.0, pipelined requests, a client that does not read, and every refusal, so that one
place words the errors. Both ways share ``Ingest.begin``: the answer is written after the same commit.

This leans on parts of uvicorn that it does not promise to keep; ``unsupported`` says whether the installed one
still has them, and if not the bridge runs without this module.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, ClassVar, Final, NamedTuple

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from pushgateway_bridge.access.token import KnownToken
from pushgateway_bridge.dialects.dialect import Dialect, Reply
from pushgateway_bridge.errors import ClientGone, PushRejected
from pushgateway_bridge.pipeline import Ingest
from pushgateway_bridge.selfmetrics import DialectCounts
from pushgateway_bridge.web.context import push_context
from pushgateway_bridge.web.protocol import BridgeProtocol, BridgeState
from pushgateway_bridge.web.push import PushGate, knows_path, rate_headers, token_client
from pushgateway_bridge.web.rate import client_key

logger = logging.getLogger(__name__)

NEEDED: Final = (
    "_start_asgi_task",
    "_unset_keepalive_if_required",
    "connection_lost",
    "connection_made",
    "data_received",
    "on_body",
    "on_headers_complete",
    "on_message_begin",
    "on_message_complete",
    "on_response_complete",
    "shutdown",
    "timeout_keep_alive_handler",
)
"""What of uvicorn's protocol class is overridden or called here."""

UNUSUAL: Final = frozenset(
    {
        *(
            b"content-encoding",
            b"transfer-encoding",
            b"expect",
            b"upgrade",
            b"authorization",
            b"idempotency-key",
            b"origin",
        ),
        b"x-time-to-live-seconds",
    }
)
"""Headers whose requests take the ordinary route."""


REMEMBERED_REPLIES: Final = 256
"""Most pushes get one of a few answers."""
MAX_HEADS: Final = 4096
MAX_HEAD_BYTES: Final = 1024
"""Bounds of what is remembered of heads: 4 MiB."""


def unsupported() -> str | None:
    """Why the installed uvicorn cannot carry the hot routes; ``None`` if it can."""
    missing = [name for name in NEEDED if not hasattr(HttpToolsProtocol, name)]
    return f"uvicorn lacks {', '.join(missing)}" if missing else None


class HotRoute(NamedTuple):
    """One path: its dialect, what to count, and the accepted reply before and after the Date header."""

    dialect: Dialect
    counts: DialectCounts
    status_line: bytes
    accepted: bytes
    token_header: bytes
    methods: frozenset[bytes]


def hot_routes(dialects: Mapping[str, Dialect], counts: Mapping[str, DialectCounts]) -> dict[bytes, HotRoute]:
    """A route for each path of each dialect, by the path as it stands in a request line, or how that begins."""
    return {
        path.encode(): HotRoute(
            dialect,
            counts[name],
            _status_line(dialect.accepted.status),
            _rendered(dialect.accepted),
            dialect.token_header.encode(),
            frozenset(method.encode() for method in dialect.methods),
        )
        for name, dialect in dialects.items()
        for path in dialect.paths
    }


def _status_line(status: int) -> bytes:
    return b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())


@lru_cache(REMEMBERED_REPLIES)
def _parts(reply: Reply) -> tuple[bytes, bytes]:
    """What stands before and after the headers of every answer."""
    return _status_line(reply.status), _rendered(reply)


def _rendered(reply: Reply) -> bytes:
    return b"content-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (
        reply.content_type.encode(),
        len(reply.body),
        reply.body,
    )


class _NoEvent:
    """Stands where a cycle has its event: nobody waits for a hot request."""

    def set(self) -> None:
        pass


_NO_EVENT: Final = _NoEvent()


class HotHead(NamedTuple):
    """What the bytes before a body mean, as the parser once found."""

    route: HotRoute
    content_type: str
    keep_alive: bool
    length: int
    token: KnownToken | None
    path: str = ""
    """Where the dialect's paths go on: the whole."""
    method: str = "POST"


class HotCycle:
    """A hot request on its way; what the base class looks at in a cycle, and no more."""

    __slots__ = (
        "body",
        "content_type",
        "disconnected",
        "keep_alive",
        "message_event",
        "method",
        "more_body",
        "parsed_keep_alive",
        "path",
        "rate_headers",
        "reply",
        "response_complete",
        "route",
        "token",
    )

    def __init__(
        self,
        route: HotRoute,
        content_type: str,
        keep_alive: bool,
        token: KnownToken | None,
        path: str = "",
        method: str = "POST",
    ) -> None:
        self.route = route
        self.path = path
        self.method = method
        self.token = token
        """What came with it, already found good; but it may have been withdrawn since."""
        self.content_type = content_type
        self.keep_alive = keep_alive
        self.parsed_keep_alive = keep_alive
        """What the request asked for; ``keep_alive`` ends when the bridge stops."""
        self.reply: Reply | None = None
        """The answer once it is stored, where it is not always the same."""
        self.rate_headers: Mapping[str, str] = {}
        """What tells the client how many pushes it has left, where its dialect does."""
        self.body: bytes | bytearray = b""
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NO_EVENT


def hot_protocol(
    routes: Mapping[bytes, HotRoute], ingest: Ingest, clock_ms: Callable[[], int], gate: PushGate
) -> type[HotHttpProtocol]:
    """A protocol class for uvicorn's ``http=`` that answers *routes* itself."""

    class HotProtocol(HotHttpProtocol):
        hot_routes = routes
        hot_ingest = ingest
        hot_gate = gate
        hot_clock_ms = staticmethod(clock_ms)
        hot_heads: ClassVar[dict[bytes, HotHead]] = {}

    return HotProtocol


class HotHttpProtocol(BridgeProtocol):
    """The bridge's protocol with a short way for hot requests. Made by ``hot_protocol``."""

    hot_routes: Mapping[bytes, HotRoute]
    hot_ingest: Ingest
    hot_gate: PushGate
    hot_clock_ms: Callable[[], int]
    hot_heads: ClassVar[dict[bytes, HotHead]]
    """Heads of requests that were hot, byte by byte, and what they mean: an agent sends the same one again and again,
    and need not be parsed again. Shared by all connections, and bounded."""

    def __init__(
        self,
        config: Config,
        server_state: BridgeState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._hot: HotCycle | None = None
        """The hot request whose body is being read."""
        self._idle_since: float | None = None
        self._between_messages = True
        """Whether the parser waits for the first byte of a request."""
        self._learning: HotCycle | None = None
        """The hot request that was parsed last."""
        self._lines_of: object = None
        self._default_lines = b""

    # Parsing

    def data_received(self, data: bytes) -> None:
        self._idle_since = None
        if not self._between_messages:
            super().data_received(data)
            return
        end = data.find(b"\r\n\r\n") + 4
        head = self.hot_heads.get(data[:end])
        if (
            head is not None
            and len(data) - end == head.length
            and self._may_go_hot()
            and head.length <= self.hot_gate.body_bytes[head.route.dialect.name]
        ):
            hot = HotCycle(
                head.route,
                head.content_type,
                head.keep_alive and not self.stopping,
                head.token,
                head.path,
                head.method,
            )
            hot.body = data[end:]
            hot.more_body = False
            self.cycle = hot  # type: ignore[assignment]
            if self._begin(hot):
                return
            hot.response_complete = True  # the parser goes the ordinary route with it
        super().data_received(data)
        if head is None:
            self._learn(data[:end], len(data) - end)

    def _learn(self, head: bytes, length: int) -> None:
        """Remember *head* if it and its body were a hot request and all that was received."""
        hot, self._learning = self._learning, None
        if (
            hot is not None
            and len(hot.body) == length
            and len(head) <= MAX_HEAD_BYTES
            and self._between_messages
        ):
            if len(self.hot_heads) >= MAX_HEADS:
                self.hot_heads.clear()
            self.hot_heads[head] = HotHead(
                hot.route,
                hot.content_type,
                hot.parsed_keep_alive,
                length,
                hot.token,
                hot.path,
                hot.method,
            )

    def _may_go_hot(self) -> bool:
        """Whether nothing else is under way on this connection, and nothing keeps pushes from being taken."""
        under_way: RequestResponseCycle | None = self.cycle  # None before the first request
        return (
            (under_way is None or under_way.response_complete)
            and self.hot_ingest.ready
            and not self.flow.write_paused
            and not self.root_path
            and self.limit_concurrency is None
        )

    def on_message_begin(self) -> None:
        self._between_messages = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        cycle = self._eligible()
        if cycle is None:
            super().on_headers_complete()
        else:
            self._in_head = False
            self._in_body = True
            self._hot = cycle
            self.cycle = cycle  # type: ignore[assignment]
            if self.stopping:
                cycle.keep_alive = False

    def _eligible(self) -> HotCycle | None:
        """A cycle for the request whose headers were read, if it is an ordinary push and nothing else is under way."""
        route = self.hot_routes.get(self.url) or self._route_that_goes_on()
        method = self.parser.get_method()
        if route is None or method not in route.methods:
            return None
        if not self._may_go_hot() or self.parser.get_http_version() != "1.1":
            return None
        length = -1
        content_type: bytes | None = None
        secret: bytes | None = None
        for name, value in self.headers:
            if name == b"content-type":
                if content_type is None:  # the first counts, as on the ordinary route
                    content_type = value
            elif name == b"content-length":
                length = int(value)  # the parser has refused anything but digits
            elif name == route.token_header:
                if secret is not None:
                    return None
                secret = value
            elif name in UNUSUAL:
                return None
        if not 0 < length <= self.hot_gate.body_bytes[route.dialect.name]:
            return None
        token = None
        if secret is not None:
            token = self._token(route, secret)
            if token is None:
                return None
        elif self.hot_gate.guard.needs_token(route.dialect):
            return None
        media_type = "" if content_type is None else content_type.decode("latin-1")
        path = self.url.decode("latin-1") if knows_path(route.dialect) else ""
        return HotCycle(
            route, media_type, self.parser.should_keep_alive(), token, path, method.decode("latin-1")
        )

    def _route_that_goes_on(self) -> HotRoute | None:
        """The route of a path that is longer than what its dialect names; ``None`` if there is none."""
        if b"?" in self.url:
            return None
        for begin, route in self.hot_routes.items():
            if route.dialect.paths_go_on and self.url.startswith(begin):
                return route
        return None

    def _token(self, route: HotRoute, value: bytes) -> KnownToken | None:
        """The good token that a header's *value* is; ``None`` if the ordinary route must look at it."""
        secret = value.decode("latin-1")
        if route.token_header == b"authorization":
            scheme, _, secret = secret.partition(" ")
            if scheme.lower() != "bearer":
                return None
        try:
            known = self.hot_gate.guard.tokens.find(secret.strip())
        except PushRejected:
            return None
        return known if known.may_push(self.hot_clock_ms()) else None

    def on_body(self, body: bytes) -> None:
        hot = self._hot
        if hot is None:
            super().on_body(body)
        elif not hot.body:
            hot.body = body
        else:
            if isinstance(hot.body, bytes):
                hot.body = bytearray(hot.body)
            hot.body += body

    def on_message_complete(self) -> None:
        self._between_messages = True
        hot = self._hot
        if hot is None:
            super().on_message_complete()
            return
        self._in_body = False
        self._hot = None
        hot.more_body = False
        if self._begin(hot):
            self._learning = hot
        else:
            self._take_the_ordinary_route(hot)

    def _begin(self, hot: HotCycle) -> bool:
        """Queue the push; ``False`` if it is refused, and nothing happened."""
        try:
            now_ms, token, dialect = self.hot_clock_ms(), hot.token, hot.route.dialect
            gate = self.hot_gate
            pusher = None
            if token is not None:
                if not token.may_push(now_ms):
                    return False
                pusher = token.pusher
            elif gate.guard.needs_token(dialect):
                return False
            if dialect.counts_countries and gate.countries.may_know:
                return False
            limiter = gate.limiters.get(dialect.name)
            client = "" if limiter is None else token_client(pusher) or self._client_key()
            if limiter is not None and (not client or limiter.wait_seconds(client)):
                return False
            context = push_context(
                hot.content_type, now_ms, pusher, hot.path, hot.method, limits=gate.sizes.limits
            )
            body = bytes(hot.body)
            if dialect.own_key is not None and dialect.own_key(body, context) is not None:
                return False
            hot.reply = self.hot_ingest.begin(
                dialect, body, context, lambda refusal: self._answer(hot, refusal)
            )
        except Exception:  # noqa: BLE001 - the ordinary route meets it again, and refuses or logs it
            return False
        hot.route.counts.pushes += 1
        if token is not None:
            token.last_used_ms = now_ms
        if limiter is not None:
            limiter.count(client)
            if dialect.tells_rate:
                hot.rate_headers = rate_headers(limiter, client)
        return True

    def _client_key(self) -> str:
        """What stands for the client among those whose rate is limited; empty if only its headers tell."""
        peer = self.client[0] if self.client else ""
        return "" if self.hot_gate.addresses.is_proxy(peer) else client_key(peer)

    def _take_the_ordinary_route(self, hot: HotCycle) -> None:
        """Hand the whole request to uvicorn, whose answer says what is wrong with it."""
        hot.response_complete = True
        super().on_headers_complete()
        super().on_body(bytes(hot.body))
        super().on_message_complete()

    # Answering

    def _answer(self, hot: HotCycle, refusal: PushRejected | None) -> None:
        """Tell the pusher what became of its push; called when its group commit is over."""
        hot.response_complete = True
        if refusal is not None:
            hot.route.counts.rejected[refusal.reason] += 1
        if hot.disconnected or self.transport.is_closing():
            return
        try:
            self._write_answer(hot, refusal)
        except Exception:  # the others of the group get their answers all the same
            logger.exception("answer not written")
            self.transport.abort()

    def _write_answer(self, hot: HotCycle, refusal: PushRejected | None) -> None:
        if refusal is not None:
            head, rest = self._refused(hot.route.dialect, refusal)
        elif (reply := hot.reply) is not None:
            status_line, rest = _parts(reply)
            head = status_line + self._default_header_lines()
        else:
            head, rest = hot.route.status_line + self._default_header_lines(), hot.route.accepted
        if hot.rate_headers:
            head += _lines([(name.encode(), value.encode()) for name, value in hot.rate_headers.items()])
        if hot.keep_alive:
            self.transport.write(head + rest)
        else:
            self.transport.write(b"%bconnection: close\r\n%b" % (head, rest))
            self.transport.close()
        self.on_response_complete()

    def _default_header_lines(self) -> bytes:
        """The headers of every answer; made anew when the server's Date changed."""
        headers = self.server_state.default_headers
        if headers is not self._lines_of:
            self._lines_of = headers
            self._default_lines = _lines([*headers, *self.answer_headers])
        return self._default_lines

    def _refused(self, dialect: Dialect, refusal: PushRejected) -> tuple[bytes, bytes]:
        reply = dialect.refuse(refusal)
        headers = [
            (b"content-type", reply.content_type.encode()),
            (b"content-length", b"%d" % len(reply.body)),
        ]
        if refusal.retry_after_seconds:
            headers.append((b"retry-after", b"%d" % refusal.retry_after_seconds))
        head = _status_line(reply.status) + self._default_header_lines() + _lines(headers)
        return head, b"\r\n" + reply.body

    # Life of the connection

    def _unset_keepalive_if_required(self) -> None:
        """Leave the timer running: to cancel and set it at each request costs more than to decode the push."""

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._cancel_keep_alive()
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it has been idle for long enough, else look again when it may have been."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        elif not self.transport.is_closing():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._cancel_keep_alive()
        if self._hot is not None:
            counts = self._hot.route.counts
            counts.pushes += 1
            counts.rejected[ClientGone.reason] += 1
            self._hot = None

    def _cancel_keep_alive(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None


def _lines(headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
