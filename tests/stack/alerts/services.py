"""What Alertmanager tells: HTTP services of which one is Telegram's Bot API, and a mail server."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.ports import free_port


class Post(NamedTuple):
    """A request as it came."""

    path: str
    """Without its query."""
    query: dict[str, list[str]]
    headers: dict[str, str]
    """By lower-case names."""
    body: Any


class Answer(NamedTuple):
    status: int = 200
    body: Any = None
    """Sent as JSON, a text as it is."""


class Service(ThreadingHTTPServer):
    """Keeps what is posted to it and answers as it is told."""

    def __init__(self, answer: Callable[[Post], Answer] = lambda _: Answer()) -> None:
        super().__init__(("127.0.0.1", free_port()), ServiceHandler)
        self.answer = answer
        self.posts: list[Post] = []
        """All of them, in order of arrival, those that were refused too."""

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def at(self, path: str) -> list[Any]:
        """The bodies posted to *path*."""
        return [post.body for post in self.posts if post.path == path]

    def alerts(self, path: str) -> list[Any]:
        """Those in Alertmanager's messages to *path*."""
        return [alert for message in self.at(path) for alert in message["alerts"]]


class ServiceHandler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        post = Post(
            address.path,
            parse_qs(address.query),
            {name.lower(): value for name, value in self.headers.items()},
            json.loads(self.rfile.read(int(self.headers["Content-Length"]))),
        )
        status, answer = self.server.answer(post)
        self.server.posts.append(post)
        text = "" if answer is None else answer if isinstance(answer, str) else json.dumps(answer)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if text == answer else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
        pass


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """*server* answers within the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


BOT_TOKEN: Final = "123456:AAE-token"
CHAT: Final = -1001234567890
MAX_CHARACTERS: Final = 4096
"""https://core.telegram.org/bots/api#sendmessage: after entities parsing."""
TAGS: Final = frozenset(
    {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "a", "code", "pre", "blockquote"}
    | {"tg-spoiler", "tg-emoji"}
)
"""https://core.telegram.org/bots/api#html-style."""
MARKUP: Final = re.compile(r"<(?P<end>/?)(?P<tag>[a-z-]+)>|&(?:lt|gt|amp|quot|#\d+|#x[0-9a-f]+);|[^<&]")


class Telegram(Service):
    """The part of the Bot API that sends messages: https://core.telegram.org/bots/api."""

    def __init__(self) -> None:
        super().__init__(self._send)
        self.texts: list[str] = []
        """What the chat shows, without markup."""
        self.failure: Answer | None = None
        """Given instead of sending."""

    def _send(self, post: Post) -> Answer:
        if self.failure is not None:
            return self.failure
        if post.path != f"/bot{BOT_TOKEN}/sendMessage":
            return failed(404, "Not Found")
        if str(post.body["chat_id"]) != str(CHAT):
            return failed(400, "Bad Request: chat not found")
        try:
            text = post.body["text"]
            shown = visible_text(text) if post.body.get("parse_mode") == "HTML" else text
        except ValueError as error:
            return failed(400, f"Bad Request: can't parse entities: {error}")
        if not shown.strip():
            return failed(400, "Bad Request: message text is empty")
        if len(shown) > MAX_CHARACTERS:
            return failed(400, "Bad Request: message is too long")
        self.texts.append(shown)
        chat = {"id": CHAT, "type": "supergroup", "title": "alerts"}
        return Answer(
            200, {"ok": True, "result": {"message_id": len(self.texts), "date": 1767225600, "chat": chat}}
        )


def failed(code: int, description: str, **parameters: int) -> Answer:
    """An error as the Bot API tells it."""
    more = {"parameters": parameters} if parameters else {}
    return Answer(code, {"ok": False, "error_code": code, "description": description, **more})


def visible_text(html: str) -> str:
    """*html* as Telegram shows it. Raises ValueError at what it refuses, and at an ampersand that is not escaped."""
    shown: list[str] = []
    open_tags: list[str] = []
    at = 0
    while at < len(html):
        found = MARKUP.match(html, at)
        if found is None:
            raise ValueError(f"unescaped {html[at]} at byte offset {at}")
        tag = found["tag"]
        if tag is None:
            shown.append(unescape(found[0]))
        elif tag not in TAGS:
            raise ValueError(f'unsupported start tag "{tag}" at byte offset {at}')
        elif not found["end"]:
            open_tags.append(tag)
        elif not open_tags or open_tags.pop() != tag:
            raise ValueError(f"unmatched end tag at byte offset {at}")
        at = found.end()
    if open_tags:
        raise ValueError(f'can\'t find end tag corresponding to start tag "{open_tags[-1]}"')
    return "".join(shown)


class Mail(NamedTuple):
    """What arrived."""

    sender: str
    recipients: tuple[str, ...]
    login: str
    """Empty if there was none."""
    encrypted: bool
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    def part(self, kind: str) -> str:
        """Of the message, ``plain`` or ``html``."""
        body = self.message.get_body((kind,))
        assert isinstance(body, EmailMessage)
        text: str = body.get_content()
        return text


class Mailbox:
    """A mail server's user: keeps what is sent to it, or refuses it, or keeps the sender waiting."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refusals: dict[str, str] = {}
        """Replies given instead of taking a message: at RCPT, or at DATA, when all of it was sent."""
        self.answers = threading.Event()
        """While it is not set, who sends a message gets no answer."""
        self.answers.set()
        self.waiting = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, server: object, session: object, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.refusals:
            return self.refusals["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        self.waiting += 1
        await asyncio.to_thread(self.answers.wait)
        self.waiting -= 1
        if "DATA" in self.refusals:
            return self.refusals["DATA"]
        message = BytesParser(EmailMessage, policy=policy.default).parsebytes(
            envelope.original_content or b""
        )
        data: Any = session.auth_data
        login = data.login.decode() if isinstance(data, LoginPassword) else ""
        recipients = tuple(str(address) for address in envelope.rcpt_tos)
        assert server.transport is not None
        encrypted = server.transport.get_extra_info("ssl_object") is not None
        self.mails.append(Mail(envelope.mail_from or "", recipients, login, encrypted, message))
        return "250 2.0.0 kept"


@contextmanager
def mail_server(
    mailbox: Mailbox, certificate: ssl.SSLContext, logins: dict[str, str], *, implicit: bool = False
) -> Iterator[int]:
    """The port of a server that takes mail only through TLS.

    TLS begins by STARTTLS, and a login is needed: *logins* are names to passwords. Or, if *implicit*, TLS begins with
    the connection, and there is no login.
    """

    def authenticate(
        server: object, session: object, envelope: object, kind: str, data: object
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and logins.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=right, handled=False, auth_data=data)  # aiosmtpd answers

    port = free_port()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        ssl_context=certificate if implicit else None,
        tls_context=None if implicit else certificate,
        require_starttls=not implicit,
        authenticator=authenticate,
        # It does not know a login through TLS that began with the connection as safe, so offers none there.
        auth_required=not implicit,
        # Its prompts are not those that mail programs know.
        auth_exclude_mechanism=["LOGIN"],
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()
