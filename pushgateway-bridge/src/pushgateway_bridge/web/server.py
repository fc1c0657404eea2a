"""uvicorn's server without its tick, ended by signals with exit code 0."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from typing import Any, Final, NamedTuple

import uvicorn

from pushgateway_bridge.web.door import Door
from pushgateway_bridge.web.protocol import BridgeProtocol, BridgeState
from telemetry_web_config.access import WebAccess

STARTUP_FAILURE: Final = 3
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


SWEEP_SHARES: Final = 5
"""Each second one of so many shares of the connections is looked at, whether it takes too long."""


class Listener(NamedTuple):
    """A listening socket and what it means to come through it."""

    socket: socket.socket
    door: Door


class Server(uvicorn.Server):
    """Sleeps until something happens; the stock server wakes ten times a second to look whether it should exit.

    Its other periodic work is not used here: no limit on requests, no notify callback, and the Date header is
    renewed by a task of the application.
    """

    def __init__(
        self, config: uvicorn.Config, listeners: Sequence[Listener], web_access: WebAccess | None = None
    ) -> None:
        """*web_access* is web.config_file's; it makes the servers of the public listeners."""
        assert config.limit_max_requests is None
        assert config.callback_notify is None
        self._listeners = listeners
        self._web_access = web_access
        self._reload = asyncio.Event()
        self._exit_wanted = False
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(config)
        self.server_state: BridgeState = BridgeState()

    @property
    def should_exit(self) -> bool:
        return self._exit_wanted

    @should_exit.setter
    def should_exit(self, wanted: bool) -> None:
        self._exit_wanted = wanted
        if wanted and self._loop is not None and self._wake is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        await self.on_tick(0)
        if not self._exit_wanted:
            await self._wake.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve the listeners, each request with the door that it came through in its state."""
        assert sockets is None
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        self.servers: list[asyncio.base_events.Server] = []
        for listener in self._listeners:
            await self._listen(listener)
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.server_state.stopping = True
        await super().shutdown(sockets)

    async def _listen(self, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        state: dict[str, Any] = {**self.lifespan.state, "door": listener.door}

        def create_protocol() -> asyncio.Protocol:
            return self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config, server_state=self.server_state, app_state=state, _loop=loop
            )

        if listener.socket.family == socket.AF_UNIX:
            self.servers.append(await loop.create_unix_server(create_protocol, sock=listener.socket))
        elif listener.door is Door.PUBLIC and self._web_access is not None:
            self.servers += await self._web_access.start(
                create_protocol, [listener.socket], self.config.backlog
            )
        else:
            self.servers.append(
                await loop.create_server(create_protocol, sock=listener.socket, backlog=self.config.backlog)
            )

    async def sweep_until_cancelled(self) -> None:
        """End connections whose requests take too long to come, or whose answers nobody reads."""
        while True:
            # Of those that are here when a round begins: among others that come and go, some would never be reached.
            connections = list(self.server_state.connections)
            for share in range(SWEEP_SHARES):
                await asyncio.sleep(1)
                now = asyncio.get_running_loop().time()
                for connection in connections[share::SWEEP_SHARES]:
                    assert isinstance(connection, BridgeProtocol)
                    connection.sweep(now)

    async def renew_date_until_cancelled(self) -> None:
        """Keep the Date header right."""
        while True:
            date = formatdate(time.time(), usegmt=True).encode()
            self.server_state.default_headers = [(b"date", date), *self.config.encoded_headers]
            if self._web_access is not None:
                BridgeProtocol.answer_headers = self._web_access.headers
            await asyncio.sleep(1)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Exit in good order on SIGINT and SIGTERM; unlike the stock server, do not raise them again after."""
        before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._handle_reload)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def reload_wanted(self) -> None:
        """Return at the next SIGHUP; several before it is awaited again are one."""
        await self._reload.wait()
        self._reload.clear()

    def _handle_reload(self, _number: int, _frame: object) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._reload.set)
