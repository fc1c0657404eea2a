"""``pushgateway-bridge alert test`` with the real Alertmanager, the shipped configuration, and who it tells."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from click.testing import CliRunner, Result

from pushgateway_bridge.cli import main
from tests.stack.alerts.alertmanager import (
    Programs,
    edit,
    newest,
    own,
    receiver_of,
    render,
    started,
    wait_for,
)
from tests.stack.alerts.chain import HISTORY, Chain, chain
from tests.stack.alerts.services import failed

pytestmark = pytest.mark.stack

ALL_OK = ["webhook webhook ok", "email email ok", "telegram telegram ok"]


def as_the_stack_starts_it(folder: Path) -> Programs:
    """With the flag by which its metrics tell receivers apart."""
    programs = newest()
    script = folder / "alertmanager"
    script.write_text(
        f'#!/bin/sh\nexec {shlex.quote(str(programs.alertmanager))} "$@" --enable-feature=receiver-name-in-metrics\n'
    )
    script.chmod(0o755)
    return programs._replace(alertmanager=script)


KINDS: Final[Mapping[str, Callable[[Path], Programs]]] = {
    "counts by receiver": as_the_stack_starts_it,
    "counts in one": lambda _: newest(),
    "own": lambda _: own(),
}


@pytest.fixture(scope="module", params=KINDS)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("command")
    with chain(folder, KINDS[request.param](folder)) as running:
        yield running


def alert_test(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["alert", "test", f"--alertmanager.url={url}", *arguments])


def lines(result: Result) -> list[str]:
    """Those of the table, with single spaces and without the heading."""
    return [" ".join(line.split()) for line in result.stdout.splitlines()][1:]


def test_each_receiver_is_told_that_it_is_a_test_and_that_it_is_over(told: Chain) -> None:
    result = alert_test(told.alertmanager.url)

    assert (result.exit_code, lines(result)) == (0, ALL_OK), result.output
    assert "left out, as machines read them: heartbeat, history" in result.stderr
    firing = next(alert for alert in reversed(told.service.alerts("/alerts")) if alert["status"] == "firing")
    assert firing["labels"]["receiver_test"] == "webhook"
    assert firing["annotations"]["summary"] == "This is a test of the receiver webhook: nothing is wrong"
    wait_for(
        "the end at the webhook",
        lambda: (
            (firing["fingerprint"], "resolved")
            in {(alert["fingerprint"], alert["status"]) for alert in told.service.alerts("/alerts")}
        ),
    )
    wait_for("the end by mail", lambda: any("RESOLVED" in mail.subject for mail in told.mailbox.mails))
    [mail, *_] = [mail for mail in told.mailbox.mails if "FIRING" in mail.subject]
    assert "ReceiverTest" in mail.subject
    assert "a test of the receiver email: nothing is wrong" in mail.part("plain")
    wait_for("the end in the chat", lambda: any("resolved" in text for text in told.telegram.texts))
    assert any("a test of the receiver telegram: nothing is wrong" in text for text in told.telegram.texts)


def test_neither_the_history_nor_the_heartbeat_is_told(told: Chain) -> None:
    result = alert_test(told.alertmanager.url, "--receiver=webhook")

    assert (result.exit_code, lines(result)) == (0, ALL_OK[:1]), result.output
    assert told.service.alerts(HISTORY) == []
    heard = {alert["labels"]["receiver_test"] for alert in told.service.alerts("/heartbeat")}
    assert heard <= {"heartbeat"}, "a test of its own, which another test here makes"


def test_a_way_that_is_refused_is_said_to_fail_and_the_others_are_ok(told: Chain) -> None:
    told.telegram.failure = failed(400, "Bad Request: chat not found")
    try:
        result = alert_test(told.alertmanager.url)
    finally:
        told.telegram.failure = None

    assert result.exit_code == 1
    assert lines(result)[:2] == ALL_OK[:2]
    assert lines(result)[2].startswith("telegram telegram failed: given up")
    assert "What the other side answered is in Alertmanager's log." in result.stderr


def test_a_receiver_that_machines_read_is_tried_when_it_is_named(told: Chain) -> None:
    result = alert_test(told.alertmanager.url, "--receiver=heartbeat", "--receiver=heartbeat")

    assert (result.exit_code, lines(result)) == (0, ["heartbeat webhook ok"])
    assert told.service.alerts("/heartbeat")[-1]["labels"]["receiver_test"] == "heartbeat"


def test_an_unknown_receiver_is_refused_with_those_that_there_are(told: Chain) -> None:
    result = alert_test(told.alertmanager.url, "--receiver=webhook", "--receiver=pager")

    assert result.exit_code == 2
    assert "there is no 'pager'; there are webhook, email, telegram, heartbeat, history" in result.stderr
    assert result.stdout == ""


def test_a_silence_is_named_as_the_reason_for_no_result(told: Chain) -> None:
    silence = {
        "matchers": [{"name": "alertname", "value": "ReceiverTest", "isRegex": False, "isEqual": True}],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "a test",
        "comment": "silence",
    }
    url = f"{told.alertmanager.url}/api/v2"
    silence_id = requests.post(f"{url}/silences", json=silence, timeout=5).json()["silenceID"]
    try:
        result = alert_test(told.alertmanager.url, "--receiver=webhook", "--timeout=2")
    finally:
        requests.delete(f"{url}/silence/{silence_id}", timeout=5)

    assert (result.exit_code, lines(result)) == (1, [f"webhook webhook unknown: silenced by {silence_id}"])


def test_no_test_goes_on_when_the_command_has_ended(told: Chain) -> None:
    alert_test(told.alertmanager.url, "--receiver=webhook")

    def firing() -> list[str]:
        active = requests.get(f"{told.alertmanager.url}/api/v2/alerts", timeout=5).json()
        return [alert["labels"]["alertname"] for alert in active]

    wait_for("no alert", lambda: "ReceiverTest" not in firing())


def test_a_refusing_mail_server_and_one_of_two_chats_that_fails_are_enough_to_fail(tmp_path: Path) -> None:
    """Alertmanager counts both chats of the receiver together."""

    def second_chat(config: Any) -> None:
        receiver = receiver_of(config, "telegram")
        [good] = receiver["telegram_configs"]
        receiver["telegram_configs"] = [good, {**good, "chat_id": 5}]

    with chain(tmp_path, as_the_stack_starts_it(tmp_path), second_chat) as running:
        running.mailbox.refusals["DATA"] = "554 5.7.1 no"

        result = alert_test(running.alertmanager.url)

        assert result.exit_code == 1
        assert lines(result)[0] == ALL_OK[0]
        assert lines(result)[1].startswith("email email failed: given up (")
        assert lines(result)[2].startswith("telegram telegram failed: given up (")
        assert running.mailbox.mails == []
        assert len(running.telegram.texts) == 1, "the other chat was told"


def test_where_nobody_is_told_that_is_said(tmp_path: Path) -> None:
    with started(newest(), render(tmp_path, {})) as alertmanager:
        result = alert_test(alertmanager.url)

    assert result.exit_code == 1
    assert lines(result) == [
        f"{name} - no integration configured" for name in ("webhook", "email", "telegram")
    ]
    assert "Nobody is told of alerts" in result.stderr


def test_a_configuration_without_routes_for_tests_is_told_from_a_failing_receiver(tmp_path: Path) -> None:
    """What an earlier release rendered: the alert would reach whoever is told of the rest."""
    config = render(tmp_path, {})

    def drop_test_routes(document: Any) -> None:
        route = document["route"]
        route["routes"] = [one for one in route["routes"] if "receiver_test" not in str(one)]

    edit(config, drop_test_routes)
    with started(newest(), config) as alertmanager:
        result = alert_test(alertmanager.url, "--receiver=email")

    assert result.exit_code == 3
    assert (
        "no route for tests of email: write it anew with 'pushgateway-bridge render-config'" in result.stderr
    )
