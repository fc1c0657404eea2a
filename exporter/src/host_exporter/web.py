"""The HTTP side, as a plain ASGI application: metrics, health and the landing page."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any, NamedTuple, Protocol, TypeAlias
from urllib.parse import parse_qs

from host_exporter.landing import landing_page
from host_exporter.negotiation import accepts_gzip, choose_format
from host_exporter.patience import DEFAULT_TIMEOUT_SECONDS, PatientScraper, TooBusyError
from host_exporter.scrape import select
from host_exporter.system.source import SystemSource

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

RESERVED_PATHS = ("/-/healthy", "/-/ready", "/health", "/system")
"""What the metrics cannot be served at. At ``/`` they can: then there is no landing page."""

SYSTEM_PATH = "/system"
OPEN_PATHS = ("/-/healthy", "/-/ready")
"""Answered without a password, since what probes them (an orchestrator, a load balancer) seldom has one."""

TIMEOUT_HEADER = b"x-prometheus-scrape-timeout-seconds"

PLAIN = b"text/plain; charset=utf-8"


class Answer(NamedTuple):
    """A whole HTTP response."""

    status: int
    content_type: bytes
    body: bytes
    headers: Headers = ()


class Refusal(Protocol):
    """Why someone may not ask, in plain text."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def body(self) -> bytes: ...


class Access(Protocol):
    """What a web configuration file says about requests and answers."""

    @property
    def headers(self) -> Headers:
        """For every answer that does not set them itself."""

    async def refusal(self, authorization: str | None) -> Refusal | None:
        """None if someone with this ``Authorization`` header may ask."""


class Web:
    """Answers requests. Scrapes run in a thread of their own, so that health answers meanwhile."""

    def __init__(
        self,
        scraper: PatientScraper,
        system: SystemSource,
        version: str,
        telemetry_path: str = "/metrics",
        access: Access | None = None,
    ) -> None:
        self._access = access
        self._scraper = scraper
        self._system = system
        self._telemetry_path = telemetry_path
        page = landing_page(version, telemetry_path, scraper.enabled).encode()
        self._fixed = {
            "/": Answer(
                200,
                b"text/html; charset=utf-8",
                page,
                ((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),),
            ),
            "/-/healthy": Answer(200, PLAIN, b"Healthy.\n"),
            "/-/ready": Answer(200, PLAIN, b"Ready.\n"),
            "/health": Answer(200, b"application/json", b'{"status":"ok"}'),
        }

    async def __call__(self, scope: Message, _receive: Receive, send: Send) -> None:
        """The ASGI interface, https://asgi.readthedocs.io/en/latest/specs/www.html; HTTP only."""
        if scope["type"] != "http":
            raise ValueError(f"expected an http connection, got {scope['type']}")
        answer = await self._refusal(scope) or await self._answer(scope)
        headers = [
            (b"content-type", answer.content_type),
            (b"content-length", b"%d" % len(answer.body)),
            # The server's own date would need a timer.
            (b"date", formatdate(usegmt=True).encode()),
            *answer.headers,
            *self._configured_headers(answer),
        ]
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _refusal(self, scope: Message) -> Answer | None:
        """Where users are configured, only they may ask; whether the exporter runs is told to everyone."""
        if self._access is None or scope["path"] in OPEN_PATHS:
            return None
        refusal = await self._access.refusal(_headers(scope).get(b"authorization"))
        return None if refusal is None else Answer(refusal.status, PLAIN, refusal.body, refusal.headers)

    def _configured_headers(self, answer: Answer) -> list[tuple[bytes, bytes]]:
        """A page's own policy is the one that it works with."""
        if self._access is None:
            return []
        own = {name for name, _ in answer.headers}
        return [(name, value) for name, value in self._access.headers if name not in own]

    async def _answer(self, scope: Message) -> Answer:
        path = scope["path"]
        if path not in (self._telemetry_path, SYSTEM_PATH) and path not in self._fixed:
            return Answer(
                404, PLAIN, f"There is nothing here. Metrics are at {self._telemetry_path}\n".encode()
            )
        if scope["method"] not in {"GET", "HEAD"}:
            return Answer(405, PLAIN, b"Only GET and HEAD are allowed here.\n", ((b"allow", b"GET, HEAD"),))
        if path == self._telemetry_path:
            return await self._metrics(scope)
        if path == SYSTEM_PATH:
            return await self._system_document()
        return self._fixed[path]

    async def _system_document(self) -> Answer:
        try:
            return Answer(200, b"application/json", await self._system.json())
        except TimeoutError:
            return Answer(503, PLAIN, b"The host did not answer in time; a mount may hang.\n")

    async def _metrics(self, scope: Message) -> Answer:
        """``collect[]`` and ``exclude[]`` narrow the scrape, as node_exporter's do."""
        headers = _headers(scope)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        try:
            names = select(self._scraper.enabled, query.get("collect[]", ()), query.get("exclude[]", ()))
        except ValueError as error:
            return Answer(400, PLAIN, f"{error}\n".encode())
        format_ = choose_format(headers.get(b"accept", ""))
        compress = accepts_gzip(headers.get(b"accept-encoding", ""))
        timeout_seconds = _timeout_seconds(headers.get(TIMEOUT_HEADER, ""))
        try:
            body = await self._scraper.scrape(
                format_, names, compress=compress, timeout_seconds=timeout_seconds
            )
        except TooBusyError:
            return Answer(503, PLAIN, b"Other scrapes took all the time that this one had.\n")
        encoding = ((b"content-encoding", b"gzip"),) if compress else ()
        return Answer(200, format_.content_type, body, ((b"vary", b"Accept, Accept-Encoding"), *encoding))


def _timeout_seconds(text: str) -> float:
    """How long Prometheus says that it waits, if it says so."""
    try:
        seconds = float(text)
    except ValueError:
        return DEFAULT_TIMEOUT_SECONDS
    return seconds if math.isfinite(seconds) and seconds > 0 else DEFAULT_TIMEOUT_SECONDS


def _headers(scope: Message) -> dict[bytes, str]:
    """By lower-case name; a header sent more than once is one, joined by commas: RFC 9110 section 5.3."""
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers
