from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit

import httpx2
import pytest
from starlette.types import Message

from pushgateway_bridge.access.sessions import COOKIE
from pushgateway_bridge.access.token import ACTIVATION_SECONDS, Right
from pushgateway_bridge.web.login import MAX_FORM_BYTES, safe_path
from pushgateway_bridge.web.pages import CONTENT_SECURITY_POLICY
from tests.bridge.web.gates import OPEN
from tests.bridge.web.harness import Web

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def closed(web: Web) -> Web:
    """A bridge whose reads need a token."""
    web.bridge.guard.rules = OPEN._replace(reads_need_token=True)
    web.bridge.tokens.directory.mkdir()
    return web


def made(web: Web, *rights: Right) -> str:
    return web.bridge.tokens.create("page", rights or (Right.READ,))[1]


def log_in(web: Web, token: str, following: str = "/dashboard", **headers: str) -> httpx2.Response:
    body = urlencode({"token": token, "next": following})
    return web.request("POST", "/login", content=body, headers={**FORM, **headers})


def cookie_of(answer: httpx2.Response) -> SimpleCookie:
    return SimpleCookie(answer.headers["set-cookie"])


def reads(web: Web, cookie: str) -> int:
    return web.get("/metrics", cookie=f"{COOKIE}={cookie}").status_code


# The page


def test_the_page_asks_for_a_token_and_keeps_where_to_go_on(web: Web) -> None:
    answer = web.get("/login?next=" + quote("/dashboard?a=1&b=2"))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert 'name="next" value="/dashboard?a=1&amp;b=2"' in answer.text
    assert 'type="password"' in answer.text
    assert 'role="alert"' not in answer.text


@pytest.mark.parametrize("wanted", ['/"><script>alert(1)</script>', "/'onfocus='x", "/{following}{problem}"])
def test_what_is_wanted_is_never_markup(closed: Web, wanted: str) -> None:
    for answer in (closed.get("/login?next=" + quote(wanted, safe="")), log_in(closed, "wrong", wanted)):
        assert '"><script' not in answer.text
        assert "'onfocus" not in answer.text
        found = re.search('name="next" value="([^"]*)"', answer.text)
        assert found is not None


ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "https:evil.example",
    "https://evil.example/",
    "HTTPS://evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    ".evil.example",
    "dashboard",
    "?x",
    "#x",
    "",
    "/a\r\nSet-Cookie: x=y",
    "/\x00",
    "/\x7f/evil",
    "/\u2028/evil",
]
HERE = [
    "/",
    "/dashboard",
    "/dashboard?var-job=a&x=//evil",
    "/dashboard#//evil",
    "/a b",
    "/ü",
    "/%2F/evil",
    "/@evil",
]


@pytest.mark.parametrize("wanted", ELSEWHERE, ids=ascii)
def test_an_address_that_could_lead_elsewhere_is_no_path(wanted: str) -> None:
    assert safe_path(wanted) == "/dashboard"


def test_nobody_is_sent_elsewhere(closed: Web) -> None:
    secret = made(closed)
    for wanted in ELSEWHERE:
        assert log_in(closed, secret, wanted).headers["location"] == "/dashboard"
        assert 'value="/dashboard"' in closed.get("/login?next=" + quote(wanted, safe="")).text


def test_who_logs_in_goes_on_where_it_wanted_to(closed: Web) -> None:
    secret = made(closed)
    for wanted in HERE:
        location = log_in(closed, secret, wanted).headers["location"]

        assert urlsplit(urljoin("http://bridge/login", location)).netloc == "bridge"
        assert quote(wanted, safe="/?=&#%@") == location


# Logging in


def test_a_good_token_begins_a_session_that_reads(closed: Web) -> None:
    secret = made(closed)
    answer = log_in(closed, secret)
    (morsel,) = cookie_of(answer).values()

    assert (answer.status_code, answer.headers["location"], answer.content) == (303, "/dashboard", b"")
    assert morsel.key == COOKIE
    assert morsel["httponly"]
    assert not morsel["secure"]
    assert (morsel["samesite"], morsel["path"], morsel["max-age"]) == ("strict", "/", "43200")
    assert secret not in str(answer.headers)
    assert reads(closed, morsel.value) == 200
    page = closed.get("/dashboard", cookie=f"{COOKIE}={morsel.value}")
    assert page.status_code in (200, 503)  # 503 where the page is not built


def test_a_page_that_is_wanted_first_is_come_back_to(closed: Web) -> None:
    denied = closed.get("/dashboard")
    page = closed.get(denied.headers["location"])
    found = re.search('name="next" value="([^"]*)"', page.text)

    assert denied.status_code == 303
    assert found is not None
    assert log_in(closed, made(closed), found[1]).headers["location"] == "/dashboard"


def test_the_cookie_is_for_tls_alone_where_there_is_tls(closed: Web) -> None:
    body = urlencode({"token": made(closed), "next": "/"})
    answer = closed.request("POST", "https://bridge/login", content=body, headers=FORM)

    assert cookie_of(answer)[COOKIE]["secure"]


def test_spaces_around_a_token_are_no_part_of_it(closed: Web) -> None:
    assert log_in(closed, f" {made(closed)}\r\n").status_code == 303


@pytest.mark.parametrize("rights", [(Right.PUSH,), (Right.DELETE, Right.PUSH)])
def test_a_token_that_may_not_read_begins_no_session(closed: Web, rights: tuple[Right, ...]) -> None:
    answer = log_in(closed, made(closed, *rights), "/dashboard?x")

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "not read</p>" in answer.text
    assert 'value="/dashboard?x"' in answer.text


def test_a_wrong_token_begins_no_session_and_is_not_repeated(closed: Web) -> None:
    made(closed)
    for token in ("", "x", "a" * 64, "a" * 3000, "töken", "<i>", "a\nb", "\x00"):
        answer = log_in(closed, token, "/dashboard?x")

        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        assert 'class="problem" role="alert"' in answer.text
        assert 'value="/dashboard?x"' in answer.text
        assert len(token) < 2 or token not in answer.text


@pytest.mark.parametrize("change", ["revoke", "rotate"])
def test_a_token_that_is_void_begins_no_session_and_ends_the_one_it_began(closed: Web, change: str) -> None:
    token, secret = closed.bridge.tokens.create("page", [Right.READ])
    cookie = cookie_of(log_in(closed, secret))[COOKIE].value
    assert reads(closed, cookie) == 200
    if change == "revoke":
        closed.bridge.tokens.revoke(token.id)
    else:
        closed.bridge.tokens.rotate(token.id)

    assert reads(closed, cookie) == 401
    assert log_in(closed, secret).status_code == 401
    page = closed.get("/dashboard", cookie=f"{COOKIE}={cookie}")
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/dashboard")


def test_a_session_of_another_bridge_is_none(closed: Web, tmp_path: Path) -> None:
    """Its journal's secret is another, even if somebody copied the tokens."""
    cookie = cookie_of(log_in(closed, made(closed)))[COOKIE].value
    with Web(tmp_path / "other") as other:
        other.bridge.guard.rules = OPEN._replace(reads_need_token=True)
        other.bridge.tokens.directory.mkdir()
        other.bridge.tokens.file.write_bytes(closed.bridge.tokens.file.read_bytes())
        other.bridge.tokens.load()

        assert reads(other, cookie) == 401
    assert reads(closed, cookie) == 200


def test_a_forged_cookie_reads_nothing(closed: Web) -> None:
    made(closed)

    for cookie in ("", "x", "1.1.x", '"', "1.99999999999999999.\\303", "a" * 10_000, ";=;,"):
        assert reads(closed, cookie) == 401, cookie


def test_an_enrolment_token_is_used_by_logging_in(closed: Web) -> None:
    tokens = closed.bridge.tokens
    token, secret = tokens.create("page", [Right.READ], enrol=True)
    cookie = cookie_of(log_in(closed, secret))[COOKIE].value

    tokens.load()
    assert not tokens.get(token.id).waits_for_activation
    assert tokens.get(token.id).flaw(token.created_ms + ACTIVATION_SECONDS * 1000) is None
    assert reads(closed, cookie) == 200


def test_an_enrolment_token_whose_use_cannot_be_written_begins_no_session(closed: Web) -> None:
    tokens = closed.bridge.tokens
    _, secret = tokens.create("page", [Right.READ], enrol=True)
    tokens.file.with_suffix(".json.new").mkdir()
    answer = log_in(closed, secret)

    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers


def test_logging_in_is_a_use(closed: Web) -> None:
    token, secret = closed.bridge.tokens.create("page", [Right.READ])
    log_in(closed, secret)

    assert closed.bridge.tokens.get(token.id).last_used_ms >= token.created_ms


# Bad forms


FORMS: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 401),
    "no value": (b"token", 400),
    "no name": (b"=", 401),
    "no text": (b"\xff\xfe", 400),
    "no text, escaped": (b"token=%ff%fe%zz", 401),
    "many fields": (b"a=1&" * 10 + b"token=x", 400),
    "as long as may be": (b"token=" + b"x" * (MAX_FORM_BYTES - 6), 401),
    "longer": (b"token=" + b"x" * (MAX_FORM_BYTES - 5), 413),
    "json": (b'{"token": "x"}', 400),
}


def test_what_is_no_form_is_refused_with_a_page(closed: Web) -> None:
    for what, (body, status) in FORMS.items():
        answer = closed.request("POST", "/login", content=body, headers=FORM)

        assert answer.status_code == status, what
        assert 'role="alert"' in answer.text
        assert "set-cookie" not in answer.headers


def test_a_form_that_inflates_to_too_much_is_refused(closed: Web) -> None:
    bomb = gzip.compress(b"token=" + b"x" * 1_000_000)
    answer = closed.request("POST", "/login", content=bomb, headers={**FORM, "content-encoding": "gzip"})

    assert answer.status_code == 413


def test_a_form_without_end_is_not_waited_for(closed: Web) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    assert closed.request("POST", "/login", content=endless(), headers=FORM).status_code == 413


def test_who_hangs_up_while_logging_in_is_no_error(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b"token=", "more_body": True},
        {"type": "http.disconnect"},
    ]
    web.raw("POST", "/login", messages)

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# Logging out


def test_logging_out_takes_the_cookie_away(closed: Web) -> None:
    answer = closed.request("POST", "/logout")
    (morsel,) = cookie_of(answer).values()

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert (morsel.key, morsel.value, morsel["max-age"]) == (COOKIE, "", "0")


def test_a_link_cannot_log_anybody_out(closed: Web) -> None:
    assert closed.get("/logout").status_code == 405


def test_the_token_is_in_no_address(closed: Web) -> None:
    """A form that is sent by GET would leave it in logs and histories."""
    page = closed.get("/login").text

    assert 'method="post"' in page
    assert closed.get("/login?token=abc").text.count("abc") == 0
    assert "token" not in parse_qs(urlsplit(log_in(closed, made(closed)).headers["location"]).query)
