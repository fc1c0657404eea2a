"""What of ProxmoxVE's telemetry service does not push, over the router alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from pushgateway_bridge.access.token import Right
from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.proxmoxve import DIALECT
from pushgateway_bridge.dialects.proxmoxve_exit_codes import EXIT_CODES
from pushgateway_bridge.tallies.proxmoxve import ProxmoxveTally
from pushgateway_bridge.web.compat.proxmoxve import not_found, proxmoxve_router
from tests.bridge.web.gates import OPEN, gate_of

NOON_MS = 1_769_947_200_000
DAY_MS = 86_400_000
PREFIXES = ("", "/pve")


class Service:
    """A router over a tally of its own."""

    def __init__(self, directory: Path) -> None:
        self.ready = True
        self.now_ms = NOON_MS
        self.entries: list[bytes] = []
        self.tally = ProxmoxveTally(lambda: b"secret")
        self.gate = gate_of(directory, lambda: self.now_ms, {"proxmoxve": DIALECT})
        self.app = FastAPI()
        self.app.include_router(
            proxmoxve_router(
                DIALECT,
                self.gate.guard,
                self.recent,
                self.tally.today,
                lambda: self.ready,
                lambda: self.now_ms,
            )
        )

    def recent(self, dialect: str) -> list[bytes]:
        assert dialect == "proxmoxve"
        return self.entries

    def push(self, **fields: Any) -> None:
        body = json.dumps({"random_id": "r", "type": "lxc", "nsapp": "gitea", **fields}).encode()
        report = DIALECT.decode(body, PushContext(self.now_ms, path="/telemetry"))
        plan = self.tally.plan(report, self.now_ms)
        if plan.report.entry is not None:
            self.entries.append(plan.report.entry)
        plan.take()
        self.now_ms += 1000

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        async def ask() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path: str, **query: str) -> httpx2.Response:
        return self.request("GET", path, params=query)

    def records(self, **query: str) -> dict[str, Any]:
        document: dict[str, Any] = self.get("/api/records", **query).json()
        return document

    def names(self, **query: str) -> list[str]:
        return [record["nsapp"] for record in self.records(**query)["records"]]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


@pytest.mark.parametrize("path", ["/healthz", "/pve/healthz", "/pve/health"])
def test_health_is_the_state_of_the_store(service: Service, path: str) -> None:
    answer = service.get(path)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "time": "2026-02-01T12:00:00Z", "clickhouse": "connected"}
    service.ready = False
    answer = service.get(path)

    assert answer.status_code == 503
    assert answer.json() == {
        "status": "degraded",
        "time": "2026-02-01T12:00:00Z",
        "clickhouse": "disconnected",
    }
    assert service.request("HEAD", path).status_code == 503


def test_legacy_metrics_are_todays_numbers(service: Service) -> None:
    for number, status in enumerate(("success", "success", "success", "aborted", "unknown", "installing")):
        service.push(random_id=str(number), status=status)
    service.push(random_id="f", status="failed", exit_code=1)
    service.push(random_id="x", status="success", repo_source="external")
    answer = service.get("/pve/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert values == {
        "telemetry_installs_total": 7,
        "telemetry_installs_success_total": 3,
        "telemetry_installs_failed_total": 1,
        "telemetry_installs_aborted_total": 1,
        "telemetry_installs_pending": 1,
        "telemetry_success_rate": 75,
    }


def test_legacy_metrics_begin_anew_at_midnight(service: Service) -> None:
    assert "telemetry_success_rate 0.0\n" in service.get("/pve/metrics").text
    service.push(status="success")
    assert "telemetry_installs_success_total 1\n" in service.get("/pve/metrics").text
    service.now_ms += DAY_MS

    assert "telemetry_installs_total 0\n" in service.get("/pve/metrics").text


@pytest.mark.parametrize("prefix", PREFIXES)
def test_records_have_one_row_for_each_execution(service: Service, prefix: str) -> None:
    service.push(status="installing", ct_type=1, os_type="debian")
    service.push(status="failed", exit_code=127, error="from 10.0.0.1")
    service.push(status="installing", random_id="r-2", nsapp="haos", type="vm")
    answer = service.get(f"{prefix}/api/records")
    document = answer.json()

    assert answer.headers["content-type"] == "application/json"
    first, second = document.pop("records")
    assert document == {"page": 1, "limit": 50, "total": 2, "total_pages": 1}
    assert (first["nsapp"], first["status"]) == ("haos", "installing")
    assert (second["nsapp"], second["status"], second["os_type"]) == ("gitea", "failed", "debian")
    assert (second["exit_code"], second["error"]) == (127, "from [masked]")
    assert second["created"] == "2026-02-01 12:00:01.000"
    assert json.loads(second["pipeline"]) == [
        {"s": "installing", "t": "2026-02-01 12:00:00.000"},
        {"s": "failed", "t": "2026-02-01 12:00:01.000"},
    ]
    assert "ram_size" not in second


def test_result_goes_before_a_start_that_came_after_it(service: Service) -> None:
    service.push(status="success")
    service.push(status="installing")

    (record,) = service.records()["records"]
    assert record["status"] == "success"


def test_records_of_nothing_are_an_empty_list(service: Service) -> None:
    assert service.records() == {"records": [], "page": 1, "limit": 50, "total": 0, "total_pages": 0}


@pytest.fixture
def filled(service: Service) -> Service:
    service.push(random_id="1", nsapp="alpha", status="success", os_type="debian", method="default")
    service.push(random_id="2", nsapp="Beta", status="failed", exit_code=7, os_type="ubuntu", type="vm")
    service.push(random_id="3", nsapp="gamma", status="installing", os_type="debian", method="advanced")
    service.push(random_id="4", nsapp="delta", status="success", repo_slug="somebody/fork")
    service.push(random_id="5", nsapp="alphabet", status="failed", exit_code=1, repo_slug="a/ProxmoxVE")
    return service


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["alphabet", "gamma", "Beta", "alpha"]),
        ({"repo": "all"}, ["alphabet", "delta", "gamma", "Beta", "alpha"]),
        ({"repo": "external"}, ["delta"]),
        ({"repo": "all", "slug": "somebody/fork"}, ["delta"]),
        ({"status": "failed"}, ["alphabet", "Beta"]),
        ({"app": "ALPHA"}, ["alphabet", "alpha"]),
        ({"search": "bet"}, ["alphabet", "Beta"]),
        ({"os": "debian"}, ["gamma", "alpha"]),
        ({"type": "vm"}, ["Beta"]),
        ({"sort": "created"}, ["alpha", "Beta", "gamma", "alphabet"]),
        ({"sort": "-created"}, ["alphabet", "gamma", "Beta", "alpha"]),
        ({"sort": "nsapp"}, ["Beta", "alpha", "alphabet", "gamma"]),
        ({"sort": "-nsapp"}, ["gamma", "alphabet", "alpha", "Beta"]),
        ({"sort": "-exit_code"}, ["Beta", "alphabet", "gamma", "alpha"]),
        ({"sort": "status"}, ["alphabet", "Beta", "gamma", "alpha"]),
        ({"sort": "os_type"}, ["alphabet", "gamma", "alpha", "Beta"]),
        ({"sort": "-type"}, ["Beta", "alphabet", "gamma", "alpha"]),
        ({"sort": "-method"}, ["alpha", "gamma", "alphabet", "Beta"]),
        ({"sort": "error"}, ["alphabet", "gamma", "Beta", "alpha"]),
        ({"limit": "2"}, ["alphabet", "gamma"]),
        ({"limit": "3", "page": "2"}, ["alpha"]),
        ({"limit": "3", "page": "9999999999999"}, ["alphabet", "gamma", "Beta"]),
        ({"limit": "x", "page": "-1"}, ["alphabet", "gamma", "Beta", "alpha"]),
        ({"days": "1"}, ["alphabet", "gamma", "Beta", "alpha"]),
    ],
    ids=str,
)
def test_records_are_filtered_sorted_and_paged(
    filled: Service, query: dict[str, str], names: list[str]
) -> None:
    assert filled.names(**query) == names


def test_page_says_how_many_there_are(filled: Service) -> None:
    document = filled.records(limit="3", page="2")
    del document["records"]

    assert document == {"page": 2, "limit": 3, "total": 4, "total_pages": 2}
    assert filled.records(limit="1000")["limit"] == 100


def test_days_begin_at_midnight_utc(filled: Service) -> None:
    filled.now_ms += DAY_MS

    assert not filled.names(days="1")
    assert len(filled.names(days="2")) == 4


@pytest.mark.parametrize("prefix", PREFIXES)
def test_exit_codes_are_the_table(service: Service, prefix: str) -> None:
    assert service.get(f"{prefix}/api/exit-codes").json() == dict(EXIT_CODES)


@pytest.mark.parametrize("path", [path for path in DIALECT.paths if not path.endswith("/")])
def test_reading_where_one_only_pushes_is_refused_as_the_original_does(service: Service, path: str) -> None:
    answer = service.get(path)

    assert (answer.status_code, answer.text) == (405, "method not allowed\n")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/pve/", "/pve/dashboard"])
def test_pages_are_the_dashboard(service: Service, path: str) -> None:
    answer = service.get(path)

    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")


READS = [
    *(f"{prefix}{path}" for prefix in PREFIXES for path in ("/api/records", "/api/exit-codes")),
    "/pve/metrics",
]


@pytest.mark.parametrize("path", READS)
def test_reads_need_a_token_where_reads_do(service: Service, path: str) -> None:
    service.gate.guard.rules = OPEN._replace(reads_need_token=True)
    _, secret = service.gate.guard.tokens.create("reader", [Right.READ])

    assert service.get(path).status_code == 401
    assert service.request("GET", path, headers={"Authorization": f"Bearer {secret}"}).status_code == 200


@pytest.mark.parametrize("path", [*READS, "/healthz", "/pve/health", "/telemetry", "/pve/"])
def test_every_answer_has_the_headers_of_the_original(service: Service, path: str) -> None:
    headers = service.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


def test_what_is_not_there_is_a_line_of_text() -> None:
    answer = not_found()

    assert (answer.status_code, answer.body) == (404, b"404 page not found\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
