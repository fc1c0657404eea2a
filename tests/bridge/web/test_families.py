"""What each system's own server framework would say: to paths that are not there, and to other methods."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from pushgateway_bridge.access.token import Right
from tests.bridge.web.gates import OPEN
from tests.bridge.web.harness import Web

HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
REFUSED: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")
NOT_FOUND: Final = '{"detail":"Not Found"}'
NOT_ALLOWED: Final = '{"detail":"Method Not Allowed"}'
FLASK_404: Final = (
    "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"
    "<p>The requested URL was not found on the server. If you entered the URL manually please check your spelling"
    " and try again.</p>\n"
)
FLASK_405: Final = (
    "<!doctype html>\n<html lang=en>\n<title>405 Method Not Allowed</title>\n<h1>Method Not Allowed</h1>\n"
    "<p>The method is not allowed for the requested URL.</p>\n"
)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One bridge for all: nothing here changes anything."""
    with Web(tmp_path_factory.mktemp("bridge")) as started:
        yield started


def express_404(method: str, path: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>Cannot {method} {html.escape(path)}</pre>\n</body>\n</html>\n"
    )


def told(web: Web, method: str, path: str) -> tuple[int, str, str]:
    """Status, content type and body of an answer."""
    answer = web.request(method, path)
    return answer.status_code, answer.headers["content-type"], answer.text


def allowed(web: Web, method: str, path: str) -> tuple[int, str]:
    """Status and what is allowed."""
    answer = web.request(method, path)
    return answer.status_code, answer.headers["allow"]


# Paths that are not there


@pytest.mark.parametrize("path", ["/pt", "/pt/", "/pt/telemetry", "/pt/api/telemetry/x", "/pt/metrics"])
def test_below_pixeltrackers_prefix_a_missing_path_is_expresss_page(web: Web, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert told(web, method, path) == (404, HTML, express_404(method, path))


@pytest.mark.parametrize("path", ["/sx", "/sx/", "/sx/system", "/sx/data/1h", "/sx/ingest", "/sx/dashboard"])
def test_below_statix_prefix_a_missing_path_is_flasks_page(web: Web, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert told(web, method, path) == (404, HTML, FLASK_404)


@pytest.mark.parametrize(
    "path",
    ["/sm", "/sm/", "/sm/metrics", "/sm/ingest/x", "/sm/register", "/api/auth/token", "/nothing", "/pts/x"],
)
def test_elsewhere_a_missing_path_is_told_as_fastapi_does(web: Web, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert told(web, method, path) == (404, JSON, NOT_FOUND)


@pytest.mark.parametrize("path", ["/pt/x", "/sx/x", "/sm/x", "/x"])
def test_head_of_a_missing_path_has_the_status_and_type_of_its_get(web: Web, path: str) -> None:
    head, get = web.request("HEAD", path), web.get(path)

    assert (head.status_code, head.content) == (404, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_a_missing_path_is_escaped_in_its_page(web: Web) -> None:
    assert told(web, "GET", "/pt/<b>&") == (404, HTML, express_404("GET", "/pt/<b>&"))


def test_a_request_for_no_path_at_all_is_not_found(web: Web) -> None:
    reply = web.raw("OPTIONS", "*")

    assert (reply.status, reply.body.decode()) == (404, NOT_FOUND)


# statix: Flask answers OPTIONS itself, and HEAD wherever there is a GET

STATIX: Final[Mapping[str, str]] = {
    "/data": "GET, HEAD, OPTIONS",
    "/hosts": "GET, HEAD, OPTIONS",
    "/details": "GET, HEAD, OPTIONS",
    "/hosts/a": "DELETE, OPTIONS",
    "/hosts/a/clean": "POST, OPTIONS",
    "/sx/data": "GET, HEAD, OPTIONS",
    "/sx/hosts": "GET, HEAD, OPTIONS",
    "/sx/details": "GET, HEAD, OPTIONS",
    "/sx/hosts/a": "DELETE, OPTIONS",
    "/sx/hosts/a/clean": "POST, OPTIONS",
    "/sx/health": "GET, HEAD, OPTIONS",
    "/sx/metrics": "POST, OPTIONS",
    "/metrics": "GET, HEAD, POST, OPTIONS",
}


@pytest.mark.parametrize(("path", "methods"), STATIX.items())
def test_options_of_statix_name_the_methods_and_have_no_body(web: Web, path: str, methods: str) -> None:
    answer = web.request("OPTIONS", path)

    assert (answer.status_code, answer.headers["allow"], answer.content) == (200, methods, b"")
    assert (answer.headers["content-type"], answer.headers["content-length"]) == (HTML, "0")


@pytest.mark.parametrize(("path", "methods"), STATIX.items())
def test_other_methods_of_statix_get_flasks_page(web: Web, path: str, methods: str) -> None:
    # DELETE /hosts/a/clean is of a host with that name.
    known = (*methods.split(", "), *(("DELETE",) if path.endswith("/clean") else ()))
    for method in (one for one in REFUSED if one not in known):
        assert allowed(web, method, path) == (405, methods)
        assert told(web, method, path) == (405, HTML, "" if method == "HEAD" else FLASK_405)


def test_below_statix_prefix_a_method_that_nobody_knows_gets_flasks_page(web: Web) -> None:
    answer = web.request("PROPFIND", "/sx/health")

    assert (answer.status_code, answer.headers["content-type"], answer.text) == (405, HTML, FLASK_405)
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/data", "/hosts", "/sx/data", "/sx/hosts", "/sx/health"])
def test_head_of_a_statix_read_is_its_get_without_the_body(web: Web, path: str) -> None:
    head, get = web.request("HEAD", path), web.get(path)

    assert (head.status_code, get.status_code, head.content) == (200, 200, b"")
    assert head.headers == get.headers


def test_head_of_a_statix_read_needs_what_its_get_needs(clocked_web: Web) -> None:
    web = clocked_web
    web.bridge.guard.rules = OPEN._replace(reads_need_token=True)
    _, reader = web.bridge.tokens.create("reader", [Right.READ])

    for path in ("/data", "/sx/hosts"):
        assert web.request("HEAD", path).status_code == 401
        answer = web.request("HEAD", path, headers={"authorization": f"Bearer {reader}"})
        assert answer.status_code == 200
        assert web.request("OPTIONS", path).status_code == 200


# pixelTracker: to Express, a method that has no route is a path that is not there


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/telemetry", "GET,HEAD,POST"),
        ("/pt/api/telemetry", "GET,HEAD,POST"),
        ("/pt/health", "GET,HEAD"),
        ("/PT/Health/", "GET,HEAD"),
    ],
)
def test_options_of_pixeltracker_are_expresss(web: Web, path: str, methods: str) -> None:
    answer = web.request("OPTIONS", path)

    assert (answer.status_code, answer.text, answer.headers["allow"]) == (200, methods, methods)
    assert answer.headers["content-type"] == HTML


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_other_methods_of_pixeltrackers_health_are_not_found(web: Web, method: str) -> None:
    assert told(web, method, "/pt/health") == (404, HTML, express_404(method, "/pt/health"))


@pytest.mark.parametrize("path", ["/pt/api/telemetry", "/pt/health"])
def test_below_pixeltrackers_prefix_a_method_that_nobody_knows_is_not_found(web: Web, path: str) -> None:
    assert told(web, "PROPFIND", path) == (404, HTML, express_404("PROPFIND", path))


# StatusMonitor: FastAPI answers neither HEAD nor OPTIONS where only another method has a route


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/ingest", "POST"),
        ("/sm/ingest", "POST"),
        ("/agents/validate-token", "POST"),
        ("/sm/agents/1/regenerate-token", "POST"),
        ("/sm/health", "GET"),
    ],
)
def test_other_methods_of_statusmonitor_are_not_allowed(web: Web, path: str, method: str) -> None:
    for other in (*REFUSED, "OPTIONS", "PROPFIND"):
        # To FastAPI validate-token is a number of an agent, too, which may be got and deleted.
        if other == method or (path.endswith("validate-token") and other in ("GET", "DELETE")):
            continue
        assert told(web, other, path) == (405, JSON, "" if other == "HEAD" else NOT_ALLOWED)
        assert method in allowed(web, other, path)[1]


# Our own


def test_options_of_our_own_pushes_are_not_allowed(web: Web) -> None:
    assert allowed(web, "OPTIONS", "/api/v1/samples") == (405, "POST")
