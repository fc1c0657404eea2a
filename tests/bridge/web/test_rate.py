from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import Request

from pushgateway_bridge.access.token import Right
from pushgateway_bridge.errors import RateLimited, StartFailed
from pushgateway_bridge.web.rate import (
    MAX_CLIENTS,
    ClientAddresses,
    Rate,
    RateLimiter,
    client_key,
    parse_networks,
    parse_rate,
    rates_of,
)
from tests.bridge.harness import FakeClock
from tests.bridge.process import BridgeProcess
from tests.bridge.web.harness import Web
from tests.bridge.web.raw_http import Answer, Connection, push

# Settings


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1/s", Rate(1, 1.0)),
        ("600/m", Rate(600, 60.0)),
        ("10/h", Rate(10, 3600.0)),
        ("999999999/d", Rate(999_999_999, 86400.0)),
    ],
)
def test_a_rate_is_a_number_and_a_time(text: str, rate: Rate) -> None:
    assert parse_rate(text, "limits.rates x") == rate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0/m",
        "-1/m",
        "01/m",
        "1",
        "1/",
        "/m",
        "1/w",
        "1 / m",
        "1.5/m",
        "1/m ",
        "1/m\n",
        "١/m",
        "1" * 10 + "/m",
    ],
)
def test_what_is_no_rate_is_told_with_its_setting(text: str) -> None:
    with pytest.raises(StartFailed) as caught:
        parse_rate(text, "limits.rates x")

    assert str(caught.value).startswith("limits.rates x: expected NUMBER/s, /m, /h or /d, such as 600/m")


def test_rates_are_as_configured_else_as_usual() -> None:
    usual = {"a": "2000/h", "b": "60/m", "c": ""}
    assert rates_of({}, usual) == {"a": Rate(2000, 3600.0), "b": Rate(60, 60.0)}
    assert rates_of({"a": "unlimited", "b": "1/s", "c": "5/d"}, usual) == {
        "b": Rate(1, 1.0),
        "c": Rate(5, 86400.0),
    }
    with pytest.raises(StartFailed, match=r"limits.rates c: expected"):
        rates_of({"c": "often"}, usual)


# How often


def test_what_is_left_goes_down_with_each_push_and_comes_back_with_time() -> None:
    clock = FakeClock()
    limiter = RateLimiter(Rate(4, 60.0), clock.monotonic)
    assert limiter.left("a") == (4, 0)
    limiter.admit("a")
    assert limiter.left("a") == (3, 15)
    for _ in range(3):
        limiter.admit("a")
    assert limiter.left("a") == (0, 60)
    waits(limiter)
    clock.pass_seconds(30)
    assert limiter.left("a") == (2, 30)
    assert limiter.left("b") == (4, 0)


def waits(limiter: RateLimiter, client: str = "a") -> int:
    """What a client that comes too early is told."""
    with pytest.raises(RateLimited) as caught:
        limiter.admit(client)
    assert (caught.value.status, caught.value.reason) == (429, "rate_limited")
    return caught.value.retry_after_seconds


def test_all_that_the_rate_allows_may_come_at_once_and_then_one_by_one() -> None:
    clock = FakeClock()
    limiter = RateLimiter(Rate(6, 60.0), clock.monotonic)
    for _ in range(6):
        limiter.admit("a")

    assert waits(limiter) == 11
    clock.pass_seconds(9.9)
    assert waits(limiter) == 1
    clock.pass_seconds(0.1)
    limiter.admit("a")
    assert waits(limiter) == 11


def test_who_waits_as_long_as_told_is_admitted() -> None:
    clock = FakeClock()
    for rate in (Rate(1, 60.0), Rate(7, 60.0), Rate(3, 86400.0)):
        limiter = RateLimiter(rate, clock.monotonic)
        for _ in range(rate.number):
            limiter.admit("a")
        for _ in range(5):
            clock.pass_seconds(waits(limiter))
            limiter.admit("a")


def test_refused_pushes_are_not_counted() -> None:
    clock = FakeClock()
    limiter = RateLimiter(Rate(1, 10.0), clock.monotonic)
    limiter.admit("a")
    for _ in range(100):
        waits(limiter)

    clock.pass_seconds(10)
    limiter.admit("a")


def test_over_a_long_time_no_more_come_than_the_rate_and_one_burst_allow() -> None:
    clock = FakeClock()
    limiter = RateLimiter(Rate(10, 60.0), clock.monotonic)
    admitted = 0
    for _ in range(3600):
        if not limiter.wait_seconds("a"):
            limiter.count("a")
            admitted += 1
        clock.pass_seconds(1)

    assert admitted == (3599 + 60) // 6


def test_each_client_has_a_rate_of_its_own() -> None:
    limiter = RateLimiter(Rate(1, 60.0), FakeClock().monotonic)
    limiter.admit("a")
    waits(limiter, "a")

    limiter.admit("b")
    limiter.admit("")


def test_to_look_how_long_to_wait_counts_nothing() -> None:
    limiter = RateLimiter(Rate(1, 60.0), FakeClock().monotonic)
    for _ in range(10):
        assert limiter.wait_seconds("a") == 0

    assert len(limiter) == 0
    limiter.count("a")
    assert limiter.wait_seconds("a") == pytest.approx(60)


def test_no_more_clients_are_remembered_than_there_is_room_for() -> None:
    clock = FakeClock()
    limiter = RateLimiter(Rate(1, 3600.0), clock.monotonic)
    for number in range(MAX_CLIENTS + 10):
        limiter.admit(str(number))

    assert len(limiter) <= MAX_CLIENTS
    waits(limiter, str(MAX_CLIENTS + 9))
    limiter.admit("0")  # who came first was forgotten


def test_clients_whose_burst_is_whole_are_forgotten_before_others() -> None:
    clock = FakeClock()
    limiter = RateLimiter(Rate(1, 10.0), clock.monotonic)
    for number in range(MAX_CLIENTS - 1):
        limiter.admit(str(number))
    clock.pass_seconds(9)
    limiter.admit("late")
    clock.pass_seconds(1)
    limiter.admit("new")

    assert len(limiter) == 2
    waits(limiter, "late")


# Who a client is


def asked(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    client = None if peer is None else (peer, 1)
    return Request({"type": "http", "client": client, "headers": headers})


def client_of(request: Request, *proxies: str) -> str:
    return ClientAddresses(parse_networks(proxies, "access.trusted_proxies")).of(request)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("unknown", ""),
        ("192.0.2.1.", ""),
    ],
)
def test_a_client_is_an_ipv4_address_or_all_of_a_64_of_ipv6(address: str, key: str) -> None:
    assert client_key(address) == key


@pytest.mark.parametrize(
    "forwarded", [(), ("203.0.113.9",), ("203.0.113.9, 10.0.0.1",)], ids=["none", "one", "two"]
)
def test_nobody_is_believed_about_others_unless_trusted(forwarded: tuple[str, ...]) -> None:
    assert client_of(asked("192.0.2.1", *forwarded)) == "192.0.2.1"
    assert client_of(asked("192.0.2.1", *forwarded), "10.0.0.0/8") == "192.0.2.1"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        pytest.param(["203.0.113.9"], "203.0.113.9", id="what the proxy saw"),
        pytest.param(["198.51.100.1, 203.0.113.9"], "203.0.113.9", id="what the client wrote before it"),
        pytest.param(["198.51.100.1", "203.0.113.9"], "203.0.113.9", id="in a line of its own"),
        pytest.param(["10.0.0.5", "203.0.113.9"], "203.0.113.9", id="a client that claims to be a proxy"),
        pytest.param(["203.0.113.9, 10.1.1.1"], "203.0.113.9", id="two proxies"),
        pytest.param(["203.0.113.9", "10.1.1.1,10.1.1.2"], "203.0.113.9", id="three proxies"),
        pytest.param(["2001:db8:1:2::5"], "2001:db8:1:2::/64", id="ipv6"),
        pytest.param(["203.0.113.9:4711"], "203.0.113.9", id="with a port"),
        pytest.param(["[2001:db8:1:2::5]:4711"], "2001:db8:1:2::/64", id="ipv6 with a port"),
        pytest.param(["[2001:db8:1:2::5]"], "2001:db8:1:2::/64", id="ipv6 in brackets"),
        pytest.param(["::ffff:203.0.113.9"], "203.0.113.9", id="mapped"),
        pytest.param(["10.1.1.1"], "10.0.0.1", id="proxies alone"),
        pytest.param([], "10.0.0.1", id="nothing"),
        pytest.param([""], "10.0.0.1", id="empty"),
        pytest.param(["203.0.113.9, unknown"], "10.0.0.1", id="a client that the proxy does not tell"),
        pytest.param(["é" * 5000], "10.0.0.1", id="no address"),
        pytest.param(["," * 5000], "10.0.0.1", id="commas"),
    ],
)
def test_behind_trusted_proxies_the_client_is_whom_the_last_of_them_saw(
    forwarded: list[str], client: str
) -> None:
    assert client_of(asked("10.0.0.1", *forwarded), "10.0.0.0/8") == client


def test_a_proxy_is_known_by_its_mapped_address_too() -> None:
    assert client_of(asked("::ffff:10.0.0.1", "203.0.113.9"), "10.0.0.0/8", "::1") == "203.0.113.9"
    assert client_of(asked("::1", "203.0.113.9"), "10.0.0.0/8", "::1") == "203.0.113.9"


def test_who_comes_through_a_unix_socket_has_no_address() -> None:
    assert client_of(asked(None, "203.0.113.9")) == ""
    assert client_of(asked(None, "203.0.113.9"), "0.0.0.0/0") == ""


def test_other_proxies_are_believed_from_a_reload_on() -> None:
    addresses = ClientAddresses(parse_networks(["10.0.0.0/8"], "x"))
    assert addresses.is_proxy("10.0.0.1")
    addresses.trust(parse_networks(["192.0.2.1"], "x"))

    assert not addresses.is_proxy("10.0.0.1")
    assert addresses.is_proxy("192.0.2.1")


# Pushes


def host(name: str, *headers: str) -> bytes:
    return push(b'{"name":"%b","cpuC":4}' % name.encode(), *headers)


def told_to_wait(answer: Answer, longest: int) -> None:
    assert answer.status == 429
    assert 0 < int(dict(answer.headers)["retry-after"]) <= longest
    assert b"more than 3 pushes in 3600 s" in answer.body


@pytest.fixture(params=["hot", "ordinary"])
def limited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BridgeProcess]:
    """A bridge that takes three pushes an hour, by the hot or the ordinary way."""
    with BridgeProcess(
        tmp_path / "journal",
        f"--web.hot-routes={'true' if request.param == 'hot' else 'false'}",
        "--limits.rates={pixeltracker: 3/h}",
        log=tmp_path / "log",
    ) as bridge:
        yield bridge


@pytest.mark.stack
def test_who_pushes_too_often_is_told_when_to_come_again(limited: BridgeProcess) -> None:
    with contextlib.ExitStack() as stack:
        one, other = (stack.enter_context(Connection(limited.port)) for _ in range(2))
        assert [one.ask(host(name)).status for name in ("a", "b", "a")] == [200, 200, 200]
        told_to_wait(one.ask(host("c")), 1200)
        told_to_wait(one.ask(host("a")), 1200)
        told_to_wait(other.ask(host("d")), 1200)  # the same client, however many connections it has
        told_to_wait(other.ask(host("d", "X-Forwarded-For: 203.0.113.9")), 1200)
        assert one.ask(push(b"x", target="/metrics")).status == 400  # another dialect, which has no rate

    series = limited.series()
    assert series['telemetry_pushes_total{dialect="pixeltracker"}'] == 7
    assert series['telemetry_pushes_rejected_total{dialect="pixeltracker",reason="rate_limited"}'] == 4
    assert not [name for name in series if 'instance="c"' in name or 'instance="d"' in name]
    assert limited.log is not None
    assert "203.0.113.9" not in limited.log.read_text()


def limit(web: Web, text: str = "1/h") -> None:
    rate = parse_rate(text, "limits.rates")
    web.bridge.gate.limiters["pixeltracker"] = RateLimiter(rate, FakeClock().monotonic)


def test_each_token_has_a_rate_of_its_own_wherever_it_comes_from(web: Web) -> None:
    limit(web)
    web.bridge.tokens.directory.mkdir()
    tokens = [web.bridge.tokens.create("a", [Right.PUSH])[1] for _ in range(2)]

    assert [web.push(b"{}").status_code for _ in range(2)] == [200, 429]
    for token in tokens:
        bearer = f"Bearer {token}"
        assert [web.push(b"{}", authorization=bearer).status_code for _ in range(2)] == [200, 429]


def test_a_wrong_token_is_no_use_of_the_rate(web: Web) -> None:
    limit(web)
    assert [web.push(b"{}", authorization="Bearer x").status_code for _ in range(3)] == [401] * 3

    assert web.push(b"{}").status_code == 200


def test_behind_a_trusted_proxy_each_client_has_a_rate_of_its_own(web: Web) -> None:
    limit(web)
    web.bridge.gate.addresses.trust(parse_networks(["127.0.0.1"], "access.trusted_proxies"))
    clients = [
        "203.0.113.1",
        "203.0.113.1",
        "198.51.100.7, 203.0.113.1",
        "203.0.113.2",
        "2001:db8::1",
        "2001:db8::2",
    ]

    answers = [web.push(b"{}", x_forwarded_for=client).status_code for client in clients]
    assert answers == [200, 429, 429, 200, 200, 429]


def test_without_a_rate_nobody_is_held_back(web: Web) -> None:
    assert web.bridge.gate.limiters.keys() == {"minigem", "proxmoxve"}
    assert {web.push(b"{}").status_code for _ in range(50)} == {200}
