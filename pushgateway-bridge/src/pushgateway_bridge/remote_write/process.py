"""The bridge's side of the process that ships: start it, wake it, hear how far it is, start it again if it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pushgateway_bridge.remote_write.messages import (
    LENGTH,
    Progress,
    Setup,
    Skip,
    ToShipper,
    Wake,
    decode_progress,
    framed,
)

logger = logging.getLogger(__name__)

WAKE_SECONDS: Final = 0.05
"""How long after a commit the shipper is told: others that come in meanwhile share its request."""
STOP_SECONDS: Final = 8.0
FIRST_RESTART_SECONDS: Final = 0.5
LONGEST_RESTART_SECONDS: Final = 30.0


class RemoteCounts:
    """What became of a remote's samples, over all processes that shipped them."""

    __slots__ = ("dropped", "requests", "retried", "sent", "waiting")

    def __init__(self) -> None:
        self.sent = 0
        self.retried = 0
        self.dropped: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.waiting = ""

    def add(self, progress: Progress, last: Progress | None) -> None:
        """Count what *progress* has beyond what the same process said *last*."""
        self.sent += progress.sent - (last.sent if last else 0)
        self.retried += progress.retried - (last.retried if last else 0)
        self.dropped.update(progress.dropped)
        self.requests.update(progress.requests)
        if last is not None:
            self.dropped.subtract(last.dropped)
            self.requests.subtract(last.requests)
        self.waiting = progress.waiting


class ShipperProcess:
    """Runs the process. *setup* is asked at each start, so that a new process begins where the last one was."""

    def __init__(
        self, remotes: list[str], setup: Callable[[], Setup], moved: Callable[[str, int], None]
    ) -> None:
        """*moved* is told that a remote has everything up to a position."""
        self._setup = setup
        self._moved = moved
        self.counts: Mapping[str, RemoteCounts] = {remote: RemoteCounts() for remote in remotes}
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._wake_at: asyncio.TimerHandle | None = None
        self._last: dict[str, Progress] = {}
        self._skipped: dict[str, int] = {}

    async def run_until_cancelled(self) -> None:
        """Keep a process running; when cancelled, have it end and hear its last words."""
        wait = FIRST_RESTART_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            code = await self._run_once()
            if loop.time() - began > LONGEST_RESTART_SECONDS:
                wait = FIRST_RESTART_SECONDS
            self.restarts += 1
            logger.error("shipper ended exit_code=%s restart_seconds=%.1f", code, wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_RESTART_SECONDS)

    async def _run_once(self) -> int | None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pushgateway_bridge.shipping"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._process = process
        setup = self._setup()
        self._last = {}
        self._skipped = dict(setup.cursors)
        self._say(setup)
        hearing = asyncio.create_task(self._hear(process))
        try:
            await asyncio.shield(hearing)
            return await process.wait()
        except asyncio.CancelledError:
            await self._end(process, hearing)
            raise
        finally:
            self._process = None

    async def _end(self, process: asyncio.subprocess.Process, hearing: asyncio.Task[None]) -> None:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await hearing
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
                try:
                    progress = decode_progress.decode(await process.stdout.readexactly(length))
                except msgspec.DecodeError as error:
                    logger.error("shipper said something else error=%r", str(error))
                    process.kill()
                    return
                last = self._last.get(progress.remote)
                self.counts[progress.remote].add(progress, last)
                self._last[progress.remote] = progress
                if last is None or progress.position != last.position:
                    self._moved(progress.remote, progress.position)

    def wake(self, cursors: Mapping[str, int]) -> None:
        """There is something new in the journal, whose *cursors* move over what waited for too long."""
        if self._process is None:
            return
        for remote, position in cursors.items():
            if position > self._known_position(remote):
                self._skipped[remote] = position
                self._say(Skip(remote, position))
        if self._wake_at is None:
            self._wake_at = asyncio.get_running_loop().call_later(WAKE_SECONDS, self._say_wake)

    def _known_position(self, remote: str) -> int:
        """Up to where the process knows that there is nothing to send."""
        last = self._last.get(remote)
        return max(last.position if last else 0, self._skipped.get(remote, 0))

    def _say_wake(self) -> None:
        self._wake_at = None
        self._say(Wake())

    def _say(self, message: ToShipper) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(framed(message))
