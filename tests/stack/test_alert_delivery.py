"""Alerts on their whole way: a real Prometheus with the shipped rules, the real Alertmanager, a webhook.

Only times are shortened, in copies: the shipped `for` of a minute and the grouping of Alertmanager would make
each of these tests last minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
import requests
import yaml

from stack import tools
from tests.ports import free_port

pytestmark = pytest.mark.stack

Found = TypeVar("Found")

START_SECONDS = 30
DELIVERY_SECONDS = 30


class Target(ThreadingHTTPServer):
    """A host's exporter that can be made to fail."""

    healthy = True


class TargetHandler(BaseHTTPRequestHandler):
    server: Target

    def do_GET(self) -> None:
        body = b"node_load1 0.5\n"
        self.send_response(200 if self.server.healthy else 500)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
        pass


class Webhook(ThreadingHTTPServer):
    """Keeps what Alertmanager posts, as pairs of path and message."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", free_port()), WebhookHandler)
        self.messages: list[tuple[str, Any]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def alerts(self, path: str) -> list[Any]:
        return [alert for sent_to, message in self.messages if sent_to == path for alert in message["alerts"]]


class WebhookHandler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.messages.append((self.path, message))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
        pass


class Delivery(NamedTuple):
    """The running chain and both its ends."""

    target: Target
    webhook: Webhook
    alertmanager: str
    """Base address."""


def wait_for(what: str, seconds: float, find: Callable[[], Found | None]) -> Found:
    """What *find* gives once it gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.1)
    pytest.fail(f"{what}: not within {seconds} s")


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running(command: list[str | Path], log: Path, ready: str) -> Iterator[None]:
    """*command* from the time it answers at *ready*; its output is shown if it does not."""
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_for(f"{log.stem} ready", START_SECONDS, lambda: process.poll() is not None or answers(ready))
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


def program(name: str) -> Path:
    path = tools.find(name)
    assert path is not None, f"{name} is missing: 'python -m stack tools' fetches it"
    return path


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def point(address: str | None, groups: Any) -> None:
    """Have the target file's *groups* name *address* alone, or nothing."""
    groups[0]["targets"] = [] if address is None else [address]


def prometheus_copy(source: Path, folder: Path, targets: dict[str, str]) -> Path:
    """The shipped configuration with *targets* by part, evaluated each second; HostDown waits one second."""

    def hurry(config: Any) -> None:
        config["global"]["evaluation_interval"] = "1s"
        for job in config["scrape_configs"]:
            job.update(scrape_interval="1s", scrape_timeout="1s")

    def hurry_host_down(rules: Any) -> None:
        [host_down] = [rule for rule in rules["groups"][0]["rules"] if rule["alert"] == "HostDown"]
        host_down["for"] = "1s"

    shutil.copytree(source, folder)
    edit(folder / "prometheus.yml", hurry)
    edit(folder / "rules/hosts.yml", hurry_host_down)
    for file in (folder / "targets").iterdir():
        edit(file, partial(point, targets.get(file.stem)))
    return folder / "prometheus.yml"


def alertmanager_copy(source: Path, folder: Path, webhook: Webhook) -> Path:
    """The shipped configuration rendered for *webhook*, with groups that wait a second."""

    def hurry(config: Any) -> None:
        for route in (config["route"], *config["route"]["routes"]):
            route.update(group_wait="1s", group_interval="1s")

    shutil.copytree(source / "templates", folder / "templates")
    rendered = folder / "alertmanager.yml"
    subprocess.run(
        [
            *(sys.executable, "-m", "pushgateway_bridge", "render-config"),
            *("--template", source / "alertmanager.yml", "--output", rendered),
        ],
        env={
            "PATH": os.environ["PATH"],
            "ALERT_WEBHOOK_URL": webhook.url("/alerts"),
            "ALERT_HEARTBEAT_URL": webhook.url("/heartbeat"),
        },
        check=True,
    )
    edit(rendered, hurry)
    return rendered


@pytest.fixture(scope="module")
def delivery(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    folder = tmp_path_factory.mktemp("delivery")
    target = Target(("127.0.0.1", free_port()), TargetHandler)
    webhook = Webhook()
    alertmanager = f"127.0.0.1:{free_port()}"
    prometheus = f"127.0.0.1:{free_port()}"
    targets = {"exporter": f"127.0.0.1:{target.server_port}", "alertmanager": alertmanager}
    with ExitStack() as parts:
        parts.enter_context(serving(target))
        parts.enter_context(serving(webhook))
        parts.enter_context(
            running(
                [
                    program("alertmanager"),
                    f"--config.file={alertmanager_copy(repository / 'alertmanager', folder / 'alertmanager', webhook)}",
                    f"--storage.path={folder / 'alertmanager-data'}",
                    f"--web.listen-address={alertmanager}",
                    "--cluster.listen-address=",
                ],
                folder / "alertmanager.log",
                f"http://{alertmanager}/-/ready",
            )
        )
        parts.enter_context(
            running(
                [
                    program("prometheus"),
                    f"--config.file={prometheus_copy(repository / 'prometheus', folder / 'prometheus', targets)}",
                    f"--storage.tsdb.path={folder / 'prometheus-data'}",
                    f"--web.listen-address={prometheus}",
                    # What fired before Alertmanager was discovered is sent again, by default after a minute.
                    "--rules.alert.resend-delay=1s",
                ],
                folder / "prometheus.log",
                f"http://{prometheus}/-/ready",
            )
        )
        yield Delivery(target, webhook, f"http://{alertmanager}")


def test_the_sign_of_life_reaches_the_heartbeat_and_nobody_else(delivery: Delivery) -> None:
    [alert, *_] = wait_for("Watchdog", DELIVERY_SECONDS, lambda: delivery.webhook.alerts("/heartbeat"))

    assert (alert["status"], alert["labels"]) == ("firing", {"alertname": "Watchdog", "severity": "none"})
    assert {told["labels"]["alertname"] for told in delivery.webhook.alerts("/heartbeat")} == {"Watchdog"}
    assert "Watchdog" not in {told["labels"]["alertname"] for told in delivery.webhook.alerts("/alerts")}


def test_a_host_that_goes_down_is_told_and_told_again_when_it_is_back(delivery: Delivery) -> None:
    def told(status: str) -> Any:
        return next(
            (
                alert
                for alert in delivery.webhook.alerts("/alerts")
                if alert["labels"]["alertname"] == "HostDown"
                and alert["labels"]["instance"] == "local"
                and alert["status"] == status
            ),
            None,
        )

    delivery.target.healthy = False
    firing = wait_for("HostDown firing", DELIVERY_SECONDS, lambda: told("firing"))
    assert told("resolved") is None
    delivery.target.healthy = True
    resolved = wait_for("HostDown resolved", DELIVERY_SECONDS, lambda: told("resolved"))

    assert firing["labels"] == {
        "alertname": "HostDown",
        "instance": "local",
        "job": "node",
        "severity": "critical",
    }
    assert firing["annotations"] == {
        "summary": "local is down",
        "description": "The exporter of local has answered no scrape for 1 minute (up is 0).",
        "runbook": "docs/runbooks/HostDown.md",
        "dashboard": "/d/host?var-job=node&var-instance=local",
    }
    assert resolved["fingerprint"] == firing["fingerprint"]
    assert resolved["endsAt"] > firing["startsAt"]


@pytest.mark.parametrize("source", ["HostDown", "SourceSilent"])
def test_a_host_that_says_nothing_hides_its_other_trouble(delivery: Delivery, source: str) -> None:
    """And only its own: the same trouble of another host is told."""
    instance = f"hidden-by-{source}"
    post_alerts(
        delivery.alertmanager, (source, instance), ("HostCpuHigh", instance), ("HostCpuHigh", "another")
    )

    def inhibited() -> dict[tuple[str, str], bool]:
        answer = requests.get(f"{delivery.alertmanager}/api/v2/alerts", timeout=5).json()
        return {
            (alert["labels"]["alertname"], alert["labels"]["instance"]): bool(alert["status"]["inhibitedBy"])
            for alert in answer
            if alert["labels"].get("instance") in {instance, "another"}
        }

    wait_for("inhibition", DELIVERY_SECONDS, lambda: inhibited().get(("HostCpuHigh", instance)))
    assert inhibited() == {
        (source, instance): False,
        ("HostCpuHigh", instance): True,
        ("HostCpuHigh", "another"): False,
    }


def post_alerts(alertmanager: str, *alerts: tuple[str, str]) -> None:
    """Alerts by name and instance, as Prometheus posts them."""
    answer = requests.post(
        f"{alertmanager}/api/v2/alerts",
        json=[
            {"labels": {"alertname": name, "job": "node", "instance": instance, "severity": "warning"}}
            for name, instance in alerts
        ],
        timeout=5,
    )
    assert answer.ok, answer.text
