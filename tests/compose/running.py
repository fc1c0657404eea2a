"""The compose files, started with podman: what the tests of both have in common."""

from __future__ import annotations

import json
import shutil
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import requests

from stack import tools
from stack.settings import PARTS, setting_of
from tests.compose.engine import Engine
from tests.stack.test_compose_file import BASE, PRODUCTION, resolve_document

Found = TypeVar("Found")

START_SECONDS = 180
SCRAPE_SECONDS = 60
READ_BY_COMPOSE = (
    BASE,
    PRODUCTION,
    "prometheus",
    "alertmanager",
    "grafana",
    "pushgateway-bridge/production",
)
IMAGES = {"host-exporter:0.1.0": "exporter", "pushgateway-bridge:0.1.0": "pushgateway-bridge"}


class Stack(NamedTuple):
    """Started compose files."""

    engine: Engine
    project: str
    directory: Path
    ports: Mapping[str, int]
    """By part, on 127.0.0.1."""
    production: bool = False
    settings: Mapping[str, str] = {}

    def environment(self) -> dict[str, str]:
        addresses = {setting_of(part): f"127.0.0.1:{port}" for part, port in self.ports.items()}
        return {**addresses, **self.settings}

    def compose(self, *arguments: str) -> None:
        file = self._resolved() if self.production else BASE
        self.engine.compose(
            self.project, self.directory, "--file", file, *arguments, environment=self.environment()
        )

    def _resolved(self) -> str:
        """Both files as the real docker-compose makes one of them: podman-compose does not know all of `!override`."""
        program = tools.fetch(("docker-compose",))["docker-compose"]
        document = resolve_document(program, self.directory, BASE, PRODUCTION, environment=self.environment())
        (self.directory / "resolved.yml").write_text(json.dumps(document))
        return "resolved.yml"

    def container(self, service: str) -> str:
        return f"{self.project}_{service}_1"

    def execute(self, service: str, *command: str, check: bool = True) -> str:
        """What *command* prints inside the container of *service*."""
        return self.engine.podman("exec", self.container(service), *command, check=check).stdout.strip()

    def check_health(self) -> dict[str, bool]:
        """Run each container's health check now: without systemd nothing else does."""
        return {
            part: self.engine.podman("healthcheck", "run", self.container(part), check=False).returncode == 0
            for part in PARTS
        }

    def get(self, part: str, path: str, **params: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.ports[part]}{path}", params=params, timeout=10)

    def ask_prometheus(self, path: str, **params: str) -> Any:
        """What Prometheus answers, asked from within its container: it need not be published."""
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        return json.loads(self.execute("prometheus", "wget", "-qO-", f"http://127.0.0.1:9090{path}{query}"))

    def query(self, promql: str) -> list[float]:
        """The values that Prometheus has now."""
        answer = self.ask_prometheus("/api/v1/query", query=promql)
        return [float(series["value"][1]) for series in answer["data"]["result"]]

    def last_words(self, service: str) -> str:
        """What a container said last."""
        done = self.engine.podman("logs", "--tail=30", self.container(service), check=False)
        return done.stdout + done.stderr

    def logs(self) -> str:
        """The last words of every container, for a failure's message."""
        return "\n".join([f"== {name}\n{self.last_words(name)}" for name in ("config", *PARTS)])


def free_ports() -> dict[str, int]:
    """A free port for each part."""
    sockets = {part: socket.socket() for part in PARTS}
    for each in sockets.values():
        each.bind(("127.0.0.1", 0))
    ports = {part: each.getsockname()[1] for part, each in sockets.items()}
    for each in sockets.values():
        each.close()
    return ports


def eventually(seconds: float, ask: Callable[[], Found], wanted: Callable[[Found], bool]) -> Found:
    """What *ask* gave when it was *wanted*, or last when the time was over."""
    deadline = time.monotonic() + seconds
    while not wanted(found := ask()) and time.monotonic() < deadline:
        time.sleep(1)
    return found


def checkout(repository: Path, directory: Path) -> Path:
    """A copy of what compose reads, in *directory*: a `.env` of whoever runs the test is not read."""
    directory.mkdir()
    for name in READ_BY_COMPOSE:
        copy = shutil.copytree if (repository / name).is_dir() else shutil.copy
        copy(repository / name, directory / name)
    return directory


@contextmanager
def started(stack: Stack, *, without: tuple[str, ...] = ()) -> Iterator[Stack]:
    """*stack*, once all of its parts but those *without* which it starts are healthy; taken down at the end."""
    try:
        start(stack, without=without)
        yield stack
    finally:
        stack.compose("down", "--volumes")


def start(stack: Stack, *, without: tuple[str, ...] = ()) -> None:
    """Start *stack*, or what has changed of it, and wait until all of its parts are healthy but those *without*."""
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(stack.compose, "up", "--no-build", "-d")
        # Newer podman waits for `service_healthy`, which nothing but this loop brings about here.
        eventually(START_SECONDS, stack.check_health, lambda _: starting.done())
        starting.result(START_SECONDS)

    def all_healthy(health: Mapping[str, bool]) -> bool:
        return all(healthy for part, healthy in health.items() if part not in without)

    health = eventually(START_SECONDS, stack.check_health, all_healthy)
    assert all_healthy(health), f"{health}\n{stack.logs()}"
