"""Server processes under test: started on free ports, stopped in their tracks while another one is measured."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import procfs

ADDRESS = "127.0.0.1"
PORTS = range(24000, 32000)
"""Below those that the system takes for outgoing connections."""
SETTINGS = ("PUSHGATEWAY_BRIDGE_", "HOST_EXPORTER_")
"""How the names of our programs' settings begin; what the person at the terminal has set stays out."""
START_SECONDS = 120.0
END_SECONDS = 30.0


class ServerFailed(Exception):
    """A server did not start, or said something unexpected. ``str(error)`` names it."""


PROMISED_PORTS = range(32000, 32700)
"""The same, for servers that are started later than those who are told their address."""


def free_port(ports: range = PORTS) -> int:
    """A port that nothing listens on now, any of *ports*: another run at the same time shall not take the same."""
    for port in random.SystemRandom().sample(ports, len(ports)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((ADDRESS, port))
            return port
    raise ServerFailed(f"no free port from {ports.start} to {ports.stop - 1}")


class Server:
    """A process that serves HTTP; started when entered, killed when left."""

    ready_path = "/-/ready"

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        """*command* has ``{address}`` where it wants host and port: *port* if it was promised to others."""
        self._promised_port = port
        self.name = name
        self._command = command
        self._log = log
        own = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
        self._environment = {**own, **(environment or {})}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it is ready. Raises ServerFailed with its last words if it does not come up."""
        self.port = self._promised_port or free_port()
        command = [part.replace("{address}", f"{ADDRESS}:{self.port}") for part in self._command]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not start: {self.log()[-500:]}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get(self.ready_path)[0] == 200:
                    return
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would, as far as the process is concerned."""
        self._process.kill()
        self._process.wait(END_SECONDS)

    def end(self) -> float:
        """Ask it to end with SIGTERM; the seconds until it has. Raises ServerFailed if it does not."""
        ended = os.pidfd_open(self.pid)
        try:
            began = time.perf_counter()
            self._process.terminate()
            readable, _, _ = select.select([ended], [], [], END_SECONDS)
            seconds = time.perf_counter() - began
        finally:
            os.close(ended)
        if not readable:
            raise ServerFailed(f"{self.name} still runs {END_SECONDS:g} s after SIGTERM")
        self._process.wait(END_SECONDS)
        return seconds

    def pause(self) -> None:
        """Stop it in its tracks, so that it takes no CPU from the one that is measured."""
        self._process.send_signal(signal.SIGSTOP)

    @contextlib.contextmanager
    def awake(self) -> Iterator[Server]:
        """Let it run within the block only."""
        self._process.send_signal(signal.SIGCONT)
        try:
            yield self
        finally:
            self.pause()

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        """What it wrote to standard output and error since it was started."""
        return self._log.read_text(errors="replace")

    def cpu_seconds(self) -> float:
        """CPU used so far."""
        return procfs.cpu_seconds(self.pid)

    def resident_bytes(self) -> int:
        """Memory it has now."""
        return procfs.resident_bytes(self.pid)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body as sent."""
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()

    def connect(self) -> http.client.HTTPConnection:
        """A connection of one's own, for several requests."""
        return http.client.HTTPConnection(ADDRESS, self.port, timeout=60)


class Pushgateway(Server):
    """The peer, with nothing on disk."""

    def __init__(self, program: Path, folder: Path, *, checks: bool) -> None:
        """*checks* as it ships; without them it answers before a push is looked at."""
        self.flags = ["--persistence.file="] + ([] if checks else ["--push.disable-consistency-check"])
        command = [str(program), "--web.listen-address={address}", *self.flags]
        super().__init__("Pushgateway", command, folder / f"pushgateway-{'' if checks else 'un'}checked.log")


class Bridge(Server):
    """Ours, on a journal in *folder*, with the settings it ships with unless *arguments* say otherwise."""

    def __init__(
        self,
        folder: Path,
        name: str = "bridge",
        module: str = "pushgateway_bridge",
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.journal = folder / name
        command = [
            *(sys.executable, "-m", module, "serve"),
            f"--journal.directory={self.journal}",
            "--web.listen-address={address}",
            *arguments,
        ]
        super().__init__(name, command, folder / f"{name}.log", environment)


class NodeExporter(Server):
    """The exporter's peer, as it ships but for *arguments*."""

    ready_path = "/"

    def __init__(self, program: Path, folder: Path, name: str, arguments: Sequence[str] = ()) -> None:
        command = [str(program), "--web.listen-address={address}", *arguments]
        super().__init__(f"node_exporter, {name}", command, folder / f"node_exporter-{name}.log")


class HostExporter(Server):
    """Our exporter, with the settings it ships with unless *arguments* say otherwise."""

    def __init__(self, folder: Path, name: str, arguments: Sequence[str] = ()) -> None:
        command = [
            *(sys.executable, "-m", "host_exporter", "serve"),
            "--web.listen-address={address}",
            *arguments,
        ]
        super().__init__(f"host-exporter, {name}", command, folder / f"host-exporter-{name}.log")
