"""Keeps one source from making all others wait.

A source that pushes faster than any host does gets its answers later, at an even pace, while other sources push too:
whoever sends the next push after the answer is slowed to that pace, and nothing of it is refused. A source that has
the bridge to itself is not slowed. Refusals have a pace of their own, which all share who are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

OTHERS_SECONDS: Final = 60.0
"""How long after another source's push there is still somebody to be fair to."""
BURST: Final = 32
"""Answers that are given at once before the pace begins."""
REFUSALS_PER_SECOND: Final = 500.0
LONGEST_REFUSAL_SECONDS: Final = 2.0


class Paced(Protocol):
    """What is needed of a source."""

    paced_until: float
    """When, on the monotonic clock, its next answer is due by the pace."""


class Pacer:
    """Gives answers, at once or when they are due."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.per_second = 0.0
        """Answers a second for one source; 0: no pace. A reload sets another."""
        self.delayed = 0
        """Answers that were not given at once."""
        self._monotonic = monotonic
        self._newest: Paced | None = None
        self._changed_at = float("-inf")
        self._waiting: dict[asyncio.TimerHandle, Callable[[None], None]] = {}
        self._refused_until = 0.0

    def answer(self, source: Paced | None, done: Callable[[None], None]) -> None:
        """Call *done*, which tells a pusher of *source* that its push is on disk."""
        if source is None or not self.per_second:
            done(None)
            return
        now = self._monotonic()
        if source is not self._newest:
            if self._newest is not None:
                self._changed_at = now
            self._newest = source
        step = 1.0 / self.per_second
        source.paced_until = max(source.paced_until, now - BURST * step) + step
        delay = source.paced_until - now
        if delay <= 0.0:
            done(None)
        elif now - self._changed_at > OTHERS_SECONDS:
            source.paced_until = now
            done(None)
        else:
            self.delayed += 1
            self._later(delay, done)

    def _later(self, delay: float, done: Callable[[None], None]) -> None:
        def due() -> None:
            del self._waiting[handle]
            done(None)

        handle = asyncio.get_running_loop().call_later(delay, due)
        self._waiting[handle] = done

    def answer_all(self) -> None:
        """Give all answers that wait, as the bridge stops."""
        waiting, self._waiting = self._waiting, {}
        for handle, done in waiting.items():
            handle.cancel()
            done(None)

    async def pace_refusal(self) -> None:
        """Wait until a refusal may be answered: at once, unless very many are refused."""
        now, step = self._monotonic(), 1.0 / REFUSALS_PER_SECOND
        self._refused_until = max(self._refused_until, now - BURST * step) + step
        delay = min(self._refused_until - now, LONGEST_REFUSAL_SECONDS)
        if delay > 0.0:
            self._refused_until = now + delay
            await asyncio.sleep(delay)
