"""What people are told when much happens at once: grouping, inhibition, repetition, and who is told how soon."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.stack.alerts.alertmanager import alert, hurry, newest, receiver_of, wait_for
from tests.stack.alerts.chain import HISTORY, Chain, chain

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """With every time a hundredth of what is shipped. Each test has alerts of its own, told apart by the job."""
    with chain(tmp_path_factory.mktemp("scenarios"), newest()) as started:
        yield started


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """With the times as they are shipped."""
    with chain(tmp_path_factory.mktemp("shipped"), newest(), change=lambda config: None) as started:
        yield started


def messages(running: Chain, job: str, path: str = "/alerts") -> list[Any]:
    """Those posted to *path* that are about *job*."""
    return [
        message for message in running.service.at(path) if message["alerts"][0]["labels"].get("job") == job
    ]


def told(running: Chain, job: str, path: str = "/alerts") -> list[tuple[str, str, str]]:
    """Status, name and instance of each alert about *job*, in the order in which they were told."""
    return [
        (one["status"], one["labels"]["alertname"], one["labels"].get("instance", ""))
        for message in messages(running, job, path)
        for one in message["alerts"]
    ]


EVALUATION_SECONDS: Final = 5
"""Of the group with HostDown, prometheus/rules/hosts.yml."""


def test_ten_hosts_that_fail_are_one_message_to_everybody(shipped: Chain) -> None:
    """Also where a second evaluation sees the half of them that the first one did not see yet."""
    running = shipped
    for half in (range(5), range(5, 10)):
        running.alertmanager.post(
            alert("HostDown", job="ten", instance=f"host-{number}", severity="critical") for number in half
        )
        if 0 in half:
            time.sleep(EVALUATION_SECONDS)
    [message] = wait_for("the message", lambda: messages(running, "ten"))
    mail = wait_for(
        "the mail",
        lambda: [mail for mail in running.mailbox.mails if mail.subject.endswith("HostDown (ten)")],
    )
    chat = wait_for(
        "the chat", lambda: [text for text in running.telegram.texts if "HostDown of host-9" in text]
    )
    wait_for("the history", lambda: len(messages(running, "ten", HISTORY)) >= 10)

    assert (message["status"], message["groupLabels"]) == ("firing", {"alertname": "HostDown", "job": "ten"})
    assert {one["labels"]["instance"] for one in message["alerts"]} == {f"host-{n}" for n in range(10)}
    assert [one.subject for one in mail] == ["[FIRING 10] HostDown (ten)"]
    assert [text.count("•") for text in chat] == [10]
    assert {len(one["alerts"]) for one in messages(running, "ten", HISTORY)} == {1}


@pytest.mark.parametrize("cause", ["HostDown", "SourceSilent"])
def test_a_host_that_says_nothing_does_not_also_alert_for_its_symptoms(running: Chain, cause: str) -> None:
    """And only for its own: the same trouble of another host is told."""
    symptoms = ("HostCpuHigh", "HostFilesystemFull", "HostCollectorFailing", "ExporterScrapeSlow")
    running.alertmanager.post([alert(cause, job=cause, instance="silent", severity="critical")])
    wait_for("the silence", lambda: told(running, cause))
    running.alertmanager.post(
        [
            *(alert(name, job=cause, instance="silent") for name in symptoms),
            *(alert(name, job=cause, instance="silent", severity="critical") for name in symptoms),
            *(alert(name, job=cause, instance="other") for name in symptoms),
        ]
    )
    wait_for("the others", lambda: len(told(running, cause)) >= 1 + len(symptoms))
    wait_for("in the history", lambda: len(told(running, cause, HISTORY)) >= 1 + len(symptoms))

    expected = {("firing", cause, "silent"), *(("firing", name, "other") for name in symptoms)}
    assert set(told(running, cause)) == expected
    assert set(told(running, cause, HISTORY)) == expected


def test_symptoms_that_outlast_the_silence_are_told(running: Chain) -> None:
    cpu = alert("HostCpuHigh", job="back", instance="host")
    running.alertmanager.post([alert("HostDown", job="back", instance="host", severity="critical"), cpu])
    wait_for("the silence", lambda: ("firing", "HostDown", "host") in told(running, "back"))
    assert ("firing", "HostCpuHigh", "host") not in told(running, "back")
    running.alertmanager.post(
        [alert("HostDown", job="back", instance="host", severity="critical", resolved=True)]
    )

    wait_for("its end", lambda: ("resolved", "HostDown", "host") in told(running, "back"))
    wait_for("the symptom", lambda: ("firing", "HostCpuHigh", "host") in told(running, "back"))


HIDDEN = [
    pytest.param(
        {"alertname": "HostMemoryHigh", "severity": "critical"},
        {"alertname": "HostMemoryHigh"},
        {"alertname": "HostCpuHigh"},
        id="critical hides the warning of the same trouble",
    ),
    pytest.param(
        {"alertname": "HostFilesystemFull", "severity": "critical", "mountpoint": "/"},
        {"alertname": "HostFilesystemFull", "mountpoint": "/"},
        {"alertname": "HostFilesystemFull", "mountpoint": "/srv"},
        id="but not of another filesystem",
    ),
    pytest.param(
        {"alertname": "Measure", "severity": "critical", "owner": "ann", "rule_id": "1"},
        {"alertname": "Measure", "owner": "ann", "rule_id": "2"},
        {"alertname": "Measure", "owner": "bob", "rule_id": "3"},
        id="nor what another user asked for",
    ),
    pytest.param(
        {"alertname": "HostFilesystemFull", "mountpoint": "/"},
        {"alertname": "HostFilesystemFillsSoon", "mountpoint": "/"},
        {"alertname": "HostFilesystemFillsSoon", "mountpoint": "/", "severity": "critical"},
        id="nearly full hides that it fills within a day, not that it does within hours",
    ),
    pytest.param(
        {"alertname": "HostFilesystemFull", "mountpoint": "/", "severity": "critical"},
        {"alertname": "HostFilesystemFillsSoon", "mountpoint": "/", "severity": "critical"},
        {"alertname": "HostFilesystemFillsSoon", "mountpoint": "/srv", "severity": "critical"},
        id="full hides that it fills",
    ),
    pytest.param(
        {"alertname": "HostRaidDegraded", "severity": "critical", "device": "md0"},
        {"alertname": "HostRaidDiskFailed", "device": "md0"},
        {"alertname": "HostRaidDiskFailed", "device": "md1"},
        id="a degraded array hides its disk",
    ),
    pytest.param(
        {"alertname": "TargetDown", "severity": "critical"},
        {"alertname": "BridgeRemoteWriteBehind", "severity": "critical"},
        {"alertname": "HostCpuHigh"},
        id="a part of the stack that is down hides its symptoms",
    ),
]


@pytest.mark.parametrize(("cause", "hidden", "shown"), HIDDEN)
def test_of_two_alerts_about_one_thing_the_greater_is_told(
    running: Chain,
    request: pytest.FixtureRequest,
    cause: dict[str, str],
    hidden: dict[str, str],
    shown: dict[str, str],
) -> None:
    job = request.node.callspec.id

    def numbered(number: str, labels: dict[str, str]) -> dict[str, Any]:
        one = alert("")
        one["labels"] |= {**labels, "job": job, "number": number}
        return one

    def told_numbers() -> set[str]:
        return {one["labels"]["number"] for message in messages(running, job) for one in message["alerts"]}

    running.alertmanager.post([numbered("cause", cause)])
    wait_for("the cause", lambda: "cause" in told_numbers())
    running.alertmanager.post([numbered("hidden", hidden), numbered("shown", shown)])
    wait_for("both", lambda: told_numbers() >= {"cause", "shown"})

    assert told_numbers() == {"cause", "shown"}
    assert inhibited(running, job) == {"cause": False, "hidden": True, "shown": False}


def inhibited(running: Chain, job: str) -> dict[str, bool]:
    return {
        one["labels"]["number"]: bool(one["status"]["inhibitedBy"])
        for one in running.alertmanager.alerts()
        if one["labels"].get("job") == job
    }


@pytest.mark.parametrize(
    ("name", "severity", "hides"),
    [
        ("TargetDown", "critical", True),
        ("BridgeCannotStore", "critical", True),
        ("BridgeCannotStore", "warning", False),
    ],
)
def test_where_the_bridge_takes_no_pushes_no_pusher_is_called_silent(
    running: Chain, name: str, severity: str, hides: bool
) -> None:
    """The bridge's alerts carry its own job, so here what is told apart is the instance."""
    instance = f"{name}-{severity}"
    cause = alert(name, job="bridge", instance=instance, severity=severity)
    running.alertmanager.post(
        [cause, alert("SourceSilent", job="statix", instance=instance, number=instance)]
    )

    def hidden() -> list[bool]:
        return [
            bool(one["status"]["inhibitedBy"])
            for one in running.alertmanager.alerts()
            if one["labels"].get("number") == instance
        ]

    wait_for("the cause", lambda: ("firing", name, instance) in told(running, "bridge"))
    assert hidden() == [hides]

    running.alertmanager.post(
        [alert(name, job="bridge", instance=instance, severity=severity, resolved=True)]
    )
    wait_for("the end", lambda: hidden() == [False])
    wait_for("the source", lambda: ("firing", "SourceSilent", instance) in told(running, "statix"))


def test_what_is_resolved_is_told_once_to_everybody(running: Chain) -> None:
    running.alertmanager.post([alert("HostCpuHigh", job="over", instance="host", severity="critical")])
    wait_for("firing", lambda: told(running, "over"))
    running.alertmanager.post(
        [alert("HostCpuHigh", job="over", instance="host", severity="critical", resolved=True)]
    )
    wait_for("resolved", lambda: len(told(running, "over")) >= 2)
    wait_for("in the history", lambda: len(told(running, "over", HISTORY)) >= 2)
    subjects = ["[FIRING 1] HostCpuHigh (over)", "[RESOLVED] HostCpuHigh (over)"]
    wait_for("by mail", lambda: mails(running, "(over)") == subjects)

    expected = [("firing", "HostCpuHigh", "host"), ("resolved", "HostCpuHigh", "host")]
    assert told(running, "over") == told(running, "over", HISTORY) == expected


def mails(running: Chain, end: str) -> list[str]:
    return [mail.subject for mail in running.mailbox.mails if mail.subject.endswith(end)]


def test_a_rule_of_a_user_is_one_message_and_is_repeated_for_as_long_as_it_fires(running: Chain) -> None:
    running.alertmanager.post(
        alert("Measure", job="rule", owner="ann", rule_id="r-17", severity="info", instance=f"host-{number}")
        for number in range(3)
    )

    def whole() -> list[Any]:
        """The first message does not wait for company, so it may hold fewer than were posted at once."""
        return [message for message in messages(running, "rule") if len(message["alerts"]) == 3]

    wait_for("the repetition", lambda: len(whole()) >= 2)
    wait_for("the mail", lambda: "[FIRING 3] Measure" in mails(running, "Measure"))

    assert [message["groupLabels"] for message in whole()[:2]] == [{"rule_id": "r-17"}] * 2
    assert {message["status"] for message in messages(running, "rule")} == {"firing"}


def test_a_rule_of_a_user_and_the_history_do_not_wait_for_company(shipped: Chain) -> None:
    """Who set a rule is told while a warning still waits for others."""
    shipped.alertmanager.post(
        [
            alert("HostCpuHigh", job="warning", instance="host"),
            alert("Measure", job="rule", instance="host", owner="ann", rule_id="1"),
        ]
    )
    wait_for("the rule", lambda: told(shipped, "rule"))
    wait_for("its history", lambda: told(shipped, "rule", HISTORY))
    wait_for("the warning's history", lambda: told(shipped, "warning", HISTORY))

    assert told(shipped, "warning") == []


def test_the_sign_of_life_is_sent_at_each_interval_and_to_nobody_else(running: Chain) -> None:
    running.alertmanager.post([alert("Watchdog", severity="none", job="")])

    beats = wait_for(
        "three beats", lambda: three if len(three := running.service.alerts("/heartbeat")) >= 3 else None
    )

    assert {(one["status"], one["labels"]["alertname"]) for one in beats} == {("firing", "Watchdog")}
    others = running.service.alerts("/alerts") + running.service.alerts(HISTORY)
    assert "Watchdog" not in {one["labels"]["alertname"] for one in others}
    assert "Watchdog" not in str(running.telegram.texts) + str(
        [mail.subject for mail in running.mailbox.mails]
    )


def test_mail_can_be_sent_through_tls_from_the_first_byte(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As on port 465, where no setting is needed: a test's port is another one, and needs it."""

    def implicit(config: Any) -> None:
        hurry(config)
        receiver_of(config, "email")["email_configs"][0]["force_implicit_tls"] = True

    with chain(tmp_path_factory.mktemp("tls"), newest(), change=implicit, implicit_tls=True) as started:
        started.alertmanager.post([alert("HostDown", job="tls", instance="host", severity="critical")])
        [mail] = wait_for("the mail", lambda: started.mailbox.mails)

    assert (mail.encrypted, mail.subject) == (True, "[FIRING 1] HostDown (tls)")
