from __future__ import annotations

import time

import pytest

from tests.bridge.web.harness import Web

STATUSMONITOR = {
    "kafka": "connected",
    "redis": "connected",
    "cache_ttl_seconds": 300,
    "broker": "kafka",
    "total_connections": 0,
    "users_connected": 0,
    "influxdb": "connected",
}
"""What the agents of one system look for."""


def test_bridge_that_takes_pushes_is_healthy_and_ready(web: Web) -> None:
    healthy, ready = web.get("/-/healthy"), web.get("/-/ready")

    assert (healthy.status_code, healthy.text) == (200, "The bridge is healthy.\n")
    assert (ready.status_code, ready.text) == (200, "The bridge is ready.\n")


def test_bridge_that_starts_is_healthy_but_not_ready(starting_web: Web) -> None:
    assert starting_web.get("/-/healthy").status_code == 200
    assert starting_web.get("/health").status_code == 200

    ready = starting_web.get("/-/ready")

    assert (ready.status_code, ready.text) == (503, "The bridge is starting or stopping.\n")


@pytest.mark.parametrize("path", ["/metrics", "/api/telemetry", "/pt/api/telemetry", "/API/telemetry/"])
def test_reads_before_the_replay_are_refused(starting_web: Web, path: str) -> None:
    response = starting_web.get(path)

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert starting_web.request("HEAD", path).status_code == 503


@pytest.mark.parametrize("path", ["/", "/api/v1/viewer/settings", "/api/v1/dashboards"])
def test_pages_do_not_wait_for_the_replay(starting_web: Web, path: str) -> None:
    assert starting_web.get(path).status_code == 200


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/json", "application/json, text/plain, */*", "text/html"]
)
def test_health_is_json_with_what_each_systems_clients_look_at(web: Web, accept: str) -> None:
    before = time.time_ns() // 1_000_000

    response = web.get("/health", accept=accept)

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    document = response.json()
    assert before <= document.pop("ts") <= time.time_ns() // 1_000_000
    assert document == {"status": "ok", "ok": True, **STATUSMONITOR}


@pytest.mark.parametrize("accept", ["text/plain", "text/plain; charset=utf-8", "Text/Plain, */*;q=0.1"])
def test_health_is_text_for_who_asks_for_it(web: Web, accept: str) -> None:
    response = web.get("/health", accept=accept)

    assert (response.status_code, response.text) == (200, "OK")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/pt/health", "/PT/Health/"])
def test_pixeltrackers_health_is_as_its_platform_knows_it(web: Web, path: str) -> None:
    response = web.get(path)

    assert (response.status_code, response.text) == (200, "OK")
    assert response.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready", "/health", "/pt/health"])
def test_head_has_the_same_status(web: Web, path: str) -> None:
    response = web.request("HEAD", path)

    assert (response.status_code, response.content) == (200, b"")
