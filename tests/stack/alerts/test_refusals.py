"""Receivers that refuse or hang: it is counted, nobody else waits, and what was to be told arrives after all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.alerts.alertmanager import DELIVERING, GENERATIONS, alert, wait_for
from tests.stack.alerts.chain import HISTORY, Chain, chain
from tests.stack.alerts.services import Answer, failed

pytestmark = pytest.mark.stack

FAILED = "alertmanager_notifications_failed_total"
REQUESTS_FAILED = "alertmanager_notification_requests_failed_total"


@pytest.fixture(scope="module", params=DELIVERING)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """With every time a hundredth of what is shipped. Each test has a host of its own and leaves all services well."""
    with chain(tmp_path_factory.mktemp("refusals"), GENERATIONS[request.param]()) as started:
        yield started


def down(instance: str, *, resolved: bool = False) -> dict[str, Any]:
    """In a group of its own."""
    return alert("HostDown", job=instance, instance=instance, severity="critical", resolved=resolved)


def posted(running: Chain, instance: str, path: str = "/alerts") -> list[str]:
    """The statuses in which that host was told of at *path*."""
    return [one["status"] for one in running.service.alerts(path) if one["labels"]["instance"] == instance]


def mailed(running: Chain, instance: str) -> list[str]:
    return [mail.subject for mail in running.mailbox.mails if f"({instance})" in mail.subject]


def sent(running: Chain, instance: str) -> list[str]:
    return [text for text in running.telegram.texts if f"HostDown of {instance}" in text]


@pytest.mark.parametrize(("command", "counter"), [("RCPT", FAILED), ("DATA", REQUESTS_FAILED)])
def test_a_mail_server_that_refuses_is_counted_and_asked_again(
    running: Chain, command: str, counter: str
) -> None:
    """A request that failed is counted at once, the notification when it is given up, 10 seconds later."""
    if command == "DATA" and "version=0.25." in running.alertmanager.log.read_text():
        pytest.skip("Alertmanager 0.25 does not look at what is said once a message was sent")
    host = f"no-mail-{command}"
    before = running.alertmanager.metric(counter, integration="email")
    running.mailbox.refusals = {command: "554 5.7.1 not from you"}
    running.alertmanager.post([down(host)])
    try:
        wait_for("the failure", lambda: running.alertmanager.metric(counter, integration="email") > before)
        wait_for("the others", lambda: posted(running, host) and sent(running, host))
        assert mailed(running, host) == []
    finally:
        running.mailbox.refusals = {}

    wait_for("the mail", lambda: mailed(running, host))
    assert mailed(running, host) == [f"[FIRING 1] HostDown ({host})"]
    assert "5.7.1 not from you" in running.alertmanager.log.read_text()


def test_a_mail_server_that_hangs_holds_up_mail_alone(running: Chain) -> None:
    """Alertmanager sets it no limit: so it is said in the documentation, and nobody else may wait for it."""
    host = "hanging"
    running.mailbox.answers.clear()
    try:
        running.alertmanager.post([down(host)])
        wait_for("the server's silence", lambda: running.mailbox.waiting)
        wait_for("the others", lambda: posted(running, host) and sent(running, host))
        running.alertmanager.post([down(host, resolved=True)])
        wait_for("the end", lambda: "resolved" in posted(running, host) and len(sent(running, host)) == 2)
        wait_for("the history", lambda: "resolved" in posted(running, host, HISTORY))
        assert mailed(running, host) == []
    finally:
        running.mailbox.answers.set()

    wait_for("the mail", lambda: len(mailed(running, host)) == 2)
    assert mailed(running, host) == [f"[FIRING 1] HostDown ({host})", f"[RESOLVED] HostDown ({host})"]


def test_telegram_that_refuses_a_message_is_counted_and_asked_again(running: Chain) -> None:
    host = "no-such-chat"
    before = running.alertmanager.metric(REQUESTS_FAILED, integration="telegram")
    running.telegram.failure = failed(400, "Bad Request: chat not found")
    running.alertmanager.post([down(host)])
    try:
        wait_for(
            "the failed request",
            lambda: running.alertmanager.metric(REQUESTS_FAILED, integration="telegram") > before,
        )
        wait_for("the others", lambda: posted(running, host) and mailed(running, host))
        assert sent(running, host) == []
    finally:
        running.telegram.failure = None

    wait_for("the message", lambda: sent(running, host))
    assert len(sent(running, host)) == 1


def test_telegram_that_has_had_enough_is_asked_again_until_it_takes_the_message(running: Chain) -> None:
    host = "too-many"
    before = running.alertmanager.metric(REQUESTS_FAILED, integration="telegram")
    running.telegram.failure = failed(429, "Too Many Requests: retry after 1", retry_after=1)
    running.alertmanager.post([down(host)])
    try:
        wait_for(
            "the failed request",
            lambda: running.alertmanager.metric(REQUESTS_FAILED, integration="telegram") > before,
        )
        assert sent(running, host) == []
    finally:
        running.telegram.failure = None

    wait_for("the message", lambda: sent(running, host))
    assert len(sent(running, host)) == 1


@pytest.mark.parametrize("status", [401, 503])
def test_a_history_that_refuses_is_counted_and_keeps_nobody_from_being_told(
    running: Chain, status: int
) -> None:
    host = f"unstored-{status}"
    before = running.alertmanager.metric(REQUESTS_FAILED, integration="webhook")
    running.service.answer = lambda post: Answer(status if post.path == HISTORY else 200)
    running.alertmanager.post([down(host)])
    try:
        wait_for("people", lambda: posted(running, host) and mailed(running, host) and sent(running, host))
        wait_for(
            "the failure",
            lambda: running.alertmanager.metric(REQUESTS_FAILED, integration="webhook") > before,
        )
        refused = len(posted(running, host, HISTORY))
        assert refused
    finally:
        running.service.answer = lambda post: Answer()

    wait_for("the history, again", lambda: len(posted(running, host, HISTORY)) > refused)
