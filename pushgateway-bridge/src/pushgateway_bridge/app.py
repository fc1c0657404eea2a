"""The one composition root: builds the parts, starts and stops them in order.

Start: configuration, journal, listen (everything that needs the state answers 503), replay, ready. Stop in the
reverse: stop listening, finish running pushes, write a checkpoint, close the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.metadata
import ipaddress
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx2
import uvicorn
from fastapi import FastAPI, Request, Response
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pushgateway_bridge.config import Config, Delivery, remotes_of, split_address
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import Dialect
from pushgateway_bridge.dialects.pixeltracker import html_page
from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.journal.frames import FrameLimits, RemoteLimits
from pushgateway_bridge.journal.journal import GroupCommit, Journal
from pushgateway_bridge.journal.receipts import Receipt, find_receipt
from pushgateway_bridge.journal.recent import RecentTable, read_recent
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.once import Once
from pushgateway_bridge.pipeline import Ingest
from pushgateway_bridge.remote_metrics import RemoteMetrics
from pushgateway_bridge.remote_write.messages import Setup
from pushgateway_bridge.remote_write.process import ShipperProcess
from pushgateway_bridge.selfmetrics import SelfMetrics
from pushgateway_bridge.state.store import DialectDefaults, Store
from pushgateway_bridge.web.compat.pixeltracker import pixeltracker_router
from pushgateway_bridge.web.health import health_router
from pushgateway_bridge.web.hot import hot_protocol, hot_routes, unsupported
from pushgateway_bridge.web.pages import pages_router
from pushgateway_bridge.web.paths import LenientPaths
from pushgateway_bridge.web.prometheus import TIMEOUT_SECONDS, prometheus_router
from pushgateway_bridge.web.protocol import BridgeProtocol
from pushgateway_bridge.web.push import push_router
from pushgateway_bridge.web.scrape import scrape_router
from pushgateway_bridge.web.server import Server

logger = logging.getLogger(__name__)

SWITCH_INTERVAL_SECONDS = 0.0005
"""How long a thread may hold the interpreter. With Python's 5 ms, pushes wait that long for a scrape's gzip."""
GARBAGE_THRESHOLDS = (20_000, 50, 100)
"""When the interpreter looks for cycles. Pushes make none, but keep dozens of objects each until their commit, so
the default of 700 would look through them at every group; and a look through all series takes tenths of a second."""
SHUTDOWN_SECONDS = 10
"""How long running requests may take to finish when the bridge stops."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class StateMetrics(Collector):
    """Sizes that are read when a scrape asks."""

    def __init__(self, journal: Journal, store: Store, ingest: Ingest) -> None:
        self._ingest = ingest
        self._journal = journal
        self._store = store
        self.replay_seconds = 0.0

    def collect(self) -> Iterator[Metric]:
        journal, store = self._journal, self._store
        yield GaugeMetricFamily("telemetry_series", "Series that are held and shown.", store.series_count)
        yield GaugeMetricFamily("telemetry_sources", "Jobs and instances that reported.", store.source_count)
        yield GaugeMetricFamily(
            "telemetry_journal_size_bytes",
            "The journal on disk, its write-ahead log included.",
            journal.size_bytes,
        )
        yield GaugeMetricFamily(
            "telemetry_journal_queued", "Pushes that wait for the next group commit.", journal.queued
        )
        yield GaugeMetricFamily(
            "telemetry_journal_frames_bytes", "All records that are kept.", journal.frames.kept_bytes
        )
        yield GaugeMetricFamily(
            "telemetry_journal_uncheckpointed_bytes",
            "Records that a restart would replay.",
            journal.frames.behind_floor_bytes,
        )
        yield CounterMetricFamily(
            "telemetry_journal_failed_groups",
            "Group commits that failed; their pushers were told to send again.",
            journal.failed_groups,
        )
        yield CounterMetricFamily(
            "telemetry_journal_unreadable_frames",
            "Groups of records and rows of the checkpoint that could not be read at the start; they are lost.",
            journal.unreadable_frames + self._ingest.unreadable_rows,
        )
        yield CounterMetricFamily(
            "telemetry_journal_files_set_aside",
            "Journal files that could not be opened at the start and were renamed; the bridge began empty.",
            journal.files_set_aside,
        )
        yield GaugeMetricFamily(
            "telemetry_checkpoint_timestamp_seconds",
            "Unix time at which the state was last checkpointed, or the bridge was ready.",
            self._ingest.checkpointed_ms / 1000,
        )
        yield CounterMetricFamily(
            "telemetry_checkpoints_failed",
            "Checkpoints that could not be written; they are tried again.",
            self._ingest.failed_checkpoints,
        )
        yield GaugeMetricFamily(
            "telemetry_journal_replay_seconds",
            "Time the replay of the journal took when the bridge started.",
            self.replay_seconds,
        )


class Bridge:
    """The parts of one bridge, and their life."""

    def __init__(self, config: Config, dialects: Mapping[str, Dialect] = DIALECTS) -> None:
        self._config = config
        self._dialects = dialects
        self._clock = SystemClock()
        self._tasks: list[asyncio.Task[None]] = []
        self.version = importlib.metadata.version("pushgateway-bridge")
        self.failure: Exception | None = None
        """Why the bridge stops by itself, if it does."""
        self.remotes = remotes_of(config)
        self.metrics = SelfMetrics(self.version, dialects, config.delivery)
        defaults = {
            name: DialectDefaults(dialect.series_class, dialect.default_interval_seconds)
            for name, dialect in dialects.items()
        }
        self.store = Store(defaults, self._clock.monotonic)
        self.journal = Journal(
            Path(config.journal.directory),
            clock_ms=self._clock.now_ms,
            recent=RecentTable(config.journal.recent_entries, config.journal.recent_age_seconds),
            limits=FrameLimits(
                config.journal.max_bytes,
                config.journal.max_age_seconds,
                {
                    remote.name: RemoteLimits(remote.max_pending_bytes, remote.max_pending_age_seconds)
                    for remote in self.remotes
                },
            ),
            on_commit=self._count_commit,
            on_discard=self.store.discard_reserved,
            on_fatal=self._fail,
        )
        self.ingest = Ingest(self.journal, self.store, self.metrics, self._clock)
        self.once = Once(self.ingest, self.find_receipt, lambda: self.journal.secret)
        self._state_metrics = StateMetrics(self.journal, self.store, self.ingest)
        self.metrics.add(self._state_metrics)
        names = [remote.name for remote in self.remotes]
        self.shipper = ShipperProcess(names, self._shipper_setup, self.ingest.move_cursor) if names else None
        if self.shipper is not None:
            self.metrics.add(RemoteMetrics(self.journal.frames, self.shipper, names, self._clock.now_ms))
        self.server: Server | None = None

    def _shipper_setup(self) -> Setup:
        """What the process that ships must know when it starts."""
        config = self._config
        return Setup(
            str(self.journal.file.absolute()),
            config.log.level,
            self.version,
            self.remotes,
            self.journal.frames.cursors,
            config.remote_write.external_labels,
        )

    def _count_commit(self, commit: GroupCommit) -> None:
        metrics = self.metrics
        metrics.records.inc(commit.records)
        metrics.group_records.observe(commit.records)
        metrics.queue_wait.observe(commit.waited_seconds)
        metrics.commit_duration.observe(commit.seconds)
        metrics.fsync_duration.observe(commit.fsync_seconds)
        if self.shipper is not None:
            self.shipper.wake(self.journal.frames.cursors)

    def _fail(self, error: Exception) -> None:
        """End the process: the journal cannot be trusted any more."""
        logger.error("stopping error=%r", str(error))
        self.failure = error
        self.ingest.ready = False
        if self.server is not None:
            self.server.should_exit = True

    # Life

    async def start(self) -> None:
        """Replay the journal, then take pushes."""
        began = time.perf_counter()
        records, samples = await asyncio.to_thread(self.ingest.replay)
        self._state_metrics.replay_seconds = time.perf_counter() - began
        gc.freeze()  # what was replayed lives long
        self.journal.start(asyncio.get_running_loop())
        self.ingest.checkpointed_ms = self._clock.now_ms()
        await self.ingest.set_remotes([remote.name for remote in self.remotes])
        self.ingest.ready = True
        logger.info(
            "ready records=%d samples=%d sources=%d seconds=%.3f",
            records,
            samples,
            self.store.source_count,
            self._state_metrics.replay_seconds,
        )
        if self.remotes:
            logger.info("remote write remotes=%s", ",".join(remote.name for remote in self.remotes))

    async def run_tasks(self) -> None:
        """Start, then expire and checkpoint until cancelled."""
        try:
            await self.start()
            async with asyncio.TaskGroup() as tasks:
                if self.server is not None:
                    tasks.create_task(self.server.renew_date_until_cancelled())
                if self.shipper is not None:
                    tasks.create_task(self.shipper.run_until_cancelled())
                tasks.create_task(self.ingest.expire_until_cancelled())
                journal = self._config.journal
                tasks.create_task(
                    self.ingest.checkpoint_until_cancelled(
                        journal.checkpoint_interval_seconds, journal.max_bytes // 4
                    )
                )
        except Exception as error:  # the top of a task: whatever it is, the process must not go on without it
            logger.exception("stopping")
            self._fail(error)

    async def stop(self) -> None:
        """Finish what was accepted and write a checkpoint, so that the next start is quick."""
        if self.ingest.ready:
            self.ingest.ready = False
            await self.ingest.drain()
            await self.ingest.checkpoint()

    # Web

    def web_app(self) -> ASGIApp:
        """The HTTP application, its life included."""
        config, clock = self._config, self._clock
        client = httpx2.AsyncClient(base_url=config.prometheus.url.rstrip("/"), timeout=TIMEOUT_SECONDS)

        @contextlib.asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            task = asyncio.create_task(self.run_tasks())
            async with client:
                yield
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                await self.stop()

        app = FastAPI(
            title="Push bridge",
            version=self.version,
            docs_url=None,
            redoc_url=None,
            openapi_url="/api/v1/openapi.json",
            lifespan=lifespan,
        )
        for dialect in self._dialects.values():
            app.include_router(push_router(dialect, self.ingest, self.once, self.metrics, clock.now_ms))
        pixeltracker = self._dialects["pixeltracker"]
        app.include_router(pixeltracker_router(pixeltracker, self.recent_entries))
        app.include_router(scrape_router(self.store, self.metrics.registry, UNDELIVERED[config.delivery]))
        app.include_router(health_router(lambda: self.ingest.ready, clock.now_ms))
        app.include_router(prometheus_router(client))
        app.include_router(
            pages_router(
                self.version,
                f"http://{config.web.listen_address}",
                Path(config.viewer.dashboards_directory),
                config.grafana.url,
            )
        )
        app.add_exception_handler(404, not_found)
        return LenientPaths(ReadyGate(app, self.ingest), (*pixeltracker.paths, "/pt/health"))

    def http_protocol(self) -> type[asyncio.Protocol]:
        """What speaks HTTP: the hot routes where the installed uvicorn can carry them."""
        reason = unsupported() if self._config.web.hot_routes else "web.hot_routes is false"
        if reason is not None:
            logger.info("hot routes off reason=%r", reason)
            return BridgeProtocol
        routes = hot_routes(self._dialects, self.metrics.dialects)
        return hot_protocol(routes, self.ingest, self._clock.now_ms)

    def find_receipt(self, key: bytes) -> Receipt | None:
        """The reply to an earlier push with this key; reads the journal's file, so it blocks."""
        return find_receipt(self.journal.file, key, self._clock.now_ms())

    def recent_entries(self, dialect: str) -> list[bytes]:
        """The newest entries of *dialect*; reads the journal's file, so it blocks."""
        journal = self._config.journal
        oldest_ms = self._clock.now_ms() - round(journal.recent_age_seconds * 1000)
        return read_recent(self.journal.file, dialect, journal.recent_entries, oldest_ms)


UNDELIVERED: Final[Mapping[Delivery, Sequence[SeriesClass]]] = {
    "scrape": tuple(SeriesClass),
    "remote_write": (SeriesClass.AGGREGATE, SeriesClass.HELD),
}
"""What Prometheus must scrape, as nothing else brings it there."""


class ReadyGate:
    """Answers 503 to scrapes and reads until the state is whole: half of it would look like a counter reset.

    Pushes are refused by the pipeline, in their dialect's own form; pages need no state.
    """

    PATHS = ("/metrics", "/api/telemetry", "/pt/api/telemetry")

    def __init__(self, app: ASGIApp, ingest: Ingest) -> None:
        self._app = app
        self._ingest = ingest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and not self._ingest.ready
            and scope["method"] in ("GET", "HEAD")
            and scope["path"] in self.PATHS
        ):
            response = Response("The bridge is starting or stopping.\n", 503, {"Retry-After": "1"})
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def not_found(request: Request, error: Exception) -> Response:
    """404 in the form of the system whose prefix the path has."""
    path = request.scope["path"]
    if path.startswith("/pt/"):
        page = html_page("Error", f"Cannot {request.method} {path}")
        return Response(page, 404, media_type="text/html")
    detail = error.detail if isinstance(error, HTTPException) else "Not Found"
    return JSONResponse({"detail": detail}, 404)


def serve(config: Config, dialects: Mapping[str, Dialect] = DIALECTS) -> int:
    """Run a bridge until a signal or a failing disk ends it; return the exit code. Raises StartFailed."""
    host, port = split_address(config.web.listen_address)
    refuse_open_by_accident(config, host)
    listener = bind(host, port, config.web.listen_address)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    bridge = Bridge(config, dialects)
    with contextlib.closing(listener):
        bridge.journal.open()
        try:
            bridge.server = Server(
                uvicorn.Config(
                    bridge.web_app(),
                    loop="uvloop",
                    http=bridge.http_protocol(),
                    ws="none",
                    lifespan="on",
                    access_log=False,
                    log_config=None,
                    server_header=False,
                    proxy_headers=False,
                    timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                )
            )
            logger.info(
                "listening address=%s journal=%s", config.web.listen_address, config.journal.directory
            )
            bridge.server.run(sockets=[listener])
        finally:
            bridge.journal.close()
    return 1 if bridge.failure is not None else 0


def bind(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket. Raises StartFailed naming web.listen_address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
            undo.pop_all()
    except OSError as error:
        raise StartFailed(f"web.listen_address {setting}: {error.strerror}") from error
    except UnicodeError as error:
        raise StartFailed(f"web.listen_address {setting}: {host!r} is no host name") from error
    return listener


def refuse_open_by_accident(config: Config, host: str) -> None:
    """Raises StartFailed if everybody could push from elsewhere and nobody said so."""
    if config.access.open_protocols == "allow" or is_loopback(host):
        return
    raise StartFailed(
        f"web.listen_address {config.web.listen_address} is reachable from other machines, and pixeltracker needs "
        "no token: listen on 127.0.0.1, or set access.open_protocols to allow"
    )


def is_loopback(host: str) -> bool:
    """Whether *host* is only reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
