"""uvicorn's HTTP protocol with gaps closed: pipelines, heads, trailers, connections and waits are bounded, and a stop
answers what was sent before it.

The stock protocol reads on after each answer although requests that it has read still wait for their turn, so one
client that pipelines faster than it is served fills the memory. And at a stop it closes connections that look
idle while their next request stands in the socket's buffer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Sized
from typing import Any, ClassVar, Final, NamedTuple

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from pushgateway_bridge.web.door import Door

MAX_HEAD_BYTES: Final = 65_536
"""How long a request's head may be, and what is read with it; the same for what stands behind a body in chunks."""

DRAIN_SECONDS: Final = 0.05
"""How long a connection stays open after SIGTERM for a request that may already stand in the socket's buffer."""


REFUSED_CONNECTIONS: Final = ("too_many", "head_too_large", "slow_head", "slow_request", "answer_not_read")
"""Why a connection is ended from here."""


class ConnectionLimits(NamedTuple):
    """How many connections there may be, and how long they may wait."""

    max_connections: int = 15_000
    idle_seconds: float = 75.0
    header_seconds: float = 15.0
    body_seconds: float = 60.0
    """For a whole request to come, and for an answer to be read."""


class PipelineFlow(FlowControl):
    """Reads nothing more from a connection while requests that were read wait in *pipeline*."""

    def __init__(
        self, transport: asyncio.Transport, pipeline: Sized, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(transport)
        self._pipeline = pipeline
        self._loop = loop
        self.stalled_since = 0.0
        """When the client last stopped reading; counts while writing is paused."""

    def pause_writing(self) -> None:
        self.stalled_since = self._loop.time()
        super().pause_writing()

    def resume_reading(self) -> None:
        # All but the newest request have their whole bodies, so nobody needs more to be read before its turn.
        # uvloop raises if it is asked to read from a connection that was lost.
        if self.read_paused and not self._pipeline and not self._transport.is_closing():
            super().resume_reading()


class BridgeState(ServerState):
    """What all connections of a server share."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False
        """Whether the server is ending: a connection that was accepted just then must be told, too."""


class BridgeProtocol(HttpToolsProtocol):
    """The protocol of all connections; web/hot.py adds a short way for ordinary pushes."""

    limits: ClassVar[ConnectionLimits] = ConnectionLimits()
    """Of all connections; a reload sets others."""
    refused: ClassVar[dict[str, int]] = dict.fromkeys(REFUSED_CONNECTIONS, 0)
    """Connections that were ended because of *limits*, by reason."""
    answer_headers: ClassVar[Sequence[tuple[bytes, bytes]]] = ()
    """What every answer has that does not set it itself, from web.config_file."""

    def __init__(
        self,
        config: Config,
        server_state: BridgeState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._shared = server_state
        self._head_bytes = 0
        """How much of a head was received that is not complete yet."""
        self._in_head = False
        self._head_began = False
        """Whether a head began in the chunk that is being parsed."""
        self._in_body = False
        self._chunked = False
        """Whether the body that is being received comes in chunks."""
        self._body_came = False
        """Whether some of a body was in the chunk that is being parsed."""
        self._trailer_bytes = 0
        """How much was received of a body in chunks since the last of what it holds."""
        self._closing_since = 0.0
        """When the connection was first seen to be closing."""
        self._waits_since = 0.0
        """When the request began that is being received; before the first one, when the connection was made."""
        self.stopping = False
        """Whether each answer is the last on its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = PipelineFlow(transport, self.pipeline, self.loop)
        self._waits_since = self.loop.time()
        if self._shared.stopping:
            self.shutdown()
        public = self.app_state.get("door", Door.PUBLIC) is Door.PUBLIC  # others must get in just then
        if public and len(self.connections) > self.limits.max_connections:
            self._refuse(
                "too_many", b"503 Service Unavailable", b"too many connections\n", b"retry-after: 1\r\n"
            )

    def sweep(self, now: float) -> None:
        """End the connection if what it waits for has taken too long by *now* (the loop's time)."""
        waited = now - self._waits_since
        if self.flow.write_paused:
            if now - self.flow.stalled_since > self.limits.body_seconds:  # type: ignore[attr-defined]
                self.refused["answer_not_read"] += 1
                self.transport.abort()
        elif self.transport.is_closing():
            # A closed connection lasts until its last answer was read.
            self._closing_since = self._closing_since or now
            if now - self._closing_since > self.limits.body_seconds:
                self.transport.abort()
        elif self._in_head:
            if waited > self.limits.header_seconds:
                self._refuse("slow_head", b"408 Request Timeout", b"the head of the request took too long\n")
        elif self._in_body:
            if waited > self.limits.body_seconds:
                self._refuse("slow_request", b"408 Request Timeout", b"the request took too long\n")
        elif self._is_untimed() and waited > self.limits.idle_seconds:
            self.transport.close()

    def _is_untimed(self) -> bool:
        """Whether no request is under way and no timer runs that ends the connection.

        There is none before the first request, and none after empty lines, which end the timer and begin no request.
        """
        newest: RequestResponseCycle | None = self.cycle
        return newest is None or (newest.response_complete and self.timeout_keep_alive_task is None)

    def data_received(self, data: bytes) -> None:
        in_head, self._head_began, self._body_came = self._in_head, False, False
        super().data_received(data)
        if self._chunked and self._in_body:
            self._trailer_bytes = 0 if self._body_came else self._trailer_bytes + len(data)
            if self._trailer_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self._refuse_head()
        if not self._in_head:
            return
        # Of a head that began inside this chunk nobody knows where; the next chunk counts.
        self._head_bytes = self._head_bytes + len(data) if in_head and not self._head_began else 0
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def _refuse_head(self) -> None:
        text = b"the head of the request is larger than %d bytes\n" % MAX_HEAD_BYTES
        self._refuse("head_too_large", b"431 Request Header Fields Too Large", text)

    def _refuse(self, reason: str, status: bytes, text: bytes, headers: bytes = b"") -> None:
        """Answer and close, whatever else is under way on the connection."""
        self.refused[reason] += 1
        every = b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
        self.transport.write(
            b"HTTP/1.1 %b\r\n%bcontent-type: text/plain\r\n%bcontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, every, headers, len(text), text)
        )
        self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head = self._head_began = True
        self._chunked = False
        self._trailer_bytes = 0
        self._waits_since = self.loop.time()
        super().on_message_begin()

    def on_chunk_header(self) -> None:
        """Called by the parser at each chunk of a body; behind the last one stands what is read like a head."""
        self._chunked = True

    def on_body(self, body: bytes) -> None:
        self._body_came = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._in_body = True
        super().on_headers_complete()
        if self.stopping:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Answer the request under way, or one that is already in the socket's buffer, then close.

        A body that is half here when the bridge is told to stop is given no more time than that.
        """
        self.stopping = True
        under_way: RequestResponseCycle | None = self.cycle  # None before the first request
        if under_way is not None:
            under_way.keep_alive = False
        # Twice half the time: however long the loop was held up, it looks at the socket in between.
        self.loop.call_later(DRAIN_SECONDS / 2, self.loop.call_later, DRAIN_SECONDS / 2, self._close_if_idle)

    def _close_if_idle(self) -> None:
        newest: RequestResponseCycle | None = self.cycle
        if newest is None or newest.response_complete:
            self.transport.close()
        elif newest.more_body:
            if self.pipeline:  # an older request is being answered
                self.loop.call_later(DRAIN_SECONDS, self._close_if_idle)
            else:
                self.transport.close()
