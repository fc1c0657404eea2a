"""The history's file: one row for each time that an alert fired, written by one thread.

What was told is on disk before it is answered. No error of this file ends the bridge: pushes do not need it, and
Alertmanager sends again what was not taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, TypeVar, cast

import apsw
import msgspec

from pushgateway_bridge.alerts import schema
from pushgateway_bridge.alerts.firing import FiringAlert, FiringAlerts
from pushgateway_bridge.alerts.model import FAILURES, HistoryFull, HistoryUnavailable, ToldAlert
from pushgateway_bridge.alerts.query import Filter, Page, PageQuery, read_page
from pushgateway_bridge.errors import NotReady

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

FILE_NAME: Final = "alerts.db"
BUSY_MS: Final = 5000
REOPENED_MS: Final = 86_400_000
"""How long after its end an alert may be found to fire all the same."""
ALERTMANAGER: Final = "alertmanager"
"""A resolution was told."""
PROMETHEUS: Final = "prometheus"
"""The alert was no longer among those that fire."""
NEWER: Final = "newer"
"""The same alert fired anew, and nobody had told of its end."""


class HistoryLimits(NamedTuple):
    """How much is kept."""

    max_entries: int
    max_age_seconds: float


class Compared(NamedTuple):
    """What a comparison with Prometheus changed."""

    closed: int
    reopened: int


class AlertHistory:
    """Start it with the lock of the journal's folder held; close it before that is given back."""

    def __init__(self, directory: Path, clock_ms: Callable[[], int], limits: HistoryLimits) -> None:
        self.file = directory / FILE_NAME
        self._clock_ms = clock_ms
        self._limits = limits
        self._executor: ThreadPoolExecutor | None = None
        self._connection: apsw.Connection | None = None
        self._added = 0
        """Rows that the running transaction adds."""
        self._failing = ""
        """Why the last transaction failed; empty if it did not."""
        self._absent: dict[int, int] = {}
        """Rows that fire, but did not in Prometheus' last answer → when that was."""
        self._returned: set[int] = set()
        """Rows that are closed, but still fire in Prometheus' last answer."""
        self.entries = 0
        self.notifications = {"firing": 0, "resolved": 0}
        """Alerts in the notifications that were kept, by status; repeats too."""
        self.failed = dict.fromkeys((failure.reason for failure in FAILURES), 0)
        """Notifications that were not kept, by reason."""

    # Life

    async def start(self) -> None:
        """Open or make the file. One that cannot be read is tried again when it is needed."""
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="alert-history")
        with contextlib.suppress(HistoryFull, HistoryUnavailable):  # it was logged
            await self._write(lambda _connection: None)

    def close(self) -> None:
        """End the writer and close the file; it blocks. What comes later is refused."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.submit(self._disconnect)
            executor.shutdown()

    # What may be asked of it

    async def record(self, alerts: Sequence[ToldAlert]) -> None:
        """Keep what one notification told, all of it or nothing; on disk when this returns.

        Raises HistoryFull, HistoryUnavailable or NotReady.
        """
        await self._write(lambda connection: self._record(connection, alerts))
        for alert in alerts:
            self.notifications[alert.status] += 1

    async def compare(self, firing: Sequence[FiringAlert], after_seconds: float) -> Compared:
        """Close what Prometheus does not have among *firing*, and reopen what it never stopped to have.

        Both need two answers in succession; what fires for less than *after_seconds* is left alone. Raises as
        ``record``.
        """
        return await self._write(
            lambda connection: self._compare(connection, FiringAlerts(firing), after_seconds)
        )

    async def delete(self, condition: Filter) -> int:
        """Delete what *condition* selects; how many that were. Raises as ``record``."""
        return await self._write(lambda connection: self._delete(connection, condition))

    async def page(self, query: PageQuery) -> Page:
        """What *query* selects, read beside the writer. Raises HistoryUnavailable or NotReady."""
        if self._executor is None:
            raise NotReady("the bridge is starting or stopping")
        try:
            return await asyncio.to_thread(read_page, self.file, query)
        except (apsw.Error, schema.NewerSchema) as error:
            raise HistoryUnavailable(f"the history of alerts cannot be read: {error}") from error

    # The writer's thread

    async def _write(self, work: Callable[[apsw.Connection], Result]) -> Result:
        if self._executor is None:
            raise NotReady("the bridge is starting or stopping")
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._transact, work)

    def _transact(self, work: Callable[[apsw.Connection], Result]) -> Result:
        try:
            connection = self._connected()
            self._added = 0
            with schema.transaction(connection):
                result = work(connection)
        except apsw.FullError as error:
            self._note_failure(error)
            raise HistoryFull("the disk has no room for the history of alerts") from error
        except (apsw.NotADBError, apsw.CorruptError) as error:
            self._set_aside(error)
            raise HistoryUnavailable("the history of alerts was unreadable; a new one is begun") from error
        except (apsw.Error, schema.NewerSchema, OSError) as error:
            self._note_failure(error)
            self._disconnect()
            raise HistoryUnavailable(f"the history of alerts cannot be written: {error}") from error
        self.entries += self._added
        if self._failing:
            logger.info("alert history works again file=%s", self.file)
            self._failing = ""
        return result

    def _connected(self) -> apsw.Connection:
        if self._connection is None:
            self.file.touch(mode=0o600)  # SQLite makes its other files like it
            connection = apsw.Connection(str(self.file))
            try:
                connection.set_busy_timeout(BUSY_MS)
                connection.pragma("journal_mode", "wal")
                connection.pragma("synchronous", "FULL")
                schema.prepare(connection)
                self.entries = _number(connection, "SELECT count(*) FROM alert")
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _note_failure(self, error: Exception) -> None:
        if str(error) != self._failing:
            self._failing = str(error)
            logger.error("alert history cannot be written file=%s error=%r", self.file, str(error))

    def _set_aside(self, error: Exception) -> None:
        """Move a file that cannot be read out of the way, so that nothing is deleted."""
        self._disconnect()
        aside = f"{FILE_NAME}.corrupt-{self._clock_ms()}"
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.file.with_name(FILE_NAME + suffix).rename(self.file.with_name(aside + suffix))
        self.entries = 0
        logger.error(
            "alert history corrupt error=%r set_aside=%s starting=empty",
            str(error),
            self.file.with_name(aside),
        )

    # Notifications

    def _record(self, connection: apsw.Connection, alerts: Iterable[ToldAlert]) -> None:
        now_ms = self._clock_ms()
        for alert in alerts:
            known = connection.execute(
                "SELECT id, closed_by FROM alert WHERE fingerprint = ? AND starts_ms = ?",
                (alert.fingerprint, alert.starts_ms),
            ).fetchone()
            if known is None:
                self._add(connection, alert, now_ms)
            else:
                self._repeat(connection, alert, now_ms, *cast(tuple[int, str], known))
        self._make_room(connection, now_ms)

    def _add(self, connection: apsw.Connection, alert: ToldAlert, now_ms: int) -> None:
        """A row for an alert that was not known. The same alert fires once at a time, so others of it have ended."""
        ends_ms, closed_by = alert.ends_ms, "" if alert.ends_ms is None else ALERTMANAGER
        if ends_ms is None:
            next_ms = connection.execute(
                "SELECT min(starts_ms) FROM alert WHERE fingerprint = ? AND starts_ms > ?",
                (alert.fingerprint, alert.starts_ms),
            ).get
            if next_ms is not None:
                ends_ms, closed_by = cast(int, next_ms), NEWER
        connection.execute(
            "UPDATE alert SET ends_ms = ?, closed_by = ? WHERE fingerprint = ? AND starts_ms < ? AND ends_ms IS NULL",
            (alert.starts_ms, NEWER, alert.fingerprint, alert.starts_ms),
        )
        connection.execute(
            "INSERT INTO alert (fingerprint, starts_ms, ends_ms, closed_by, alertname, labels, annotations, notified, "
            "last_notified_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)",
            (
                alert.fingerprint,
                alert.starts_ms,
                ends_ms,
                closed_by,
                alert.labels.get("alertname", ""),
                msgspec.json.encode(alert.labels).decode(),
                msgspec.json.encode(alert.annotations).decode(),
                now_ms,
            ),
        )
        self._added += 1

    @staticmethod
    def _repeat(
        connection: apsw.Connection, alert: ToldAlert, now_ms: int, row_id: int, closed_by: str
    ) -> None:
        connection.execute(
            "UPDATE alert SET notified = notified + 1, last_notified_ms = ? WHERE id = ?", (now_ms, row_id)
        )
        if alert.ends_ms is not None and closed_by != ALERTMANAGER:
            connection.execute(
                "UPDATE alert SET ends_ms = ?, closed_by = ? WHERE id = ?",
                (alert.ends_ms, ALERTMANAGER, row_id),
            )
        elif alert.ends_ms is None and closed_by == PROMETHEUS:
            _reopen(connection, row_id)

    def _make_room(self, connection: apsw.Connection, now_ms: int) -> None:
        """Delete what is too old, and the oldest over the number that is kept."""
        oldest_ms = now_ms - round(self._limits.max_age_seconds * 1000)
        connection.execute(
            "DELETE FROM alert WHERE starts_ms < ? AND coalesce(ends_ms, last_notified_ms) < ?",
            (oldest_ms, oldest_ms),
        )
        self._added -= connection.changes()
        surplus = self.entries + self._added - self._limits.max_entries
        if surplus > 0:
            connection.execute(
                "DELETE FROM alert WHERE id IN (SELECT id FROM alert ORDER BY starts_ms, id LIMIT ?)",
                (surplus,),
            )
            self._added -= connection.changes()

    def _delete(self, connection: apsw.Connection, condition: Filter) -> int:
        connection.execute(f"DELETE FROM alert WHERE {condition.sql}", condition.arguments)  # noqa: S608
        deleted = connection.changes()
        self._added -= deleted
        return deleted

    # Comparison with Prometheus

    def _compare(self, connection: apsw.Connection, firing: FiringAlerts, after_seconds: float) -> Compared:
        now_ms = self._clock_ms()
        started_by_ms = now_ms - round(after_seconds * 1000)
        absent: dict[int, int] = {}
        open_rows = connection.execute(
            "SELECT id, labels FROM alert WHERE ends_ms IS NULL AND starts_ms <= ?", (started_by_ms,)
        ).fetchall()
        for row_id, labels in cast(list[tuple[int, str]], open_rows):
            if firing.active_ms(_labels(labels)) is None:
                absent[row_id] = self._absent.get(row_id, now_ms)
        gone = absent.keys() & self._absent.keys()
        connection.executemany(
            "UPDATE alert SET ends_ms = max(starts_ms, ?), closed_by = ? WHERE id = ?",
            [(absent[row_id], PROMETHEUS, row_id) for row_id in gone],
        )
        returned = self._still_firing(connection, firing, now_ms - REOPENED_MS)
        back = returned & self._returned
        for row_id in back:
            _reopen(connection, row_id)
        self._make_room(connection, now_ms)
        self._absent = {row_id: since for row_id, since in absent.items() if row_id not in gone}
        self._returned = returned - back
        return Compared(len(gone), len(back))

    @staticmethod
    def _still_firing(connection: apsw.Connection, firing: FiringAlerts, ended_after_ms: int) -> set[int]:
        """Closed rows whose alert is active since before they began: it never ended."""
        found: set[int] = set()
        for alertname, oldest_ms in firing.oldest_ms.items():
            rows = connection.execute(
                "SELECT id, starts_ms, labels FROM alert WHERE alertname = ? AND starts_ms >= ? AND "
                "ends_ms > ? AND NOT EXISTS (SELECT 1 FROM alert AS later WHERE "
                "later.fingerprint = alert.fingerprint AND later.starts_ms > alert.starts_ms)",
                (alertname, oldest_ms, ended_after_ms),
            ).fetchall()
            for row_id, starts_ms, labels in cast(list[tuple[int, int, str]], rows):
                active_ms = firing.active_ms(_labels(labels))
                if active_ms is not None and active_ms <= starts_ms:
                    found.add(row_id)
        return found


def _reopen(connection: apsw.Connection, row_id: int) -> None:
    """Have a row fire again, unless its alert fired anew since."""
    connection.execute(
        "UPDATE alert SET ends_ms = NULL, closed_by = '' WHERE id = ? AND NOT EXISTS (SELECT 1 FROM alert AS later "
        "WHERE later.fingerprint = alert.fingerprint AND later.starts_ms > alert.starts_ms)",
        (row_id,),
    )


def _labels(text: str) -> dict[str, str]:
    return msgspec.json.decode(text, type=dict[str, str])


def _number(connection: apsw.Connection, query: str) -> int:
    return cast(int, connection.execute(query).get)
