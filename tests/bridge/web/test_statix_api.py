"""Monitoring Stack over HTTP: pushes by both ways, what its dashboard reads, and forgetting a host."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import apsw
import httpx2
import pytest

from pushgateway_bridge.access.token import Right
from pushgateway_bridge.dialects.statix_reads import Forgetting
from tests.bridge.harness import FakeClock
from tests.bridge.process import BridgeProcess
from tests.bridge.web.gates import OPEN
from tests.bridge.web.harness import Web
from tests.bridge.web.raw_http import Connection, push, request
from tests.bridge.web.running import answered, owner_of

PREFIXES = ("", "/sx")
NOW: Final = FakeClock().unix_ms // 1000
HTML: Final = "text/html; charset=utf-8"


class Stack:
    """A bridge in this process, and who may delete."""

    def __init__(self, web: Web, clock: FakeClock) -> None:
        self.web = web
        self.clock = clock
        _, self.secret = web.bridge.tokens.create("deleter", [Right.DELETE])

    def push(self, hostname: str, path: str = "/metrics", **fields: Any) -> None:
        answer = self.web.push(report(hostname, **({"timestamp": self.clock.unix_ms // 1000} | fields)), path)
        assert (answer.status_code, answer.text) == (200, '{"status":"ok"}')

    def read(self, path: str, **query: str) -> tuple[int, Any]:
        answer = self.web.request("GET", path, params=query)
        assert answer.headers["content-type"] == "application/json"
        return answer.status_code, answer.json()

    def rows(self, hostname: str = "") -> list[dict[str, Any]]:
        status, document = self.read("/data", hostname=hostname)
        assert (status, document["count"]) == (200, len(document["data"]))
        rows: list[dict[str, Any]] = document["data"]
        return rows

    def hosts(self) -> dict[str, tuple[int, int, int | None]]:
        """Host → how many entries, last seen, details updated."""
        return {
            one["hostname"]: (one["metric_count"], one["last_seen"], one["details_updated_at"])
            for one in self.read("/hosts")[1]["hosts"]
        }

    def change(self, method: str, path: str, secret: str | None = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.secret if secret is None else secret}"}
        return self.web.request(method, path, headers=headers)

    def clean(self, hostname: str, prefix: str = "") -> Any:
        answer = self.change("POST", f"{prefix}/hosts/{quote(hostname, safe='')}/clean")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def delete(self, hostname: str, prefix: str = "") -> Any:
        answer = self.change("DELETE", f"{prefix}/hosts/{quote(hostname, safe='')}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def series(self, hostname: str, job: str = "statix") -> list[str]:
        """The lines of /metrics about a host, its reports included."""
        group = f'job="{job}",instance="{hostname}"'
        return [line for line in self.web.get("/metrics").text.splitlines() if group in line]


def report(hostname: str, timestamp: float, **fields: Any) -> bytes:
    document = {"hostname": hostname, "cpu": 25, "ram": 50, "disk": 75, "timestamp": timestamp} | fields
    return json.dumps(document).encode()


@pytest.fixture
def stack(clocked_web: Web, clock: FakeClock) -> Stack:
    return Stack(clocked_web, clock)


# Pushes

OK = (200, '{"status":"ok"}')
NO_JSON = (400, '{"error":"Invalid JSON payload"}')
BAD_TYPES = (400, '{"error":"Invalid field types"}')
BODIES: Mapping[str, tuple[bytes, tuple[int, str]]] = {
    "minimal": (b'{"hostname":"a","cpu":1,"ram":2,"disk":3,"timestamp":1769932800}', OK),
    "coerced": (
        b'{"hostname":7,"cpu":"12.5","ram":true,"disk":3,"timestamp":1769932800.9,"details":[1]}',
        OK,
    ),
    "empty": (b"", NO_JSON),
    "no json": (b"{", NO_JSON),
    "empty object": (b"{}", NO_JSON),
    "empty array": (b"[]", NO_JSON),
    "array": (b"[1]", NO_JSON),
    "nan": (b'{"hostname":"a","cpu":NaN,"ram":2,"disk":3,"timestamp":1}', NO_JSON),
    "infinity": (b'{"hostname":"a","cpu":Infinity,"ram":2,"disk":3,"timestamp":1}', NO_JSON),
    "hostname alone": (b'{"hostname":"a"}', (400, '{"error":"Missing fields: cpu, disk, ram, timestamp"}')),
    "decimal text": (
        b'{"hostname":"a","cpu":1,"ram":2,"disk":3,"timestamp":"1769932800.5"}',
        BAD_TYPES,
    ),
    "null rate": (
        b'{"hostname":"a","cpu":1,"ram":2,"disk":3,"timestamp":1769932800,"disk_read":null}',
        BAD_TYPES,
    ),
    "null": (b'{"hostname":"a","cpu":null,"ram":2,"disk":3,"timestamp":1769932800}', BAD_TYPES),
    "beyond 64 bits": (b'{"hostname":"a","cpu":1,"ram":2,"disk":3,"timestamp":%d}' % 2**63, BAD_TYPES),
}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_push_is_answered_as_the_original_does(stack: Stack, prefix: str) -> None:
    answers = {}
    for name, (body, _) in BODIES.items():
        answer = stack.web.push(body, f"{prefix}/metrics")
        assert answer.headers["content-type"] == "application/json"
        answers[name] = (answer.status_code, answer.text)

    assert answers == {name: answer for name, (_, answer) in BODIES.items()}
    assert sorted(stack.hosts()) == ["7", "a"]
    assert stack.series("7")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_content_type_must_be_json_and_a_body_has_a_bound(stack: Stack, prefix: str) -> None:
    body = report("a", NOW)
    answer = stack.web.push(body, f"{prefix}/metrics", content_type="text/plain")
    assert (answer.status_code, answer.text) == NO_JSON

    answer = stack.web.push(body + b" " * 1024 * 1024, f"{prefix}/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (413, HTML)
    assert stack.hosts() == {}


def test_a_push_while_the_bridge_starts_is_refused(stack: Stack) -> None:
    stack.web.bridge.ingest.ready = False
    answer = stack.web.push(report("a", NOW), "/metrics")
    stack.web.bridge.ingest.ready = True

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json().keys() == {"error"}


# Methods


def test_get_and_head_of_metrics_are_the_exposition(stack: Stack) -> None:
    stack.push("a")
    answer = stack.web.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")
    assert 'host_cpu_utilization_ratio{job="statix",instance="a"} 0.25\n' in answer.text

    head = stack.web.request("HEAD", "/metrics")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == answer.headers["content-type"]


def test_health_is_the_originals_below_the_prefix_and_more_at_the_root(stack: Stack) -> None:
    assert stack.read("/sx/health") == (200, {"status": "ok"})
    status, document = stack.read("/health")
    assert (status, document["status"]) == (200, "ok")


# Reads

DETAILS: Final = {"uptime": {"seconds": 60, "human": "0d"}, "network": {"primary_interface": None}}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_data_are_the_rows_oldest_first(stack: Stack, prefix: str) -> None:
    stack.push("b", f"{prefix}/metrics", disk_read=0.25, disk_write=1.5, details=DETAILS)
    stack.clock.pass_seconds(30)
    stack.push("a", f"{prefix}/metrics", cpu="12.5")
    stack.push("b", f"{prefix}/metrics", timestamp=NOW - 60)  # late

    rows = [
        ("b", NOW - 60, 25.0, 0.0, 0.0),
        ("b", NOW, 25.0, 0.25, 1.5),
        ("a", NOW + 30, 12.5, 0.0, 0.0),
    ]
    expected = [
        {
            "timestamp": timestamp,
            "hostname": hostname,
            "cpu": cpu,
            "ram": 50.0,
            "disk": 75.0,
            "disk_read": read,
            "disk_write": written,
        }
        for hostname, timestamp, cpu, read, written in rows
    ]
    path = f"{prefix}/data"
    assert stack.read(path) == (200, {"count": 3, "data": expected})
    assert stack.read(path, hostname="", timeframe="") == stack.read(path)
    assert stack.read(path, hostname="b") == (200, {"count": 2, "data": expected[:2]})
    assert stack.read(path, hostname="B") == (200, {"count": 0, "data": []})
    assert [*expected[0]] == [*stack.read(path)[1]["data"][0]]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_data_look_back_as_far_as_is_asked(stack: Stack, prefix: str) -> None:
    for hours in (23, 2, 1, 0):
        stack.push("a", timestamp=NOW - hours * 3600)
    counts = {
        timeframe: stack.read(f"{prefix}/data", timeframe=timeframe)[1]["count"]
        for timeframe in ("", "1h", "24h", "7d")
    }

    assert counts == {"": 4, "1h": 2, "24h": 4, "7d": 4}
    stack.clock.pass_seconds(1)
    assert stack.read(f"{prefix}/data", timeframe="1h")[1]["count"] == 1
    for wrong in ("2h", "1H", "1h ", "-1h", "h"):
        answer = stack.read(f"{prefix}/data", timeframe=wrong)
        assert answer == (400, {"error": "Unsupported timeframe"})


@pytest.mark.parametrize("prefix", PREFIXES)
def test_hosts_are_sorted_without_regard_to_case(stack: Stack, prefix: str) -> None:
    for hostname in ("beta", "Alpha", "alpha", "Gamma"):
        stack.push(hostname)
    stack.clock.pass_seconds(30)
    stack.push("beta", details=DETAILS)

    hosts = stack.read(f"{prefix}/hosts")

    assert hosts == (
        200,
        {
            "hosts": [
                {"hostname": name, "metric_count": count, "last_seen": seen, "details_updated_at": updated}
                for name, count, seen, updated in (
                    ("Alpha", 1, NOW, None),
                    ("alpha", 1, NOW, None),
                    ("beta", 2, NOW + 30, NOW + 30),
                    ("Gamma", 1, NOW, None),
                )
            ]
        },
    )


@pytest.mark.parametrize("prefix", PREFIXES)
def test_details_are_the_newest_that_a_host_sent(stack: Stack, prefix: str) -> None:
    path = f"{prefix}/details"
    stack.push("a", details={"uptime": {"human": "old"}})
    stack.clock.pass_seconds(30)
    stack.push("a", details=DETAILS | {"mine": [1, "10.1.2.3"]})
    stack.clock.pass_seconds(30)
    stack.push("a")
    stack.push("b", details={})

    shown = DETAILS | {"mine": [1, "[masked]"]}
    expected = {"hostname": "a", "details": shown, "updated_at": NOW + 30}
    assert stack.read(path, hostname="a") == (200, expected)
    assert stack.read(path, hostname="b")[1]["details"] == {}
    assert stack.read(path) == (400, {"error": "hostname query parameter required"})
    assert stack.read(path, hostname="") == (400, {"error": "hostname query parameter required"})
    assert stack.read(path, hostname="c") == (404, {"error": "hostname not found"})


def test_nothing_is_read_of_a_bridge_without_pushes(stack: Stack) -> None:
    assert stack.read("/data") == (200, {"count": 0, "data": []})
    assert stack.read("/hosts") == (200, {"hosts": []})


def test_reads_and_changes_wait_for_the_replay(stack: Stack) -> None:
    stack.push("a")
    stack.web.bridge.ingest.ready = False
    paths = [f"{prefix}/{name}?hostname=a" for prefix in PREFIXES for name in ("data", "hosts", "details")]
    answers = [stack.web.get(path) for path in paths]
    answers += [stack.change("POST", "/hosts/a/clean"), stack.change("DELETE", "/hosts/a")]
    stack.web.bridge.ingest.ready = True

    assert [(one.status_code, one.headers["retry-after"]) for one in answers] == [(503, "1")] * 8
    assert stack.hosts() == {"a": (1, NOW, None)}


def test_reads_need_a_token_where_the_configuration_says_so_and_pushes_do_not(stack: Stack) -> None:
    web = stack.web
    web.bridge.guard.rules = OPEN._replace(reads_need_token=True)
    _, reader = web.bridge.tokens.create("reader", [Right.READ])
    _, pusher = web.bridge.tokens.create("pusher", [Right.PUSH])
    stack.push("a", details=DETAILS)

    for prefix in PREFIXES:
        for name in ("data", "hosts", "details"):
            path = f"{prefix}/{name}?hostname=a"
            assert web.get(path).status_code == 401
            assert web.get(path, authorization=f"Bearer {pusher}").status_code == 403
            assert web.get(path, authorization=f"Bearer {reader}").status_code == 200
    assert web.get("/sx/health").status_code == 200


# Cleaning and deleting


@pytest.mark.parametrize("prefix", PREFIXES)
def test_cleaning_a_host_deletes_its_numbers_and_keeps_its_newest_details(stack: Stack, prefix: str) -> None:
    stack.push("a", details={"old": 1})
    stack.clock.pass_seconds(30)
    stack.push("a", details=DETAILS)
    stack.clock.pass_seconds(30)
    stack.push("a")
    assert stack.series("a")

    assert stack.clean("a", prefix) == {"status": "ok", "metrics_deleted": 3}

    assert stack.rows("a") == []
    assert stack.hosts() == {"a": (0, NOW + 30, NOW + 30)}
    expected = {"hostname": "a", "details": DETAILS, "updated_at": NOW + 30}
    assert stack.read("/details", hostname="a") == (200, expected)
    assert stack.series("a") == []
    assert stack.clean("a", prefix) == {"status": "ok", "metrics_deleted": 0}
    assert stack.read("/details", hostname="a") == (200, expected)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_deleting_a_host_deletes_all_there_is_of_it(stack: Stack, prefix: str) -> None:
    stack.push("a", details=DETAILS)
    stack.clock.pass_seconds(30)
    stack.push("a", details=DETAILS)
    assert stack.series("a")

    assert stack.delete("a", prefix) == {"status": "ok", "metrics": 2, "details": 1}

    assert (stack.rows("a"), stack.hosts(), stack.series("a")) == ([], {}, [])
    assert stack.read("/details", hostname="a")[0] == 404
    assert stack.delete("a", prefix) == {"status": "ok", "metrics": 0, "details": 0}


def test_a_host_without_details_has_none_to_keep_or_delete(stack: Stack) -> None:
    stack.push("cleaned")
    stack.push("deleted")

    assert stack.clean("cleaned") == {"status": "ok", "metrics_deleted": 1}
    assert stack.delete("deleted") == {"status": "ok", "metrics": 1, "details": 0}
    assert stack.hosts() == {}


def test_details_that_were_kept_may_be_deleted_or_replaced(stack: Stack) -> None:
    for hostname in ("a", "b", "c"):
        stack.push(hostname, details={"old": 1})
        stack.clean(hostname)
    assert stack.delete("a") == {"status": "ok", "metrics": 0, "details": 1}

    stack.clock.pass_seconds(30)
    stack.push("b", details={"new": 2})
    stack.push("c")
    assert stack.read("/details", hostname="b")[1]["details"] == {"new": 2}
    assert stack.clean("b") == {"status": "ok", "metrics_deleted": 1}
    assert stack.clean("c") == {"status": "ok", "metrics_deleted": 1}
    assert stack.hosts() == {"b": (0, NOW + 30, NOW + 30), "c": (0, NOW, NOW)}
    assert stack.read("/details", hostname="c")[1]["details"] == {"old": 1}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_host_that_nobody_knows_gives_zeros(stack: Stack, prefix: str) -> None:
    stack.push("a")

    for hostname in ("b", "A", "a ", "%", "clean"):
        assert stack.clean(hostname, prefix) == {"status": "ok", "metrics_deleted": 0}
        assert stack.delete(hostname, prefix) == {"status": "ok", "metrics": 0, "details": 0}
    assert stack.hosts() == {"a": (1, NOW, None)}


def test_a_host_that_pushes_again_is_there_again(stack: Stack) -> None:
    for forget in (stack.clean, stack.delete):
        stack.push("a", details=DETAILS)
        forget("a")
        stack.clock.pass_seconds(30)
        stack.push("a", cpu=10)

        now = stack.clock.unix_ms // 1000
        assert [row["timestamp"] for row in stack.rows("a")] == [now]
        assert stack.web.value("host_cpu_utilization_ratio", job="statix", instance="a") == 0.1
        assert stack.web.value("telemetry_reports_total", job="statix", instance="a") == 1


@pytest.mark.parametrize("forget", ["clean", "delete"])
def test_other_hosts_and_other_systems_keep_everything(stack: Stack, forget: str) -> None:
    for hostname in ("a", "b", "aa", "A"):
        stack.push(hostname, details=DETAILS)
    assert stack.web.push(b'{"name":"a","cpuC":4}').status_code == 200
    others = {name: stack.series(name) for name in ("b", "aa", "A")}
    rows = [row for row in stack.rows() if row["hostname"] != "a"]
    pixeltracker = stack.series("a", "pixeltracker")
    entries = stack.web.get("/api/telemetry").text
    assert all(others.values())
    assert pixeltracker

    getattr(stack, forget)("a")

    assert {name: stack.series(name) for name in others} == others
    assert stack.rows() == rows
    assert all(stack.read("/details", hostname=name)[1]["details"] == DETAILS for name in others)
    assert stack.series("a", "pixeltracker") == pixeltracker
    assert stack.web.get("/api/telemetry").text == entries


def test_a_host_whose_series_expired_can_still_be_forgotten(stack: Stack) -> None:
    stack.push("a", details=DETAILS)
    stack.clock.pass_seconds(7200)
    stack.web.bridge.ingest.expire()

    assert stack.delete("a") == {"status": "ok", "metrics": 1, "details": 1}
    assert stack.hosts() == {}
    assert stack.series("a") == []


HOSTNAMES = (
    *("a/b", "/", "//x", "x/", "clean", "a/clean", "100%", "a%2Fb", "%25", "a+b", "a b", "?q=1#f"),
    *(
        "q\"'",
        "\\",
        "ü",
        "K\u00fcche \U0001f5a5",
        "a\nb",
        "\u2028",
        "{x}",
        "..",
        "a/../b",
        "10.1.2.3",
        "null",
    ),
)


def test_a_hosts_name_may_be_any_text(stack: Stack) -> None:
    for hostname in HOSTNAMES:
        stack.push(hostname, details=DETAILS)
    left = sorted(HOSTNAMES)
    assert sorted(stack.hosts()) == left

    authorization = (b"authorization", f"Bearer {stack.secret}".encode())
    for hostname in HOSTNAMES:
        assert len(stack.rows(hostname)) == 1
        assert stack.read("/details", hostname=hostname)[1]["hostname"] == hostname
        # As the server hands it on: a client would resolve the dots itself.
        path = f"/hosts/{hostname}"
        cleaned = stack.web.raw("POST", f"{path}/clean", headers=[authorization])
        assert (cleaned.status, cleaned.body) == (200, b'{"status":"ok","metrics_deleted":1}')
        assert sorted(stack.hosts()) == left
        deleted = stack.web.raw("DELETE", path, headers=[authorization])
        assert (deleted.status, deleted.body) == (200, b'{"status":"ok","metrics":0,"details":1}')
        left.remove(hostname)
        assert sorted(stack.hosts()) == left
    assert 'job="statix"' not in stack.web.get("/metrics").text


@pytest.mark.parametrize("prefix", PREFIXES)
def test_only_who_may_delete_forgets_a_host(stack: Stack, prefix: str) -> None:
    stack.push("a", details=DETAILS)
    tokens = stack.web.bridge.tokens
    before = stack.series("a")

    for method, path in (("POST", f"{prefix}/hosts/a/clean"), ("DELETE", f"{prefix}/hosts/a")):
        answer = stack.web.request(method, path)
        assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer")
        assert stack.change(method, path, "f" * 64).status_code == 401
        for right in (Right.PUSH, Right.READ):
            assert stack.change(method, path, tokens.create("other", [right])[1]).status_code == 403
    assert stack.series("a") == before
    assert stack.hosts() == {"a": (1, NOW, NOW)}
    _, admin = tokens.create("admin", [Right.ADMIN])
    assert stack.change("DELETE", f"{prefix}/hosts/a", admin).status_code == 200
    assert stack.hosts() == {}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_token_that_is_bound_to_a_source_forgets_no_other_host(stack: Stack, prefix: str) -> None:
    for host in ("a", "b"):
        stack.push(host, details=DETAILS)
    tokens = stack.web.bridge.tokens
    others = [
        tokens.create("host", [Right.DELETE], job="statix", instance="b")[1],
        tokens.create("job", [Right.DELETE], job="pixeltracker")[1],
    ]

    for method, path in (("POST", f"{prefix}/hosts/a/clean"), ("DELETE", f"{prefix}/hosts/a")):
        for secret in others:
            answer = stack.change(method, path, secret)
            assert answer.status_code == 403
            assert "may delete nothing else" in answer.text
    assert set(stack.hosts()) == {"a", "b"}
    assert stack.change("DELETE", f"{prefix}/hosts/b", others[0]).status_code == 200
    assert set(stack.hosts()) == {"a"}


@pytest.mark.parametrize(("method", "path"), [("POST", "/hosts/a/clean"), ("DELETE", "/hosts/a")])
def test_forgetting_that_cannot_be_written_changes_nothing(stack: Stack, method: str, path: str) -> None:
    stack.push("a", details=DETAILS)
    series, hosts = stack.series("a"), stack.hosts()
    journal = stack.web.bridge.journal
    journal._connection.set_busy_timeout(0)
    other = apsw.Connection(str(journal.file))
    other.execute("BEGIN IMMEDIATE")  # somebody else writes the file

    answer = stack.change(method, path)

    assert answer.status_code == 503
    other.execute("ROLLBACK")
    other.close()
    assert (stack.series("a"), stack.hosts()) == (series, hosts)
    assert stack.change(method, path).status_code == 200
    assert stack.rows() == []
    assert stack.series("a") == []


def test_every_push_beside_a_deletion_is_either_deleted_or_kept(stack: Stack) -> None:
    web, pushes, deletions = stack.web, 60, 12

    async def push(hostname: str, number: int) -> None:
        answer = await web._request(
            "POST",
            "/metrics",
            content=report(hostname, NOW, cpu=number, details={"number": number}),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 200

    async def delete(number: int) -> int:
        await asyncio.sleep(0.002 * number)
        headers = {"authorization": f"Bearer {stack.secret}"}
        answer = await web._request("DELETE", "/hosts/a", headers=headers)
        assert answer.status_code == 200
        return int(answer.json()["metrics"])

    async def all_at_once() -> list[int]:
        deleting = [asyncio.create_task(delete(number)) for number in range(deletions)]
        for number in range(pushes):
            await asyncio.gather(push("a", number), push("b", number))
        return await asyncio.gather(*deleting)

    deleted = web._runner.run(all_at_once())

    assert sum(deleted) + len(stack.rows("a")) == pushes
    assert sorted(row["cpu"] for row in stack.rows("b")) == list(range(pushes))
    assert web.value("telemetry_reports_total", job="statix", instance="b") == pushes
    stack.delete("a")
    assert stack.series("a") == []
    assert stack.hosts().keys() == {"b"}


def test_an_entry_that_cannot_be_read_is_left_where_it_is() -> None:
    """The journal's writer asks; it must not end over it."""
    forgetting = Forgetting("a", keep_details=False)

    for entry in (b"", b"{", b"7", b'{"hostname":"a"}', b'{"hostname":7,"timestamp":1}', b"\xff"):
        assert forgetting(entry) == entry
    assert (forgetting.metrics, forgetting.details) == (0, 0)


# A program of its own: both ways of a push, and what outlives its end


@pytest.mark.stack
@pytest.mark.parametrize("path", ["/metrics", "/sx/metrics"])
def test_both_ways_answer_the_same_on_a_kept_connection(running_bridge: BridgeProcess, path: str) -> None:
    host = path.replace("/", "-")
    with Connection(running_bridge.port) as connection:
        for cpu in (10, 20, 30):
            data = push(report(host, int(time.time()), cpu=cpu, details=DETAILS), target=path)
            assert answered(connection, data) == OK
        for body, expected in BODIES.values():
            for _ in range(2):  # the second time the head is known
                assert answered(connection, push(body, target=path)) == expected
        answer = connection.ask(request("GET", "/sx/metrics"))
        assert (answer.status, dict(answer.headers)["allow"]) == (405, "POST, OPTIONS")
        read = connection.ask(request("GET", f"/data?hostname={host}"))
        assert [row["cpu"] for row in json.loads(read.body)["data"]] == [10.0, 20.0, 30.0]

    series = running_bridge.series()
    assert series[f'host_cpu_utilization_ratio{{job="statix",instance="{host}"}}'] == 0.3
    assert series[f'telemetry_reports_total{{job="statix",instance="{host}"}}'] == 3


@pytest.mark.stack
def test_a_percent_encoded_name_is_decoded_once(running_bridge: BridgeProcess) -> None:
    secret = make_deleter(running_bridge)
    names = ("a/b", "100%", "a%2Fb", "..", "ü\U0001f5a5", "q\"'", "a b?c#d")
    with Connection(running_bridge.port) as connection:
        for name in names:
            assert answered(connection, push(report(name, int(time.time())), target="/metrics")) == OK
        for name in names:
            encoded = "".join(f"%{byte:02X}" for byte in name.encode())
            authorization = f"Authorization: Bearer {secret}"
            data = request("POST", f"/sx/hosts/{encoded}/clean", authorization)
            assert answered(connection, data) == (200, '{"status":"ok","metrics_deleted":1}')
            data = request("DELETE", f"/hosts/{encoded}", authorization)
            assert answered(connection, data) == (200, '{"status":"ok","metrics":0,"details":0}')
        hosts = json.loads(connection.ask(request("GET", "/hosts")).body)["hosts"]

    assert not {one["hostname"] for one in hosts} & set(names)


def make_deleter(bridge: BridgeProcess) -> str:
    """The text of a token that may delete."""
    with owner_of(bridge) as owner:
        answer = owner.post("/api/v1/tokens", json={"name": "deleter", "rights": ["delete"]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def read_all(bridge: BridgeProcess) -> tuple[str, ...]:
    """The bodies of all reads, and the hosts that have series."""
    paths = ("/data", "/hosts", "/details?hostname=kept", "/details?hostname=cleaned")
    instances = re.findall(r'job="statix",instance="(\w+)"', bridge.get("/metrics"))
    return (*map(bridge.get, paths), *sorted(set(instances)))


@pytest.mark.stack
def test_reads_and_what_was_forgotten_outlive_a_kill_and_a_stop(tmp_path: Path) -> None:
    with BridgeProcess(tmp_path / "journal", log=tmp_path / "log") as bridge:
        secret = make_deleter(bridge)
        with Connection(bridge.port) as connection:
            for cpu in (1, 2):
                for host in ("kept", "cleaned", "deleted"):
                    data = push(report(host, int(time.time()), cpu=cpu, details=DETAILS), target="/metrics")
                    assert answered(connection, data) == OK
            for method, path in (("POST", "/hosts/cleaned/clean"), ("DELETE", "/hosts/deleted")):
                assert connection.ask(request(method, path, f"Authorization: Bearer {secret}")).status == 200
            before = read_all(bridge)
            bridge.kill()
        bridge.start()
        assert read_all(bridge) == before
        assert bridge.terminate() == 0
        bridge.start()
        assert read_all(bridge) == before

    rows, hosts, *details = (json.loads(text) for text in before[:4])
    assert [(row["hostname"], row["cpu"]) for row in rows["data"]] == [("kept", 1.0), ("kept", 2.0)]
    counts = {one["hostname"]: one["metric_count"] for one in hosts["hosts"]}
    assert counts == {"cleaned": 0, "kept": 2}
    assert [one["details"] for one in details] == [DETAILS, DETAILS]
    assert before[4:] == ("kept",)
