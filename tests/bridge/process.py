"""A real bridge process on a free port."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from click.testing import CliRunner

from pushgateway_bridge.cli import main
from tests.ports import free_port

START_SECONDS = 60.0
REPOSITORY = Path(__file__).resolve().parents[2]


class BridgeProcess:
    """``pushgateway-bridge serve`` on *directory*; started when entered, ended when left."""

    program: tuple[str, ...] = (sys.executable, "-m", "pushgateway_bridge", "serve")

    def __init__(self, directory: Path, *arguments: str, log: Path | None = None) -> None:
        """What it logs is added to *log*; without one it goes where the test's own standard error goes."""
        self.directory = directory
        self.arguments = arguments
        self.log = log
        self.port = free_port()

    def __enter__(self) -> BridgeProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def start(self) -> None:
        self.spawn()
        self.wait_until_ready()

    def spawn(self) -> None:
        command = [
            *self.program,
            f"--journal.directory={self.directory}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            *self.arguments,
        ]
        with contextlib.ExitStack() as files:
            log = None if self.log is None else files.enter_context(self.log.open("ab"))
            self.process = subprocess.Popen(command, stderr=log, cwd=REPOSITORY)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.get("/-/ready")
            except (urllib.error.URLError, ConnectionError):
                assert self.process.poll() is None, "the bridge ended while starting"
                assert time.monotonic() < deadline, "the bridge is not ready"
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """End it as a power cut would, as far as the process is concerned."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)

    def create_token(self, *arguments: str) -> str:
        """A token of this bridge, made by the command; ``--right push`` unless *arguments* say otherwise."""
        words = ["token", "create", "--name=test", *arguments, f"--journal.directory={self.directory}"]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def series(self) -> dict[str, float]:
        """What /metrics shows: ``name{labels}`` → value."""
        lines = [line for line in self.get("/metrics").splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
