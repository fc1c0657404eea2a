"""When the weekly report is sent: on Monday at a given hour, or later that week by a bridge that was away.

The last week whose report was sent is kept in a file, so that a restart sends none twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pushgateway_bridge.mail import MailFailed, MailSettings, compose, send
from pushgateway_bridge.render_config import write_atomically
from pushgateway_bridge.reports.figures import Ask, Figures, gather
from pushgateway_bridge.reports.message import render_html, render_text, subject
from pushgateway_bridge.reports.prometheus import NoAnswer
from pushgateway_bridge.reports.week import Week, last_week, parse_week

logger = logging.getLogger(__name__)

FILE: Final = "weekly-report"
LOOK_SECONDS: Final = 600.0
"""How long to wait at most before the clock is looked at again: it may be set."""
RETRY_SECONDS: Final = (60.0, 300.0, 900.0, 3600.0)
"""How long to wait after one failure, two, three, and more."""


class ReportCounts:
    """What became of reports since the start."""

    def __init__(self) -> None:
        self.sent = 0
        """Mails that the server took."""
        self.failed = 0
        """Tries that ended without one."""


class WeeklyReport:
    """Sends the report of each week once."""

    def __init__(
        self,
        folder: Path,
        ask: Ask,
        settings: MailSettings,
        hour: int,
        counts: ReportCounts,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """*hour*: of Monday in UTC. *folder* holds the file with the last week."""
        self._file = folder / FILE
        self._ask = ask
        self._settings = settings
        self._hour = hour
        self._now = now
        self._done: Week | None = None
        self._counts = counts
        self._failures = 0

    async def run_until_cancelled(self) -> None:
        """Send each report when it is time."""
        while True:
            seconds = await self.look()
            await asyncio.sleep(seconds)

    async def look(self) -> float:
        """Send what is due; return after how many seconds to look again."""
        now = self._now()
        week = last_week(now)
        if self._done is None:
            self._done = await asyncio.to_thread(self._begin, week)
        due = week.end + timedelta(hours=self._hour)
        if self._done >= week:
            return LOOK_SECONDS
        if now < due:
            return min((due - now).total_seconds(), LOOK_SECONDS)
        try:
            await self._send(week)
        except (NoAnswer, MailFailed) as error:
            wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
            self._failures += 1
            self._counts.failed += 1
            logger.warning(
                "weekly report not sent week=%s error=%r next_try_seconds=%.0f", week, str(error), wait
            )
            return wait
        self._failures = 0
        self._done = week
        await asyncio.to_thread(self._write, week)
        return LOOK_SECONDS

    async def _send(self, week: Week) -> None:
        figures = await gather(week, self._ask)
        if figures.results is None and figures.before is None:
            logger.info("weekly report left out, there are no installations week=%s", week)
            return
        await asyncio.to_thread(send_report, self._settings, figures)
        self._counts.sent += 1
        logger.info("weekly report sent week=%s", week)

    def _begin(self, week: Week) -> Week:
        """The last week that needs no report: as the file says; without it *week*, so that the first is the next."""
        try:
            return parse_week(self._file.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            logger.warning("weekly report begins anew file=%s error=%r", self._file, str(error))
        self._write(week)
        return week

    def _write(self, week: Week) -> None:
        try:
            write_atomically(self._file, f"{week}\n", 0o600)
        except OSError as error:
            logger.warning("weekly report not noted file=%s error=%r", self._file, error.strerror)


def send_report(settings: MailSettings, figures: Figures) -> None:
    """Send *figures* as text and HTML. Blocks. Raises MailFailed."""
    send(settings, compose(settings, subject(figures), render_text(figures), render_html(figures)))
