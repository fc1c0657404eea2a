"""StatusMonitor over HTTP: its agents' pushes by both ways, and its API for agents over our tokens."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx2
import pytest

from pushgateway_bridge.access.token import ACTIVATION_SECONDS, Right
from pushgateway_bridge.web.door import Door
from tests.bridge.harness import FakeClock
from tests.bridge.process import BridgeProcess
from tests.bridge.web.harness import Web
from tests.bridge.web.raw_http import Connection, push
from tests.bridge.web.running import answered, owner_of
from tests.bridge.web.test_guard import Through

PREFIXES = ("", "/sm", "/api/auth")
NAIVE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
SUMMARY: Final = {"id", "name", "token_activated", "created_at", "last_seen", "is_active"}
HEALTH: Final = {
    "kafka": "connected",
    "redis": "connected",
    "cache_ttl_seconds": 300,
    "broker": "kafka",
    "total_connections": 0,
    "users_connected": 0,
    "influxdb": "connected",
}


class Service:
    """A bridge in this process, and an administrator who makes agents."""

    def __init__(self, web: Web, clock: FakeClock) -> None:
        self.web = web
        self.clock = clock
        self.admin, self.secret = web.bridge.tokens.create("admin", [Right.ADMIN])

    def ask(self, method: str, path: str, secret: str | None = None, **options: Any) -> httpx2.Response:
        """As the administrator, unless another *secret* is given; an empty one sends none."""
        secret = self.secret if secret is None else secret
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        return self.web.request(method, path, headers=headers, **options)

    def agent(self, name: str = "nas", secret: str | None = None) -> dict[str, Any]:
        answer = self.ask("POST", "/agents", secret, json={"name": name})
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def agents(self, secret: str | None = None) -> list[dict[str, Any]]:
        answer = self.ask("GET", "/agents", secret)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    def validate(self, secret: str, prefix: str = "") -> dict[str, Any]:
        answer = self.ask("POST", f"{prefix}/agents/validate-token", "", params={"token": secret})
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def ingest(self, secret: str, body: bytes | None = None, path: str = "/ingest") -> tuple[int, str]:
        answer = self.web.push(self.sample() if body is None else body, path, x_agent_token=secret)
        return answer.status_code, answer.text

    def sample(self) -> bytes:
        return b'{"timestamp":%d,"cpu":{"usage_percent":25}}' % (self.clock.unix_ms // 1000)

    def token(self, number: int) -> Any:
        return self.web.bridge.tokens.get(number)


@pytest.fixture
def service(clocked_web: Web, clock: FakeClock) -> Service:
    return Service(clocked_web, clock)


def shown(answer: httpx2.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


RECEIVED = (200, '{"status":"received"}')
MISSING = (401, '{"detail":"Missing agent token"}')
INVALID = (401, '{"detail":"Invalid agent token"}')
NO_JSON = (400, '{"detail":"Invalid JSON"}')
NO_FIELDS = (400, '{"detail":"Missing required fields"}')
UNKNOWN = "f" * 64


# Pushes

BODIES: Mapping[str, tuple[bytes, tuple[int, str]]] = {
    "timestamp alone": (b'{"timestamp":1}', RECEIVED),
    "timestamp of a wrong type": (b'{"timestamp":[]}', RECEIVED),
    "empty": (b"", NO_JSON),
    "no json": (b"{", NO_JSON),
    "not utf-8": (b'{"timestamp":1,"x":"\xff"}', NO_JSON),
    "nan": (b'{"timestamp":NaN}', NO_JSON),
    "a number": (b"7", NO_JSON),
    "null": (b"null", NO_JSON),
    "a text": (b'"timestamp"', NO_JSON),
    "an array": (b'["timestamp"]', NO_FIELDS),
    "no timestamp": (b'{"cpu":{"usage_percent":1}}', NO_FIELDS),
}


@pytest.mark.parametrize("path", ["/ingest", "/sm/ingest"])
def test_a_push_is_answered_as_the_original_does(service: Service, path: str) -> None:
    secret = service.agent()["token"]

    answers = {name: service.ingest(secret, body, path) for name, (body, _) in BODIES.items()}

    assert answers == {name: answer for name, (_, answer) in BODIES.items()}


@pytest.mark.parametrize("path", ["/ingest", "/sm/ingest"])
def test_the_token_is_looked_for_before_the_body(service: Service, path: str) -> None:
    for body in (b"", b"{", b"[]", service.sample()):
        answer = service.web.push(body, path)
        assert (answer.status_code, answer.text) == MISSING
        assert service.ingest("", body, path) == MISSING
        assert service.ingest(UNKNOWN, body, path) == INVALID


def test_a_token_for_something_else_is_invalid(service: Service) -> None:
    tokens = service.web.bridge.tokens
    _, reader = tokens.create("reader", [Right.READ])
    _, other = tokens.create("other", [Right.PUSH], job="statix")

    assert service.ingest(reader) == INVALID
    assert service.ingest(other) == INVALID


@pytest.mark.parametrize("path", ["/ingest", "/sm/ingest"])
def test_another_method_is_not_allowed(service: Service, path: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert shown(service.web.request(method, path)) == (405, {"detail": "Method Not Allowed"}), method


def test_the_content_type_does_not_matter_and_a_body_has_a_bound(service: Service) -> None:
    secret = service.agent()["token"]
    answer = service.web.push(service.sample(), "/ingest", x_agent_token=secret, content_type="text/plain")
    assert answer.status_code == 200

    status, text = service.ingest(secret, b" " * (1024 * 1024) + service.sample())
    assert (status, text.startswith('{"detail":"')) == (413, True)


def test_a_bridge_that_starts_is_a_broker_that_is_away(service: Service) -> None:
    secret = service.agent()["token"]
    service.web.bridge.ingest.ready = False
    answer = service.ingest(secret)
    service.web.bridge.ingest.ready = True

    assert answer == (503, '{"detail":"Metrics broker unavailable"}')


def test_the_series_of_an_agent_have_its_number_and_say_who_it_is(service: Service) -> None:
    made = service.agent('Büro "1"')
    body = service.sample()[:-1] + b',"agent_id":77,"agent_name":"liar","user_id":78}'
    assert service.ingest(made["token"], body) == RECEIVED

    source = {"job": "statusmonitor", "instance": str(made["id"])}
    web = service.web
    assert web.value("host_cpu_utilization_ratio", **source) == 0.25
    info = {"agent_name": 'Büro "1"', "user_id": str(service.admin.id)}
    assert web.value("statusmonitor_agent_info", **source, **info) == 1
    assert web.value("telemetry_reports_total", **source) == 1
    assert web.get("/metrics").text.count("statusmonitor_agent_info{") == 1


def test_two_agents_with_one_name_are_two(service: Service) -> None:
    made = [service.agent("twin") for _ in range(2)]
    for agent in made:
        assert service.ingest(agent["token"]) == RECEIVED

    numbers = re.findall(r'statusmonitor_agent_info\{.*instance="(\d+)"', service.web.get("/metrics").text)
    assert sorted(map(int, numbers)) == [agent["id"] for agent in made]
    assert made[0]["id"] != made[1]["id"]


# Making, listing, looking at


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_new_agent_comes_with_its_token_and_naive_times(service: Service, prefix: str) -> None:
    made = service.ask("POST", f"{prefix}/agents", json={"name": "nas"}).json()

    token = service.token(made["id"])
    assert made == {
        "id": token.id,
        "name": "nas",
        "token": made["token"],
        "token_expires_at": naive(service.clock.unix_ms + 300_000),
        "token_activated": False,
        "created_at": naive(service.clock.unix_ms),
        "last_seen": None,
        "is_active": True,
    }
    assert re.fullmatch("[0-9a-f]{64}", made["token"])
    assert (token.job, token.instance, token.owner) == ("statusmonitor", str(token.id), service.admin.id)
    assert token.rights == (Right.PUSH,)


def naive(time_ms: int) -> str:
    """Worked out without a zone at all."""
    days, rest = divmod(time_ms, 86_400_000)
    day = datetime.fromordinal(719_163 + days)
    hours, minutes, seconds = rest // 3_600_000, rest // 60_000 % 60, rest // 1000 % 60
    return f"{day:%Y-%m-%d}T{hours:02}:{minutes:02}:{seconds:02}.{rest % 1000:03}000"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_times_are_utc_wherever_the_bridge_is(
    service: Service, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        service.clock.pass_seconds(0.5)
        made = service.agent()
        service.ingest(made["token"])
        times = [made["created_at"], made["token_expires_at"], service.agents()[0]["last_seen"]]
    finally:
        monkeypatch.undo()
        time.tzset()

    now = naive(service.clock.unix_ms)
    assert times == [now, naive(service.clock.unix_ms + 300_000), now]
    assert all(NAIVE.fullmatch(text) for text in times)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_list_has_no_tokens_and_no_deleted_agents(service: Service, prefix: str) -> None:
    kept, deleted = service.agent("kept"), service.agent("deleted")
    service.ask("DELETE", f"/agents/{deleted['id']}")

    status, found = shown(service.ask("GET", f"{prefix}/agents"))

    assert status == 200
    assert found == [{key: kept[key] for key in SUMMARY}]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_one_agent_is_shown_without_its_token_also_when_it_was_deleted(service: Service, prefix: str) -> None:
    made = service.agent()
    expected = {key: made[key] for key in SUMMARY | {"token_expires_at"}}
    assert shown(service.ask("GET", f"{prefix}/agents/{made['id']}")) == (200, expected)

    service.ask("DELETE", f"/agents/{made['id']}")

    deleted = expected | {"is_active": False}
    assert shown(service.ask("GET", f"{prefix}/agents/{made['id']}")) == (200, deleted)


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("POST", "/regenerate-token")])
def test_an_agent_that_is_not_there_is_not_found(service: Service, method: str, path: str) -> None:
    for number in ("999", "0", "-1", "9" * 30):
        answer = service.ask(method, f"/agents/{number}{path}")
        assert shown(answer) == (404, {"detail": "Agent not found"}), number


def test_a_number_that_is_none_is_a_flaw_of_the_request(service: Service) -> None:
    for number in ("x", "1.5", "validate-token", "9" * 5000):
        status, document = shown(service.ask("GET", f"/agents/{number}"))

        assert status == 422
        assert [flaw["loc"] for flaw in document["detail"]] == [["path", "number"]]
        assert {"type", "loc", "msg", "input"} <= document["detail"][0].keys()


BAD_NAMES: Mapping[str, bytes] = {
    "empty body": b"",
    "no json": b"{",
    "not utf-8": b'{"name":"\xff"}',
    "no name": b"{}",
    "null": b'{"name":null}',
    "a number": b'{"name":7}',
    "an array": b'["name"]',
    "empty": b'{"name":""}',
    "too long": b'{"name":"%b"}' % (b"x" * 101),
}


def test_an_agent_without_a_good_name_is_not_made(service: Service) -> None:
    for name, body in BAD_NAMES.items():
        status, document = shown(service.ask("POST", "/agents", content=body))

        assert status == 422, name
        assert [flaw["loc"] for flaw in document["detail"]] == [["body", "name"]], name
        assert {"type", "loc", "msg", "input"} <= document["detail"][0].keys(), name
    assert service.agents() == []


def test_a_request_that_is_far_too_long_makes_no_agent(service: Service) -> None:
    assert service.ask("POST", "/agents", json={"name": "x", "more": "y" * 5000}).status_code == 413
    assert service.agents() == []


def test_more_fields_than_the_name_do_not_matter(service: Service) -> None:
    answer = service.ask(
        "POST", "/agents", json={"name": "x", "id": 77, "token": "mine", "rights": ["admin"]}
    )

    made = answer.json()
    assert (answer.status_code, made["name"]) == (200, "x")
    assert made["id"] != 77
    assert made["token"] != "mine"
    assert service.token(made["id"]).rights == (Right.PUSH,)


# Who may ask

GUARDED = [
    ("POST", "/agents"),
    ("GET", "/agents"),
    ("GET", "/agents/{number}"),
    ("GET", "/agents/x"),
    ("DELETE", "/agents/{number}"),
    ("POST", "/agents/{number}/regenerate-token"),
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_without_a_good_token_nothing_is_said_and_nothing_changes(service: Service, prefix: str) -> None:
    made = service.agent()
    _, other = service.web.bridge.tokens.create("other", [Right.READ, Right.PUSH, Right.DELETE])
    before = service.token(made["id"])

    for method, end in GUARDED:
        path = prefix + end.replace("{number}", str(made["id"]))
        for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": service.secret}):
            answer = service.web.request(method, path, headers=headers)
            assert shown(answer) == (401, {"detail": "Not authenticated"})
            assert answer.headers["www-authenticate"] == "Bearer"
        for wrong in (UNKNOWN, "x" * 10_000):
            answer = service.ask(method, path, wrong)
            assert shown(answer) == (401, {"detail": "Could not validate credentials"})
            assert answer.headers["www-authenticate"] == "Bearer"
        for secret in (made["token"], other):
            assert service.ask(method, path, secret).status_code == 403

    assert service.token(made["id"]) == before
    assert [agent["id"] for agent in service.agents()] == [made["id"]]
    assert service.ingest(made["token"]) == RECEIVED


def test_an_administrators_token_that_was_revoked_is_no_good(service: Service) -> None:
    other, secret = service.web.bridge.tokens.create("other", [Right.ADMIN])
    assert service.agents(secret) == []
    service.web.bridge.tokens.revoke(other.id)

    answer = service.ask("GET", "/agents", secret)

    assert shown(answer) == (401, {"detail": "Could not validate credentials"})


def test_owners_see_and_change_their_own_agents_only(service: Service) -> None:
    other, secret = service.web.bridge.tokens.create("other", [Right.ADMIN])
    mine, hers = service.agent("mine"), service.agent("hers", secret)

    assert [agent["id"] for agent in service.agents()] == [mine["id"]]
    assert [agent["id"] for agent in service.agents(secret)] == [hers["id"]]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/regenerate-token")):
        answer = service.ask(method, f"/agents/{hers['id']}{path}")
        assert shown(answer) == (404, {"detail": "Agent not found"})
    assert service.ingest(hers["token"]) == RECEIVED
    assert service.validate(hers["token"])["user_id"] == other.id
    assert f'user_id="{other.id}"' in service.web.get("/metrics").text


def test_the_owner_of_the_folder_sees_all_agents(service: Service) -> None:
    _, secret = service.web.bridge.tokens.create("other", [Right.ADMIN])
    made = [service.agent("mine"), service.agent("hers", secret)]
    web = service.web
    web.app = Through(web.app, Door.OWNER)

    assert [agent["id"] for agent in web.get("/agents").json()] == [agent["id"] for agent in made]
    assert web.request("DELETE", f"/agents/{made[0]['id']}").status_code == 200
    own = web.request("POST", "/agents", json={"name": "own"}).json()
    assert service.token(own["id"]).owner == 0
    web.app = web.app._app
    assert [agent["id"] for agent in service.agents()] == []
    assert service.ask("GET", f"/agents/{own['id']}").status_code == 404


def test_tokens_that_are_no_agents_are_not_shown_changed_or_valid_as_such(service: Service) -> None:
    tokens = service.web.bridge.tokens
    other, secret = tokens.create("other", [Right.PUSH], job="statix", owner=service.admin.id)

    assert service.agents() == []
    for number in (other.id, service.admin.id):
        assert service.ask("GET", f"/agents/{number}").status_code == 404
        assert service.ask("DELETE", f"/agents/{number}").status_code == 404
        assert service.ask("POST", f"/agents/{number}/regenerate-token").status_code == 404
    assert service.validate(secret) == refused_as("unknown token")
    assert service.validate(service.secret) == refused_as("unknown token")
    assert tokens.find(secret).token == other


# The life of a token


def refused_as(error: str) -> dict[str, Any]:
    return {"valid": False, "agent_id": None, "user_id": None, "agent_name": None, "error": error}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_validation_says_whose_a_token_is_and_activates_it(service: Service, prefix: str) -> None:
    made = service.agent()
    said = service.validate(made["token"], prefix)

    assert said == {
        "valid": True,
        "agent_id": made["id"],
        "user_id": service.admin.id,
        "agent_name": "nas",
        "error": None,
    }
    service.clock.pass_seconds(10 * ACTIVATION_SECONDS)
    assert service.agents()[0]["token_activated"] is True
    assert service.ingest(made["token"]) == RECEIVED
    assert service.validate(made["token"], prefix) == said


def test_validation_of_what_is_no_token_says_so(service: Service) -> None:
    for secret in ("", "x", UNKNOWN, "x" * 300, "\U0001f511"):
        said = service.validate(secret)

        assert said == refused_as(said["error"])
        assert said["error"]


def test_validation_without_a_token_is_a_flaw_of_the_request(service: Service) -> None:
    status, document = shown(service.ask("POST", "/agents/validate-token", ""))

    assert status == 422
    assert [flaw["loc"] for flaw in document["detail"]] == [["query", "token"]]


def test_a_token_must_be_used_within_five_minutes(service: Service) -> None:
    early, late = service.agent("early"), service.agent("late")
    service.clock.pass_seconds(299.999)
    assert service.ingest(early["token"]) == RECEIVED
    service.clock.pass_seconds(0.001)

    assert service.ingest(late["token"]) == INVALID
    assert service.ingest(early["token"]) == RECEIVED
    said = service.validate(late["token"])
    assert said == refused_as(said["error"])
    assert "5 minutes" in said["error"]
    assert [agent["token_activated"] for agent in service.agents()] == [True, False]


def test_the_first_use_activates_a_token_even_if_the_body_is_refused(service: Service) -> None:
    made = service.agent()
    assert service.ingest(made["token"], b"{") == NO_JSON
    service.clock.pass_seconds(ACTIVATION_SECONDS)

    assert service.ingest(made["token"]) == RECEIVED


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_new_token_voids_the_old_one_and_waits_for_its_use_again(service: Service, prefix: str) -> None:
    made = service.agent()
    assert service.ingest(made["token"]) == RECEIVED
    seen = naive(service.clock.unix_ms)
    service.clock.pass_seconds(1000)

    status, renewed = shown(service.ask("POST", f"{prefix}/agents/{made['id']}/regenerate-token"))

    assert status == 200
    assert renewed.keys() == made.keys()
    assert (renewed["id"], renewed["name"]) == (made["id"], "nas")
    assert (renewed["token_activated"], renewed["is_active"]) == (False, True)
    assert renewed["token_expires_at"] == naive(service.clock.unix_ms + 300_000)
    assert renewed["last_seen"] == seen
    assert renewed["token"] != made["token"]
    assert service.ingest(made["token"]) == INVALID
    assert service.validate(made["token"]) == refused_as("unknown token")
    assert service.ingest(renewed["token"]) == RECEIVED
    assert service.agents()[0]["token_activated"] is True


def test_an_expired_token_is_replaced_by_a_new_one_which_keeps_the_series(service: Service) -> None:
    made = service.agent()
    service.clock.pass_seconds(ACTIVATION_SECONDS)
    renewed = service.ask("POST", f"/agents/{made['id']}/regenerate-token").json()
    service.clock.pass_seconds(ACTIVATION_SECONDS - 1)

    assert service.ingest(renewed["token"]) == RECEIVED
    source = {"job": "statusmonitor", "instance": str(made["id"])}
    assert service.web.value("host_cpu_utilization_ratio", **source) == 0.25


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_deleted_agent_is_refused_at_once_and_for_good(service: Service, prefix: str) -> None:
    made = service.agent()
    assert service.ingest(made["token"]) == RECEIVED

    for _ in range(2):
        answer = service.ask("DELETE", f"{prefix}/agents/{made['id']}")
        assert shown(answer) == (200, {"message": "Agent deleted successfully"})

    assert service.ingest(made["token"]) == INVALID
    said = service.validate(made["token"])
    assert said == refused_as(said["error"])
    answer = service.ask("POST", f"{prefix}/agents/{made['id']}/regenerate-token")
    assert shown(answer) == (404, {"detail": "Agent not found"})
    assert service.agents() == []


def test_the_number_of_a_deleted_agent_is_given_to_no_other(service: Service) -> None:
    made = service.agent()
    service.ask("DELETE", f"/agents/{made['id']}")

    assert service.agent("next")["id"] > made["id"]


def test_every_push_moves_when_an_agent_was_last_seen(service: Service) -> None:
    made, other = service.agent("nas"), service.agent("other")
    for _ in range(3):
        service.clock.pass_seconds(5)
        assert service.ingest(made["token"]) == RECEIVED
        assert [agent["last_seen"] for agent in service.agents()] == [naive(service.clock.unix_ms), None]
    assert other["last_seen"] is None


def test_tokens_that_cannot_be_written_are_neither_made_nor_void(service: Service) -> None:
    """The folder is gone, as a disk may be."""
    made = service.agent()
    assert service.ingest(made["token"]) == RECEIVED
    folder = service.web.bridge.tokens.directory
    aside = folder.with_name("aside")
    folder.rename(aside)

    answers = [
        service.ask("POST", "/agents", json={"name": "next"}),
        service.ask("POST", f"/agents/{made['id']}/regenerate-token"),
        service.ask("DELETE", f"/agents/{made['id']}"),
    ]

    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "1")] * 3
    assert [agent["id"] for agent in service.agents()] == [made["id"]]
    assert service.ingest(made["token"]) == RECEIVED
    aside.rename(folder)
    assert service.ask("DELETE", f"/agents/{made['id']}").status_code == 200


# What is not there, and health


@pytest.mark.parametrize("prefix", PREFIXES)
def test_there_are_no_accounts(service: Service, prefix: str) -> None:
    for path in ("/register", "/token", "/refresh"):
        for secret in ("", service.secret):
            answer = service.ask("POST", prefix + path, secret, params={"refresh_token": "x"})
            assert shown(answer) == (404, {"detail": "Not Found"})


def test_health_has_what_the_five_services_say(service: Service) -> None:
    whole = service.web.get("/health").json()
    assert isinstance(whole.pop("ts"), int)

    assert whole == {"status": "ok", "ok": True, **HEALTH}
    assert shown(service.web.get("/sm/health")) == (200, {"status": "ok", **HEALTH})


# Both ways of a push, in a program of its own


class Running(NamedTuple):
    """Such a bridge, and the owner of its folder."""

    bridge: BridgeProcess
    owner: httpx2.Client

    def agent(self, name: str = "nas") -> dict[str, Any]:
        answer = self.owner.post("/agents", json={"name": name})
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def last_seen(self, number: int) -> str:
        return str(self.owner.get(f"/agents/{number}").json()["last_seen"])


@pytest.fixture(scope="module")
def running(running_bridge: BridgeProcess) -> Iterator[Running]:
    with owner_of(running_bridge) as owner:
        yield Running(running_bridge, owner)


def sample(secret: str, percent: int = 50, path: str = "/ingest") -> bytes:
    """As the headless agent sends it, of one length whatever it says."""
    body = b'{"timestamp":%.3f,"cpu":{"usage_percent":%02d}}' % (time.time(), percent)
    return push(body, f"X-Agent-Token: {secret}", target=path)


@pytest.mark.stack
@pytest.mark.parametrize("path", ["/ingest", "/sm/ingest"])
def test_both_ways_answer_the_same_on_a_kept_connection(running: Running, path: str) -> None:
    made = running.agent()
    with Connection(running.bridge.port) as connection:
        for percent in (10, 20, 30):
            answer = connection.ask(sample(made["token"], percent, path))
            assert (answer.status, answer.body.decode()) == RECEIVED
            assert dict(answer.headers)["content-type"] == "application/json"
        for body, expected in BODIES.values():
            for _ in range(2):  # the second time the head is known
                data = push(body, f"X-Agent-Token: {made['token']}", target=path)
                assert answered(connection, data) == expected
        assert answered(connection, push(b"{", target=path)) == MISSING
        assert answered(connection, sample(UNKNOWN, path=path)) == INVALID

    source = f'job="statusmonitor",instance="{made["id"]}"'
    series = running.bridge.series()
    assert series[f"host_cpu_utilization_ratio{{{source}}}"] == 0.3
    assert series[f'statusmonitor_agent_info{{{source},agent_name="nas",user_id="0"}}'] == 1


@pytest.mark.stack
def test_every_push_by_either_way_moves_when_an_agent_was_last_seen(running: Running) -> None:
    made = running.agent()
    seen = [made["created_at"]]
    with Connection(running.bridge.port) as connection:
        for percent in (11, 12, 13):
            time.sleep(0.002)
            assert connection.ask(sample(made["token"], percent)).status == 200
            seen.append(running.last_seen(made["id"]))

    assert all(NAIVE.fullmatch(text) for text in seen)
    assert seen == sorted(set(seen))


@pytest.mark.stack
@pytest.mark.parametrize("way_out", ["regenerate", "delete"])
def test_an_old_token_is_void_at_once_on_a_connection_that_used_it(running: Running, way_out: str) -> None:
    made = running.agent()
    url = f"/agents/{made['id']}"
    renewed = ""
    with Connection(running.bridge.port) as connection:
        for _ in range(3):
            assert connection.ask(sample(made["token"], 40)).status == 200
        if way_out == "delete":
            assert running.owner.delete(url).status_code == 200
        else:
            renewed = running.owner.post(f"{url}/regenerate-token").json()["token"]
        for _ in range(3):
            assert answered(connection, sample(made["token"], 90)) == INVALID
        if renewed:
            for _ in range(3):
                assert connection.ask(sample(renewed, 60)).status == 200

    name = f'host_cpu_utilization_ratio{{job="statusmonitor",instance="{made["id"]}"}}'
    assert running.bridge.series()[name] == (0.6 if renewed else 0.4)


@pytest.mark.stack
def test_agents_and_their_activation_outlive_a_kill(tmp_path: Path) -> None:
    with BridgeProcess(tmp_path / "journal", log=tmp_path / "log") as bridge:
        with owner_of(bridge) as owner:
            running = Running(bridge, owner)
            used, renewed, deleted, waiting = (running.agent(name) for name in ("a", "b", "c", "d"))
            with Connection(bridge.port) as connection:
                assert connection.ask(sample(used["token"])).status == 200
            second = owner.post(f"/agents/{renewed['id']}/regenerate-token").json()
            assert owner.delete(f"/agents/{deleted['id']}").status_code == 200
        bridge.kill()
        bridge.start()
        with owner_of(bridge) as owner, Connection(bridge.port) as connection:
            found = owner.get("/agents").json()
            assert [(agent["id"], agent["token_activated"]) for agent in found] == [
                (used["id"], True),
                (renewed["id"], False),
                (waiting["id"], False),
            ]
            answers = {
                name: connection.ask(sample(agent["token"])).status
                for name, agent in (
                    ("used", used),
                    ("first", renewed),
                    ("second", second),
                    ("deleted", deleted),
                    ("waiting", waiting),
                )
            }
        assert answers == {"used": 200, "first": 401, "second": 200, "deleted": 401, "waiting": 200}
        instances = set(re.findall(r'job="statusmonitor",instance="(\d+)"', bridge.get("/metrics")))
        assert instances == {str(one["id"]) for one in (used, renewed, waiting)}
