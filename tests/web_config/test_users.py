"""Passwords: right, wrong, of no one, many at once. What a check costs is counted in bcrypt's steps, not in time."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator

import bcrypt
import pytest

from telemetry_web_config.users import (
    CHECKS_AT_ONCE,
    MAX_VERIFIED,
    MAX_WAITING,
    TooManyChecksError,
    Users,
    parse_basic,
)


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def users() -> Iterator[Users]:
    """Alice's hash is cheap, bob's is four times as costly, and old is from a tool that writes 2y."""
    old = hashed("old secret", 5).replace("$2b$", "$2y$")
    users = Users({"alice": hashed("alice's"), "bob": hashed("bob's", 6), "old": old})
    yield users
    users.close()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each run of bcrypt costs, in its own steps, as they happen."""
    done: list[int] = []
    real = bcrypt.checkpw

    def counted(password: bytes, hashed_password: bytes) -> bool:
        done.append(2 ** int(hashed_password.split(b"$")[2]))
        return real(password, hashed_password)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return done


def check(users: Users, *headers: str | None) -> list[str | None]:
    async def each() -> list[str | None]:
        return [await users.check(header) for header in headers]

    return asyncio.run(each())


def test_the_right_password_gives_the_name(users: Users) -> None:
    headers = [basic("alice", "alice's"), basic("bob", "bob's"), basic("old", "old secret")]

    assert check(users, *headers) == ["alice", "bob", "old"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic YWxpY2U=",
        "Bearer " + base64.b64encode(b"alice:alice's").decode(),
        basic("alice", "bob's"),
        basic("alice", ""),
        basic("", ""),
        basic("Alice", "alice's"),
        basic("alice ", "alice's"),
        basic("alice", "alice's\0"),
        basic("mallory", "alice's"),
        basic("alice", "x" * 2000),
        "Basic " + base64.b64encode(b"\xff\xfe:alice's").decode(),
    ],
)
def test_anything_else_gives_no_one(users: Users, header: str | None) -> None:
    assert check(users, header) == [None]


def test_the_scheme_is_told_in_any_case_and_a_password_may_have_colons() -> None:
    assert parse_basic("bAsIc " + base64.b64encode(b"a:b:c").decode()) == ("a", b"b:c")


def test_a_long_password_counts_up_to_its_72nd_byte_as_htpasswd_and_go_have_it() -> None:
    users = Users({"alice": hashed("x" * 72)})

    assert check(users, basic("alice", "x" * 80), basic("alice", "x" * 71)) == ["alice", None]


def test_a_wrong_password_costs_the_same_for_every_user_and_for_no_one(
    users: Users, steps: list[int]
) -> None:
    costs = {}
    for name in ("alice", "bob", "old", "mallory"):
        steps.clear()
        check(users, basic(name, "wrong"))
        costs[name] = sum(steps)

    assert costs == dict.fromkeys(("alice", "bob", "old", "mallory"), 2**6)


def test_a_verified_password_costs_nothing_the_second_time(users: Users, steps: list[int]) -> None:
    header = basic("alice", "alice's")

    assert check(users, header, header, header) == ["alice"] * 3
    assert steps == [2**4]


def test_a_wrong_password_is_checked_each_time(users: Users, steps: list[int]) -> None:
    check(users, basic("bob", "wrong"), basic("bob", "wrong"))

    assert steps == [2**6, 2**6]


def test_the_same_password_many_times_at_once_is_checked_once(users: Users, steps: list[int]) -> None:
    async def all_at_once() -> list[str | None]:
        return await asyncio.gather(*(users.check(basic("alice", "alice's")) for _ in range(100)))

    assert asyncio.run(all_at_once()) == ["alice"] * 100
    assert steps == [2**4]


def test_one_who_goes_away_takes_the_answer_from_no_one(users: Users) -> None:
    async def two_and_one_leaves() -> str | None:
        leaving = asyncio.create_task(users.check(basic("bob", "bob's")))
        staying = asyncio.create_task(users.check(basic("bob", "bob's")))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(two_and_one_leaves()) == "bob"


def test_guessing_fills_a_queue_and_keeps_no_verified_user_out(users: Users) -> None:
    room = CHECKS_AT_ONCE + MAX_WAITING

    async def guess() -> tuple[list[object], str | None]:
        await users.check(basic("alice", "alice's"))
        guesses = [asyncio.create_task(users.check(basic("bob", str(n)))) for n in range(room + 9)]
        await asyncio.sleep(0)
        known = await users.check(basic("alice", "alice's"))
        return [*await asyncio.gather(*guesses, return_exceptions=True)], known

    answers, known = asyncio.run(guess())

    assert known == "alice"
    assert answers[:room] == [None] * room
    assert [type(answer) for answer in answers[room:]] == [TooManyChecksError] * 9


def test_after_a_flood_there_is_room_again(users: Users) -> None:
    async def flood_and_ask() -> str | None:
        await asyncio.gather(*(users.check(basic("x", str(n))) for n in range(99)), return_exceptions=True)
        return await users.check(basic("alice", "alice's"))

    assert asyncio.run(flood_and_ask()) == "alice"


def test_what_was_verified_is_forgotten_when_the_users_change(users: Users, steps: list[int]) -> None:
    check(users, basic("alice", "alice's"), basic("bob", "bob's"))
    steps.clear()

    users.renew({"alice": hashed("new")})

    answers = check(users, basic("alice", "alice's"), basic("bob", "bob's"), basic("alice", "new"))
    assert answers == [None, None, "alice"]
    assert len(steps) == 3


def test_a_check_that_began_before_the_users_changed_is_not_remembered(
    users: Users, steps: list[int]
) -> None:
    async def change_meanwhile() -> tuple[str | None, str | None]:
        checking = asyncio.create_task(users.check(basic("bob", "bob's")))
        await asyncio.sleep(0)
        users.renew({"bob": hashed("changed")})
        return await checking, await users.check(basic("bob", "bob's"))

    assert asyncio.run(change_meanwhile()) == ("bob", None)


def test_few_passwords_are_remembered(steps: list[int]) -> None:
    one_hash = hashed("same")
    users = Users({str(n): one_hash for n in range(MAX_VERIFIED + 1)})
    headers = [basic(str(n), "same") for n in range(MAX_VERIFIED + 1)]
    check(users, *headers)
    steps.clear()

    check(users, *headers[1:])
    assert steps == []
    check(users, headers[0])
    assert len(steps) == 1


def test_without_users_no_one_is_asked_for() -> None:
    assert not Users({}).required
    assert Users({"alice": hashed("x")}).required
