"""The examples for further services, put where their comments say, loaded, and sent to services that look closely."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.stack.alerts.alertmanager import (
    GENERATIONS,
    REPOSITORY,
    TEMPLATE,
    Alertmanager,
    Programs,
    alert,
    edit,
    hurry,
    receiver_of,
    render,
    started,
    wait_for,
)
from tests.stack.alerts.services import Answer, Post, Service, serving

pytestmark = pytest.mark.stack

EXAMPLES: Final = REPOSITORY / "docs/examples/notifications"
SETTINGS: Final = {
    "slack": {"SLACK_WEBHOOK_URL": "{url}/services/T0/B0/secret"},
    "discord": {"DISCORD_WEBHOOK_URL": "{url}/api/webhooks/1/secret"},
    "ntfy": {"NTFY_URL": "{url}/alerts", "NTFY_TOKEN": "tk_secret"},
}
HOSTILE: Final = "_*[x](http://x)<!channel>&\"'`~||@everyone\n# #"


@pytest.fixture(scope="module", params=GENERATIONS)
def programs(request: pytest.FixtureRequest) -> Programs:
    return GENERATIONS[request.param]()


def configured(folder: Path, example: str, settings: Mapping[str, str]) -> Path:
    """The shipped configuration with *example*, rendered with *settings*."""
    template = folder / "template.yml"
    template.write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    added = yaml.safe_load((EXAMPLES / f"{example}.yml").read_text(encoding="utf-8"))

    def add(config: Any) -> None:
        webhook = receiver_of(config, "webhook")
        for kind, entries in added.items():
            webhook[kind] = webhook.get(kind, []) + entries

    edit(template, add)
    return render(folder, settings, template)


@pytest.mark.parametrize("example", SETTINGS)
def test_both_generations_load_the_example(programs: Programs, tmp_path: Path, example: str) -> None:
    settings = {name: value.format(url="http://127.0.0.1:1") for name, value in SETTINGS[example].items()}
    config = configured(tmp_path, example, settings)

    checked = subprocess.run(
        [programs.amtool, "check-config", config], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    [entry] = [
        entry
        for kind, entries in receiver_of(
            yaml.safe_load(config.read_text(encoding="utf-8")), "webhook"
        ).items()
        if kind != "name"
        for entry in entries
    ]
    assert "http://127.0.0.1:1" in str(entry)


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.iterdir()} == set(SETTINGS)


@contextmanager
def told(folder: Path, programs: Programs, example: str) -> Iterator[tuple[Alertmanager, Service]]:
    service = Service(
        lambda _: Answer(200, "ok")
    )  # as Slack does: without it the message would be sent again
    settings = {name: value.format(url=service.url()) for name, value in SETTINGS[example].items()}
    config = configured(folder, example, settings)
    edit(config, hurry)
    with serving(service), started(programs, config) as alertmanager:
        yield alertmanager, service


def both(folder: Path, programs: Programs, example: str) -> tuple[Post, Post]:
    """What the service got when two hosts with hostile names failed, and when they were back."""
    with told(folder, programs, example) as (alertmanager, service):
        for resolved in (False, True):
            alertmanager.post(
                alert(
                    "HostDown",
                    job="node",
                    severity="critical",
                    instance=f"{HOSTILE}{number}",
                    resolved=resolved,
                )
                for number in range(2)
            )
            wait_for("the message", lambda count=1 + resolved: len(service.posts) >= count)  # type: ignore[misc]
        firing, resolved_too = service.posts
    return firing, resolved_too


def test_slack_shows_what_was_sent_and_calls_nobody(programs: Programs, tmp_path: Path) -> None:
    firing, resolved = both(tmp_path, programs, "slack")
    [attachment] = firing.body["attachments"]
    [after] = resolved.body["attachments"]

    assert firing.path == resolved.path == "/services/T0/B0/secret"
    assert attachment["mrkdwn_in"] == ["fields"]
    assert (attachment["title"], attachment["color"]) == ("[FIRING 2] HostDown", "danger")
    name = "_*[x](http://x)&lt;!channel&gt;&amp;\"'`~||@everyone # #0"
    assert f"• HostDown of {name}\nHostDown: {name} is in trouble\n" in attachment["text"]
    assert "<" not in attachment["text"]
    assert (after["title"], after["color"]) == ("[RESOLVED] HostDown", "good")
    assert after["text"].count("• resolved: HostDown of _*[x]") == 2


def test_discord_shows_what_was_sent_and_no_markup(programs: Programs, tmp_path: Path) -> None:
    firing, resolved = both(tmp_path, programs, "discord")
    [embed] = firing.body["embeds"]
    [after] = resolved.body["embeds"]

    assert firing.path == resolved.path == "/api/webhooks/1/secret"
    assert embed["title"] == "\\[FIRING 2\\] HostDown".replace("\\", "")
    assert "- HostDown of \\_\\*\\[x\\]\\(http\\:\\/\\/x\\)\\<\\!channel\\>\\&" in embed["description"]
    assert len(embed["description"]) <= 2048
    assert embed["color"] != after["color"]
    assert after["title"] == "[RESOLVED] HostDown"
    assert after["description"].count("- resolved: HostDown of ") == 2


def test_ntfy_gets_what_its_template_reads(programs: Programs, tmp_path: Path) -> None:
    """https://github.com/binwiederhier/ntfy/blob/main/server/templates/alertmanager.yml"""
    firing, resolved = both(tmp_path, programs, "ntfy")

    for post, status in ((firing, "firing"), (resolved, "resolved")):
        assert (post.path, post.query) == ("/alerts", {"template": ["alertmanager"]})
        assert post.headers["authorization"] == "Bearer tk_secret"
        assert (post.body["status"], post.body["receiver"]) == (status, "webhook")
        assert len(post.body["alerts"]) == 2
        for one in post.body["alerts"]:
            assert one["labels"].keys() >= {"alertname", "instance", "severity"}
            assert one["annotations"].keys() >= {"summary", "description"}
            assert one.keys() >= {"startsAt", "endsAt", "generatorURL"}
