"""The reads of minigem's server, without a bridge around them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException as StarletteHTTPException

from pushgateway_bridge.access.rules import AccessRules
from pushgateway_bridge.access.sessions import Sessions
from pushgateway_bridge.access.tokens import Tokens
from pushgateway_bridge.web.compat.minigem import AnyOrigin, minigem_no_route, minigem_router
from pushgateway_bridge.web.guard import Guard
from tests.bridge.tallies.test_minigem import ANON, NOW, RUN, Disk, event

SECRET = "opens-the-debug-paths"
PREFIXES = ("", "/mg")


class Server:
    """The router over a tally that took a batch."""

    def __init__(self, directory: Path, secret: str = SECRET, reads_need_token: bool = False) -> None:
        self.ready = True
        self.disk = Disk()
        self.disk.push(event("java.run.started", sessionId="s-1"), RUN)
        tokens = Tokens(directory, lambda: NOW)
        guard = Guard(
            tokens,
            Sessions(tokens, lambda: b"s" * 32, lambda: NOW, 60),
            AccessRules(False, True, reads_need_token),
        )
        app = FastAPI()
        app.include_router(
            minigem_router(
                self.disk.tally,
                guard,
                lambda dialect: self.disk.entries if dialect == "minigem" else [],
                lambda: self.ready,
                lambda: NOW,
                secret,
                7,
                "1.2.3",
            )
        )

        async def no_route(request: Request, error: Exception) -> Response:
            assert isinstance(error, StarletteHTTPException)
            return minigem_no_route(request, error)

        async def push() -> None:
            raise HTTPException(429, "later")

        app.add_api_route("/t", push, methods=["POST"])
        app.add_exception_handler(404, no_route)
        self.client = TestClient(AnyOrigin(app))


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_stats_cover_the_window_or_the_range_that_is_asked_for(server: Server, prefix: str) -> None:
    window = server.client.get(f"{prefix}/stats").json()
    before = server.client.get(f"{prefix}/stats?from=2026-01-01&to=2026-01-02&debug=1").json()

    assert (window["from"], window["to"], window["total"]) == ("2026-01-26", "2026-02-01", 2)
    assert (before["from"], before["to"], before["total"]) == ("2026-01-01", "2026-01-02", 0)
    assert [one["completed"] for one in window["sessionsRecent"]] == [True, False]


def test_stats_are_guarded_as_other_reads(tmp_path: Path) -> None:
    server = Server(tmp_path, reads_need_token=True)

    for prefix in PREFIXES:
        assert server.client.get(f"{prefix}/stats").status_code == 401
        assert server.client.get(f"{prefix}/dbhealth").status_code == 200


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", ["/debug/recent", "/debug/counts"])
def test_debug_paths_need_the_secret(server: Server, prefix: str, path: str) -> None:
    refused = server.client.get(prefix + path)

    assert (refused.status_code, refused.json()) == (401, {"error": "unauthorized"})
    assert server.client.get(f"{prefix}{path}?key=wrong").status_code == 401
    assert server.client.get(prefix + path, headers={b"x-stats-key": b"wr\xf6ng"}).status_code == 401
    assert server.client.get(f"{prefix}{path}?key={SECRET}").status_code == 200
    assert server.client.get(prefix + path, headers={"x-stats-key": SECRET}).status_code == 200


@pytest.mark.parametrize("path", ["/debug/recent", "/debug/counts"])
def test_without_a_secret_debug_paths_are_closed(tmp_path: Path, path: str) -> None:
    server = Server(tmp_path, secret="")

    for asked in (path, f"{path}?key=", f"{path}?key=x"):
        assert server.client.get(asked).status_code == 401


@pytest.mark.parametrize(
    ("limit", "rows"), [("", 2), ("1", 1), ("0", 1), ("-5", 1), ("501", 2), ("x", 2), ("9" * 50, 2)]
)
def test_recent_events_are_bounded_and_hashed(server: Server, limit: str, rows: int) -> None:
    answer = server.client.get(f"/debug/recent?key={SECRET}&limit={limit}")

    assert len(answer.json()["rows"]) == rows
    assert ANON not in answer.text
    assert "s-81" not in answer.text


@pytest.mark.parametrize("hours", ["", "0", "1", "99999", "x"])
def test_counts_have_the_last_hours(server: Server, hours: str) -> None:
    answer = server.client.get(f"/debug/counts?key={SECRET}&hours={hours}").json()

    assert list(answer) == ["since", "total", "byEvent"]
    assert answer["total"] == 2


@pytest.mark.parametrize("prefix", PREFIXES)
def test_dbhealth_is_200_also_when_nothing_can_be_stored(server: Server, prefix: str) -> None:
    well = server.client.get(f"{prefix}/dbhealth")
    server.ready = False
    ill = server.client.get(f"{prefix}/dbhealth")

    assert (well.status_code, ill.status_code) == (200, 200)
    assert well.json() == {"enabled": True, "ok": True, "db": "journal", "version": "1.2.3"}
    assert ill.json() == {"enabled": True, "ok": False, "error": "the bridge is starting or stopping"}


def test_health_tells_the_time(server: Server) -> None:
    assert server.client.get("/mg/health").json() == {"ok": True, "ts": NOW}


@pytest.mark.parametrize("path", ["/stats", "/mg/stats", "/debug/counts", "/mg/debug/recent"])
def test_reads_of_the_state_wait_until_it_is_whole(server: Server, path: str) -> None:
    server.ready = False
    answer = server.client.get(path, headers={"x-stats-key": SECRET})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"] == "db_disabled"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "/mg/x"), ("GET", "/mg/dashboard/"), ("POST", "/mg/health"), ("PUT", "/mg/stats")),
        *(("GET", "/t"), ("GET", "/mg/t"), ("DELETE", "/debug/recent")),
    ],
)
def test_what_is_not_there_is_404_in_the_originals_form(server: Server, method: str, path: str) -> None:
    answer = server.client.request(method, path)

    assert answer.status_code == 404
    assert answer.text == json.dumps(
        {"message": f"Route {method}:{path} not found", "error": "Not Found", "statusCode": 404},
        separators=(",", ":"),
    )


@pytest.mark.parametrize("path", ["/t", "/mg/t", "/stats", "/mg/stats"])
def test_pages_of_any_origin_may_push_and_read_statistics(server: Server, path: str) -> None:
    asked = {
        "origin": "https://page.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    preflight = server.client.options(path, headers=asked)
    answer = server.client.get(path, headers={"origin": "https://page.example"})

    assert (preflight.status_code, preflight.content) == (204, b"")
    assert "content-type" in preflight.headers["access-control-allow-headers"]
    assert "POST" in preflight.headers["access-control-allow-methods"]
    for one in (preflight, answer):
        assert one.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in one.headers


def test_refusals_may_be_read_by_pages_too(server: Server) -> None:
    answer = server.client.post("/t")

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (429, "*")


@pytest.mark.parametrize("path", ["/debug/counts", "/mg/debug/recent", "/dbhealth", "/mg/health"])
def test_no_other_path_is_open_to_pages(server: Server, path: str) -> None:
    answer = server.client.get(path, headers={"origin": "https://page.example", "x-stats-key": SECRET})

    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_head_is_answered_where_get_is(server: Server) -> None:
    for path in ("/stats", "/dbhealth", "/mg/health"):
        assert server.client.head(path).status_code == 200
