"""Scrapes that answer in time: a collector that hangs is given up, together with the thread it hangs in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from host_exporter.paths import HostPaths
from host_exporter.render import Format
from host_exporter.scrape import Scrape, Scraper, Session
from host_exporter.worker import Worker

DEFAULT_TIMEOUT_SECONDS = 10.0
"""Prometheus' own default, for who asks without saying how long they wait."""

SHARE = 0.9
"""How much of the time that the other side waits a scrape may take; the rest is for the way back."""

COLLECTOR_SHARE = 0.5
"""How much of the time that is left one collector may take: the next ones need some as well."""

SHORTEST_LIMIT_SECONDS = 0.02
"""Even where no time is left: what is found then may still be shown."""


class TooBusyError(Exception):
    """Other scrapes took all the time that this one had."""


class PatientScraper:
    """Runs scrapes in a thread, one at a time, and never waits for one longer than it may take.

    A collector that hangs is not asked again until the call that hangs has come back; so of each there is
    at most one thread that is stuck. For one event loop.
    """

    def __init__(self, scraper: Scraper, open_paths: Callable[[], HostPaths]) -> None:
        self._scraper = scraper
        self._open_paths = open_paths
        self._one_at_a_time = asyncio.Lock()
        self._session = Session(open_paths())
        self._worker = Worker("scrape")

    @property
    def enabled(self) -> tuple[str, ...]:
        """The names of the collectors that a scrape runs if it asks for none."""
        return self._scraper.enabled

    async def scrape(
        self,
        format_: Format,
        names: Iterable[str],
        *,
        compress: bool,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> bytes:
        """The exposition within *timeout_seconds*. Raises TooBusyError if others took all of them."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds * SHARE
        try:
            async with asyncio.timeout_at(deadline):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            raise TooBusyError from None
        try:
            scrape = Scrape(self._scraper, format_, names, compress=compress)
            while True:
                body = await self._run(scrape, deadline)
                if body is not None:
                    return body
        finally:
            self._one_at_a_time.release()

    def close(self) -> None:
        """End the thread and close the host's files; a thread that hangs ends with the process."""
        self._worker.submit(self._session.close)
        self._worker.stop()

    async def _run(self, scrape: Scrape, deadline: float) -> bytes | None:
        """The exposition, or ``None`` if a collector was given up and the rest is still to be run."""
        loop = asyncio.get_running_loop()
        awake = asyncio.Event()
        outcome: list[bytes | BaseException | None] = []
        self._worker.post(partial(_run_in_thread, scrape, self._session, outcome, loop, awake))
        while True:
            # Nothing that runs longer than this is unnoticed.
            limit = max(SHORTEST_LIMIT_SECONDS, (deadline - loop.time()) * COLLECTOR_SHARE)
            timer = loop.call_later(limit, awake.set)
            await awake.wait()
            timer.cancel()
            if outcome:
                if isinstance(outcome[0], BaseException):
                    raise outcome[0]
                return outcome[0]
            awake.clear()
            if (current := scrape.current()) is None:
                continue
            name, since = current
            ran = self._scraper.timer() - since
            if ran >= limit and scrape.let_go(name, f"no answer within {ran:.1f} s"):
                self._worker.stop()
                self._worker = Worker("scrape")
                self._session = Session(self._open_paths())
                return None


def _run_in_thread(
    scrape: Scrape,
    session: Session,
    outcome: list[bytes | BaseException | None],
    loop: asyncio.AbstractEventLoop,
    awake: asyncio.Event,
) -> None:
    """Run *scrape*, put what comes of it into *outcome*, and wake who waits, if the loop still runs."""
    try:
        outcome.append(scrape.run(session))
    except BaseException as error:  # noqa: BLE001 - raised again where the scrape is awaited
        outcome.append(error)
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(awake.set)
