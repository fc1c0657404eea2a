"""Real databases that take remote write, and what they hold."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from stack.parts import native_parts
from stack.settings import load_settings
from tests.ports import free_port

START_SECONDS = 60
STOP_SECONDS = 60

Samples = dict[tuple[str, str], list[tuple[int, float]]]
"""By metric name and instance: times in Unix milliseconds and values, oldest first."""


class Store:
    """A database on a free port, in a folder of its own; what it logs is in ``log``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.log = folder / "log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    @contextmanager
    def running(self) -> Iterator[None]:
        """Started at the beginning, killed at the end."""
        self.start()
        try:
            yield
        finally:
            if self.process.poll() is None:
                self.kill()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, self.log.read_text()[-2000:]
            time.sleep(0.1)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self.process.terminate()
        self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> str:
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with urllib.request.urlopen(f"{self.url}{path}{query}", timeout=30) as answer:
            return str(answer.read().decode())

    def answers(self, path: str) -> bool:
        try:
            self.get(path)
        except OSError:
            return False
        return True

    def query(self, expression: str, at_ms: int | None = None) -> list[dict[str, Any]]:
        """The result of an instant query, now or at a time."""
        at_ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
        answer = json.loads(
            self.get("/api/v1/query", {"query": expression, "time": f"{at_ms / 1000:.3f}", "nocache": "1"})
        )
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def value(self, expression: str, at_ms: int | None = None) -> float | None:
        """Of the only series that *expression* gives; ``None`` if it gives none."""
        found = self.query(expression, at_ms)
        assert len(found) < 2, found
        return float(found[0]["value"][1]) if found else None

    def samples(self, selector: str) -> Samples:
        """All that is held of the last 26 hours and the next 2 minutes, with its own times; no stale markers."""
        raise NotImplementedError


class Prometheus(Store):
    """As `make up` starts it: with the committed configuration, and with the bridge as its only target."""

    def __init__(
        self, folder: Path, program: Path, repository: Path, *, bridge_port: int, window: bool = True
    ) -> None:
        """Without *window* it takes no sample out of order, as Prometheus does unless it is told."""
        super().__init__(folder)
        settings = load_settings(
            {"STACK_DIR": str(folder / "stack"), "PROMETHEUS_ADDRESS": f"127.0.0.1:{self.port}"}, repository
        )
        programs = dict.fromkeys(("exporter", "bridge", "prometheus", "alertmanager"), program)
        self._command = next(
            part.command for part in native_parts(settings, programs, None) if part.name == "prometheus"
        )
        config = settings.directory / "config/prometheus"
        shutil.copytree(repository / "prometheus", config, ignore=shutil.ignore_patterns("tests"))
        for targets in (config / "targets").glob("*.yml"):
            targets.write_text("[]")
        (config / "targets/bridge.yml").write_text(
            json.dumps([{"targets": [f"127.0.0.1:{bridge_port}"], "labels": {"instance": "local"}}])
        )
        self._config = config / "prometheus.yml"
        if not window:
            self._config.write_text(self._config.read_text().replace("out_of_order_time_window: 25h", ""))

    def hurry(self) -> None:
        """Scrape and evaluate every second, from the next start on."""
        config = yaml.safe_load(self._config.read_text())
        config["global"]["evaluation_interval"] = "1s"
        for job in config["scrape_configs"]:
            job.update(scrape_interval="1s", scrape_timeout="1s")
        self._config.write_text(yaml.safe_dump(config))

    def command(self) -> list[str]:
        return list(self._command)

    def ready(self) -> bool:
        return self.answers("/-/ready")

    def samples(self, selector: str) -> Samples:
        held: Samples = {}
        for series in self.query(f"{selector}[26h]", time.time_ns() // 1_000_000 + 120_000):
            key = (series["metric"]["__name__"], series["metric"]["instance"])
            assert key not in held, f"two series: {series['metric']}"
            held[key] = [(round(seconds * 1000), float(value)) for seconds, value in series["values"]]
        return held


class VictoriaMetrics(Store):
    """As docs/remote-write.md advises, and so that it hides no sample of the last 30 s from queries."""

    def __init__(self, folder: Path, program: Path) -> None:
        super().__init__(folder)
        self._program = program

    def command(self) -> list[str]:
        return [
            str(self._program),
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.folder / 'data'}",
            "-dedup.minScrapeInterval=1ms",
            "-search.latencyOffset=0s",
            "-memory.allowedBytes=256MB",
        ]

    def ready(self) -> bool:
        return self.answers("/health")

    def samples(self, selector: str) -> Samples:
        self.get("/internal/force_flush")
        held: Samples = {}
        for line in self.get("/api/v1/export", {"match[]": selector}).splitlines():
            series = json.loads(line)
            key = (series["metric"]["__name__"], series["metric"]["instance"])
            assert key not in held, f"two series: {series['metric']}"
            pairs = zip(series["timestamps"], series["values"], strict=True)
            held[key] = sorted((time_ms, value) for time_ms, value in pairs if value is not None)
        return held
