"""A public node_exporter in place of ours, on this machine: the shipped rules say of it what they say of ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ports import free_port
from tests.stack.programs import find
from tests.stack.stores import Prometheus

pytestmark = pytest.mark.stack

REPOSITORY = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((REPOSITORY / "prometheus/rules").glob("*.yml"))
RULES = [
    rule
    for path in RULE_FILES
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
ABOUT_HOSTS = sorted(rule["record"] for rule in RULES if rule.get("record", "").startswith("instance:"))

OURS, PUBLIC = "ours", "public"
START_SECONDS = 60
FILL_SECONDS = 60

Alerts = set[tuple[tuple[str, str], ...]]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def running(command: list[str], log: Path, page: str) -> Iterator[None]:
    """The program while it answers *page*; killed at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(page):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


def write_targets(prometheus: Prometheus, part: str, ports: dict[str, int]) -> None:
    """Each instance and where it listens."""
    groups = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": instance}}
        for instance, port in ports.items()
    ]
    config = prometheus.folder / "stack/config/prometheus"
    (config / f"targets/{part}.yml").write_text(json.dumps(groups))


def hurry_groups(prometheus: Prometheus) -> None:
    """Evaluate the groups with an interval of their own as often as the others."""
    for path in (prometheus.folder / "stack/config/prometheus/rules").glob("*.yml"):
        path.write_text(re.sub(r"(?m)^    interval: \w+$", "    interval: 1s", path.read_text()))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """With all shipped rules, of which each was evaluated, over two exporters of this machine and itself."""
    node_exporter, program = find("node_exporter"), find("prometheus")
    folder = tmp_path_factory.mktemp("node-exporter")
    textfiles = folder / "textfiles"
    textfiles.mkdir()
    public, ours = free_port(), free_port()
    store = Prometheus(folder / "prometheus", program, REPOSITORY, bridge_port=free_port())
    write_targets(store, "bridge", {})
    write_targets(store, "exporter", {PUBLIC: public, OURS: ours})
    write_targets(store, "prometheus", {"prometheus": store.port})
    store.hurry()
    hurry_groups(store)
    with ExitStack() as stack:
        # Debian's reads textfiles from a folder that only its package makes.
        flags = [f"--web.listen-address=127.0.0.1:{public}", f"--collector.textfile.directory={textfiles}"]
        stack.enter_context(
            running([str(node_exporter), *flags], folder / "public.log", f"http://127.0.0.1:{public}/")
        )
        command = [sys.executable, "-m", "host_exporter", f"--web.listen-address=127.0.0.1:{ours}"]
        stack.enter_context(running(command, folder / "ours.log", f"http://127.0.0.1:{ours}/-/ready"))
        stack.enter_context(store.running())
        wait_until_filled(store)
        yield store


def instances(prometheus: Prometheus, name: str) -> set[str]:
    return {series["metric"]["instance"] for series in prometheus.query(name)}


def wait_until_filled(prometheus: Prometheus) -> None:
    """Until each name is recorded of both hosts, or for long enough to tell which is not."""
    deadline = time.monotonic() + FILL_SECONDS
    while time.monotonic() < deadline and not all(
        instances(prometheus, name) == {PUBLIC, OURS} for name in ABOUT_HOSTS
    ):
        time.sleep(0.5)


def rules_of(prometheus: Prometheus) -> list[Any]:
    groups = json.loads(prometheus.get("/api/v1/rules"))["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts_about(prometheus: Prometheus, instance: str) -> Alerts:
    """The label sets of its alerts, firing or pending, without what says which of the two hosts it is."""
    alerts = json.loads(prometheus.get("/api/v1/alerts"))["data"]["alerts"]
    return {
        tuple(sorted((name, value) for name, value in alert["labels"].items() if name != "instance"))
        for alert in alerts
        if alert["labels"].get("instance") == instance
    }


@pytest.mark.parametrize("name", ABOUT_HOSTS)
def test_vocabulary_and_its_rollups_are_filled_alike(prometheus: Prometheus, name: str) -> None:
    assert instances(prometheus, name) == {PUBLIC, OURS}


@pytest.mark.parametrize("name", ["instance:memory_utilisation:ratio", "instance:load_per_core:ratio"])
def test_what_one_read_tells_is_the_same_of_both(prometheus: Prometheus, name: str) -> None:
    public = prometheus.value(f'avg_over_time({name}{{instance="{PUBLIC}"}}[1m])')
    ours = prometheus.value(f'avg_over_time({name}{{instance="{OURS}"}}[1m])')

    assert public == pytest.approx(ours, rel=0.2, abs=0.05)


def test_every_rule_is_evaluated_without_an_error(prometheus: Prometheus) -> None:
    evaluated = rules_of(prometheus)

    assert len(evaluated) == len(RULES)
    assert {(rule["health"], rule.get("lastError", "")) for rule in evaluated} == {("ok", "")}


def test_no_alert_is_about_the_public_one_that_is_not_about_ours(prometheus: Prometheus) -> None:
    """Both read one machine, one a moment after the other: what differs for a moment only is no difference."""
    deadline = time.monotonic() + 20
    while alerts_about(prometheus, PUBLIC) - alerts_about(prometheus, OURS) and time.monotonic() < deadline:
        time.sleep(0.5)

    assert alerts_about(prometheus, PUBLIC) - alerts_about(prometheus, OURS) == set()


def test_the_public_one_shows_what_host_alerts_ask_for_of_every_machine(prometheus: Prometheus) -> None:
    """An alert about a name that is not there never fires. What needs hardware or a module is left out."""
    asked = {
        name
        for rule in RULES
        for name in re.findall(r"\bnode_\w+", rule["expr"])
        if not re.match("node_(hwmon|md|nf_conntrack|pressure)_", name)
    }
    shown = {
        series["metric"]["__name__"]
        for series in prometheus.query(f'{{__name__=~"node_.+",instance="{PUBLIC}"}}')
    }

    assert asked <= shown


def test_prometheus_has_the_metrics_that_rules_ask_of_it(prometheus: Prometheus) -> None:
    declared = set(re.findall(r"^# TYPE (\w+) ", prometheus.get("/metrics"), flags=re.MULTILINE))
    asked = {name for rule in RULES for name in re.findall(r"\bprometheus_\w+", rule["expr"])}

    assert asked
    assert asked <= declared
