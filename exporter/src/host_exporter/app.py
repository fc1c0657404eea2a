"""Builds the parts, binds the addresses and serves until told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from host_exporter.collector import Collector
from host_exporter.config import Config, ListenAddress
from host_exporter.paths import HostPaths
from host_exporter.patience import PatientScraper
from host_exporter.scrape import Scraper
from host_exporter.selfmetrics import OwnProcess
from host_exporter.system.source import SystemSource
from host_exporter.web import Web
from telemetry_web_config.errors import WebConfigError

if TYPE_CHECKING:
    from host_exporter.system.document import SystemDocument
    from telemetry_web_config.access import WebAccess

log = logging.getLogger(__name__)

VERSION = version("host-exporter")

KEEP_ALIVE_SECONDS = 120
"""Above any scrape interval, so that Prometheus never meets a connection that is just being closed."""

SHUTDOWN_SECONDS = 2
"""How long a running scrape may still take after a signal."""


class StartFailureError(Exception):
    """The exporter cannot start; the message names the thing that is in the way."""


def serve(config: Config, known: Mapping[str, Collector]) -> None:
    """Serve until SIGTERM or SIGINT, with those of the *known* collectors that *config* names.

    Raises StartFailureError before anything is served, and SettingError for what a collector cannot use.
    """
    with ExitStack() as parts:
        access = open_web_access(config.web_config_file)
        if access is not None:
            parts.callback(access.close)
        sockets = [parts.enter_context(bind(address)) for address in config.listen_addresses]
        collectors = {name: known[name].made(name, config.told.get(name)) for name in config.collectors}
        open_paths = partial(HostPaths, config.procfs, config.sysfs, config.rootfs, config.udev_data)
        scraper = PatientScraper(Scraper(collectors, OwnProcess(VERSION).collect), open_paths)
        parts.callback(scraper.close)
        system = SystemSource(partial(open_system, config))
        parts.callback(system.close)
        web = Web(scraper, system, VERSION, config.telemetry_path, access)
        for listening in sockets:
            host, port, *_ = listening.getsockname()
            listening_on = str(ListenAddress(host, port))
            scheme = "https" if access is not None and access.tls else "http"
            log.info("listening", extra={"address": listening_on, "scheme": scheme, "version": VERSION})
        server_config = uvicorn.Config(
            web,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        # What is there now stays: looking through it for garbage again and again made one scrape in a hundred slow.
        gc.collect()
        gc.freeze()
        TicklessServer(server_config, access).run(sockets=sockets)
        log.info("stopped")


def open_system(config: Config) -> SystemDocument:
    """What makes the document at ``/system``; called when it is first asked for, as few ask."""
    from host_exporter.system.document import SystemDocument  # noqa: PLC0415

    paths = HostPaths(config.procfs, config.sysfs, config.rootfs, config.udev_data)
    return SystemDocument(paths, config.procfs, config.disk_path)


def open_web_access(file: Path | None) -> WebAccess | None:
    """What the web configuration file says, if there is one. Raises StartFailureError that names file and key."""
    if file is None:
        return None
    # Four MiB that an exporter without such a file does not need.
    from telemetry_web_config.access import WebAccess  # noqa: PLC0415

    try:
        return WebAccess(file)
    except WebConfigError as error:
        raise StartFailureError(str(error)) from error


def bind(address: ListenAddress) -> socket.socket:
    """A listening socket. An empty host means IPv6 and IPv4 where the system has both.

    Raises StartFailureError that names the address.
    """
    try:
        if address.host == "":
            both = socket.has_dualstack_ipv6()
            family = socket.AF_INET6 if both else socket.AF_INET
            return socket.create_server(address, family=family, dualstack_ipv6=both)
        family, _, _, _, resolved = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
        return socket.create_server(resolved[:2], family=family)
    except socket.gaierror as error:
        raise StartFailureError(f"cannot listen on {address}: {error.strerror}") from error
    except OSError as error:
        # Python's own text repeats the address.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StartFailureError(f"cannot listen on {address}: {reason}") from error


class TicklessServer(uvicorn.Server):
    """uvicorn without its ten wake-ups a second, which burn more than the scrapes do.

    It also ends with status 0 on a signal, where uvicorn raises the signal again.
    """

    def __init__(self, config: uvicorn.Config, access: WebAccess | None = None) -> None:
        if config.limit_max_requests is not None or config.callback_notify is not None or config.date_header:
            raise ValueError("limit_max_requests, callback_notify and date_header need the tick")
        self._stop = asyncio.Event()
        self._access = access
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """With a web configuration, the servers are ones whose TLS can be renewed."""
        if self._access is None:
            await super().startup(sockets)
            return
        await super().startup([])
        self.servers = await self._access.start(self._make_protocol, sockets or [], self.config.backlog)

    async def main_loop(self) -> None:
        """Wait for a signal; a web configuration is looked at meanwhile, and nothing else wakes."""
        await self.on_tick(0)  # sets the headers that every response has
        if self._access is None:
            await self._stop.wait()
            return
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._access.watch())
            await self._stop.wait()
            watching.cancel()

    def _make_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # the class is known when the server starts
            config=self.config,  # type: ignore[call-arg]
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop the server; a second SIGINT does not wait for running scrapes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _on_signal(self, number: int) -> None:
        self.force_exit = self.should_exit and number == signal.SIGINT
        self.should_exit = True
        self._stop.set()
