"""uvicorn's server without its tick, ended by signals with exit code 0."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Final

import uvicorn

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """Sleeps until something happens; the stock server wakes ten times a second to look whether it should exit.

    Its other periodic work is not used here: no limit on requests, no notify callback, and the Date header is
    renewed by a task of the application.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        assert config.limit_max_requests is None
        assert config.callback_notify is None
        self._exit_wanted = False
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(config)

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

    async def renew_date_until_cancelled(self) -> None:
        """Keep the Date header right."""
        while True:
            date = formatdate(time.time(), usegmt=True).encode()
            self.server_state.default_headers = [(b"date", date), *self.config.encoded_headers]
            await asyncio.sleep(1)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Exit in good order on SIGINT and SIGTERM; unlike the stock server, do not raise them again after."""
        before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
