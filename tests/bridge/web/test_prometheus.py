"""The read-only way to Prometheus, against one that answers from a function."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2
import pytest
from fastapi import FastAPI

from pushgateway_bridge.web.prometheus import MAX_QUERY_CHARACTERS, prometheus_router

Answer = Callable[[httpx2.Request], httpx2.Response]
FOUND = b'{"status":"success","data":{"resultType":"vector","result":[]}}'


class FakePrometheus:
    """Remembers what it was asked; answers with *answer*."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[str] = []
        self._answer = answer

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url}")
        return self._answer(request)


def found(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, content=FOUND, headers={"content-type": "application/json"})


def ask(
    prometheus: Answer, path: str, method: str = "GET", base_url: str = "http://prometheus:9090"
) -> httpx2.Response:
    """The answer to one request through the router."""

    async def scenario() -> httpx2.Response:
        upstream = httpx2.AsyncClient(base_url=base_url, transport=httpx2.MockTransport(prometheus))
        app = FastAPI()
        app.include_router(prometheus_router(upstream))
        browser = httpx2.AsyncClient(base_url="http://bridge", transport=httpx2.ASGITransport(app))
        async with upstream, browser:
            return await browser.request(method, f"/api/v1/prometheus/{path}")

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("query?query=up", "query?query=up"),
        ("query?query=up%7Bjob%3D%22a%2Bb%22%7D%20%2B%201", "query?query=up%7Bjob%3D%22a%2Bb%22%7D+%2B+1"),
        ("query_range?query=up&start=1&end=2&step=15s", "query_range?query=up&start=1&end=2&step=15s"),
        (
            "series?match[]=up&match[]=node_load1&start=",
            "series?match%5B%5D=up&match%5B%5D=node_load1&start=",
        ),
        ("labels", "labels"),
        ("label/__name__/values?match[]=up", "label/__name__/values?match%5B%5D=up"),
    ],
)
def test_query_is_passed_on_and_its_answer_back(path: str, asked: str) -> None:
    prometheus = FakePrometheus(found)

    response = ask(prometheus, path)

    assert [httpx2.URL(asked.removeprefix("GET ")) for asked in prometheus.asked] == [
        httpx2.URL(f"http://prometheus:9090/api/v1/{asked}")
    ]
    assert (response.status_code, response.content) == (200, FOUND)
    assert response.headers["content-type"] == "application/json"


def test_parameters_reach_prometheus_as_they_were_meant() -> None:
    query = 'sum by (instance) (rate(x{a=~"b|c+",d!="é%&#"}[5m])) > 1'
    received: list[httpx2.QueryParams] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        received.append(request.url.params)
        return found(request)

    ask(answer, f"query?{httpx2.QueryParams({'query': query, 'time': '1.5'})}")

    assert [dict(parameters) for parameters in received] == [{"query": query, "time": "1.5"}]


def test_prometheus_may_live_below_a_path() -> None:
    prometheus = FakePrometheus(found)

    ask(prometheus, "labels", base_url="http://gateway/prometheus")

    assert prometheus.asked == ["GET http://gateway/prometheus/api/v1/labels"]


@pytest.mark.parametrize("status", [400, 422, 503])
def test_errors_of_prometheus_are_passed_on(status: int) -> None:
    body = b'{"status":"error","errorType":"bad_data","error":"parse error"}'

    response = ask(
        lambda _request: httpx2.Response(status, content=body, headers={"content-type": "application/json"}),
        "query?query=(",
    )

    assert (response.status_code, response.content) == (status, body)


def test_headers_of_prometheus_are_not_passed_on() -> None:
    response = ask(
        lambda _request: httpx2.Response(200, content=b"{}", headers={"set-cookie": "a=b"}), "labels"
    )

    assert "set-cookie" not in response.headers
    assert response.headers["content-type"] == "application/json"


def error(kind: str, message: str) -> dict[str, str]:
    return {"status": "error", "errorType": kind, "error": message}


@pytest.mark.parametrize(
    ("failure", "status", "document"),
    [
        (httpx2.ReadTimeout("slow"), 504, error("timeout", "Prometheus did not answer within 30 s")),
        (httpx2.ConnectTimeout("slow"), 504, error("timeout", "Prometheus did not answer within 30 s")),
        (httpx2.ConnectError("refused"), 502, error("unavailable", "Prometheus cannot be reached")),
        (httpx2.ReadError("reset"), 502, error("unavailable", "Prometheus cannot be reached")),
        (httpx2.RemoteProtocolError("garbage"), 502, error("unavailable", "Prometheus cannot be reached")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_prometheus_that_fails_is_told_in_its_own_form(
    failure: httpx2.HTTPError, status: int, document: dict[str, str]
) -> None:
    def fail(_request: httpx2.Request) -> httpx2.Response:
        raise failure

    response = ask(fail, "query?query=up")

    assert (response.status_code, response.json()) == (status, document)


def test_query_that_is_too_long_is_not_passed_on() -> None:
    prometheus = FakePrometheus(found)
    longest = "query=" + "x" * (MAX_QUERY_CHARACTERS - 6)

    assert ask(prometheus, f"query?{longest}").status_code == 200
    response = ask(prometheus, f"query?{longest}x")

    assert (response.status_code, response.json()) == (
        414,
        error("bad_data", "the query is longer than 16384 characters"),
    )
    assert len(prometheus.asked) == 1


@pytest.mark.parametrize("name", ["a-b", "1a", "a%2fb", "%2e%2e", "a b", "é", "a%0a", "a%3fx=1"])
def test_label_that_is_no_name_is_not_passed_on(name: str) -> None:
    prometheus = FakePrometheus(found)

    response = ask(prometheus, f"label/{name}/values")

    assert response.status_code in {400, 404}
    assert prometheus.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "",
        "query/",
        "admin/tsdb/snapshot",
        "admin/tsdb/delete_series",
        "../../-/quit",
        "targets",
        "status/config",
    ],
)
def test_nothing_else_of_prometheus_can_be_reached(path: str) -> None:
    prometheus = FakePrometheus(found)

    assert ask(prometheus, path).status_code in {404, 307}
    assert prometheus.asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_reads_are_passed_on(method: str) -> None:
    prometheus = FakePrometheus(found)

    assert ask(prometheus, "query?query=up", method).status_code == 405
    assert prometheus.asked == []
