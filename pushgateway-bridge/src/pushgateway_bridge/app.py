"""The one composition root: builds the parts, starts and stops them in order.

Start: configuration, journal, listen (everything that needs the state answers 503), replay, ready. Stop in the
reverse: stop listening, finish running pushes, write a checkpoint, close the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.metadata
import logging
import os
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import httpx2
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from pushgateway_bridge.access.control import control_socket
from pushgateway_bridge.access.sessions import Sessions
from pushgateway_bridge.access.tokens import LAST_USED_SECONDS, FolderInUse, Tokens
from pushgateway_bridge.alerts.history import AlertHistory, HistoryLimits
from pushgateway_bridge.alerts.reconcile import Reconciler
from pushgateway_bridge.application import Parts, build_application
from pushgateway_bridge.config import (
    Config,
    access_directory,
    remotes_of,
    split_address,
    stats_secret,
)
from pushgateway_bridge.config_rules import (
    RELOADED,
    access_rules,
    check_access,
    differing,
    enabled_dialects,
    series_limits,
)
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import Dialect, PushLimits
from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.journal.frames import FrameLimits, RemoteLimits
from pushgateway_bridge.journal.journal import GroupCommit, Journal
from pushgateway_bridge.journal.receipts import Receipt, find_receipt
from pushgateway_bridge.journal.recent import RecentTable, read_recent
from pushgateway_bridge.mappings.compiled import Mappings
from pushgateway_bridge.mappings.load import load_mappings
from pushgateway_bridge.mappings.pushes import MappedPushes
from pushgateway_bridge.mappings.tally import MappedTally
from pushgateway_bridge.once import Once
from pushgateway_bridge.own_families import OWN_FAMILIES
from pushgateway_bridge.pipeline import Ingest
from pushgateway_bridge.plugins import plugins_of
from pushgateway_bridge.remote_metrics import RemoteMetrics
from pushgateway_bridge.remote_write.messages import Setup
from pushgateway_bridge.remote_write.process import ShipperProcess
from pushgateway_bridge.reports.mailing import mail_of
from pushgateway_bridge.reports.prometheus import asking
from pushgateway_bridge.reports.schedule import ReportCounts, WeeklyReport
from pushgateway_bridge.selfmetrics import SelfMetrics
from pushgateway_bridge.state.store import DialectDefaults, Store
from pushgateway_bridge.state_metrics import AccessMetrics, AlertMetrics, ReportMetrics, StateMetrics
from pushgateway_bridge.tallies import TALLIES
from pushgateway_bridge.tallies.tally import Tally
from pushgateway_bridge.web.door import Door
from pushgateway_bridge.web.geo import Countries
from pushgateway_bridge.web.guard import Guard
from pushgateway_bridge.web.hot import hot_protocol, hot_routes, unsupported
from pushgateway_bridge.web.paths import AnswerHeaders
from pushgateway_bridge.web.prometheus import TIMEOUT_SECONDS
from pushgateway_bridge.web.protocol import BridgeProtocol, ConnectionLimits
from pushgateway_bridge.web.push import PushGate, PushSizes
from pushgateway_bridge.web.rate import ClientAddresses, RateLimiter, parse_networks, rates_of
from pushgateway_bridge.web.reload import Reloaded
from pushgateway_bridge.web.server import Listener, Server
from telemetry_web_config.access import WebAccess
from telemetry_web_config.errors import WebConfigError

logger = logging.getLogger(__name__)

SWITCH_INTERVAL_SECONDS = 0.0005
"""How long a thread may hold the interpreter. With Python's 5 ms, pushes wait that long for a scrape's gzip."""
SPARE_FILES = 100
"""Files that are open besides connections."""
GARBAGE_THRESHOLDS = (20_000, 50, 100)
"""When the interpreter looks for cycles. Pushes make none, but keep dozens of objects each until their commit, so
the default of 700 would look through them at every group; and a look through all series takes tenths of a second."""
FOLDER_SECONDS = 2.0
"""How long a command may have the folder of the tokens while the bridge starts."""
SHUTDOWN_SECONDS = 10
"""How long running requests may take to finish when the bridge stops."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class Bridge:
    """The parts of one bridge, and their life."""

    _weekly: WeeklyReport | None = None
    """Set by web_app, if mail is configured."""

    def __init__(
        self,
        config: Config,
        dialects: Mapping[str, Dialect] = DIALECTS,
        read_config: Callable[[], Config] | None = None,
        web_access: WebAccess | None = None,
    ) -> None:
        """*read_config* reads the configuration again; it raises StartFailed. *web_access* is web.config_file's."""
        self._web_access = web_access
        self._config = config
        """As it was at the start."""
        self._reloaded = config
        """As it was when it was read last."""
        self._read_config = read_config or (lambda: config)
        self._known_dialects = dialects
        self._dialects = dialects = enabled_dialects(config, dialects)
        self.mapped = MappedPushes(mappings_of(config), lambda: self.journal.secret)
        if "mapped" in dialects:
            dialects["mapped"] = self.mapped.dialect
        self._clock = SystemClock()
        self._tasks: list[asyncio.Task[None]] = []
        self.version = importlib.metadata.version("pushgateway-bridge")
        self.failure: Exception | None = None
        """Why the bridge stops by itself, if it does."""
        self.remotes = remotes_of(config)
        self.metrics = SelfMetrics(
            self.version,
            dialects,
            config.delivery,
            {name: dialect.item_reasons for name, dialect in dialects.items() if dialect.item_reasons},
            [name for name, dialect in dialects.items() if dialect.repairs],
        )
        for dialect in dialects.values():
            for kind in dialect.own_rejections:
                self.metrics.dialects[dialect.name].rejected[kind.reason] = 0
        defaults = {
            name: DialectDefaults(dialect.series_class, dialect.default_interval_seconds)
            for name, dialect in dialects.items()
        }
        self.store = Store(defaults, self._clock.monotonic, series_limits(config), OWN_FAMILIES)
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
            on_discard=self._discard,
            on_fatal=self._fail,
        )
        self.tallies: dict[str, Tally] = {
            name: make(lambda: self.journal.secret) for name, make in TALLIES.items() if name in dialects
        }
        self._mapped_tally = self.tallies["mapped"] = MappedTally(self.mapped.mappings)
        self.ingest = Ingest(self.journal, self.store, self.metrics, self._clock, self.tallies)
        self.once = Once(self.ingest, self.find_receipt, lambda: self.journal.secret)
        self._state_metrics = StateMetrics(
            self.journal, self.store, self.ingest, [name for name in TALLIES if name in dialects]
        )
        self.metrics.add(self._state_metrics)
        self.tokens = Tokens(access_directory(config), self._clock.now_ms)
        self._access_metrics = AccessMetrics(self.tokens, self._clock.now_ms, web_access)
        self.metrics.add(self._access_metrics)
        alerts = config.alerts
        self.history = AlertHistory(
            Path(config.journal.directory),
            self._clock.now_ms,
            HistoryLimits(alerts.history_max_entries, alerts.history_max_age_days * 86_400),
        )
        self.metrics.add(AlertMetrics(self.history))
        self._reconciler: Reconciler | None = None
        self._report_counts = ReportCounts()
        self.metrics.add(ReportMetrics(self._report_counts))
        sessions = Sessions(
            self.tokens, lambda: self.journal.secret, self._clock.now_ms, config.access.session_seconds
        )
        self.guard = Guard(self.tokens, sessions, access_rules(config), web_access)
        addresses = ClientAddresses(())
        countries = Countries(addresses, config.geo.database)
        self.gate = PushGate(self.guard, addresses, {}, {}, PushSizes(), countries)
        self._stats_secret = stats_secret(config, os.environ)
        self._apply(config)
        names = [remote.name for remote in self.remotes]
        self.shipper = ShipperProcess(names, self._shipper_setup, self.ingest.move_cursor) if names else None
        if self.shipper is not None:
            self.metrics.add(RemoteMetrics(self.journal.frames, self.shipper, names, self._clock.now_ms))
        self.server: Server | None = None

    def _discard(self) -> None:
        self.ingest.discard()  # the journal is made before it

    def _apply(self, config: Config) -> None:
        """Make the settings take effect that a running bridge can change."""
        self._reloaded = config
        self.guard.rules = access_rules(config, self._config)
        self.store.new_series.limits = series_limits(config)
        self.ingest.pacer.per_second = config.limits.paced_pushes_per_second
        self.gate.addresses.trust(parse_networks(config.access.trusted_proxies, "access.trusted_proxies"))
        usual = {name: dialect.default_rate for name, dialect in self._dialects.items()}
        rates = rates_of(config.limits.rates, usual)
        limiters = self.gate.limiters
        for dialect in limiters.keys() - rates.keys():
            del limiters[dialect]
        for dialect, rate in rates.items():
            if dialect not in limiters or limiters[dialect].rate != rate:
                limiters[dialect] = RateLimiter(rate, self._clock.monotonic)
        self.gate.body_bytes.update(
            {
                name: config.limits.body_bytes.get(name, dialect.max_body_bytes)
                for name, dialect in self._dialects.items()
            }
        )
        self.gate.sizes.inflated_bytes = config.limits.inflated_bytes
        self.gate.sizes.limits = PushLimits(config.limits.max_items, config.limits.max_nesting)
        BridgeProtocol.limits = ConnectionLimits(
            config.web.max_connections,
            self._config.web.idle_timeout_seconds,
            config.web.header_timeout_seconds,
            config.web.body_timeout_seconds,
        )
        logging.getLogger().setLevel(config.log.level.upper())

    async def reload(self) -> Reloaded:
        """Read the configuration and the tokens again. Raises StartFailed, and then nothing changed."""
        self._access_metrics.reloaded = False
        try:
            config = self._read_config()
            check_access(config, self._known_dialects)
            mappings = await asyncio.to_thread(mappings_of, config)
            await asyncio.to_thread(self.tokens.load)
            if self._web_access is not None:
                await take_over(self._web_access)
        except StartFailed as error:
            logger.error("reload refused, what ran goes on error=%r", str(error))
            raise
        changed = [name for name in differing(self._reloaded, config) if name in RELOADED]
        kept = [name for name in differing(self._config, config) if name not in RELOADED]
        self._apply(config)
        self.mapped.use(mappings)
        self._mapped_tally.use(mappings, self._clock.now_ms())
        self._access_metrics.reloaded, self._access_metrics.loaded_ms = True, self._clock.now_ms()
        logger.info(
            "reloaded changed=%s needs_restart=%s tokens=%d mappings=%d",
            ",".join(changed) or "nothing",
            ",".join(kept) or "nothing",
            len(self.tokens),
            len(mappings.by_name),
        )
        return Reloaded(changed=changed, needs_restart=kept)

    async def _reload_on_signal_until_cancelled(self, server: Server) -> None:
        while True:
            await server.reload_wanted()
            with contextlib.suppress(StartFailed):  # it was logged
                await self.reload()

    async def _save_last_used_until_cancelled(self) -> None:
        """Bring the times of last use to the disk now and then."""
        while True:
            await asyncio.sleep(LAST_USED_SECONDS)
            await asyncio.to_thread(self._save_last_used)

    def _save_last_used(self) -> None:
        try:
            self.tokens.save_last_used()
        except OSError as error:
            logger.warning("times of last use not written file=%s error=%r", self.tokens.file, error.strerror)

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
        await self.history.start()
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
                    tasks.create_task(self._reload_on_signal_until_cancelled(self.server))
                    tasks.create_task(self.server.renew_date_until_cancelled())
                    tasks.create_task(self.server.sweep_until_cancelled())
                    tasks.create_task(self._save_last_used_until_cancelled())
                    if self._web_access is not None:
                        tasks.create_task(self._web_access.watch())
                if self.shipper is not None:
                    tasks.create_task(self.shipper.run_until_cancelled())
                tasks.create_task(self.ingest.expire_until_cancelled())
                tasks.create_task(self.ingest.count_time_until_cancelled())
                if self._reconciler is not None:
                    tasks.create_task(self._reconciler.run_until_cancelled())
                if self._weekly is not None:
                    tasks.create_task(self._weekly.run_until_cancelled())
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
            self.ingest.pacer.answer_all()
            await self.ingest.checkpoint()
            self._save_last_used()
        await asyncio.to_thread(self.history.close)

    # Web

    def web_app(self) -> ASGIApp:
        """The HTTP application, its life included."""
        config, clock = self._config, self._clock
        client = httpx2.AsyncClient(base_url=config.prometheus.url.rstrip("/"), timeout=TIMEOUT_SECONDS)

        alerts = config.alerts
        if alerts.reconcile_interval_seconds:
            self._reconciler = Reconciler(
                self.history, client, alerts.reconcile_interval_seconds, alerts.reconcile_after_seconds
            )

        mail = mail_of(config)
        if mail is not None:
            self._weekly = WeeklyReport(
                Path(config.journal.directory),
                asking(client),
                mail,
                config.reports.weekly_hour,
                self._report_counts,
            )

        @contextlib.asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            task = asyncio.create_task(self.run_tasks())
            async with client:
                yield
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                await self.stop()

        parts = Parts(
            config,
            self.version,
            self._dialects,
            self.tallies,
            self.ingest,
            self.once,
            self.metrics,
            self.gate,
            clock.now_ms,
            self.recent_entries,
            self.mapped,
            self._stats_secret,
            client,
            self.history,
            self.reload,
        )
        app = build_application(parts, lifespan)
        return app if self._web_access is None else AnswerHeaders(app)

    def http_protocol(self) -> type[asyncio.Protocol]:
        """What speaks HTTP: the hot routes where the installed uvicorn can carry them."""
        reason = unsupported() if self._config.web.hot_routes else "web.hot_routes is false"
        if reason is not None:
            logger.info("hot routes off reason=%r", reason)
            return BridgeProtocol
        routes = hot_routes(self._dialects, self.metrics.dialects)
        return hot_protocol(routes, self.ingest, self._clock.now_ms, self.gate)

    def find_receipt(self, key: bytes) -> Receipt | None:
        """The reply to an earlier push with this key; reads the journal's file, so it blocks."""
        return find_receipt(self.journal.file, key, self._clock.now_ms())

    def recent_entries(self, dialect: str) -> list[bytes]:
        """The newest entries of *dialect*; reads the journal's file, so it blocks."""
        journal = self._config.journal
        oldest_ms = self._clock.now_ms() - round(journal.recent_age_seconds * 1000)
        return read_recent(self.journal.file, dialect, journal.recent_entries, oldest_ms)


def serve(
    config: Config,
    dialects: Mapping[str, Dialect] = DIALECTS,
    read_config: Callable[[], Config] | None = None,
) -> int:
    """Run a bridge until a signal or a failing disk ends it; return the exit code. Raises StartFailed.

    *read_config* is asked at a reload.
    """
    check_access(config, dialects)
    raise_file_limit(config.web.max_connections)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    with contextlib.ExitStack() as opened:
        listeners = [
            Listener(opened.enter_context(bind(address, setting)), door)
            for setting, address, door in addresses_of(config)
        ]
        web_access = open_web_access(config.web.config_file)
        if web_access is not None:
            opened.callback(web_access.close)
        for plugin in plugins_of(dialects):
            state = "disabled" if plugin.left_out else "loaded"
            logger.info("plugin dialect=%s state=%s origin=%r", plugin.name, state, plugin.origin)
        bridge = Bridge(config, dialects, read_config, web_access)
        bridge.journal.open()
        opened.callback(bridge.journal.close)
        opened.enter_context(locked_tokens(bridge.tokens))
        bridge.tokens.load()
        listeners.append(Listener(opened.enter_context(control_socket(bridge.tokens.directory)), Door.OWNER))
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
                timeout_keep_alive=max(round(config.web.idle_timeout_seconds), 1),
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            ),
            listeners,
            web_access,
        )
        logger.info(
            "listening scheme=%s address=%s private_address=%s journal=%s",
            "https" if web_access is not None and web_access.tls else "http",
            config.web.listen_address,
            config.web.private_listen_address or "none",
            config.journal.directory,
        )
        bridge.server.run()
    gc.unfreeze()  # what is left is freed at the end; the library of sketches complains of what is not
    return 1 if bridge.failure is not None else 0


def mappings_of(config: Config) -> Mappings:
    """The mappings in mappings.directory. Raises StartFailed, which has the first thing that is wrong."""
    directory = config.mappings.directory
    return load_mappings(Path(directory)) if directory else Mappings({}, ())


def open_web_access(file: str) -> WebAccess | None:
    """What web.config_file says, if it is set. Raises StartFailed."""
    if not file:
        return None
    try:
        return WebAccess(Path(file))
    except WebConfigError as error:
        raise StartFailed(f"web.config_file: {error}") from error


async def take_over(web_access: WebAccess) -> None:
    """Have what changed in web.config_file take effect. Raises StartFailed."""
    try:
        await web_access.take_over()
    except WebConfigError as error:
        raise StartFailed(f"web.config_file: {error}") from error


@contextlib.contextmanager
def locked_tokens(tokens: Tokens) -> Iterator[None]:
    """The folder of the tokens; a command may have it for a moment. Raises StartFailed."""
    until = time.monotonic() + FOLDER_SECONDS
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(tokens.locked())
                break
            except FolderInUse as error:
                if time.monotonic() > until:
                    raise StartFailed(str(error)) from error
                time.sleep(0.05)
        yield


def addresses_of(config: Config) -> Iterator[tuple[str, str, Door]]:
    """Setting, address and door of each TCP listener."""
    yield "web.listen_address", config.web.listen_address, Door.PUBLIC
    if config.web.private_listen_address:
        yield "web.private_listen_address", config.web.private_listen_address, Door.PRIVATE


def raise_file_limit(connections: int) -> None:
    """Let the process have as many files open as it may have connections, as far as the system lets it."""
    wanted = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted and soft < wanted:
        logger.warning(
            "fewer files than web.max_connections=%d needs may be open limit=%d hint='raise ulimit -n'",
            connections,
            max(soft, allowed),
        )


def bind(address: str, setting: str) -> socket.socket:
    """A listening socket. Raises StartFailed naming *setting*."""
    host, port = split_address(address, setting)
    try:
        family, kind, protocol, _, resolved = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(resolved)
            listener.listen(2048)
            undo.pop_all()
    except OSError as error:
        raise StartFailed(f"{setting} {address}: {error.strerror}") from error
    except UnicodeError as error:
        raise StartFailed(f"{setting} {address}: {host!r} is no host name") from error
    return listener
