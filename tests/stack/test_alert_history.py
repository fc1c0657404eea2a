"""The history on its whole way: the shipped rules in a real Prometheus, the real Alertmanager, a real bridge.

Only times are shortened, in copies and in settings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
import requests
import yaml

from pushgateway_bridge.access.shared_token import HASH_SUFFIX
from tests.bridge.process import BridgeProcess
from tests.ports import free_port
from tests.stack.alerts.services import serving
from tests.stack.conftest import Stack
from tests.stack.programs import find

pytestmark = pytest.mark.stack

Found = TypeVar("Found")

START_SECONDS = 30
TOLD_SECONDS = 60
HOSTS = ("resolved", "silenced", "refused", "restarted")
"""One host for each test, all of which answer at first."""


class Hosts(ThreadingHTTPServer):
    """The exporters of all hosts, each of which can be made to fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", free_port()), HostsHandler)
        self.failing: set[str] = set()


class HostsHandler(BaseHTTPRequestHandler):
    server: Hosts

    def do_GET(self) -> None:
        body = b"node_load1 0.5\n"
        failing = self.path.strip("/") in self.server.failing
        self.send_response(500 if failing else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
        pass


class Program:
    """A program of others that a test may end and start again."""

    def __init__(self, command: list[str], log: Path, ready: str) -> None:
        self._command = command
        self._log = log
        self._ready = ready

    def __enter__(self) -> Program:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.end()

    def start(self) -> None:
        with self._log.open("a") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.STDOUT)
        wait_for(
            self._log.stem, START_SECONDS, lambda: self._process.poll() is not None or answers(self._ready)
        )
        assert self._process.poll() is None, self._log.read_text()

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()


class Chain(NamedTuple):
    """What runs, and both ends of it."""

    hosts: Hosts
    alertmanager: Program
    alertmanager_url: str
    bridge: BridgeProcess
    token_hash: Path
    """By which the bridge knows Alertmanager's token."""

    def history(self, host: str) -> list[dict[str, Any]]:
        """What the history has of HostDown of *host*, the newest first."""
        address = f"http://127.0.0.1:{self.bridge.port}/api/v1/alerts/history"
        answer = requests.get(address, params={"alertname": "HostDown", "instance": host}, timeout=5)
        assert answer.ok, answer.text
        alerts: list[dict[str, Any]] = answer.json()["alerts"]
        return alerts

    def wait_until(self, host: str, **fields: object) -> dict[str, Any]:
        """The newest entry of *host* once it has *fields*."""

        def found() -> dict[str, Any] | None:
            newest = next(iter(self.history(host)), {})
            return newest if fields.items() <= newest.items() else None

        return wait_for(f"{host} {fields}", TOLD_SECONDS, found)

    def silence(self, host: str) -> None:
        now = datetime.now(UTC)
        answer = requests.post(
            f"{self.alertmanager_url}/api/v2/silences",
            json={
                "matchers": [{"name": "instance", "value": host, "isRegex": False}],
                "startsAt": now.isoformat(),
                "endsAt": (now + timedelta(hours=1)).isoformat(),
                "createdBy": "test",
                "comment": "known",
            },
            timeout=5,
        )
        assert answer.ok, answer.text


def wait_for(what: str, seconds: float, find_it: Callable[[], Found | None]) -> Found:
    """What *find_it* gives once it gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := find_it():
            return found
        time.sleep(0.1)
    pytest.fail(f"{what}: not within {seconds} s")


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def prometheus_copy(source: Path, folder: Path, hosts: Hosts, alertmanager: str) -> Path:
    """The shipped configuration for these hosts, evaluated each second; HostDown waits one second."""

    def hurry(config: Any) -> None:
        config["global"]["evaluation_interval"] = "1s"
        [node] = [job for job in config["scrape_configs"] if job["job_name"] == "node"]
        node.update(scrape_interval="1s", scrape_timeout="1s")
        address = f"127.0.0.1:{hosts.server_port}"
        del node["file_sd_configs"]
        node["static_configs"] = [
            {"targets": [address], "labels": {"instance": host, "__metrics_path__": f"/{host}"}}
            for host in HOSTS
        ]
        config["scrape_configs"] = [node]

    def hurry_host_down(rules: Any) -> None:
        for group in rules["groups"]:
            for rule in group["rules"]:
                if rule.get("alert") == "HostDown":
                    rule["for"] = "1s"

    shutil.copytree(source, folder)
    edit(folder / "prometheus.yml", hurry)
    edit(folder / "rules/hosts.yml", hurry_host_down)
    (folder / "targets/alertmanager.yml").write_text(f'[{{"targets": ["{alertmanager}"]}}]')
    return folder / "prometheus.yml"


def render_alertmanager(source: Path, folder: Path, bridge: str) -> Path:
    """The shipped configuration, with nobody to notify but the bridge, and the token by which that is done."""
    shutil.copytree(source / "templates", folder / "templates")
    command: list[str | Path] = [
        *(sys.executable, "-m", "pushgateway_bridge", "render-config"),
        *("--template", source / "alertmanager.yml", "--output", folder / "alertmanager.yml"),
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "BRIDGE_ADDRESS": bridge,
        "ALERT_HISTORY_TOKEN_FILE": str(folder / "alert-history-token"),
    }
    subprocess.run(command, env=environment, check=True)
    return folder / "alertmanager.yml"


@pytest.fixture(scope="module")
def chain(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("history")
    hosts = Hosts()
    alertmanager, prometheus = (f"127.0.0.1:{free_port()}" for _ in range(2))
    bridge = BridgeProcess(
        folder / "bridge",
        f"--prometheus.url=http://{prometheus}",
        f"--alerts.webhook-token-hash-file={folder / 'alertmanager/alert-history-token'}{HASH_SUFFIX}",
        "--alerts.reconcile-interval-seconds=1",
        "--alerts.reconcile-after-seconds=2",
        log=folder / "bridge.log",
    )
    rendered = render_alertmanager(
        repository / "alertmanager", folder / "alertmanager", f"127.0.0.1:{bridge.port}"
    )
    told_by = Program(
        [
            str(find("alertmanager")),
            f"--config.file={rendered}",
            f"--storage.path={folder / 'alertmanager-data'}",
            f"--web.listen-address={alertmanager}",
            "--cluster.listen-address=",
        ],
        folder / "alertmanager.log",
        f"http://{alertmanager}/-/ready",
    )
    config = prometheus_copy(repository / "prometheus", folder / "prometheus", hosts, alertmanager)
    evaluated_by = Program(
        [
            str(find("prometheus")),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'prometheus-data'}",
            f"--web.listen-address={prometheus}",
            # What Alertmanager forgot is told again, by default after a minute.
            "--rules.alert.resend-delay=1s",
        ],
        folder / "prometheus.log",
        f"http://{prometheus}/-/ready",
    )
    with ExitStack() as parts:
        for part in (serving(hosts), bridge, told_by, evaluated_by):
            parts.enter_context(part)
        token_hash = Path(f"{folder / 'alertmanager/alert-history-token'}{HASH_SUFFIX}")
        yield Chain(hosts, told_by, f"http://{alertmanager}", bridge, token_hash)


def test_an_alert_fires_and_is_resolved(chain: Chain) -> None:
    chain.hosts.failing.add("resolved")
    firing = chain.wait_until("resolved", status="firing")
    chain.hosts.failing.remove("resolved")
    resolved = chain.wait_until("resolved", status="resolved", closed_by="alertmanager")

    assert firing["labels"] == {
        "alertname": "HostDown",
        "instance": "resolved",
        "job": "node",
        "severity": "critical",
    }
    assert firing["annotations"]["summary"] == "resolved is down"
    assert (resolved["starts_at"], resolved["fingerprint"]) == (firing["starts_at"], firing["fingerprint"])
    assert resolved["ends_at"] > resolved["starts_at"]
    assert len(chain.history("resolved")) == 1


def test_an_alert_that_is_silenced_while_it_fires_is_closed_when_it_ends(chain: Chain) -> None:
    """Nobody is told of its end; it stays firing while Prometheus has it."""
    chain.hosts.failing.add("silenced")
    firing = chain.wait_until("silenced", status="firing")
    chain.silence("silenced")
    time.sleep(5)  # four comparisons, which must not close it
    assert chain.history("silenced")[0]["status"] == "firing"

    chain.hosts.failing.remove("silenced")
    closed = chain.wait_until("silenced", status="resolved")

    assert (closed["closed_by"], closed["starts_at"]) == ("prometheus", firing["starts_at"])
    assert closed["ends_at"] > closed["starts_at"]


def test_an_alert_that_is_refused_for_its_token_comes_when_the_token_is_right(chain: Chain) -> None:
    """Alertmanager does not try again at once, but at its group_interval."""

    def refused() -> float:
        return chain.bridge.series()['telemetry_alert_history_failed_total{reason="wrong_token"}']

    right = chain.token_hash.read_text()
    chain.token_hash.write_text("0" * 64)
    before = refused()
    chain.hosts.failing.add("refused")
    wait_for("a refusal", TOLD_SECONDS, lambda: refused() > before)
    assert chain.history("refused") == []
    chain.token_hash.write_text(right)

    assert chain.wait_until("refused", status="firing")["notified"] == 1


def test_a_restart_of_alertmanager_and_of_the_bridge_loses_nothing(chain: Chain) -> None:
    """What resolves while Alertmanager is away is told when it is back, or found missing in Prometheus."""
    chain.hosts.failing.add("restarted")
    firing = chain.wait_until("restarted", status="firing")
    chain.bridge.kill()
    chain.alertmanager.end()
    chain.hosts.failing.remove("restarted")
    chain.bridge.start()
    chain.alertmanager.start()
    resolved = chain.wait_until("restarted", status="resolved")

    assert resolved["starts_at"] == firing["starts_at"]
    assert len(chain.history("restarted")) == 1


def test_the_stack_tells_its_bridge_without_being_told_to(running_stack: Stack) -> None:
    """Whoever starts it has set no token and no address."""
    alert = {"labels": {"alertname": "Posted", "severity": "info"}}
    posted = requests.post(f"{running_stack.alertmanager}/api/v2/alerts", json=[alert], timeout=5)
    assert posted.ok, posted.text

    def found() -> list[dict[str, Any]]:
        answer = requests.get(f"{running_stack.bridge}/api/v1/alerts/history?alertname=Posted", timeout=5)
        assert answer.ok, answer.text
        alerts: list[dict[str, Any]] = answer.json()["alerts"]
        return alerts

    [told] = wait_for("Posted", TOLD_SECONDS, found)
    assert (told["status"], told["labels"]) == ("firing", alert["labels"])
