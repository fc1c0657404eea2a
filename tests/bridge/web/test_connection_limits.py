"""Clients that are slow, greedy or many, against real bridges with short time limits."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import uvicorn

from pushgateway_bridge.web.protocol import (
    DRAIN_SECONDS,
    MAX_HEAD_BYTES,
    BridgeProtocol,
    BridgeState,
)
from tests.bridge.faults.wire import resident_bytes
from tests.bridge.process import BridgeProcess
from tests.bridge.web.raw_http import JSON, Answer, ClosedEarly, Connection, push, request

WAYS: Mapping[str, tuple[str, ...]] = {"hot": (), "ordinary": ("--web.hot-routes=false",)}
Bridges = Mapping[str, BridgeProcess]

LIMITS = ("--web.header-timeout-seconds=1", "--web.body-timeout-seconds=2", "--web.idle-timeout-seconds=2")
IN_TIME_SECONDS = 1.0
"""Whoever has sent a request whole by then, is in time by all of these."""
DEADLINE_SECONDS = 60.0
BODY = b'{"name":"slow","cpuC":4}'
FAST = push(b'{"name":"fast","cpuC":4}')
PUSH = push(BODY)
HALF_PUSH = PUSH[: -len(BODY) // 2]
HEALTHY = request("GET", "/-/healthy")
CHUNKED = (
    f"POST /api/telemetry HTTP/1.1\r\nHost: bridge\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
)
ALL_CHUNKS = CHUNKED + b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
LARGE_ANSWER_BYTES = 8_000_000
"""More than the system keeps for a client that does not read."""


@pytest.fixture(scope="module")
def bridges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridges]:
    """A bridge for each way of answering; its log holds no error when it is left."""
    directory = tmp_path_factory.mktemp("bridges")
    with contextlib.ExitStack() as stack:
        started = {}
        for way, flags in WAYS.items():  # a port is free until its bridge has taken it
            bridge = BridgeProcess(directory / way, *flags, *LIMITS, log=directory / f"{way}.log")
            started[way] = stack.enter_context(bridge)
        yield started
    for way in WAYS:
        said = (directory / f"{way}.log").read_text()
        assert "level=ERROR" not in said
        assert "Traceback" not in said


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


# Slow senders


class Slow(NamedTuple):
    """What a client sends at once, what byte by byte from then on, and what it is told before the end."""

    first: bytes
    drip: bytes
    statuses: list[int]


SLOW: Mapping[str, Slow] = {
    "nothing": Slow(b"", b"", []),
    "empty lines": Slow(b"\r\n", b"\r\n", []),
    "half a head": Slow(PUSH[:40], b"", [408]),
    "half a head of a page": Slow(HEALTHY[:10], b"", [408]),
    "a head byte by byte": Slow(PUSH[:40], b"X-Pad: padding\r\n", [408]),
    "no body": Slow(PUSH[: -len(BODY)], b"", [408]),
    "half a body": Slow(HALF_PUSH, b"", [408]),
    "a body byte by byte": Slow(push(BODY, length=90_000)[: -len(BODY)], b" ", [408]),
    "half a compressed body": Slow(push(BODY[:9], "Content-Encoding: gzip", length=30), b"", [408]),
    "half a chunk": Slow(CHUNKED + b'18\r\n{"name"', b"", [408]),
    "half a chunk's length": Slow(CHUNKED + b"1", b"", [408]),
    "chunks byte by byte": Slow(CHUNKED, b"1\r\n \r\n", [408]),
    "trailers byte by byte": Slow(ALL_CHUNKS, b"X-Pad: padding\r\n", [408]),
    "half a body after its answer": Slow(request("GET", "/-/healthy", body=b"1", length=9), b"", [200]),
    "nothing after a push": Slow(PUSH, b"", [200]),
    "nothing after a page": Slow(HEALTHY, b"", [200]),
    "an empty line after a push": Slow(PUSH + b"\r\n", b"", [200]),
    "an empty line after a page": Slow(HEALTHY + b"\r\n", b"", [200]),
    "half a push after a push": Slow(PUSH + HALF_PUSH, b"", [200, 408]),
    "half a head after a page": Slow(HEALTHY + PUSH[:40], b"", [200]),
}

EITHER_LIMIT = ("half a body after its answer", "half a head after a page")
"""An answered connection is closed when it is idle, or told that the rest took too long, whichever comes first."""


class SlowClient:
    """One connection that sends as *slow* says until the other side ends it."""

    def __init__(self, port: int, slow: Slow) -> None:
        self.received = b""
        self.ended = False
        self._drip = slow.drip
        self._sent = 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(slow.first)
        self.socket.setblocking(False)

    def step(self) -> None:
        """Read what came, then send one byte more."""
        try:
            while data := self.socket.recv(65536):
                self.received += data
            self.ended = True
        except BlockingIOError:
            if self._drip:
                self._drop()
        except ConnectionResetError:
            self.ended = True

    def _drop(self) -> None:
        at = self._sent % len(self._drip)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.send(self._drip[at : at + 1])
        self._sent += 1


@pytest.fixture(scope="module")
def told(bridges: Bridges) -> Mapping[str, Mapping[str, bytes]]:
    """Way → kind of client → what it was sent before its connection was ended. All are slow at the same time."""
    clients = {
        way: {name: SlowClient(bridge.port, slow) for name, slow in SLOW.items()}
        for way, bridge in bridges.items()
    }
    waiting = {f"{way}: {name}": client for way, each in clients.items() for name, client in each.items()}
    deadline = time.monotonic() + DEADLINE_SECONDS
    while waiting:
        assert time.monotonic() < deadline, f"not ended: {list(waiting)}"
        for name, client in list(waiting.items()):
            client.step()
            if client.ended:
                client.socket.close()
                del waiting[name]
        time.sleep(0.05)
    return {way: {name: client.received for name, client in each.items()} for way, each in clients.items()}


@pytest.mark.stack
@pytest.mark.parametrize("name", SLOW)
def test_a_slow_client_is_told_and_its_connection_ends(
    name: str, way: str, told: Mapping[str, Mapping[str, bytes]]
) -> None:
    said = statuses(told[way][name])
    if name in EITHER_LIMIT:
        said = said[:1]

    assert said == SLOW[name].statuses


@pytest.mark.stack
def test_what_took_too_long_is_named(way: str, told: Mapping[str, Mapping[str, bytes]]) -> None:
    for name, text in (
        ("half a head", b"the head of the request took too long\n"),
        ("half a body", b"the request took too long\n"),
    ):
        head, _, body = told[way][name].partition(b"\r\n\r\n")

        status_line, *headers = head.split(b"\r\n")
        assert status_line == b"HTTP/1.1 408 Request Timeout"
        assert [header for header in headers if not header.startswith(b"date: ")] == [
            b"content-type: text/plain",
            b"content-length: %d" % len(text),
            b"connection: close",
        ]
        assert body == text


@pytest.mark.stack
def test_a_push_that_never_came_whole_is_not_stored(
    way: str, told: Mapping[str, Mapping[str, bytes]], bridges: Bridges
) -> None:
    """Of all the slow clients only those whose push was answered are counted as reports."""
    accepted = sum(200 in statuses(told[way][name]) for name in SLOW if SLOW[name].first.startswith(PUSH))

    assert accepted == 3
    assert reports(bridges[way], "slow") == accepted


def reports(bridge: BridgeProcess, instance: str) -> float:
    """How often *instance* has pushed."""
    return bridge.series()[f'telemetry_reports_total{{job="pixeltracker",instance="{instance}"}}']


@pytest.mark.stack
@pytest.mark.parametrize("cut", ["body", "head", "chunks"])
def test_a_push_that_comes_slowly_but_in_time_is_accepted(cut: str, way: str, bridges: Bridges) -> None:
    body = b'{"name":"in time, %b"}' % cut.encode()
    whole = push(body)
    parts = {
        "body": (whole[:-9], whole[-9:]),
        "head": (whole[:40], whole[40:]),
        "chunks": (CHUNKED + b"%x\r\n%b" % (len(body), body[:5]), body[5:] + b"\r\n0\r\n\r\n"),
    }[cut]

    assert any(sent_in_time(bridges[way], parts) for _ in range(10)), "this machine lets nobody send in time"
    assert reports(bridges[way], f"in time, {cut}") >= 1


def sent_in_time(bridge: BridgeProcess, parts: tuple[bytes, ...]) -> bool:
    """Whether *parts*, each sent after a pause, were sent in time; then the push is accepted."""
    with Connection(bridge.port) as connection:
        began = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.send(part)
                time.sleep(IN_TIME_SECONDS / 4)
        in_time = time.monotonic() - began < IN_TIME_SECONDS
        assert not in_time or connection.read_answer().status == 200
        return in_time


# Many


@pytest.mark.stack
def test_many_slow_clients_leave_a_fast_one_its_answers(bridges: Bridges) -> None:
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(Connection(bridge.port)) for bridge in bridges.values() for _ in range(300)
        ]
        for number, connection in enumerate(slow):
            connection.send((PUSH[:40], HALF_PUSH, b"")[number % 3])
        for bridge in bridges.values():
            with Connection(bridge.port) as fast:
                assert {fast.ask(FAST).status for _ in range(200)} == {200}

        ends = [statuses(connection.read_end()) for connection in slow]
        assert ends == [([408], [408], [])[number % 3] for number in range(600)]
        for bridge in bridges.values():
            with Connection(bridge.port) as after:
                assert after.ask(FAST).status == 200


@pytest.mark.stack
def test_connections_over_the_limit_are_refused_until_others_end(way: str, tmp_path: Path) -> None:
    limit = 8
    with (
        BridgeProcess(tmp_path, *WAYS[way], f"--web.max-connections={limit}") as bridge,
        contextlib.ExitStack() as stack,
    ):
        wait_for_connections(bridge, 0)
        held = [stack.enter_context(Connection(bridge.port)) for _ in range(limit)]
        assert [connection.ask(PUSH).status for connection in held] == [200] * limit
        for _ in range(2 * limit):
            with Connection(bridge.port) as refused:
                answer = refused.read_answer()
                assert refused.read_end() == b""
            assert answer.without_date() == Answer(
                "HTTP/1.1 503 Service Unavailable",
                (
                    ("connection", "close"),
                    ("content-length", "21"),
                    ("content-type", "text/plain"),
                    ("retry-after", "1"),
                ),
                b"too many connections\n",
                "",
            )

        assert [connection.ask(PUSH).status for connection in held] == [200] * limit
        held.pop().socket.close()
        wait_for_connections(bridge, limit - 1)
        with Connection(bridge.port) as next_one:
            assert next_one.ask(PUSH).status == 200


def wait_for_connections(bridge: BridgeProcess, count: int) -> None:
    """Wait until the bridge has *count* connections open."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (open_ones := len(peers(bridge))) != count:
        assert time.monotonic() < deadline, f"{open_ones} connections are open"
        time.sleep(0.05)


def peers(bridge: BridgeProcess) -> set[int]:
    """Ports of the clients whose connections the bridge holds open."""
    found = psutil.Process(bridge.process.pid).net_connections("tcp")
    return {one.raddr.port for one in found if one.laddr.port == bridge.port and one.status != "LISTEN"}


# Large heads


@pytest.mark.stack
@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (PUSH[: PUSH.index(b"\r\n") + 2] + b"X-Pad: ", b"x" * 60_000),
        (PUSH[: PUSH.index(b"\r\n") + 2], b"X-Pad: 1\r\n" * 6000),
        (b"GET /", b"x" * 60_000),
        (ALL_CHUNKS + b"X-Pad: ", b"x" * 60_000),
        (ALL_CHUNKS, b"X-Pad: 1\r\n" * 6000),
    ],
    ids=["one header", "many headers", "path", "one trailer", "many trailers"],
)
def test_an_endless_head_is_refused_and_fills_no_memory(
    start: bytes, endless: bytes, way: str, bridges: Bridges
) -> None:
    bridge = bridges[way]
    with Connection(bridge.port) as other:  # a first push, so that what is imported then does not count
        other.ask(FAST)
    before = resident_bytes(bridge.process.pid)
    for _ in range(3):
        with Connection(bridge.port) as connection:
            connection.send(start)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(2000):
                    connection.send(endless)
            answer = connection.read_answer()

        assert answer.status == 431
        assert answer.body == b"the head of the request is larger than %d bytes\n" % MAX_HEAD_BYTES
    assert resident_bytes(bridge.process.pid) - before < 20_000_000


@pytest.mark.stack
def test_a_push_with_very_many_headers_is_accepted(way: str, bridges: Bridges) -> None:
    headers = [f"X-{number}: 1" for number in range(4000)]

    with Connection(bridges[way].port) as connection:
        assert connection.ask(push(b'{"name":"many headers"}', *headers)).status == 200
        assert connection.ask(FAST).status == 200


# Clients that do not read


@pytest.fixture(scope="module")
def large_metrics(bridges: Bridges) -> int:
    """Have many long series on /metrics of each bridge; how long it is at least."""
    for bridge in bridges.values():
        with Connection(bridge.port) as connection:
            for number in range(1300):
                body = b'{"name":"%s-%d","cpuC":1,"cpuL":2,"tRam":3,"uRam":1}' % (b"h" * 1000, number)
                assert connection.ask(push(body)).status == 200
    length = min(len(bridge.get("/metrics")) for bridge in bridges.values())
    assert length > LARGE_ANSWER_BYTES
    return length


@pytest.mark.stack
def test_a_client_that_never_reads_its_answer_is_let_go(bridges: Bridges, large_metrics: int) -> None:
    with contextlib.ExitStack() as stack:
        waiting = []
        for bridge in bridges.values():
            for header in ("Connection: keep-alive", "Connection: close"):
                connection = stack.enter_context(Connection(bridge.port, receive_buffer=4096))
                connection.send(request("GET", "/metrics", header))
                waiting.append((bridge, connection))
        for bridge in bridges.values():
            with Connection(bridge.port) as other:
                assert {other.ask(FAST).status for _ in range(50)} == {200}
        deadline = time.monotonic() + DEADLINE_SECONDS
        while any(connection.socket.getsockname()[1] in peers(bridge) for bridge, connection in waiting):
            assert time.monotonic() < deadline, "the bridge still waits for a reader"
            time.sleep(0.1)

        for _, connection in waiting:
            with pytest.raises((ClosedEarly, ConnectionResetError)):
                connection.read_answer()


# Without a socket


class DeafTransport(asyncio.Transport):
    """Closes only when what was written has been read, which nobody does."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = False
        self.aborted = False

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.aborted = True


def test_a_closed_connection_whose_last_answer_nobody_reads_is_cut_off() -> None:
    """Also if what waits is so little that writing was never paused."""

    async def scenario() -> tuple[bool, bool]:
        config = uvicorn.Config(page, ws="none", lifespan="off", log_config=None)
        loop = asyncio.get_running_loop()
        protocol = BridgeProtocol(config, BridgeState(), {}, loop)
        transport = DeafTransport()
        protocol.connection_made(transport)
        transport.close()
        now = loop.time()
        limit = protocol.limits.body_seconds
        protocol.sweep(now)
        protocol.sweep(now + limit)
        early = transport.aborted
        protocol.sweep(now + limit + 1)
        return early, transport.aborted

    assert asyncio.run(scenario()) == (False, True)


def test_a_connection_that_is_accepted_while_the_server_ends_is_closed_too() -> None:
    """It is not among those that are told to end; the server waits for all, and would wait until its time is up."""

    async def scenario(*, stopping: bool) -> bool:
        config = uvicorn.Config(page, ws="none", lifespan="off", log_config=None)
        state = BridgeState()
        state.stopping = stopping
        protocol = BridgeProtocol(config, state, {}, asyncio.get_running_loop())
        transport = DeafTransport()
        protocol.connection_made(transport)
        await asyncio.sleep(10 * DRAIN_SECONDS)
        return transport.closing

    assert asyncio.run(scenario(stopping=True))
    assert not asyncio.run(scenario(stopping=False))


async def page(_scope: object, _receive: object, _send: object) -> None:
    """No application is asked here."""
