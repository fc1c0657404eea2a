"""A bridge without HTTP: the real journal, state and pipeline on a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from prometheus_client import CollectorRegistry

from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import Dialect, PushContext
from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.journal.frames import FrameLimits
from pushgateway_bridge.journal.journal import Journal
from pushgateway_bridge.journal.recent import RecentTable
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.own_families import OWN_FAMILIES
from pushgateway_bridge.pipeline import Ingest
from pushgateway_bridge.selfmetrics import SelfMetrics
from pushgateway_bridge.state.store import DialectDefaults, Store
from pushgateway_bridge.tallies import TALLIES
from pushgateway_bridge.web.scrape import render
from tests.bridge.events import EVENTS
from tests.bridge.visits import VISIT_DIALECT, VisitTally

T = TypeVar("T")
PIXELTRACKER = DIALECTS["pixeltracker"]
ALL_DIALECTS = {**DIALECTS, EVENTS.name: EVENTS, VISIT_DIALECT.name: VISIT_DIALECT}
ALL_TALLIES = {**TALLIES, VISIT_DIALECT.name: VisitTally}
ITEM_REASONS = {name: dialect.item_reasons for name, dialect in ALL_DIALECTS.items() if dialect.item_reasons}
DEFAULTS = {
    name: DialectDefaults(dialect.series_class, dialect.default_interval_seconds)
    for name, dialect in ALL_DIALECTS.items()
}


class FakeClock:
    """Both clocks stand still until the test moves them."""

    def __init__(self, unix_ms: int = 1_770_000_000_000) -> None:
        self.unix_ms = unix_ms
        self.seconds = 1000.0

    def now_ms(self) -> int:
        return self.unix_ms

    def monotonic(self) -> float:
        return self.seconds

    def pass_seconds(self, seconds: float) -> None:
        self.unix_ms += round(seconds * 1000)
        self.seconds += seconds


class Harness:
    """``push``, ``expire``, ``checkpoint`` and ``series`` on one journal folder; ``crash`` starts anew from it."""

    def __init__(self, directory: Path, clock: FakeClock | None = None, recent_entries: int = 1000) -> None:
        self.directory = directory
        self.clock = clock or FakeClock()
        self.loop = asyncio.new_event_loop()
        self.recent_entries = recent_entries
        self.limits = FrameLimits(10**9, 86400.0)
        self.fatal: list[Exception] = []
        self._open()

    def _open(self) -> None:
        self.store = Store(DEFAULTS, self.clock.monotonic, own_families=OWN_FAMILIES)
        self.journal = Journal(
            self.directory,
            clock_ms=self.clock.now_ms,
            recent=RecentTable(self.recent_entries, 86400.0),
            limits=self.limits,
            on_discard=self._discard,
            on_fatal=self.fatal.append,
        )
        self.metrics = SelfMetrics("test", ALL_DIALECTS, item_reasons=ITEM_REASONS)
        self.tallies = {name: make(lambda: self.journal.secret) for name, make in ALL_TALLIES.items()}
        self.ingest = Ingest(self.journal, self.store, self.metrics, self.clock, self.tallies)
        self.journal.open()
        self.replayed = self.ingest.replay()
        self.journal.start(self.loop)
        self.ingest.ready = True

    def _discard(self) -> None:
        self.ingest.discard()  # the journal is made before it

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, 60))

    def push(self, document: object, dialect: Dialect = PIXELTRACKER) -> None:
        """Push and wait for the reply. Raises PushRejected."""
        self.run(self._push(document, dialect))

    def push_many(self, documents: Iterable[object], dialect: Dialect = PIXELTRACKER) -> None:
        """Push all at once and wait for the replies. Raises PushRejected."""

        async def all_of_them() -> None:
            await asyncio.gather(*(self._push(document, dialect) for document in documents))

        self.run(all_of_them())

    async def _push(self, document: object, dialect: Dialect) -> None:
        context = PushContext(self.clock.now_ms(), "application/json")
        await self.ingest.push(dialect, msgspec.json.encode(document), context)

    def begin(self, document: object, dialect: Dialect = PIXELTRACKER) -> asyncio.Future[PushRejected | None]:
        """Queue a push without letting the event loop run."""
        outcome: asyncio.Future[PushRejected | None] = self.loop.create_future()
        context = PushContext(self.clock.now_ms(), "application/json")
        self.ingest.begin(dialect, msgspec.json.encode(document), context, outcome.set_result)
        return outcome

    def delete(self, instance: str) -> int:
        """Delete the groups of *instance*."""
        return self.run(self.ingest.delete(lambda group: dict(group)["instance"] == instance))

    def expire(self) -> None:
        self.ingest.expire()
        self.drain()

    def drain(self) -> None:
        self.run(self.ingest.drain())

    def checkpoint(self) -> None:
        self.run(self.ingest.checkpoint())

    def exposition(self, *, openmetrics: bool = False) -> str:
        """Everything pushed, as a scrape shows it."""
        parts = self.run(render(self.store, CollectorRegistry(), tuple(SeriesClass), openmetrics=openmetrics))
        return b"".join(parts).decode()

    def series(self) -> dict[str, float]:
        """The same: ``name{labels}`` → value."""
        lines = self.exposition().splitlines()
        rows = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
        names = [name for name, _ in rows]
        assert len(names) == len(set(names)), "a series is exposed twice"
        return {name: float(value) for name, value in rows}

    def crash(self) -> None:
        """Go on as after kill -9: what was committed is on disk, memory is gone."""
        self.journal.close()
        self.loop.close()
        self.loop = asyncio.new_event_loop()
        self._open()

    def close(self) -> None:
        self.journal.close()
        self.loop.close()
