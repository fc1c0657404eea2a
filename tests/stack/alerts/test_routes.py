"""Where alerts are routed, asked of amtool, and that each release of Alertmanager loads what is shipped."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.stack.alerts.alertmanager import (
    GENERATIONS,
    REPOSITORY,
    TEMPLATE,
    edit,
    receiver_of,
    render,
    routes_of,
    seconds_of,
)

pytestmark = pytest.mark.stack

PEOPLE: Final = "webhook,email,telegram"
SETTINGS: Final = {
    "ALERT_WEBHOOK_URL": "http://hooks.example.org/alerts",
    "ALERT_HEARTBEAT_URL": "http://heartbeat.example.org/1",
    "ALERT_EMAIL": "operator@example.org",
    "SMTP_FROM": "telemetry@example.org",
    "SMTP_HOST": "smtp.example.org",
    "SMTP_PORT": "587",
    "SMTP_USER": "telemetry",
    "SMTP_PASSWORD": "password",
    "TELEGRAM_BOT_TOKEN": "123456:AAE-token",
    "TELEGRAM_CHAT_ID": "-1001234567890",
    "BRIDGE_ADDRESS": "127.0.0.1:10091",
}
TOKEN_FILE: Final = "ALERT_HISTORY_TOKEN_FILE"
OF_HISTORY: Final = {"BRIDGE_ADDRESS", TOKEN_FILE}


def ask(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", params=GENERATIONS)
def amtool(request: pytest.FixtureRequest) -> Path:
    return GENERATIONS[request.param]().amtool


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration without any setting."""
    return render(tmp_path_factory.mktemp("plain"), {})


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """All that can be set."""
    return {**SETTINGS, TOKEN_FILE: str(tmp_path_factory.mktemp("secrets") / "alert-history-token")}


@pytest.mark.parametrize(
    "names",
    [set(), SETTINGS.keys() - OF_HISTORY, OF_HISTORY, SETTINGS.keys() | OF_HISTORY],
    ids=["nothing set", "no history", "nobody to tell", "everything set"],
)
def test_both_generations_load_the_configuration(
    amtool: Path, tmp_path: Path, settings: Mapping[str, str], names: set[str]
) -> None:
    config = render(tmp_path, {name: value for name, value in settings.items() if name in names})

    checked = ask(amtool, "check-config", config)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "5 receivers" in checked.stdout


def test_without_settings_nobody_is_told(plain: Path) -> None:
    rendered = yaml.safe_load(plain.read_text(encoding="utf-8"))

    assert rendered["receivers"] == [
        {"name": name} for name in ("webhook", "email", "telegram", "heartbeat", "history")
    ]


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"alertname": "Watchdog", "severity": "none"}, "heartbeat"),
        ({"alertname": "HostDown", "severity": "critical", "job": "node"}, f"history,{PEOPLE}"),
        ({"alertname": "SourceSilent", "severity": "warning", "job": "statix"}, f"history,{PEOPLE}"),
        ({"alertname": "Anything", "severity": "of our own"}, f"history,{PEOPLE}"),
        ({"alertname": "NoSeverity"}, f"history,{PEOPLE}"),
        ({"alertname": "Measure", "owner": "ann", "rule_id": "7", "severity": "info"}, f"history,{PEOPLE}"),
        (
            {"alertname": "Measure", "owner": "ann", "rule_id": "7", "severity": "critical"},
            f"history,{PEOPLE}",
        ),
        ({"alertname": "Measure", "owner": "", "severity": "critical"}, f"history,{PEOPLE}"),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_an_alert_is_told_to(amtool: Path, plain: Path, labels: dict[str, str], receivers: str) -> None:
    routed = ask(
        amtool,
        *("config", "routes", "test", f"--config.file={plain}"),
        *(f'{name}="{value}"' for name, value in labels.items()),
    )

    assert routed.stdout.strip() == receivers, routed.stderr


@pytest.mark.parametrize(
    ("labels", "times"),
    [
        ({"severity": "warning"}, ("8s", "5m", "12h")),
        ({"severity": "critical"}, ("8s", "1m", "2h")),
        ({"severity": "warning", "alertname": "SourceSilent"}, ("30s", "5m", "12h")),
        ({"severity": "critical", "owner": "ann"}, ("0s", "10s", "5m")),
    ],
    ids=["warning", "critical", "a silent source", "of a user"],
)
@pytest.mark.parametrize("receiver", PEOPLE.split(","))
def test_everybody_is_told_at_the_pace_of_the_alert(
    receiver: str, labels: dict[str, str], times: tuple[str, ...]
) -> None:
    """The same for each way, for the routes below are written once."""
    root = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))["route"]
    [way] = [route for route in root["routes"] if route["receiver"] == receiver]
    matching: Any = next(
        (route for route in way["routes"] if any(name in str(route["matchers"]) for name in pace_of(labels))),
        {},
    )

    assert "matchers" not in way
    assert (
        tuple(matching.get(name, root[name]) for name in ("group_wait", "group_interval", "repeat_interval"))
        == times
    )


def pace_of(labels: dict[str, str]) -> list[str]:
    return (
        ["owner"]
        if "owner" in labels
        else ["critical"]
        if labels["severity"] == "critical"
        else [labels["alertname"]]
        if "alertname" in labels
        else []
    )


def test_hosts_that_fail_together_are_waited_for_longer_than_two_evaluations_lie_apart() -> None:
    """Else the second half of them would be told minutes later, as a change of their group."""
    groups = yaml.safe_load((REPOSITORY / "prometheus/rules/hosts.yml").read_text(encoding="utf-8"))["groups"]
    interval = next(seconds_of(group["interval"]) for group in groups if group["name"] == "hosts")
    root = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))["route"]
    waits = [
        seconds_of(route["group_wait"])
        for way in root["routes"]
        if way["receiver"] in PEOPLE.split(",")
        for route in way["routes"]
        if "group_wait" in route and "owner" not in str(route["matchers"])
    ]

    assert waits
    assert all(wait > interval for wait in [seconds_of(root["group_wait"]), *waits])


def test_no_repetition_is_lost_to_the_interval_of_its_group() -> None:
    """What is repeated every minute and looked at every minute is a moment too young each second time."""
    routes = routes_of(yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))["route"])

    assert [
        route
        for route in routes
        if {"group_interval", "repeat_interval"} <= route.keys()
        and seconds_of(route["group_interval"]) >= seconds_of(route["repeat_interval"])
    ] == []


def test_user_names_and_passwords_stand_in_no_route() -> None:
    config = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))

    assert "${" not in str([config["route"], config["inhibit_rules"], config.get("global")])


def undefined_receiver(folder: Path, config: Any) -> None:
    config["route"]["routes"][1]["receiver"] = "pager"


def misspelt_setting(folder: Path, config: Any) -> None:
    receiver_of(config, "telegram")["telegram_configs"][0]["chatid"] = 1


def broken_template(folder: Path, config: Any) -> None:
    (folder / "templates/own.tmpl").write_text('{{ define "own" }}{{ if }}{{ end }}')


def broken_matcher(folder: Path, config: Any) -> None:
    config["route"]["routes"][1]["matchers"] = ['alertname =~ "("']


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (undefined_receiver, 'undefined receiver "pager" used in route'),
        (misspelt_setting, "field chatid not found"),
        (broken_template, "own.tmpl:1: missing value for if"),
        (broken_matcher, "missing closing ): `^(?:()$`"),
    ],
)
def test_amtool_names_what_is_wrong(
    amtool: Path, tmp_path: Path, settings: Mapping[str, str], damage: Any, complaint: str
) -> None:
    config = render(tmp_path, settings)
    edit(config, lambda content: damage(tmp_path, content))

    checked = ask(amtool, "check-config", config)

    assert checked.returncode != 0
    assert complaint in checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("template", "kind"),
    [
        ("telemetry.subject", "text"),
        ("telemetry.text", "text"),
        ("telemetry.email.html", "html"),
        ("telemetry.telegram", "html"),
        ("telemetry.slack.title", "text"),
        ("telemetry.slack.text", "text"),
        ("telemetry.discord.title", "text"),
        ("telemetry.discord.message", "text"),
    ],
)
def test_a_template_renders_an_alert_that_has_nothing_but_a_name(
    amtool: Path, tmp_path: Path, template: str, kind: str
) -> None:
    """amtool check-config only parses; a template that is not there would be found out by the first alert."""
    data = tmp_path / "data.json"
    data.write_text(
        '{"status": "firing", "groupLabels": {}, "alerts": [{"status": "firing", "labels": {"alertname": "Bare"},'
        ' "annotations": {}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"}]}'
    )

    rendered = ask(
        amtool,
        *("template", "render", f"--template.glob={REPOSITORY}/alertmanager/templates/*.tmpl"),
        *(f'--template.text={{{{ template "{template}" . }}}}', f"--template.type={kind}"),
        f"--template.data={data}",
    )

    assert rendered.returncode == 0, rendered.stderr
    assert "Bare" in rendered.stdout
