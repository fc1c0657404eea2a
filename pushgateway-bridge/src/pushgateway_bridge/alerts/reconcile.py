"""Compares the history with what Prometheus says now and then: silenced and inhibited alerts end without a word."""

from __future__ import annotations

import asyncio
import logging

import httpx2

from pushgateway_bridge.alerts.firing import NoAnswer, ask, decode
from pushgateway_bridge.alerts.history import AlertHistory
from pushgateway_bridge.errors import PushRejected

logger = logging.getLogger(__name__)


class Reconciler:
    """Asks through *client*, whose base address is Prometheus'."""

    def __init__(
        self,
        history: AlertHistory,
        client: httpx2.AsyncClient,
        interval_seconds: float,
        after_seconds: float,
    ) -> None:
        """*after_seconds*: see ``AlertHistory.compare``."""
        self._history = history
        self._client = client
        self._interval_seconds = interval_seconds
        self._after_seconds = after_seconds
        self._answered = True

    async def run_until_cancelled(self) -> None:
        """Compare every *interval_seconds*."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            await self.compare()

    async def compare(self) -> None:
        """Compare once. Without an answer nothing changes."""
        if not self._history.entries:
            return
        try:
            firing = await asyncio.to_thread(decode, await ask(self._client))
            changed = await self._history.compare(firing, self._after_seconds)
        except NoAnswer as error:
            if self._answered:
                logger.warning("alert history not compared with prometheus error=%r", str(error))
            self._answered = False
            return
        except PushRejected:  # it was logged; the next time may be better
            return
        self._answered = True
        if changed.closed or changed.reopened:
            logger.info(
                "alert history compared closed=%d reopened=%d firing=%d",
                changed.closed,
                changed.reopened,
                len(firing),
            )
