"""A web configuration file in force: what a server needs of it, and how it is kept up to date."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from telemetry_web_config.errors import WebConfigError
from telemetry_web_config.listening import ListeningServers, ProtocolFactory
from telemetry_web_config.users import TooManyChecksError, Users
from telemetry_web_config.watched_file import WatchedFile

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""Between two looks at the files."""


class Refusal(NamedTuple):
    """An answer to someone who may not ask; ``text/plain``."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


UNAUTHORIZED: Final = Refusal(401, ((b"www-authenticate", b"Basic"),), b"Unauthorized\n")
BUSY: Final = Refusal(
    503, ((b"retry-after", b"1"),), b"Too many passwords are being checked, try again later.\n"
)


class WebAccess:
    """Headers, users and TLS as the file at *path* has them. Raises WebConfigError if it is not right."""

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path)
        self._users = Users(self._file.config.users)
        self._warned: set[str] = set()
        self._servers: ListeningServers | None = None
        self._warn()

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """For every answer that does not set them itself; names in lower case."""
        return self._file.config.headers

    @property
    def tls(self) -> bool:
        """Whether TLS is spoken."""
        return self._file.context is not None

    @property
    def not_after(self) -> datetime | None:
        """When the certificate expires; None without TLS."""
        tls = self._file.config.tls
        return None if tls is None else tls.not_after

    @property
    def problem(self) -> WebConfigError | None:
        """Why what the files say now is not what runs; None if it is."""
        return self._file.problem

    @property
    def users(self) -> Users:
        """For a caller that knows other ways to prove who one is."""
        return self._users

    async def refusal(self, authorization: str | None) -> Refusal | None:
        """None if someone with this ``Authorization`` header may ask."""
        try:
            if not self._users.required or await self._users.check(authorization) is not None:
                return None
        except TooManyChecksError:
            return BUSY
        return UNAUTHORIZED

    async def start(
        self, factory: ProtocolFactory, sockets: Sequence[socket.socket], backlog: int
    ) -> list[asyncio.Server]:
        """Serve on *sockets*, with TLS if the file says so. Raises OSError."""
        self._servers = ListeningServers(factory, self._file.context, self._allowed_sans)
        return await self._servers.start(sockets, backlog)

    async def watch(self) -> None:
        """Take over what changes in the files, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Take over what has changed in the files. What cannot be used is logged, and changes nothing."""
        try:
            await self._refresh()
        except WebConfigError as error:
            log.warning("web configuration refused; what ran before goes on", extra={"error": str(error)})

    async def take_over(self) -> None:
        """Take over what has changed in the files. Raises WebConfigError while that cannot be used."""
        await self._refresh()
        if self._file.problem is not None:
            raise self._file.problem

    async def _refresh(self) -> None:
        """Raises WebConfigError, once for each change, if what is there cannot be used; then nothing changes."""
        changed = await asyncio.to_thread(self._file.refresh)
        if changed:
            self._users.renew(self._file.config.users)
            if self._file.context is not None and self._servers is not None:
                self._servers.renew(self._file.context, self._allowed_sans)
            log.info("web configuration re-read", extra={"file": str(self._file.config.file)})
        self._warn()

    def close(self) -> None:
        """Checks of passwords that wait are given up."""
        self._users.close()

    @property
    def _allowed_sans(self) -> tuple[str, ...]:
        tls = self._file.config.tls
        return () if tls is None else tls.client_allowed_sans

    def _warn(self) -> None:
        warnings = set(self._file.config.warnings(datetime.now(UTC)))
        for warning in sorted(warnings - self._warned):
            log.warning("web configuration", extra={"warning": warning})
        self._warned = warnings
