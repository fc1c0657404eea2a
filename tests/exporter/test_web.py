"""The ASGI application, driven in process."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from host_exporter.collector import Collect
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.patience import PatientScraper
from host_exporter.scrape import Scraper
from host_exporter.system import source
from host_exporter.system.source import SystemSource
from host_exporter.web import Web

GOOD = Family("good_total", "counter", "Works.")


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class StillDocument:
    """The document of a host that does not change."""

    def json(self) -> bytes:
        return b'{"cpu":{}}'


def good(_: HostPaths) -> Iterator[Value]:
    yield GOOD, (), 7


@pytest.fixture
def patient(plain: HostPaths) -> Iterator[Callable[..., PatientScraper]]:
    """Makes scrapers of the plain host, with the collectors that are named."""
    made: list[PatientScraper] = []

    def make(**collectors: Collect) -> PatientScraper:
        made.append(PatientScraper(Scraper(collectors, list), lambda: plain))
        return made[-1]

    yield make
    for scraper in made:
        scraper.close()


@pytest.fixture
def web(patient: Callable[..., PatientScraper]) -> Web:
    return Web(patient(good=good, other=good), SystemSource(StillDocument), "1.2.3")


async def request(web: Web, path: str, method: str = "GET", query: str = "", **headers: str) -> Response:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("no request here has a body that is read")

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": raw}
    await web(scope, receive, send)
    start, body = sent
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return Response(start["status"], answered, body["body"])


def ask(web: Web, path: str, method: str = "GET", query: str = "", **headers: str) -> Response:
    return asyncio.run(request(web, path, method, query, **headers))


def test_metrics_are_text_unless_something_else_is_asked_for(web: Web) -> None:
    response = ask(web, "/metrics", query="collect[]=good")

    assert response.status == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["content-length"] == str(len(response.body))
    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert response.headers["date"].endswith(" GMT")
    assert response.body.startswith(b"# HELP good_total Works.\n# TYPE good_total counter\ngood_total 7\n")


def test_openmetrics_and_gzip_are_given_where_they_are_accepted(web: Web) -> None:
    response = ask(
        web, "/metrics", accept="application/openmetrics-text;version=1.0.0", accept_encoding="gzip"
    )

    assert response.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(response.body).endswith(b"# EOF\n")


def test_the_query_narrows_the_scrape(web: Web) -> None:
    body = ask(web, "/metrics", query="exclude%5B%5D=good").body

    assert b'node_scrape_collector_success{collector="other"} 1' in body
    assert b'collector="good"' not in body


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("collect[]=nope", "no collector 'nope' is enabled; enabled are good, other\n"),
        ("collect[]=good&exclude[]=good", "collect[] and exclude[] cannot be combined\n"),
    ],
)
def test_a_query_that_makes_no_sense_is_answered_with_the_reason(web: Web, query: str, message: str) -> None:
    response = ask(web, "/metrics", query=query)

    assert (response.status, response.body.decode()) == (400, message)


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/-/healthy", "text/plain; charset=utf-8", b"Healthy.\n"),
        ("/-/ready", "text/plain; charset=utf-8", b"Ready.\n"),
        ("/health", "application/json", b'{"status":"ok"}'),
    ],
)
def test_health_is_told(web: Web, path: str, content_type: str, body: bytes) -> None:
    response = ask(web, path)

    assert (response.status, response.headers["content-type"], response.body) == (200, content_type, body)


def test_the_landing_page_links_the_metrics_and_each_collector(web: Web) -> None:
    response = ask(web, "/")

    page = response.body.decode()
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "script" not in page
    for expected in ('href="/metrics"', 'href="/metrics?collect[]=other"', "Version 1.2.3"):
        assert expected in page


@pytest.mark.parametrize("path", ["/nope", "/metrics/", "/-/", ""])
def test_any_other_path_is_not_found(web: Web, path: str) -> None:
    response = ask(web, path)

    assert (response.status, response.body) == (404, b"There is nothing here. Metrics are at /metrics\n")


@pytest.mark.parametrize("path", ["/", "/metrics", "/health"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_reading_is_allowed(web: Web, path: str, method: str) -> None:
    response = ask(web, path, method)

    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/metrics", "/health"])
def test_head_is_get_without_the_body(web: Web, path: str) -> None:
    response = ask(web, path, "HEAD")

    assert (response.status, response.body) == (200, b"")
    assert int(response.headers["content-length"]) > 0


def test_metrics_may_be_served_elsewhere_even_at_the_root(patient: Callable[..., PatientScraper]) -> None:
    at_root = Web(patient(good=good), SystemSource(StillDocument), "1.2.3", "/")

    assert b"good_total 7" in ask(at_root, "/").body
    assert ask(at_root, "/metrics").status == 404


def test_health_answers_while_a_scrape_hangs(patient: Callable[..., PatientScraper]) -> None:
    release, started = threading.Event(), threading.Event()

    def hangs(_: HostPaths) -> Iterator[Value]:
        started.set()
        release.wait()
        yield GOOD, (), 1

    web = Web(patient(hangs=hangs), SystemSource(StillDocument), "1.2.3")

    async def scrape_and_ask() -> tuple[bool, int, int]:
        scrape = asyncio.create_task(request(web, "/metrics"))
        await asyncio.to_thread(started.wait)
        health = await request(web, "/health")
        hung = not scrape.done()
        release.set()
        return hung, health.status, (await scrape).status

    assert asyncio.run(scrape_and_ask()) == (True, 200, 200)


def test_only_http_is_spoken(web: Web) -> None:
    async def connect() -> None:
        await web({"type": "websocket"}, None, None)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="expected an http connection, got websocket"):
        asyncio.run(connect())


def test_the_system_document_is_answered_as_json(web: Web) -> None:
    answer, head = ask(web, "/system"), ask(web, "/system", method="HEAD")

    assert (answer.status, answer.headers["content-type"], answer.body) == (
        200,
        "application/json",
        b'{"cpu":{}}',
    )
    assert (head.status, head.headers["content-length"], head.body) == (200, "10", b"")


def test_a_host_that_does_not_answer_in_time_is_told(
    patient: Callable[..., PatientScraper], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    class Hanging(StillDocument):
        def json(self) -> bytes:
            release.wait()
            return b"{}"

    monkeypatch.setattr(source, "ANSWER_SECONDS", 0.05)
    try:
        answer = ask(Web(patient(good=good), SystemSource(Hanging), "1.2.3"), "/system")
    finally:
        release.set()

    assert (answer.status, answer.body) == (503, b"The host did not answer in time; a mount may hang.\n")
