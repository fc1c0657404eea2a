"""A file in force: refusals, what is logged, and the exporter's answers with it."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from host_exporter import app
from host_exporter.paths import HostPaths
from host_exporter.patience import PatientScraper
from host_exporter.scrape import Scraper
from host_exporter.system.source import SystemSource
from host_exporter.web import Web
from telemetry_web_config.access import BUSY, UNAUTHORIZED, WebAccess
from tests.web_config.material import FILES, Certificates, place

Put = Callable[[str], Path]
ALICE = "Basic " + base64.b64encode(b"alice:alice's password").decode()


@contextmanager
def in_force(path: Path) -> Iterator[WebAccess]:
    access = WebAccess(path)
    try:
        yield access
    finally:
        access.close()


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_who_may_not_ask_is_told_why(configured: Put) -> None:
    async def ask(access: WebAccess) -> list[Any]:
        guesses = [f"Basic {base64.b64encode(b'bob:%d' % n).decode()}" for n in range(99)]
        busy = await asyncio.gather(*(access.refusal(guess) for guess in guesses))
        return [await access.refusal(None), await access.refusal(ALICE), busy[0], busy[-1]]

    with in_force(configured("right/users")) as access:
        assert asyncio.run(ask(access)) == [UNAUTHORIZED, None, UNAUTHORIZED, BUSY]


def test_without_users_everyone_may_ask(configured: Put) -> None:
    with in_force(configured("right/tls")) as access:
        assert asyncio.run(access.refusal(None)) is None


def test_each_change_is_logged_once(configured: Put, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "telemetry_web_config")
    text = (FILES / "right/users.yml").read_text()

    async def look() -> None:
        await access.look()
        await access.look()

    with in_force(configured(text)) as access:
        for change in ("broken/unknown_key", text, text.replace("bob:", "carol:")):
            configured(change)
            asyncio.run(look())
        assert access.users.required

    assert messages(caplog) == [
        "web configuration refused; what ran before goes on",
        "web configuration re-read",
    ]


def test_a_warning_is_logged_once_and_again_when_it_comes_back(
    configured: Put, folder: Path, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    place(folder, certificates.expired)

    with in_force(configured("right/tls")) as access:
        asyncio.run(access.look())
        for mode in (0o644, 0o600, 0o644):
            (folder / "server.key").chmod(mode)
            asyncio.run(access.look())

    about = [vars(record)["warning"].split(": ")[1] for record in caplog.records if record.levelno > 20]
    assert about == [
        "tls_server_config.cert_file",
        "tls_server_config.key_file",
        "tls_server_config.key_file",
    ]


def test_a_wrong_file_keeps_the_exporter_from_starting(configured: Put) -> None:
    path = configured("broken/unknown_key")

    with pytest.raises(app.StartFailureError, match="cert_fil: is unknown"):
        app.open_web_access(path)
    assert app.open_web_access(None) is None


@pytest.mark.parametrize("path", ["/metrics", "/", "/health", "/nope", "/-/healthy/", "//-/healthy"])
def test_the_exporter_answers_users_only(path: str, configured: Put) -> None:
    headers = "http_server_config:\n  headers: {Content-Security-Policy: default-src 'self'}\n"
    text = headers + (FILES / "right/users.yml").read_text()

    with in_force(configured(text)) as access, exporter(access) as web:
        refused, refused_headers = ask(web, path, None)
        _, answered_headers = ask(web, path, ALICE)
        assert refused == 401
        assert refused_headers["www-authenticate"] == "Basic"
        assert refused_headers["content-security-policy"] == "default-src 'self'"
        assert ask(web, path, ALICE)[0] in {200, 404}
        own = "default-src 'none'; style-src 'unsafe-inline'" if path == "/" else "default-src 'self'"
        assert answered_headers["content-security-policy"] == own


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_the_exporter_tells_everyone_that_it_runs(path: str, configured: Put) -> None:
    with in_force(configured("right/users")) as access, exporter(access) as web:
        assert ask(web, path, None)[0] == 200


@contextmanager
def exporter(access: WebAccess) -> Iterator[Web]:
    scraper = PatientScraper(Scraper({}, list), HostPaths)
    yield Web(scraper, SystemSource(NoDocument), "1.2.3", access=access)
    scraper.close()


class NoDocument:
    """What is asked for /system here."""

    def json(self) -> bytes:
        return b"{}"


def ask(web: Web, path: str, authorization: str | None) -> tuple[int, dict[str, str]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("no request here has a body that is read")

    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
    asyncio.run(web(scope, receive, send))
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert len(answered) == len(sent[0]["headers"])
    return sent[0]["status"], answered
