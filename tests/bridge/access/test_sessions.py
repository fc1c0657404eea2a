from __future__ import annotations

from pathlib import Path

import pytest

from pushgateway_bridge.access.sessions import MAX_COOKIE_CHARACTERS, Sessions
from pushgateway_bridge.access.token import Right, Token
from pushgateway_bridge.access.tokens import Tokens
from tests.bridge.harness import FakeClock

SECONDS = 3600.0


class Page:
    """Sessions of the tokens in one folder; *secret* stands for the journal's."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.tokens = Tokens(directory, self.clock.now_ms)
        self.secret = b"of this bridge"
        self.sessions = Sessions(self.tokens, lambda: self.secret, self.clock.now_ms, SECONDS)

    def token(self, *rights: Right, lifetime_seconds: float = 0.0, enrol: bool = False) -> Token:
        return self.tokens.create("page", rights, lifetime_seconds=lifetime_seconds, enrol=enrol)[0]

    def reads(self, cookie: str) -> bool:
        return self.sessions.reader(cookie) is not None


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


@pytest.mark.parametrize("right", [Right.READ, Right.ADMIN])
def test_a_session_reads_until_it_ends(page: Page, right: Right) -> None:
    token = page.token(right)
    cookie = page.sessions.begin(token)
    assert page.sessions.reader(cookie) == token

    page.clock.pass_seconds(SECONDS - 0.001)
    assert page.reads(cookie)
    page.clock.pass_seconds(0.001)
    assert not page.reads(cookie)


def test_a_session_holds_no_text_of_its_token(page: Page) -> None:
    token, secret = page.tokens.create("page", [Right.READ])
    cookie = page.sessions.begin(token)

    assert secret not in cookie
    assert token.sha256 not in cookie


def test_a_session_outlives_a_restart_but_not_another_bridge(page: Page) -> None:
    cookie = page.sessions.begin(page.token(Right.READ))
    again = Page(page.tokens.directory)
    again.tokens.load()
    assert again.reads(cookie)

    again.secret = b"of another bridge"
    assert not again.reads(cookie)


def test_a_session_ends_when_its_token_is_revoked(page: Page) -> None:
    token = page.token(Right.READ)
    cookie = page.sessions.begin(token)
    page.tokens.revoke(token.id)

    assert not page.reads(cookie)


def test_a_session_ends_when_its_token_is_rotated(page: Page) -> None:
    token = page.token(Right.READ)
    cookie = page.sessions.begin(token)
    page.tokens.rotate(token.id)

    assert not page.reads(cookie)


def test_a_session_ends_when_its_token_expires(page: Page) -> None:
    cookie = page.sessions.begin(page.token(Right.READ, lifetime_seconds=10))
    page.clock.pass_seconds(9)
    assert page.reads(cookie)

    page.clock.pass_seconds(1)
    assert not page.reads(cookie)


def test_a_session_ends_when_its_token_is_gone(page: Page) -> None:
    cookie = page.sessions.begin(page.token(Right.READ))
    page.tokens.file.write_text('{"version": 1, "next_id": 9, "tokens": []}')
    page.tokens.load()

    assert not page.reads(cookie)


def test_a_token_that_may_not_read_has_no_session(page: Page) -> None:
    assert not page.reads(page.sessions.begin(page.token(Right.PUSH, Right.DELETE)))


def test_no_part_of_a_cookie_can_be_changed(page: Page) -> None:
    token, other = page.token(Right.READ), page.token(Right.READ)
    number, until, signature = page.sessions.begin(token).split(".")
    assert page.reads(f"{number}.{until}.{signature}")
    flipped = ("1" if signature[0] == "0" else "0") + signature[1:]
    foreign = page.sessions.begin(other).split(".")[2]

    for cookie in (
        f"{other.id}.{until}.{signature}",
        f"{number}.{int(until) + 1}.{signature}",
        f"{number}.0{until}.{flipped}",
        f"{number}.{until}.{flipped}",
        f"{number}.{until}.{foreign}",
        f"{number}.{until}.{signature[:-1]}",
        f"{number}.{until}.{signature}0",
        f"{number}.{until}.{signature}.",
        f"{number}.{until}.{signature.upper()}",
        f"{number}.{until}.",
        f"{number}.{until}",
    ):
        assert cookie == f"{number}.{until}.{signature}" or not page.reads(cookie), cookie


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        ".",
        "..",
        "1",
        "1.2",
        "1.2.",
        "99.1.x",
        "0.1.x",
        "-1.1.x",
        "a.b.c",
        "١.٢.x",
        "²." * 2,
        "1" * 19 + ".1.x",
        "1." + "9" * 5000 + ".x",
        "1.1." + "é" * 64,
        "1.1." + "a" * MAX_COOKIE_CHARACTERS,
        "\x00",
    ],
    ids=lambda text: ascii(text[:12]) + str(len(text)),
)
def test_what_is_no_cookie_of_ours_is_nobodys_session(page: Page, cookie: str) -> None:
    page.token(Right.READ)

    assert not page.reads(cookie)
