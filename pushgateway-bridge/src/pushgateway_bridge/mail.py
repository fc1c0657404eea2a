"""Mail by the settings that Alertmanager's configuration is rendered from.

TLS as Alertmanager has it: from the beginning on port 465, else STARTTLS, and no mail without. Certificates are
checked against those that the system trusts, or the file that SSL_CERT_FILE names.
"""

from __future__ import annotations

import logging
import re
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formataddr, formatdate, getaddresses, make_msgid
from typing import Final, NamedTuple

from pushgateway_bridge.errors import StartFailed

logger = logging.getLogger(__name__)

IMPLICIT_TLS_PORT: Final = 465
TIMEOUT_SECONDS: Final = 20.0
ADDRESS: Final = re.compile(
    r"""[^\x00-\x20\x7f-\U0010ffff@<>,;:"()\[\]\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"""
)
NEEDED: Final = ("SMTP_HOST", "SMTP_PORT", "SMTP_FROM", "ALERT_EMAIL")


class MailSettings(NamedTuple):
    """Through which server mail goes, from whom and to whom."""

    host: str
    port: int
    sender: str
    recipients: str
    """One address, or several with commas between them."""
    user: str = ""
    """Without it there is no login."""
    password: str = ""


class MailFailed(Exception):
    """A mail was not taken; the message says by whom and why."""


def missing_settings(lookup: Callable[[str], str | None]) -> list[str]:
    """What must be set before mail can be sent, and is not."""
    return [name for name in NEEDED if not lookup(name)]


def mail_settings(lookup: Callable[[str], str | None]) -> MailSettings | None:
    """What is set, or None if some of NEEDED is not. Raises StartFailed if something is wrong with it."""
    host, port, sender, recipients = (lookup(name) or "" for name in NEEDED)
    if not (host and port and sender and recipients):
        return None
    if not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise StartFailed(f"SMTP_PORT: expected a port from 1 to 65535, got {port!r}")
    for name, text in (("SMTP_FROM", sender), ("ALERT_EMAIL", recipients)):
        if "\n" in text or "\r" in text or not all(map(ADDRESS.fullmatch, addresses(text))):
            raise StartFailed(f"{name}: expected an address, got {text!r}")
    return MailSettings(
        host, int(port), sender, recipients, lookup("SMTP_USER") or "", lookup("SMTP_PASSWORD") or ""
    )


def addresses(text: str) -> list[str]:
    """The bare addresses in *text*; one that cannot be read is empty."""
    return [address for _, address in getaddresses([text])] or [""]


def _with_names(text: str) -> str:
    """*text* with names quoted as they must be: a header that cannot be read is an error."""
    return ", ".join(map(formataddr, getaddresses([text])))


def compose(settings: MailSettings, subject: str, text: str, html: str) -> EmailMessage:
    """A mail that a reader shows as *html* if it can, else as *text*."""
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"] = _with_names(settings.sender)
    message["To"] = _with_names(settings.recipients)
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain=addresses(settings.sender)[0].rpartition("@")[2])
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def send(settings: MailSettings, message: EmailMessage) -> None:
    """Hand *message* over. Blocks, up to some TIMEOUT_SECONDS. Raises MailFailed if it was taken for nobody.

    Where it was taken for some, the others are only logged: who sends it again sends it to all.
    """
    where = f"{settings.host}:{settings.port}"
    context = ssl.create_default_context()
    try:
        with _connected(settings, context) as server:
            server.ehlo_or_helo_if_needed()
            if settings.user and server.has_extn("auth"):
                server.login(settings.user, settings.password)
            refused = server.send_message(
                message, from_addr=addresses(settings.sender)[0], to_addrs=addresses(settings.recipients)
            )
    except smtplib.SMTPRecipientsRefused as error:
        raise MailFailed(f"{where} refuses {_refusals(error.recipients)}") from error
    except smtplib.SMTPResponseException as error:
        raise MailFailed(f"{where} answers {error.smtp_code} {_line(error.smtp_error)}") from error
    except UnicodeError as error:  # smtplib's; what it names may be part of the password
        raise MailFailed(f"{where}: only ASCII can be sent as server, user or password") from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailFailed(f"{where}: {_line(str(error)) or type(error).__name__}") from error
    if refused:
        logger.warning("mail not taken for everybody server=%s refused=%r", where, _refusals(refused))


def _connected(settings: MailSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    if settings.port == IMPLICIT_TLS_PORT:
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT_SECONDS, context=context)
    server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_SECONDS)
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def _refusals(refused: dict[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{address} ({code} {_line(said)})" for address, (code, said) in refused.items())


def _line(said: bytes | str) -> str:
    """What a server said, on one line."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:300]
