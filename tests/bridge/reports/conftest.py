"""A real mail server, which takes mail only through TLS and from one user."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from pushgateway_bridge.mail import MailSettings
from tests.ports import free_port
from tests.stack.alerts.services import Mailbox

LOGIN = {"telemetry": "pass word: #1"}


class PostOffice(NamedTuple):
    """A mail server, and the settings by which mail is sent through it."""

    mailbox: Mailbox
    settings: MailSettings


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server on this machine shows; those who connect trust it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.crt"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.crt"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def post_office(certificate: ssl.SSLContext) -> Iterator[PostOffice]:
    mailbox = Mailbox()
    with mail_server(mailbox, certificate) as port:
        yield PostOffice(mailbox, settings_for(port))


@contextmanager
def mail_server(mailbox: Mailbox, certificate: ssl.SSLContext, *, implicit: bool = False) -> Iterator[int]:
    """The port of a server for *mailbox*. TLS begins by STARTTLS, or with the connection if *implicit*."""

    def authenticate(
        _server: object, _session: object, _envelope: object, _kind: str, data: object
    ) -> AuthResult:
        known = isinstance(data, LoginPassword) and LOGIN.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=known, handled=False, auth_data=data)

    port = free_port()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        ssl_context=certificate if implicit else None,
        tls_context=None if implicit else certificate,
        require_starttls=not implicit,
        authenticator=authenticate,
        # It knows only STARTTLS: without that it would take passwords in the clear, and warns.
        auth_required=not implicit,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def settings_for(port: int) -> MailSettings:
    """Those of a user who may send."""
    [(user, password)] = LOGIN.items()
    return MailSettings(
        "127.0.0.1",
        port,
        "Telemetry <telemetry@example.org>",
        "ann@example.org, bob@example.org",
        user,
        password,
    )
