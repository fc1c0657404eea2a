"""Alertmanager as it is shipped, between whoever posts alerts and every way to notify."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import trustme

from tests.stack.alerts.alertmanager import (
    Alertmanager,
    Programs,
    edit,
    hurry,
    receiver_of,
    render,
    started,
)
from tests.stack.alerts.services import (
    BOT_TOKEN,
    CHAT,
    Mailbox,
    Service,
    Telegram,
    mail_server,
    serving,
)

USER: Final = "telemetry"
PASSWORD: Final = "pass word: #1"
HISTORY: Final = "/api/v1/alerts/webhook"


class Chain(NamedTuple):
    """A running Alertmanager and who it tells."""

    alertmanager: Alertmanager
    service: Service
    """The webhook at ``/alerts``, the one for the sign of life at ``/heartbeat``, and the bridge at HISTORY."""
    telegram: Telegram
    mailbox: Mailbox


@contextmanager
def chain(
    folder: Path,
    programs: Programs,
    change: Callable[[Any], None] = hurry,
    template: Path | None = None,
    *,
    implicit_tls: bool = False,
) -> Iterator[Chain]:
    """The shipped configuration with the addresses of a test's own services, and *change* made to it.

    Settings are given as an operator gives them. What cannot be set is put into the rendered file: Telegram's address
    and the authority that signed the mail server's certificate.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.crt"))
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(certificate)
    token = folder / "history-token"
    token.write_text("history-token")
    service, telegram, mailbox = Service(), Telegram(), Mailbox()

    def complete(config: Any) -> None:
        receiver_of(config, "telegram")["telegram_configs"][0]["api_url"] = telegram.url()
        receiver_of(config, "email")["email_configs"][0]["tls_config"] = {
            "ca_file": str(folder / "authority.crt")
        }
        change(config)

    with (
        serving(service),
        serving(telegram),
        mail_server(mailbox, certificate, {USER: PASSWORD}, implicit=implicit_tls) as port,
    ):
        settings = {
            "ALERT_WEBHOOK_URL": service.url("/alerts"),
            "ALERT_HEARTBEAT_URL": service.url("/heartbeat"),
            "ALERT_EMAIL": "operator@example.org",
            "SMTP_FROM": "telemetry@example.org",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(port),
            "SMTP_USER": USER,
            "SMTP_PASSWORD": PASSWORD,
            "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
            "TELEGRAM_CHAT_ID": str(CHAT),
            "BRIDGE_ADDRESS": f"127.0.0.1:{service.server_port}",
            "ALERT_HISTORY_TOKEN_FILE": str(token),
        }
        rendered = render(folder, settings, template)
        edit(rendered, complete)
        with started(programs, rendered) as alertmanager:
            yield Chain(alertmanager, service, telegram, mailbox)
