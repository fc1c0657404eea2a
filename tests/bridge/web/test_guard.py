"""Who is let in: every route of the application, and pushes by the hot and the ordinary way."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import bcrypt
import httpx2
import msgspec
import pytest
from fastapi import HTTPException, Request
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Receive, Scope, Send

from pushgateway_bridge.access.control import SOCKET_NAME
from pushgateway_bridge.access.rules import AccessRules
from pushgateway_bridge.access.token import ACTIVATION_SECONDS, Right
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import Dialect, TokenNeed
from pushgateway_bridge.errors import Forbidden, JournalFailed, MissingToken, PushRejected, WrongToken
from pushgateway_bridge.web.door import Door
from pushgateway_bridge.web.guard import USER, Guard, login_location
from telemetry_web_config.access import WebAccess
from tests.bridge.events import EVENTS
from tests.bridge.harness import FakeClock
from tests.bridge.process import BridgeProcess
from tests.bridge.web.gates import OPEN, gate_of
from tests.bridge.web.harness import Web
from tests.bridge.web.raw_http import Answer, Connection, push, request
from tests.bridge.web.running import WAYS, owner_of

CLOSED_READS = OPEN._replace(reads_need_token=True)


# Every route


OPEN_ROUTES = {
    ("GET", "/"),
    ("GET", "/landing.css"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("GET", "/-/healthy"),
    ("GET", "/-/ready"),
    ("GET", "/health"),
    ("GET", "/pt/health"),
    ("GET", "/sm/health"),
    ("GET", "/sx/health"),
    ("GET", "/mg/health"),
    ("GET", "/pve/health"),
    *(("GET", f"{prefix}/healthz") for prefix in ("", "/pve")),
    *(("GET", f"{prefix}/dbhealth") for prefix in ("", "/mg")),
    ("GET", "/pve/"),  # both lead to the dashboard
    ("GET", "/pve/dashboard"),
    ("GET", "/sx/metrics"),  # where one only pushes: always 405
    *(("POST", f"{prefix}/agents/validate-token") for prefix in ("", "/sm", "/api/auth")),
    ("GET", "/dashboard/assets/{name}"),
    ("GET", "/api/v1/openapi.json"),
}
"""What anybody may do: it tells nothing about hosts, and changes nothing."""
PAGES = {"/dashboard", "/dashboard/", "/docs", "/docs/", "/d/{uid}", "/d/{uid}/{slug}"}
ADMINS = {
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens/{token_id}/rotate"),
    ("DELETE", "/api/v1/tokens/{token_id}"),
    ("POST", "/-/reload"),
}
AGENTS = {
    (method, f"{prefix}/agents{path}")
    for prefix in ("", "/sm", "/api/auth")
    for method, path in (
        ("POST", ""),
        ("GET", ""),
        ("GET", "/{number}"),
        ("DELETE", "/{number}"),
        ("POST", "/{number}/regenerate-token"),
    )
}
"""An administrator's too; their answers are StatusMonitor's."""
DELETERS = {
    route
    for prefix in ("", "/sx")
    for route in (
        ("POST", f"{prefix}/hosts/{{hostname:text}}/clean"),
        ("DELETE", f"{prefix}/hosts/{{hostname:text}}"),
    )
}
REFUSING = {
    (method, f"{prefix}{path}")
    for path, prefixes, answered in (
        ("/data", ("", "/sx"), ("GET",)),
        ("/hosts", ("", "/sx"), ("GET",)),
        ("/details", ("", "/sx"), ("GET",)),
        ("/health", ("/sx",), ("GET",)),
        ("/hosts/{hostname:text}", ("", "/sx"), ("DELETE",)),
        ("/hosts/{hostname:text}/clean", ("", "/sx"), ("POST", "DELETE")),
    )
    for prefix in prefixes
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE")
    if method not in answered
}
"""Where statix' own framework has a page of its own for other methods: always 405."""
REFUSING |= {("GET", path) for path in DIALECTS["proxmoxve"].paths if not path.endswith("/")}
SECRET = {("GET", f"{prefix}/debug/{name}") for prefix in ("", "/mg") for name in ("recent", "counts")}
"""What a secret of its own opens, and no token."""
NOWHERE = {
    (method, f"{prefix}{path}")
    for prefix in ("", "/mg")
    for path in ("/stats", "/debug/recent", "/debug/counts", "/dbhealth")
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE")
}
NOWHERE |= {(method, "/mg/health") for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE")}
NOWHERE |= {("GET", path) for path in DIALECTS["minigem"].paths}
"""Where minigem's own framework knows no route: always 404."""
ALERTS = {("POST", "/api/v1/alerts/webhook"), ("DELETE", "/api/v1/alerts/history")}
"""Alertmanager's, and a deletion that must say of what: tests/bridge/web/test_alerts_api.py."""
DELETED_SOURCES = {("DELETE", "/api/v1/sources")}
"""It must say of what: tests/bridge/web/test_sources_api.py."""
POSTED_READS = {("POST", "/api/v1/explain/{name}")}
"""They store nothing."""
PUSHES = {
    f"{path}{{rest:text}}" if dialect.paths_go_on else path
    for dialect in DIALECTS.values()
    for path in dialect.paths
}


class Through:
    """The application as it is reached through another listener."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": {"door": self._door}}, receive, send)


def routes_of(web: Web) -> list[tuple[str, str]]:
    """Method and path of every route; HEAD and OPTIONS left out, as they say less than GET."""
    app: Any = web.app
    while not hasattr(app, "routes"):
        app = app._app
    routes = [
        (method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
        if method not in ("HEAD", "OPTIONS")
    ]
    assert len(routes) > 20
    return sorted(routes)


def ask(web: Web, method: str, path: str, secret: str = "", **options: Any) -> httpx2.Response:
    if secret:
        options["headers"] = {"authorization": f"Bearer {secret}"}
    return web.request(method, re.sub(r"{\w+(:\w+)?}", "7", path), **options)


@pytest.fixture
def closed(web: Web) -> Web:
    """A bridge whose reads need a token."""
    web.bridge.guard.rules = CLOSED_READS
    web.bridge.tokens.directory.mkdir()
    return web


def made(web: Web, *rights: Right) -> str:
    return web.bridge.tokens.create("test", rights)[1]


def reads_of(web: Web) -> list[str]:
    """Every path to GET that is not open to anybody, nor to administrators alone."""
    return [
        path
        for method, path in routes_of(web)
        if method == "GET"
        and ("GET", path) not in OPEN_ROUTES | ADMINS | AGENTS | REFUSING | SECRET | NOWHERE
    ]


def test_no_route_is_forgotten(web: Web) -> None:
    """Each one is open on purpose, takes pushes, needs an administrator, or is a read."""
    routes = set(routes_of(web))
    others = {(method, path) for method, path in routes if path not in PUSHES or method == "GET"}

    known = OPEN_ROUTES | ADMINS | AGENTS | DELETERS | REFUSING | SECRET | NOWHERE | ALERTS | POSTED_READS
    known |= DELETED_SOURCES
    assert routes >= known
    assert {method for method, _ in others - known} == {"GET"}


def test_what_is_never_allowed_is_allowed_to_nobody(web: Web) -> None:
    web.app = Through(web.app, Door.OWNER)

    for method, path in sorted(REFUSING):
        assert ask(web, method, path).status_code == 405, (method, path)
    for method, path in sorted(NOWHERE):
        assert ask(web, method, path).status_code == 404, (method, path)


def test_what_has_a_secret_of_its_own_is_opened_by_no_token(web: Web) -> None:
    web.bridge.tokens.directory.mkdir()
    for method, path in sorted(SECRET):
        assert ask(web, method, path).status_code == 401, path
        assert ask(web, method, path, made(web, *Right)).status_code == 401, path


def test_only_administrators_see_agents(closed: Web) -> None:
    for method, path in sorted(AGENTS):
        assert ask(closed, method, path).status_code == 401, path
        assert ask(closed, method, path, made(closed, Right.READ, Right.PUSH)).status_code == 403, path


def test_only_who_may_delete_forgets_hosts(closed: Web) -> None:
    for method, path in sorted(DELETERS):
        assert ask(closed, method, path).status_code == 401, path
        assert ask(closed, method, path, made(closed, Right.READ, Right.PUSH)).status_code == 403, path
        assert ask(closed, method, path, made(closed, Right.DELETE)).status_code == 200, path


def test_what_is_open_stays_open(closed: Web) -> None:
    for method, path in sorted(OPEN_ROUTES):
        if method == "GET":
            assert ask(closed, method, path).status_code not in (401, 403), path


def test_a_read_that_has_a_body_is_guarded_as_others(closed: Web) -> None:
    for method, path in sorted(POSTED_READS):
        assert ask(closed, method, path).status_code == 401, path
        assert ask(closed, method, path, made(closed, Right.PUSH)).status_code == 403, path
        assert ask(closed, method, path, made(closed, Right.READ)).status_code == 404, path


def test_a_read_needs_a_token_where_the_configuration_says_so(closed: Web) -> None:
    reads = reads_of(closed)
    assert "/metrics" in reads
    for path in reads:
        answer = ask(closed, "GET", path)

        if path in PAGES:
            location = "/login?next=" + re.sub(r"\{\w+\}", "7", path)
            assert (answer.status_code, answer.headers["location"]) == (303, location), path
        else:
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == 'Bearer realm="push bridge"'
            assert "node_" not in answer.text


@pytest.mark.parametrize("head", ["/metrics", "/api/telemetry", "/pt/api/telemetry"])
def test_a_head_request_is_a_read_too(closed: Web, head: str) -> None:
    assert ask(closed, "HEAD", head).status_code == 401
    assert ask(closed, "HEAD", head, made(closed, Right.READ)).status_code == 200


@pytest.mark.parametrize("right", [Right.READ, Right.ADMIN])
def test_a_token_that_may_read_reads_everything(closed: Web, right: Right) -> None:
    secret = made(closed, right)

    for path in reads_of(closed):
        assert ask(closed, "GET", path, secret).status_code not in (303, 401, 403), path


def test_a_token_that_may_not_read_reads_nothing(closed: Web) -> None:
    secret = made(closed, Right.PUSH, Right.DELETE)

    for path in reads_of(closed):
        answer = ask(closed, "GET", path, secret)
        assert answer.status_code == 403, path
        assert "may push, delete, not read" in answer.json()["detail"]


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer ", "Bearer x", "bearer " + "a" * 64, "Basic YTpi", "Digest x", "x"]
)
def test_a_wrong_token_reads_nothing(closed: Web, authorization: str) -> None:
    for path in reads_of(closed):
        answer = closed.request(
            "GET", path.replace("{uid}", "7").replace("{name}", "7"), headers={"authorization": authorization}
        )
        assert answer.status_code == (303 if path in PAGES else 401), path


@pytest.mark.parametrize("door", [Door.PRIVATE, Door.OWNER])
def test_reads_are_open_on_the_private_address_and_for_the_owner(closed: Web, door: Door) -> None:
    closed.app = Through(closed.app, door)

    for path in reads_of(closed):
        assert ask(closed, "GET", path).status_code not in (303, 401, 403), path


def test_where_the_configuration_says_nothing_reads_are_open(web: Web) -> None:
    for path in reads_of(web):
        assert ask(web, "GET", path).status_code not in (303, 401, 403), path


@pytest.mark.parametrize("door", [Door.PUBLIC, Door.PRIVATE])
@pytest.mark.parametrize(
    "rights", [(), (Right.READ, Right.PUSH, Right.DELETE)], ids=["no token", "every other right"]
)
def test_administration_needs_a_token_for_it_always(web: Web, door: Door, rights: tuple[Right, ...]) -> None:
    web.bridge.tokens.directory.mkdir()
    secret = made(web, *rights) if rights else ""
    listed = web.bridge.tokens.list()
    web.app = Through(web.app, door)

    for method, path in ADMINS:
        answer = ask(web, method, path, secret, content=b'{"name": "x", "rights": ["admin"]}')
        assert answer.status_code == (403 if rights else 401), path
    assert [token.id for token in web.bridge.tokens.list()] == [token.id for token in listed]


def test_an_administrators_session_does_not_administer(closed: Web) -> None:
    """A cookie goes along with whatever another site makes the browser send."""
    token, _ = closed.bridge.tokens.create("page", [Right.ADMIN])
    cookie = {"cookie": f"telemetry_session={closed.bridge.guard.sessions.begin(token)}"}
    assert closed.request("GET", "/metrics", headers=cookie).status_code == 200

    for method, path in ADMINS:
        assert closed.request(method, path.replace("{token_id}", "1"), headers=cookie).status_code == 401


def test_the_owner_administers_without_a_token(web: Web) -> None:
    web.bridge.tokens.directory.mkdir()
    web.app = Through(web.app, Door.OWNER)

    assert ask(web, "GET", "/api/v1/tokens").json() == []
    assert ask(web, "POST", "/-/reload").status_code == 200


# Users of web.config_file

USER_HEADER = "Basic YW5uOng="
STRANGER_HEADER = "Basic YW5uOnk="


def users_file(directory: Path) -> WebAccess:
    """A file that names the user ann, whose password is x."""
    hashed = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
    file = directory / "web.yml"
    file.write_text(f"basic_auth_users:\n  ann: {hashed}\n")
    file.chmod(0o600)
    return WebAccess(file)


@pytest.fixture
def with_users(web: Web, tmp_path: Path) -> Web:
    """A bridge that has a user."""
    web.bridge.tokens.directory.mkdir()
    web.bridge.guard._web_access = users_file(tmp_path)
    return web


def test_where_there_are_users_a_read_needs_one_or_a_token(with_users: Web) -> None:
    web = with_users
    for path in reads_of(web):
        answer = ask(web, "GET", path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == 'Basic realm="push bridge"'
    for authorization, status in ((STRANGER_HEADER, 401), (USER_HEADER, 200)):
        assert web.get("/metrics", authorization=authorization).status_code == status
    assert ask(web, "GET", "/metrics", made(web, Right.READ)).status_code == 200


def test_users_do_not_administer(with_users: Web) -> None:
    for method, path in ADMINS:
        target = path.replace("{token_id}", "1")
        for authorization, status in ((STRANGER_HEADER, 401), (USER_HEADER, 403)):
            headers = {"authorization": authorization}
            assert with_users.request(method, target, headers=headers).status_code == status


# Pushes of dialects that need a token


def asked(*, door: Door = Door.PUBLIC, **headers: str) -> Request:
    fields = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "headers": fields, "state": {"door": door}})


def needing(need: TokenNeed, header: str = "authorization") -> Dialect:
    return msgspec.structs.replace(EVENTS, token_need=need, token_header=header)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def guard(tmp_path: Path, clock: FakeClock) -> Guard:
    return gate_of(tmp_path, clock.now_ms, {}).guard


def pusher_of(guard: Guard, dialect: Dialect, asking: Request, right: Right = Right.PUSH) -> int | None:
    """The number of the token that pushes, ``None`` if nobody need say."""
    pusher = asyncio.run(guard.pusher(asking, dialect, right))
    return None if pusher is None else pusher.token_id


@pytest.mark.parametrize(
    ("need", "rules", "needed"),
    [
        (TokenNeed.OPEN, OPEN, False),
        (TokenNeed.OPEN, OPEN._replace(beyond_loopback=True), False),
        (TokenNeed.OPEN, OPEN._replace(open_protocols_need_token=True), True),
        (TokenNeed.BEYOND_LOOPBACK, OPEN, False),
        (TokenNeed.BEYOND_LOOPBACK, OPEN._replace(open_protocols_need_token=True), False),
        (TokenNeed.BEYOND_LOOPBACK, OPEN._replace(beyond_loopback=True), True),
        (TokenNeed.ALWAYS, OPEN, True),
    ],
)
@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "Digest x"])
def test_a_push_needs_a_token_as_its_dialect_and_the_configuration_say(
    guard: Guard, need: TokenNeed, rules: AccessRules, needed: bool, authorization: str
) -> None:
    guard.rules = rules
    dialect, asking = needing(need), asked(authorization=authorization)

    assert guard.needs_token(dialect) is needed
    if needed:
        with pytest.raises(MissingToken):
            pusher_of(guard, dialect, asking)
    else:
        assert pusher_of(guard, dialect, asking) is None


@pytest.mark.parametrize("need", TokenNeed)
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_token_that_comes_is_who_pushes(guard: Guard, need: TokenNeed, scheme: str) -> None:
    token, secret = guard.tokens.create("a", [Right.PUSH])

    assert pusher_of(guard, needing(need), asked(authorization=scheme + secret)) == token.id


@pytest.mark.parametrize("need", TokenNeed)
def test_a_token_that_comes_must_be_good_even_where_none_is_needed(guard: Guard, need: TokenNeed) -> None:
    _, reader = guard.tokens.create("a", [Right.READ])

    with pytest.raises(WrongToken):
        pusher_of(guard, needing(need), asked(authorization="Bearer nobody"))
    with pytest.raises(Forbidden, match="may read, not push"):
        pusher_of(guard, needing(need), asked(authorization=f"Bearer {reader}"))
    with pytest.raises(Forbidden, match="may read, not delete"):
        pusher_of(guard, needing(need), asked(authorization=f"Bearer {reader}"), Right.DELETE)


def test_a_dialects_own_header_has_the_token_alone(guard: Guard) -> None:
    dialect = needing(TokenNeed.ALWAYS, "x-agent-token")
    token, secret = guard.tokens.create("a", [Right.PUSH])
    other, bearer = guard.tokens.create("b", [Right.PUSH])

    assert pusher_of(guard, dialect, asked(x_agent_token=secret)) == token.id
    assert pusher_of(guard, dialect, asked(authorization=f"Bearer {bearer}")) == other.id
    assert pusher_of(guard, dialect, asked(x_agent_token="", authorization=f"Bearer {bearer}")) == other.id
    with pytest.raises(WrongToken):
        pusher_of(guard, dialect, asked(x_agent_token="x", authorization=f"Bearer {bearer}"))
    with pytest.raises(MissingToken):
        pusher_of(guard, dialect, asked())


def test_a_user_pushes_where_a_token_is_needed_beyond_loopback(guard: Guard, tmp_path: Path) -> None:
    rules = OPEN._replace(beyond_loopback=True)
    guard = Guard(guard.tokens, guard.sessions, rules, users_file(tmp_path))
    dialect = needing(TokenNeed.BEYOND_LOOPBACK)

    assert pusher_of(guard, dialect, asked(authorization=USER_HEADER)) == USER.token_id
    with pytest.raises(WrongToken):
        pusher_of(guard, dialect, asked(authorization=STRANGER_HEADER))


def test_the_owner_pushes_without_a_token(guard: Guard) -> None:
    guard.rules = OPEN._replace(beyond_loopback=True)
    dialect = needing(TokenNeed.BEYOND_LOOPBACK)

    assert pusher_of(guard, dialect, asked(door=Door.OWNER)) is None
    with pytest.raises(MissingToken):
        pusher_of(guard, dialect, asked(door=Door.PRIVATE))


def test_the_first_use_of_an_enrolment_token_is_on_disk_before_it_is_good(
    guard: Guard, clock: FakeClock
) -> None:
    token, secret = guard.tokens.create("a", [Right.PUSH], enrol=True)
    asking = asked(authorization=f"Bearer {secret}")
    beside = guard.tokens.file.with_suffix(".json.new")
    beside.mkdir()
    with pytest.raises(JournalFailed):
        pusher_of(guard, EVENTS, asking)
    assert guard.tokens.get(token.id).waits_for_activation
    beside.rmdir()

    assert pusher_of(guard, EVENTS, asking) == token.id
    guard.tokens.load()
    clock.pass_seconds(ACTIVATION_SECONDS)
    assert pusher_of(guard, EVENTS, asking) == token.id


def test_an_enrolment_token_is_not_used_by_what_it_may_not_do(guard: Guard) -> None:
    token, secret = guard.tokens.create("a", [Right.PUSH], enrol=True)

    with pytest.raises(HTTPException):
        asyncio.run(guard.admin(asked(authorization=f"Bearer {secret}")))
    assert guard.tokens.get(token.id).waits_for_activation


def test_an_enrolment_token_is_void_after_its_time(guard: Guard, clock: FakeClock) -> None:
    _, secret = guard.tokens.create("a", [Right.PUSH], enrol=True)
    clock.pass_seconds(ACTIVATION_SECONDS)

    with pytest.raises(WrongToken, match="make a new one"):
        pusher_of(guard, EVENTS, asked(authorization=f"Bearer {secret}"))


@pytest.mark.parametrize("refusal", [WrongToken("x"), MissingToken("x"), Forbidden("x")])
def test_only_a_401_says_how_to_come_in(guard: Guard, refusal: PushRejected) -> None:
    assert bool(guard.challenge(refusal)) is (refusal.status == 401)


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/dashboard", "/login?next=/dashboard"),
        ("/a b&c=d#e?f\nü", "/login?next=/a%20b%26c%3Dd%23e%3Ff%0A%C3%BC"),
    ],
)
def test_the_login_page_is_told_where_to_go_on(path: str, location: str) -> None:
    assert login_location(path) == location


# Both ways of a push


class Running(NamedTuple):
    """A bridge that takes no push without a token, and its owner."""

    bridge: BridgeProcess
    owner: httpx2.Client

    def make(self, **fields: Any) -> tuple[int, str]:
        """Number and text of a new token."""
        answer = self.owner.post("/api/v1/tokens", json={"name": "test", "rights": ["push"], **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], answer.json()["token"]

    def shown(self, token_id: int) -> dict[str, Any]:
        """What the list of tokens says of one."""
        tokens: list[dict[str, Any]] = self.owner.get("/api/v1/tokens").json()
        return next(token for token in tokens if token["id"] == token_id)

    def hosts(self) -> set[str]:
        """The instances that are stored."""
        return set(re.findall(r'instance="([^"]+)"', self.bridge.get("/metrics")))


@contextlib.contextmanager
def running(way: str, directory: Path) -> Iterator[Running]:
    bridge = BridgeProcess(
        directory / way,
        *WAYS[way],
        "--access.open-protocols=token",
        "--log.level=debug",
        log=directory / f"{way}.log",
    )
    with bridge, owner_of(bridge) as owner:
        yield Running(bridge, owner)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Running]]:
    directory = tmp_path_factory.mktemp("bridges")
    with contextlib.ExitStack() as stack:
        yield {way: stack.enter_context(running(way, directory)) for way in WAYS}


@pytest.fixture(params=WAYS)
def one(request: pytest.FixtureRequest, both: Mapping[str, Running]) -> Running:
    return both[str(request.param)]


def push_of(host: str, secret: str) -> bytes:
    return push(b'{"name":"%b","cpuC":4}' % host.encode(), f"Authorization: Bearer {secret}")


def refused(answer: Answer, status: int, text: str) -> None:
    assert answer.status == status
    assert text in answer.body.decode()
    assert ("www-authenticate" in dict(answer.headers)) is (status == 401)


@pytest.mark.stack
def test_a_push_with_a_good_token_is_stored(one: Running) -> None:
    number, secret = one.make()
    assert one.shown(number)["last_used"] is None
    with Connection(one.bridge.port) as connection:
        for _ in range(3):
            assert connection.ask(push_of("good", secret)).status == 200

    assert "good" in one.hosts()
    assert one.shown(number)["last_used"] <= time.time()


MALFORMED = {
    "none": [],
    "empty": ["Authorization: Bearer"],
    "a space": ["Authorization: Bearer  "],
    "unknown": ["Authorization: Bearer " + "a" * 64],
    "huge": ["Authorization: Bearer " + "a" * 60_000],
    "not ascii": ["Authorization: Bearer t\xf6ken"],
    "a folded line": ["Authorization: Bearer a", "X-Token: b"],
    "basic": ["Authorization: Basic YTpi"],
    "another scheme": ["Authorization: Token {secret}"],
    "no scheme": ["Authorization: {secret}"],
    "the hash": ["Authorization: Bearer {hash}"],
    "two of them": ["Authorization: Bearer {secret}x", "Authorization: Bearer {secret}"],
    "a tail": ["Authorization: Bearer {secret} {secret}"],
    "in the query": ["Cookie: token={secret}"],
}


@pytest.mark.stack
@pytest.mark.parametrize("lines", MALFORMED.values(), ids=MALFORMED)
def test_a_push_without_a_good_token_is_refused_and_not_stored(one: Running, lines: list[str]) -> None:
    _, secret = one.make()
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    headers = [line.replace("{secret}", secret).replace("{hash}", hashed) for line in lines]
    with Connection(one.bridge.port) as connection:
        for _ in range(2):
            refused(connection.ask(push(b'{"name":"stranger","cpuC":4}', *headers)), 401, "token")
        assert connection.ask(push_of("friend", secret)).status == 200

    assert "stranger" not in one.hosts()


@pytest.mark.stack
def test_a_token_in_two_lines_is_none(one: Running) -> None:
    """A line break within a value is another header, or no HTTP at all."""
    _, secret = one.make()
    data = push(b'{"name":"stranger","cpuC":4}', f"Authorization: Bearer {secret[:10]}\r\n {secret[10:]}")
    with Connection(one.bridge.port) as connection:
        assert connection.ask(data).status in (400, 401)

    assert "stranger" not in one.hosts()


@pytest.mark.stack
@pytest.mark.parametrize("way_out", ["revoke", "rotate"])
def test_a_token_is_void_at_once_on_a_connection_that_used_it(one: Running, way_out: str) -> None:
    number, secret = one.make()
    with Connection(one.bridge.port) as connection:
        for _ in range(3):  # the hot route knows the head by now
            assert connection.ask(push_of("before", secret)).status == 200
        if way_out == "revoke":
            assert one.owner.delete(f"/api/v1/tokens/{number}").status_code == 200
        else:
            renewed = one.owner.post(f"/api/v1/tokens/{number}/rotate").json()["token"]
        for _ in range(2):
            says = "was revoked" if way_out == "revoke" else "unknown token"
            refused(connection.ask(push_of("after!", secret)), 401, says)
            refused(connection.ask(push_of("before", secret)), 401, says)
        if way_out == "rotate":
            assert connection.ask(push_of("before", renewed)).status == 200

    assert "after!" not in one.hosts()


@pytest.mark.stack
def test_a_token_expires_on_a_connection_that_used_it(one: Running) -> None:
    _, secret = one.make(lifetime_seconds=1.5)
    deadline = time.monotonic() + 60
    with Connection(one.bridge.port) as connection:
        assert connection.ask(push_of("expires", secret)).status == 200
        while (answer := connection.ask(push_of("expires", secret))).status == 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)

        refused(answer, 401, "has expired")


@pytest.mark.stack
@pytest.mark.parametrize(
    "bound",
    [
        {"instance": "mine"},
        {"job": "pixeltracker", "instance": "mine"},
    ],
    ids=["instance", "job and instance"],
)
def test_a_push_for_another_source_than_the_tokens_is_forbidden(one: Running, bound: dict[str, str]) -> None:
    number, secret = one.make(**bound)
    with Connection(one.bridge.port) as connection:
        for _ in range(3):
            assert connection.ask(push_of("mine", secret)).status == 200
        for _ in range(2):  # the same head and length as before
            refused(connection.ask(push_of("hers", secret)), 403, f"token {number} is for")
        assert connection.ask(push_of("mine", secret)).status == 200

    assert "hers" not in one.hosts()


@pytest.mark.stack
def test_a_token_for_another_job_pushes_nothing(one: Running) -> None:
    _, secret = one.make(job="backup")
    with Connection(one.bridge.port) as connection:
        refused(connection.ask(push_of("jobless", secret)), 403, "is for job &#x27;backup&#x27;")

    assert "jobless" not in one.hosts()


@pytest.mark.stack
@pytest.mark.parametrize("rights", [["read"], ["delete"]])
def test_a_token_without_the_right_pushes_nothing(one: Running, rights: list[str]) -> None:
    number, secret = one.make(rights=rights)
    with Connection(one.bridge.port) as connection:
        for _ in range(2):
            refused(connection.ask(push_of("rightless", secret)), 403, f"may {rights[0]}, not push")

    assert "rightless" not in one.hosts()
    assert one.shown(number)["last_used"] is None


@pytest.mark.stack
def test_refusals_are_counted_by_their_reasons_and_not_as_accepted(both: Mapping[str, Running]) -> None:
    counted = []
    for one in both.values():
        _, secret = one.make(instance="mine")
        before = one.bridge.series()
        with Connection(one.bridge.port) as connection:
            connection.ask(push_of("mine", secret))
            connection.ask(push_of("hers", secret))
            connection.ask(push_of("mine", "x"))
            connection.ask(push(b"{}"))
        names = ("telemetry_pushes_", "telemetry_events_")
        after = {name: value for name, value in one.bridge.series().items() if name.startswith(names)}
        counted.append({name: value - before[name] for name, value in after.items() if value != before[name]})

    assert counted[0] == counted[1]
    assert counted[0] == {
        'telemetry_pushes_total{dialect="pixeltracker"}': 4,
        'telemetry_pushes_rejected_total{dialect="pixeltracker",reason="forbidden"}': 1,
        'telemetry_pushes_rejected_total{dialect="pixeltracker",reason="wrong_token"}': 1,
        'telemetry_pushes_rejected_total{dialect="pixeltracker",reason="missing_token"}': 1,
        'telemetry_events_total{dialect="pixeltracker",result="accepted"}': 1,
    }


@pytest.mark.stack
def test_the_owner_needs_no_token_for_a_push(one: Running) -> None:
    answer = one.owner.post("/api/telemetry", json={"name": "owner", "cpuC": 4})

    assert answer.status_code == 200
    assert "owner" in one.hosts()


@pytest.mark.stack
def test_a_token_is_in_no_log_no_file_no_metric_and_no_process_list(one: Running) -> None:
    _, secret = one.make()
    wrong = "w" * 63
    with Connection(one.bridge.port) as connection:
        assert connection.ask(push_of("quiet", secret)).status == 200
        assert connection.ask(push_of("quiet", wrong)).status == 401
        assert connection.ask(push_of("quiet", secret[:-1])).status == 401
        assert (
            connection.ask(request("GET", "/api/v1/tokens", f"Authorization: Bearer {secret}")).status == 403
        )
    one.bridge.get("/metrics")
    assert one.bridge.log is not None
    assert b" ready " in one.bridge.log.read_bytes()

    files = [file for file in one.bridge.directory.rglob("*") if file.is_file()] + [one.bridge.log]
    files += [Path(f"/proc/{one.bridge.process.pid}/{name}") for name in ("cmdline", "environ")]
    assert one.bridge.directory / "access" / "tokens.json" in files
    for text in (secret, secret[:-1], wrong):
        for file in files:
            assert text.encode() not in file.read_bytes(), file
        assert text not in one.bridge.get("/metrics")
        assert text not in one.bridge.get("/api/telemetry")
    for file in files:
        if file.name != "environ":
            assert b"127.0.0.1:" not in file.read_bytes().replace(
                f"127.0.0.1:{one.bridge.port}".encode(), b""
            )


@pytest.mark.stack
@pytest.mark.parametrize("way", WAYS)
def test_an_enrolment_that_was_answered_outlives_a_kill(tmp_path: Path, way: str) -> None:
    with running(way, tmp_path) as one:
        number, secret = one.make(enrol=True)
        assert one.shown(number)["state"] == "pending"
        with Connection(one.bridge.port) as connection:
            assert connection.ask(push_of("enrolled", secret)).status == 200
            one.bridge.kill()
        assert (one.bridge.directory / "access" / SOCKET_NAME).is_socket()
        one.bridge.start()
        with Connection(one.bridge.port) as connection, owner_of(one.bridge) as owner:
            again = Running(one.bridge, owner)
            assert again.shown(number)["state"] == "active"
            assert again.shown(number)["activate_before"] is None
            assert connection.ask(push_of("enrolled", secret)).status == 200


def test_the_last_use_is_kept_when_the_bridge_stops(tmp_path: Path) -> None:
    with Web(tmp_path) as web:
        web.bridge.tokens.directory.mkdir()
        token, secret = web.bridge.tokens.create("a", [Right.PUSH])
        assert web.push(b'{"name":"a"}', authorization=f"Bearer {secret}").status_code == 200
        used_ms = web.bridge.tokens.get(token.id).last_used_ms

    with Web(tmp_path) as again:
        again.bridge.tokens.load()
        assert again.bridge.tokens.get(token.id).last_used_ms == used_ms > 0
