"""Mail through a real server, and what is said when it is not taken."""

from __future__ import annotations

import ssl

import pytest
from aiosmtpd.smtp import Envelope

from pushgateway_bridge import mail
from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.mail import MailFailed, MailSettings, compose, mail_settings, missing_settings, send
from tests.bridge.reports.conftest import PostOffice, mail_server, settings_for
from tests.ports import free_port
from tests.stack.alerts.services import Mailbox

SET = {
    "SMTP_HOST": "mail.example.org",
    "SMTP_PORT": "587",
    "SMTP_FROM": "telemetry@example.org",
    "ALERT_EMAIL": "ann@example.org",
}


def test_a_mail_arrives_as_text_and_html_with_tls_and_login(post_office: PostOffice) -> None:
    text = "Grüße\n.\n" + "x" * 2000
    send(post_office.settings, compose(post_office.settings, "Bericht: 90 %", text, "<p>Grüße</p>"))

    [arrived] = post_office.mailbox.mails
    assert arrived.subject == "Bericht: 90 %"
    assert (arrived.sender, arrived.recipients) == (
        "telemetry@example.org",
        ("ann@example.org", "bob@example.org"),
    )
    assert (arrived.login, arrived.encrypted) == ("telemetry", True)
    assert arrived.part("plain").splitlines() == text.splitlines()
    assert arrived.part("html").strip() == "<p>Grüße</p>"
    assert arrived.message["Message-ID"].endswith("@example.org>")


def test_port_465_is_tls_from_the_beginning(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another port, as nobody may listen on that one."""
    mailbox = Mailbox()
    with mail_server(mailbox, certificate, implicit=True) as port:
        monkeypatch.setattr(mail, "IMPLICIT_TLS_PORT", port)
        settings = settings_for(port)

        send(settings, compose(settings, "a", "b", "c"))

    assert [arrived.encrypted for arrived in mailbox.mails] == [True]


def refusal(settings: MailSettings) -> str:
    with pytest.raises(MailFailed) as caught:
        send(settings, compose(settings, "a", "b", "c"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_server_that_refuses_is_quoted(post_office: PostOffice) -> None:
    post_office.mailbox.refusals["DATA"] = "554 5.7.1 not\tfrom you"

    assert refusal(post_office.settings) == (
        f"127.0.0.1:{post_office.settings.port} answers 554 5.7.1 not from you"
    )


def test_an_address_that_is_refused_is_named(post_office: PostOffice) -> None:
    post_office.mailbox.refusals["RCPT"] = "550 5.1.1 nobody here"

    assert refusal(post_office.settings) == (
        f"127.0.0.1:{post_office.settings.port} refuses ann@example.org (550 5.1.1 nobody here), "
        "bob@example.org (550 5.1.1 nobody here)"
    )


class OneUser(Mailbox):
    """Knows only Ann."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, server: object, session: object, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not address.startswith("ann@"):
            return "550 5.1.1 nobody here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"


def test_a_mail_that_some_get_was_sent_and_the_others_are_logged(
    certificate: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    """Else those who got it would get it again with each try."""
    mailbox = OneUser()
    with mail_server(mailbox, certificate) as port:
        settings = settings_for(port)
        send(settings, compose(settings, "a", "b", "c"))

    assert [arrived.recipients for arrived in mailbox.mails] == [("ann@example.org",)]
    assert "refused='bob@example.org (550 5.1.1 nobody here)'" in caplog.text


def test_a_wrong_password_is_said(post_office: PostOffice) -> None:
    told = refusal(post_office.settings._replace(password="not-this-one"))

    assert "answers 535" in told
    assert "not-this-one" not in told


def test_a_password_that_cannot_be_sent_is_said_and_not_shown(post_office: PostOffice) -> None:
    told = refusal(post_office.settings._replace(password="pässword"))

    assert (
        told == f"127.0.0.1:{post_office.settings.port}: only ASCII can be sent as server, user or password"
    )


def test_a_certificate_that_nobody_trusts_gets_no_mail(
    post_office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    assert "certificate verify failed" in refusal(post_office.settings)
    assert post_office.mailbox.mails == []


def test_nobody_at_the_port_is_said() -> None:
    port = free_port()

    assert refusal(settings_for(port)).startswith(f"127.0.0.1:{port}: [Errno 111]")


def test_a_server_that_says_nothing_is_not_waited_for_without_end(
    post_office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 0.5)
    post_office.mailbox.answers.clear()
    try:
        assert "timed out" in refusal(post_office.settings)
    finally:
        post_office.mailbox.answers.set()


def test_the_settings_are_those_of_alerts() -> None:
    settings = {**SET, "SMTP_USER": "me", "SMTP_PASSWORD": "secret"}

    assert mail_settings(settings.get) == MailSettings(
        "mail.example.org", 587, "telemetry@example.org", "ann@example.org", "me", "secret"
    )


@pytest.mark.parametrize("name", SET)
def test_without_one_of_the_needed_settings_there_is_no_mail(name: str) -> None:
    settings = {other: value for other, value in SET.items() if other != name}

    assert mail_settings(settings.get) is None
    assert missing_settings(settings.get) == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_PORT", "smtp"),
        ("SMTP_PORT", "0"),
        ("SMTP_PORT", "65536"),
        ("SMTP_PORT", "²"),
        ("SMTP_FROM", "nobody"),
        ("SMTP_FROM", "nobody@"),
        ("SMTP_FROM", "@example.org"),
        ("SMTP_FROM", "a b@example..org"),
        ("ALERT_EMAIL", "änn@example.org"),
        ("ALERT_EMAIL", "a@example.org, b"),
        ("ALERT_EMAIL", "a@example.org\r\nBcc: b@example.org"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(StartFailed, match=f"^{name}: expected "):
        mail_settings({**SET, name: value}.get)


@pytest.mark.parametrize(
    ("sender", "header"),
    [
        ("ann@example.org", "ann@example.org"),
        ("Ann B. <ann@example.org>", '"Ann B." <ann@example.org>'),
        ("Änn <ann@example.org>", "Änn <ann@example.org>"),
        ("ann+tag@sub.example.org", "ann+tag@sub.example.org"),
    ],
)
def test_a_sender_may_have_a_name(sender: str, header: str) -> None:
    settings = mail_settings({**SET, "SMTP_FROM": sender}.get)

    assert settings is not None
    assert compose(settings, "a", "b", "c")["From"] == header


def test_a_subject_is_one_line() -> None:
    message = compose(settings_for(1), "a\r\nBcc: b@example.org", "", "")

    assert message["Subject"] == "a Bcc: b@example.org"
    assert message["Bcc"] is None
