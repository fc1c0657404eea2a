"""prometheus.yml, its target files, and alertmanager.yml, as people edit them and as the real programs read them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import tools

PARTS = {
    "node": ("exporter", "exporter:10100"),
    "bridge": ("bridge", "bridge:10091"),
    "prometheus": ("prometheus", "prometheus:9090"),
    "alertmanager": ("alertmanager", "alertmanager:9093"),
    "grafana": ("grafana", "grafana:3000"),
}
"""Job → part, and where the part listens in the compose file."""

ADDRESS = re.compile(r"(?i)localhost|\d+\.\d+\.\d+\.\d+|[a-z]:\d{2,5}\b|https?://")

BRIDGE_MAX_SERIES = 1_000_000
BRIDGE_MAX_LABELS = 40
BRIDGE_MAX_VALUE_BYTES = 1_024

SECRETS = {
    "ALERT_WEBHOOK_URL": "http://127.0.0.1:20001/alerts",
    "ALERT_HEARTBEAT_URL": "http://127.0.0.1:20001/heartbeat",
    "ALERT_EMAIL": "operator@example.org",
    "SMTP_FROM": "stack@example.org",
    "SMTP_HOST": "smtp.example.org",
    "SMTP_PORT": "587",
    "SMTP_USER": "stack",
    "SMTP_PASSWORD": "pass word: #1",
    "TELEGRAM_BOT_TOKEN": "123456:AAE-token",
    "TELEGRAM_CHAT_ID": "-1001234567890",
}


@pytest.fixture(scope="session")
def prometheus_config(repository: Path) -> Any:
    return yaml.safe_load((repository / "prometheus/prometheus.yml").read_text(encoding="utf-8"))


def job(config: Any, name: str) -> Any:
    return next(entry for entry in config["scrape_configs"] if entry["job_name"] == name)


def strings(node: object) -> Iterator[str]:
    """All keys and texts in *node*."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from strings(key)
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def test_prometheus_yml_holds_no_address(prometheus_config: Any) -> None:
    found = [text for text in strings(prometheus_config) if ADDRESS.search(text) or text == "static_configs"]

    assert found == []


def test_every_job_discovers_its_part_by_file(prometheus_config: Any) -> None:
    jobs = {entry["job_name"]: entry["file_sd_configs"] for entry in prometheus_config["scrape_configs"]}

    assert jobs == {name: [{"files": [f"targets/{part}.yml"]}] for name, (part, _) in PARTS.items()}


def test_alerts_go_to_the_discovered_alertmanager(prometheus_config: Any) -> None:
    assert prometheus_config["alerting"] == {
        "alertmanagers": [{"file_sd_configs": [{"files": ["targets/alertmanager.yml"]}]}]
    }


@pytest.mark.parametrize(("part", "address"), PARTS.values(), ids=PARTS)
def test_committed_targets_are_the_compose_services(repository: Path, part: str, address: str) -> None:
    groups = yaml.safe_load((repository / f"prometheus/targets/{part}.yml").read_text(encoding="utf-8"))
    labels = {"labels": {"instance": "local"}} if part == "exporter" else {}

    assert groups == [{"targets": [address], **labels}]


def test_there_is_no_target_file_without_a_job(repository: Path) -> None:
    files = {path.stem for path in (repository / "prometheus/targets").iterdir()}

    assert files == {part for part, _ in PARTS.values()}


def test_bridge_keeps_the_labels_of_pushers_and_gives_what_no_remote_write_carries(
    prometheus_config: Any,
) -> None:
    bridge = job(prometheus_config, "bridge")

    assert (bridge["honor_labels"], bridge["params"]) == (True, {"class[]": ["undelivered"]})
    assert [
        entry["job_name"] for entry in prometheus_config["scrape_configs"] if "honor_labels" in entry
    ] == ["bridge"]


def test_hosts_are_scraped_every_5_seconds(prometheus_config: Any) -> None:
    """Pushed hosts are seen as often as scraped ones."""
    assert [job(prometheus_config, name)["scrape_interval"] for name in ("node", "bridge")] == ["5s", "5s"]


@pytest.mark.parametrize("name", PARTS)
def test_every_job_has_guards(prometheus_config: Any, name: str) -> None:
    assert {"sample_limit", "body_size_limit"} <= job(prometheus_config, name).keys()


def test_guards_of_the_bridge_are_above_its_own_caps(prometheus_config: Any) -> None:
    """Else one pusher at its cap would cost everybody the whole scrape."""
    bridge = job(prometheus_config, "bridge")

    assert bridge["sample_limit"] > BRIDGE_MAX_SERIES
    # Beside a pusher's labels stand the name, job and instance.
    assert bridge["label_limit"] >= BRIDGE_MAX_LABELS + 3
    assert bridge["label_value_length_limit"] > BRIDGE_MAX_VALUE_BYTES


def test_samples_as_old_as_the_bridge_keeps_times_are_taken(prometheus_config: Any) -> None:
    assert prometheus_config["storage"]["tsdb"]["out_of_order_time_window"] == "25h"


def test_every_way_to_notify_can_be_left_out_as_one_list_entry(repository: Path) -> None:
    """A placeholder elsewhere could not go away with its entry, and the file would not load without it."""
    template = yaml.safe_load((repository / "alertmanager/alertmanager.yml").read_text(encoding="utf-8"))
    entries = [
        entry
        for receiver in template["receivers"]
        for kind, entries in receiver.items()
        if kind != "name"
        for entry in entries
    ]
    names = set(
        re.findall(r"\$\{(\w+)\}", (repository / "alertmanager/alertmanager.yml").read_text(encoding="utf-8"))
    )
    names_in_entries = {name for text in strings(entries) for name in re.findall(r"\$\{(\w+)\}", text)}

    assert names - {"NAME"} == names_in_entries == {*SECRETS, "BRIDGE_ADDRESS", "ALERT_HISTORY_TOKEN_FILE"}
    assert all(any("${" in text for text in strings(entry)) for entry in entries)


def test_every_route_leads_to_a_receiver(repository: Path) -> None:
    template = yaml.safe_load((repository / "alertmanager/alertmanager.yml").read_text(encoding="utf-8"))
    routed = {template["route"]["receiver"]} | {route["receiver"] for route in template["route"]["routes"]}

    assert routed == {receiver["name"] for receiver in template["receivers"]}


def program(name: str) -> Path:
    path = tools.find(name)
    assert path is not None, f"{name} is missing: 'python -m stack tools' fetches it"
    return path


def render_alertmanager(repository: Path, folder: Path, settings: Mapping[str, str]) -> Path:
    """The shipped template filled with *settings*, its message templates beside it."""
    shutil.copytree(repository / "alertmanager/templates", folder / "templates")
    rendered = folder / "alertmanager.yml"
    subprocess.run(
        [
            *(sys.executable, "-m", "pushgateway_bridge", "render-config"),
            *("--template", repository / "alertmanager/alertmanager.yml", "--output", rendered),
        ],
        env={"PATH": os.environ["PATH"], **settings},
        check=True,
    )
    return rendered


@pytest.mark.stack
def test_prometheus_accepts_its_configuration(repository: Path) -> None:
    config = repository / "prometheus/prometheus.yml"

    checked = subprocess.run(
        [program("promtool"), "check", "config", config], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr


@pytest.mark.stack
@pytest.mark.parametrize("settings", [{}, SECRETS], ids=["without any secret", "with all"])
def test_alertmanager_accepts_its_rendered_configuration(
    repository: Path, tmp_path: Path, settings: Mapping[str, str]
) -> None:
    rendered = render_alertmanager(repository, tmp_path, settings)

    checked = subprocess.run(
        [program("amtool"), "check-config", rendered], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
    assert "1 templates" in checked.stdout


@pytest.mark.stack
def test_secrets_arrive_in_the_entry_that_names_them(repository: Path, tmp_path: Path) -> None:
    rendered = yaml.safe_load(render_alertmanager(repository, tmp_path, SECRETS).read_text(encoding="utf-8"))
    entry_of = {
        receiver["name"]: entries[0]
        for receiver in rendered["receivers"]
        for kind, entries in receiver.items()
        if kind.endswith("_configs")
    }
    webhook, email, telegram = entry_of["webhook"], entry_of["email"], entry_of["telegram"]

    assert entry_of["heartbeat"]["url"] == SECRETS["ALERT_HEARTBEAT_URL"]
    assert webhook["url"] == SECRETS["ALERT_WEBHOOK_URL"]
    assert (email["smarthost"], email["auth_password"]) == ("smtp.example.org:587", "pass word: #1")
    assert (telegram["bot_token"], telegram["chat_id"]) == ("123456:AAE-token", -1001234567890)
