"""uvicorn's HTTP protocol with two gaps closed: pipelines are bounded, and a stop answers what was sent before it.

The stock protocol reads on after each answer although requests that it has read still wait for their turn, so one
client that pipelines faster than it is served fills the memory. And at a stop it closes connections that look
idle while their next request stands in the socket's buffer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

MAX_HEAD_BYTES: Final = 65_536
"""How long a request's head may be, and what is read with it."""

DRAIN_SECONDS: Final = 0.05
"""How long a connection stays open after SIGTERM for a request that may already stand in the socket's buffer."""


class PipelineFlow(FlowControl):
    """Reads nothing more from a connection while requests that were read wait in *pipeline*."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        # All but the newest request have their whole bodies, so nobody needs more to be read before its turn.
        # uvloop raises if it is asked to read from a connection that was lost.
        if self.read_paused and not self._pipeline and not self._transport.is_closing():
            super().resume_reading()


class BridgeProtocol(HttpToolsProtocol):
    """The protocol of all connections; web/hot.py adds a short way for ordinary pushes."""

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
        self.stopping = False
        """Whether each answer is the last on its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = PipelineFlow(transport, self.pipeline)

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
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(text), text)
        )
        self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head = self._head_began = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
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
