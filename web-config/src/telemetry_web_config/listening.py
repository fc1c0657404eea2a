"""asyncio servers whose TLS can be changed while connections are open and others arrive."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeAlias, cast

from telemetry_web_config.tls import san_allowed

ProtocolFactory: TypeAlias = Callable[[], asyncio.Protocol]

HANDSHAKE_SECONDS: Final = 10.0
"""How long a client may take to agree on TLS; asyncio's own limit is a minute."""

GOODBYE_SECONDS: Final = 1.0
"""How long an idle client may take to agree on closing, which otherwise holds up the end of the program."""


class RenewableContext(ssl.SSLContext):
    """Stands for another context, which may be exchanged: each connection gets the one that holds when it begins.

    Servers need not be replaced for that. asyncio's, when closed, would drop what they have accepted and not begun.
    """

    current: ssl.SSLContext

    def __new__(cls, current: ssl.SSLContext) -> RenewableContext:
        self = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        self.current = current
        return self

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """What asyncio and uvloop make each connection's TLS with."""
        return self.current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


class ListeningServers:
    """Makes one server for each socket. Without a context they speak plain HTTP, and go on doing so."""

    def __init__(
        self,
        factory: ProtocolFactory,
        context: ssl.SSLContext | None,
        client_allowed_sans: Collection[str] = (),
    ) -> None:
        self._factory = factory
        self._context = None if context is None else RenewableContext(context)
        self._allowed = frozenset(client_allowed_sans)

    async def start(self, sockets: Sequence[socket.socket], backlog: int = 2048) -> list[asyncio.Server]:
        """The servers, which now own the *sockets*. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self._context is None:
            return [
                await loop.create_server(self._factory, sock=listening, backlog=backlog)
                for listening in sockets
            ]
        return [
            await loop.create_server(
                self._make_protocol,
                sock=listening,
                backlog=backlog,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=GOODBYE_SECONDS,
            )
            for listening in sockets
        ]

    def renew(self, context: ssl.SSLContext, client_allowed_sans: Collection[str] = ()) -> None:
        """Let connections that begin from now on be so; open ones go on. Raises ValueError where there is no TLS."""
        if self._context is None:
            raise ValueError("these servers were started without TLS")
        self._context.current = context
        self._allowed = frozenset(client_allowed_sans)

    def _make_protocol(self) -> asyncio.Protocol:
        return _NameCheck(self._factory, self._allowed) if self._allowed else self._factory()


class _NameCheck(asyncio.Protocol):
    """Stands before the real protocol until the client's certificate has one of the names."""

    def __init__(self, factory: ProtocolFactory, allowed: frozenset[str]) -> None:
        self._factory = factory
        self._allowed = allowed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an assertion: uvloop's transports do not derive from asyncio's.
        transport = cast("asyncio.Transport", transport)
        if san_allowed(transport.get_extra_info("peercert"), self._allowed):
            protocol = self._factory()
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
        else:
            transport.abort()
