"""uvicorn's HTTP protocol with gaps closed: pipelines, heads, connections and waits are bounded, and a stop answers
what was sent before it.

The stock protocol reads on after each answer although requests that it has read still wait for their turn, so one
client that pipelines faster than it is served fills the memory. And at a stop it closes connections that look
idle while their next request stands in the socket's buffer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from typing import Any, ClassVar, Final, NamedTuple

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

MAX_HEAD_BYTES: Final = 65_536
"""How long a request's head may be, and what is read with it."""

DRAIN_SECONDS: Final = 0.05
"""How long a connection stays open after SIGTERM for a request that may already stand in the socket's buffer."""


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


class BridgeProtocol(HttpToolsProtocol):
    """The protocol of all connections; web/hot.py adds a short way for ordinary pushes."""

    limits: ClassVar[ConnectionLimits] = ConnectionLimits()
    """Of all connections; a reload sets others."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        """How much of a head was received that is not complete yet."""
        self._in_head = False
        self._head_began = False
        """Whether a head began in the chunk that is being parsed."""
        self._in_body = False
        self._waits_since = 0.0
        """When the request began that is being received; before the first one, when the connection was made."""
        self.stopping = False
        """Whether each answer is the last on its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = PipelineFlow(transport, self.pipeline, self.loop)
        self._waits_since = self.loop.time()
        if len(self.connections) > self.limits.max_connections:
            self._refuse(b"503 Service Unavailable", b"too many connections\n", b"retry-after: 1\r\n")

    def sweep(self, now: float) -> None:
        """End the connection if what it waits for has taken too long by *now* (the loop's time)."""
        if self.transport.is_closing():
            return
        waited = now - self._waits_since
        if self.flow.write_paused:
            if now - self.flow.stalled_since > self.limits.body_seconds:  # type: ignore[attr-defined]
                self.transport.abort()
        elif self._in_head:
            if waited > self.limits.header_seconds:
                self._refuse(b"408 Request Timeout", b"the head of the request took too long\n")
        elif self._in_body:
            if waited > self.limits.body_seconds:
                self._refuse(b"408 Request Timeout", b"the request took too long\n")
        elif self._is_fresh() and waited > self.limits.idle_seconds:
            self.transport.close()

    def _is_fresh(self) -> bool:
        """Whether no request has come yet. Between requests a timer of its own runs."""
        newest: RequestResponseCycle | None = self.cycle
        return newest is None

    def data_received(self, data: bytes) -> None:
        in_head, self._head_began = self._in_head, False
        super().data_received(data)
        if not self._in_head:
            return
        # Of a head that began inside this chunk nobody knows where; the next chunk counts.
        self._head_bytes = self._head_bytes + len(data) if in_head and not self._head_began else 0
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def _refuse_head(self) -> None:
        text = b"the head of the request is larger than %d bytes\n" % MAX_HEAD_BYTES
        self._refuse(b"431 Request Header Fields Too Large", text)

    def _refuse(self, status: bytes, text: bytes, headers: bytes = b"") -> None:
        """Answer and close, whatever else is under way on the connection."""
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\n%bcontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, headers, len(text), text)
        )
        self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head = self._head_began = True
        self._waits_since = self.loop.time()
        super().on_message_begin()

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
