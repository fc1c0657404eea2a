"""Alerts on their whole way: a real Prometheus with the shipped rules, the real Alertmanager, every way to notify.

Only times are shortened, in copies: the shipped `for` of a minute and the grouping of Alertmanager would make
each of these tests last minutes.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ports import free_port
from tests.stack.alerts.alertmanager import edit, newest, running, wait_for
from tests.stack.alerts.chain import HISTORY, Chain, chain
from tests.stack.alerts.services import serving
from tests.stack.programs import find

pytestmark = pytest.mark.stack


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


class Delivery(NamedTuple):
    """The running chain and both its ends."""

    target: Target
    prometheus: subprocess.Popen[bytes]
    told: Chain


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
        [hosts] = [group for group in rules["groups"] if group["name"] == "hosts"]
        hosts["interval"] = "1s"
        [host_down] = [rule for rule in hosts["rules"] if rule["alert"] == "HostDown"]
        host_down["for"] = "1s"

    shutil.copytree(source, folder)
    edit(folder / "prometheus.yml", hurry)
    edit(folder / "rules/hosts.yml", hurry_host_down)
    for file in (folder / "targets").iterdir():
        edit(file, partial(point, targets.get(file.stem)))
    return folder / "prometheus.yml"


@pytest.fixture
def delivery(repository: Path, tmp_path: Path) -> Iterator[Delivery]:
    """For each test one, since one of them kills its Prometheus."""
    target = Target(("127.0.0.1", free_port()), TargetHandler)
    prometheus = f"127.0.0.1:{free_port()}"
    with ExitStack() as parts:
        parts.enter_context(serving(target))
        told = parts.enter_context(chain(tmp_path, newest()))
        targets = {
            "exporter": f"127.0.0.1:{target.server_port}",
            "alertmanager": told.alertmanager.url.removeprefix("http://"),
        }
        process = parts.enter_context(
            running(
                [
                    find("prometheus"),
                    f"--config.file={prometheus_copy(repository / 'prometheus', tmp_path / 'prometheus', targets)}",
                    f"--storage.tsdb.path={tmp_path / 'prometheus-data'}",
                    f"--web.listen-address={prometheus}",
                    # What fired before Alertmanager was discovered is sent again, by default after a minute.
                    "--rules.alert.resend-delay=1s",
                ],
                tmp_path / "prometheus.log",
                f"http://{prometheus}/-/ready",
            )
        )
        yield Delivery(target, process, told)


def test_a_host_that_goes_down_is_told_to_everybody_and_again_when_it_is_back(delivery: Delivery) -> None:
    told = delivery.told

    def posted(status: str, path: str = "/alerts") -> Any:
        return next(
            (
                alert
                for alert in told.service.alerts(path)
                if alert["labels"]["alertname"] == "HostDown"
                and alert["labels"]["instance"] == "local"
                and alert["status"] == status
            ),
            None,
        )

    delivery.target.healthy = False
    firing = wait_for("HostDown firing", lambda: posted("firing"))
    assert posted("resolved") is None
    delivery.target.healthy = True
    resolved = wait_for("HostDown resolved", lambda: posted("resolved"))
    wait_for("the history", lambda: posted("firing", HISTORY) and posted("resolved", HISTORY))
    wait_for(
        "Telegram", lambda: any("• local is down" in text and "✅" in text for text in told.telegram.texts)
    )
    wait_for("the mail", lambda: any("[RESOLVED] HostDown" in mail.subject for mail in told.mailbox.mails))

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


def test_the_sign_of_life_reaches_the_heartbeat_alone_until_prometheus_is_killed(delivery: Delivery) -> None:
    """Then it stops: Alertmanager lets an alert end that Prometheus no longer sends."""
    service = delivery.told.service

    def beats() -> list[Any]:
        return service.alerts("/heartbeat")

    before = len(beats())
    wait_for("three more beats", lambda: len(beats()) >= before + 3)
    delivery.prometheus.kill()
    wait_for("its end", lambda: "Watchdog" not in {one["labels"]["alertname"] for one in known(delivery)})
    # One may be on its way.
    time.sleep(0.5)
    last = len(beats())
    # Ten of the intervals at which it was sent.
    time.sleep(3)

    assert len(beats()) == last
    assert {alert["status"] for alert in beats()} == {"firing"}
    assert [alert["labels"] for alert in beats()[:1]] == [{"alertname": "Watchdog", "severity": "none"}]
    assert {alert["labels"]["alertname"] for alert in beats()} == {"Watchdog"}
    others = service.alerts("/alerts") + service.alerts(HISTORY)
    assert "Watchdog" not in {alert["labels"]["alertname"] for alert in others}


def known(delivery: Delivery) -> list[Any]:
    return delivery.told.alertmanager.alerts()
