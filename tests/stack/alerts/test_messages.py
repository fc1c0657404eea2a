"""Messages as they arrive, of alerts whose labels and annotations hold whatever hosts and pushers may send."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final

import pytest

from tests.stack.alerts.alertmanager import DELIVERING, GENERATIONS, wait_for
from tests.stack.alerts.chain import HISTORY, USER, Chain, chain
from tests.stack.alerts.services import MAX_CHARACTERS, Mail

pytestmark = pytest.mark.stack

STARTED: Final = "2026-01-01T00:00:00Z"
ENDED: Final = "2026-01-01T00:01:00Z"
LONG: Final = "x" * 4096
TEXTS: Final = {
    "Plain": "/srv/data",
    "Markup": "_*[]()<>&\"'`~#|{}.!\\/",
    "Tags": "</b><script src='x'>&lt;&#0;&",
    "Lines": "one\ntwo\r\n\r\nthree\tfour\u2028five",
    "Controls": "a\x00b\x07c\x1b[31md\x85e\x7ff",
    "RightToLeft": "שרת-\u202e/dev/sda\u202c-\u2066x\u2069-خادم",
    "Template": "{{ .Labels }} ${1} $1 %s {{ end }}",
    "Long": LONG,
    "LongAmpersands": "&" * 4096,
    "LongEmoji": "🔥" * 1024,
    "LongLines": "line\n" * 819,
}
SHOWN: Final = {
    **TEXTS,
    "Lines": "one two three four five",
    "Controls": "a b c [31md e f",
    "RightToLeft": "שרת-/dev/sda-x-خادم",
    "LongLines": "line " * 818 + "line",
}
"""As text receivers show them: one line, in the order in which it was sent."""


def labelled(name: str, *, resolved: bool = False) -> dict[str, Any]:
    """An alert whose mount point is the text called *name*, in a group of its own."""
    text = TEXTS[name]
    labels = {"alertname": name, "severity": "critical", "job": "node", "mountpoint": text}
    return {
        "labels": labels,
        "annotations": {
            "summary": f"{text} is full",
            "description": f"The filesystem {text} is 97% full.",
            "runbook": "docs/runbooks/HostFilesystemFull.md",
            "dashboard": "/d/host?var-job=node",
        },
        "startsAt": STARTED,
        **({"endsAt": ENDED} if resolved else {}),
    }


@pytest.fixture(scope="module", params=DELIVERING)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """All of TEXTS fired, and then resolved: every receiver was told both."""
    with chain(tmp_path_factory.mktemp("messages"), GENERATIONS[request.param]()) as running:
        running.alertmanager.post([labelled(name) for name in TEXTS])
        wait_for("messages of what fires", lambda: all_told(running, len(TEXTS)))
        running.alertmanager.post([labelled(name, resolved=True) for name in TEXTS])
        wait_for("messages of what is resolved", lambda: all_told(running, 2 * len(TEXTS)))
        yield running


def all_told(running: Chain, messages: int) -> bool:
    posts = (running.service.at("/alerts"), running.service.at(HISTORY))
    received = (*posts, running.mailbox.mails, running.telegram.texts)
    return all(len(one) >= messages for one in received)


def mails(told: Chain, name: str) -> tuple[Mail, Mail]:
    """Of the alert called *name*: when it fired, and when it was resolved."""
    [firing, resolved] = [mail for mail in told.mailbox.mails if f" {name} (node)" in mail.subject]
    return firing, resolved


def texts(told: Chain, name: str) -> tuple[str, str]:
    """The same of Telegram."""
    [firing, resolved] = [text for text in told.telegram.texts if text[2:].startswith(f"{name}:")]
    return firing, resolved


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html.replace("\r\n", "\n"))
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", TEXTS)
def test_mail_shows_what_was_sent_on_one_line_and_whole(told: Chain, name: str) -> None:
    firing, resolved = mails(told, name)

    assert firing.subject == f"[FIRING 1] {name} (node)"
    assert f"FIRING: {SHOWN[name]} is full\nThe filesystem {SHOWN[name]} is 97% full.\nSince 2" in lines(
        firing
    )
    assert ", severity critical\nDashboard: http://localhost:3000/d/host?var-job=node\n" in lines(firing)
    assert "Runbook: docs/runbooks/HostFilesystemFull.md\n" in lines(firing)
    assert resolved.subject == f"[RESOLVED] {name} (node)"
    assert f"RESOLVED: {SHOWN[name]} is full\nFrom 2026-01-01 00:00:00 to 2026-01-01 00:01:00 UTC\n" in lines(
        resolved
    )


def lines(mail: Mail) -> str:
    return mail.part("plain").replace("\r\n", "\n")


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_that_was_sent_is_markup_in_a_mail(told: Chain, name: str) -> None:
    firing, resolved = (Page(mail.part("html")) for mail in mails(told, name))

    assert firing.tags == ["html", "body", "h3", "p", "p", "br", "br"]
    assert f"{SHOWN[name]} is full\nThe filesystem {SHOWN[name]} is 97% full.\n" in firing.text
    assert resolved.tags == ["html", "body", "h3", "p"]
    assert f"Resolved: {SHOWN[name]} is full\n" in resolved.text


def test_mail_is_sent_with_tls_and_login_from_and_to_whom_the_settings_say(told: Chain) -> None:
    sent = {(mail.sender, mail.recipients, mail.login, mail.encrypted) for mail in told.mailbox.mails}

    assert sent == {("telemetry@example.org", ("operator@example.org",), USER, True)}


@pytest.mark.parametrize("name", [name for name in TEXTS if not name.startswith("Long")])
def test_telegram_shows_what_was_sent_on_one_line(told: Chain, name: str) -> None:
    firing, resolved = texts(told, name)

    assert firing.strip() == "\n".join(
        [
            f"🔥 {name}: 1 firing",
            "",
            f"• {SHOWN[name]} is full",
            f"The filesystem {SHOWN[name]} is 97% full.",
            "",
            "docs/runbooks/HostFilesystemFull.md",
            "http://localhost:3000/d/host?var-job=node",
        ]
    )
    assert resolved.strip() == f"✅ {name}: 1 resolved\n\n• {SHOWN[name]} is full"


@pytest.mark.parametrize(
    ("name", "summary", "description"),
    [
        ("Long", "x" * 140, f"The filesystem {'x' * 285}"),
        # Five characters each when it is cut, as &amp;
        ("LongAmpersands", "&" * 28, f"The filesystem {'&' * 57}"),
        ("LongEmoji", "🔥" * 140, f"The filesystem {'🔥' * 285}"),
        ("LongLines", "line " * 28, f"The filesystem {'line ' * 57}"),
    ],
)
def test_telegram_cuts_what_is_long(told: Chain, name: str, summary: str, description: str) -> None:
    firing, resolved = texts(told, name)

    assert f"\n• {summary}…\n{description}…\n" in firing
    assert f"\n• {summary[:80]}…" in resolved or f"\n• {'&' * 16}…" in resolved


def test_no_telegram_message_was_refused(told: Chain) -> None:
    assert len(told.telegram.posts) == len(told.telegram.texts) >= 2 * len(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_a_webhook_and_the_history_get_what_was_sent_unchanged(told: Chain, name: str) -> None:
    for path in ("/alerts", HISTORY):
        firing, resolved = (
            alert for alert in told.service.alerts(path) if alert["labels"]["alertname"] == name
        )

        assert (firing["status"], resolved["status"]) == ("firing", "resolved")
        assert firing["labels"] == resolved["labels"] == labelled(name)["labels"]
        assert firing["annotations"] == labelled(name)["annotations"]
        assert (firing["startsAt"], resolved["startsAt"], resolved["endsAt"]) == (STARTED, STARTED, ENDED)


def test_the_history_is_told_with_its_token(told: Chain) -> None:
    sent = {post.headers.get("authorization") for post in told.service.posts if post.path == HISTORY}

    assert sent == {"Bearer history-token"}


def test_a_large_group_of_long_texts_fits_into_one_telegram_message(told: Chain) -> None:
    """Twelve that fire and twelve that are resolved, in one group with the longest name: all limits at once."""
    name = "N" * 200

    def crowd(kind: str, *, resolved: bool = False) -> list[Any]:
        text = f"{kind} {'<' * 4096}"
        return [
            {
                "labels": {"alertname": name, "severity": "critical", "instance": f"{kind}-{number}"},
                "annotations": {
                    "summary": text,
                    "description": text,
                    "runbook": "r" * 4096,
                    "dashboard": "/" + "d" * 199,
                },
                "startsAt": STARTED,
                **({"endsAt": ENDED} if resolved else {}),
            }
            for number in range(12)
        ]

    def mixed() -> str:
        return next(
            (text for text in told.telegram.texts if "12 firing" in text and "12 resolved" in text), ""
        )

    told.alertmanager.post(crowd("old"))
    wait_for("the first", lambda: any("NNN" in text for text in told.telegram.texts))
    told.alertmanager.post(crowd("old", resolved=True) + crowd("new"))
    text = wait_for("one message of both", mixed)

    # With base addresses that are longer than the default ones, of 21 characters and of none.
    assert len(text) <= MAX_CHARACTERS - 200
    assert (text.count("• new"), text.count("• old"), text.count("• … and more")) == (10, 10, 2)
    assert "\n/" not in text
