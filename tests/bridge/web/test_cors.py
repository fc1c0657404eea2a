"""Pages of other origins: who may ask StatusMonitor's services, and that nobody may ask anything else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2
import pytest

from pushgateway_bridge.access.token import Right
from pushgateway_bridge.web.compat.statusmonitor import CORS_PATHS
from pushgateway_bridge.web.cors import FamilyCors
from tests.bridge.process import BridgeProcess
from tests.bridge.web.harness import Web
from tests.bridge.web.raw_http import Connection, push, request
from tests.bridge.web.running import WAYS

PAGE: Final = "https://status.example:8443"
ORIGINS: Final = ("http://localhost:5173", PAGE)
OTHERS: Final = (
    *("https://status.example", "http://status.example:8443", "https://evil.example", "null", ""),
    *(f"{PAGE}.evil.example", f"{PAGE}/", "*"),
)
SHARED: Final = (
    *("/ingest", "/agents", "/agents/1", "/agents/1/regenerate-token", "/agents/validate-token", "/health"),
    *(
        "/api/auth",
        "/api/auth/agents",
        "/api/auth/agents/1",
        "/api/auth/token",
        "/sm",
        "/sm/ingest",
        "/sm/agents",
    ),
    *("/sm/health", "/sm/nothing"),
)
NOT_SHARED: Final = (
    *("/", "/metrics", "/api/telemetry", "/data", "/hosts", "/sx/metrics", "/sx/hosts/a", "/pt/health"),
    *(
        "/api/v1/samples",
        "/api/v1/tokens",
        "/metrics/job/a",
        "/-/reload",
        "/-/healthy",
        "/login",
        "/dashboard",
    ),
    *("/api/v1/prometheus/query", "/api/authx", "/ingest2", "/smx", "/agent", "/healthz"),
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A bridge without such pages, for all tests: none changes more than its tokens."""
    with Web(tmp_path_factory.mktemp("bridge")) as started:
        started.bridge.tokens.directory.mkdir(parents=True)
        yield started


@pytest.fixture
def shared(plain: Web) -> Iterator[Web]:
    """The same with pages of ORIGINS."""
    bare = plain.app
    plain.app = FamilyCors(bare, ORIGINS, CORS_PATHS)
    yield plain
    plain.app = bare


def about_origins(answer: httpx2.Response) -> dict[str, str]:
    """The headers that a browser looks at."""
    return {
        name: value
        for name, value in answer.headers.items()
        if name.startswith("access-control-") or name == "vary"
    }


def ask_first(
    web: Web, path: str, origin: str, method: str = "POST", wanted: str = "x-agent-token"
) -> httpx2.Response:
    """What a browser asks before it sends the request itself."""
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": wanted,
    }
    return web.request("OPTIONS", path, headers=headers)


@pytest.mark.parametrize("path", SHARED)
def test_a_page_of_a_configured_origin_may_send_anything(shared: Web, path: str) -> None:
    for origin in ORIGINS:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            answer = ask_first(
                shared, path, origin, method, "authorization,content-type,x-agent-token,x-mine"
            )

            assert (answer.status_code, answer.text) == (200, "OK")
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert method in answer.headers["access-control-allow-methods"].split(", ")
            assert (
                answer.headers["access-control-allow-headers"]
                == "authorization,content-type,x-agent-token,x-mine"
            )
            assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("path", SHARED)
def test_a_page_of_another_origin_may_not(shared: Web, path: str) -> None:
    for origin in OTHERS:
        answer = ask_first(shared, path, origin)

        assert (answer.status_code, answer.text) == (400, "Disallowed CORS origin")
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", NOT_SHARED)
def test_no_page_may_ask_anything_else(shared: Web, path: str) -> None:
    for origin in ORIGINS:
        headers = {"origin": origin}
        asked = [ask_first(shared, path, origin)]
        asked += [shared.request(method, path, headers=headers) for method in ("GET", "POST", "DELETE")]
        for answer in asked:
            assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_page_of_a_configured_origin_may_read_every_answer(shared: Web) -> None:
    _, admin = shared.bridge.tokens.create("admin", [Right.ADMIN])
    allowed = {
        "access-control-allow-origin": PAGE,
        "access-control-allow-credentials": "true",
        "vary": "Origin",
    }

    def ask(method: str, path: str, **headers: str) -> int:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = shared.request(method, path, headers={"origin": PAGE, **fields}, content=b'{"name":"nas"}')
        assert about_origins(answer) == allowed, (method, path)
        return answer.status_code

    bearer = f"Bearer {admin}"
    assert [
        ask("POST", "/agents", authorization=bearer),
        ask("GET", "/sm/agents", authorization=bearer),
        ask("GET", "/api/auth/agents"),
        ask("GET", "/agents/999", authorization=bearer),
        ask("GET", "/agents/x", authorization=bearer),
        ask("PUT", "/agents"),
        ask("OPTIONS", "/agents"),
        ask("POST", "/ingest"),
        ask("POST", "/sm/ingest", x_agent_token="f" * 64),
        ask("GET", "/health"),
        ask("GET", "/sm/nothing"),
    ] == [200, 200, 401, 404, 422, 405, 405, 401, 401, 200, 404]


def test_a_page_of_another_origin_may_not_read_an_answer(shared: Web) -> None:
    for origin in OTHERS:
        answer = shared.request("GET", "/health", headers={"origin": origin})

        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers


def test_an_answer_that_depends_on_the_origin_says_so_to_caches(shared: Web) -> None:
    assert shared.get("/sm/health").headers["vary"] == "Origin"
    assert "vary" not in shared.get("/sx/health").headers


def test_who_is_no_page_is_answered_as_ever(plain: Web) -> None:
    pages = FamilyCors(plain.app, ORIGINS, CORS_PATHS)
    answers = []
    for app in (pages, pages._app):
        plain.app = app
        answers.append(plain.request("POST", "/ingest", headers={"x-agent-token": "f" * 64}))
    with_pages, without = answers

    assert (with_pages.status_code, with_pages.content) == (without.status_code, without.content)
    assert {*with_pages.headers.items()} - {*without.headers.items()} == {("vary", "Origin")}


def test_without_configured_origins_nothing_is_said_about_them(plain: Web) -> None:
    for path in SHARED:
        asked = ask_first(plain, path, PAGE)
        assert asked.status_code in (404, 405)
        for answer in (asked, plain.request("GET", path, headers={"origin": PAGE})):
            assert about_origins(answer) == {}


@pytest.fixture(scope="module", params=WAYS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BridgeProcess]:
    directory = tmp_path_factory.mktemp(request.param)
    flags = (*WAYS[request.param], f"--access.cors-origins=[{', '.join(ORIGINS)}]")
    with BridgeProcess(directory / "journal", *flags, log=directory / "log") as bridge:
        yield bridge


@pytest.mark.stack
def test_a_push_of_a_page_may_be_read_by_both_ways(running: BridgeProcess) -> None:
    token = running.create_token("--right=push", "--job=statusmonitor", "--instance=page")
    said = {}
    with Connection(running.port) as connection:
        for name, headers in {
            "agent": (),
            "page": (f"Origin: {PAGE}",),
            "other": ("Origin: https://x.example",),
        }.items():
            for _ in range(3):  # from the second time on a head may be known
                answer = connection.ask(
                    push(b'{"timestamp":1}', f"X-Agent-Token: {token}", *headers, target="/ingest")
                )
                assert (answer.status, answer.body) == (200, b'{"status":"received"}')
            said[name] = dict(answer.headers).get("access-control-allow-origin")
        first = request("OPTIONS", "/ingest", f"Origin: {PAGE}", "Access-Control-Request-Method: POST")
        answer = connection.ask(first)

    assert said == {"agent": None, "page": PAGE, "other": None}
    assert (answer.status, dict(answer.headers)["access-control-allow-origin"]) == (200, PAGE)


@pytest.mark.stack
def test_where_statusmonitor_is_not_spoken_no_page_may_ask(tmp_path: Path) -> None:
    flags = (f"--access.cors-origins=[{PAGE}]", "--dialects.disabled=[statusmonitor]")
    with (
        BridgeProcess(tmp_path / "journal", *flags, log=tmp_path / "log") as bridge,
        Connection(bridge.port) as connection,
    ):
        answer = connection.ask(request("GET", "/health", f"Origin: {PAGE}"))

    assert answer.status == 200
    assert not [name for name, _ in answer.headers if name.startswith("access-control-")]
