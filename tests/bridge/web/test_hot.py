"""The hot protocol on a transport and an event loop that the test moves; journal and state are real."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.errors import JournalFull
from pushgateway_bridge.journal.entry import Entry
from pushgateway_bridge.model.report import Report
from pushgateway_bridge.web.hot import (
    MAX_HEAD_BYTES,
    MAX_HEADS,
    NEEDED,
    HotHead,
    hot_protocol,
    hot_routes,
    unsupported,
)
from pushgateway_bridge.web.protocol import DRAIN_SECONDS, BridgeProtocol, BridgeState
from tests.bridge.harness import PIXELTRACKER, Harness
from tests.bridge.web.gates import gate_of
from tests.bridge.web.raw_http import JSON, push, request

BODY = b'{"name":"host","cpuC":4}'
PUSH = push(BODY)
GET = request("GET", "/page")
KEEP_ALIVE_SECONDS = 5.0
TEXT = "Content-Type: text/plain"
EMPTY = "Content-Type:"

ACCEPTED = (
    b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: 21\r\n\r\n"
    b'{"status":"accepted"}'
)
ACCEPTED_LAST = ACCEPTED.replace(b"today\r\n", b"today\r\nconnection: close\r\n")


class Timer:
    """A call that the loop makes later."""

    def __init__(self, when: float, callback: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self.when = when
        self.cancelled = False
        self._callback = callback
        self._arguments = arguments

    def cancel(self) -> None:
        self.cancelled = True

    def run(self) -> None:
        self._callback(*self._arguments)


class FakeLoop:
    """Its clock stands still until the test moves it; tasks run when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []
        self._tasks: list[Coroutine[Any, Any, None]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: object) -> Timer:
        timer = Timer(self.now + delay, callback, arguments)
        self.timers.append(timer)
        return timer

    def create_task(
        self, work: Coroutine[Any, Any, None], *, context: contextvars.Context | None = None
    ) -> FakeTask:
        self._tasks.append(work)
        return FakeTask()

    def pass_seconds(self, seconds: float) -> None:
        """Move the clock, running each timer at its time."""
        until = self.now + seconds
        while due := sorted((one for one in self.waiting if one.when <= until), key=lambda one: one.when):
            self.now = due[0].when
            self.timers.remove(due[0])
            due[0].run()
        self.now = until

    @property
    def waiting(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]

    def run_tasks(self) -> None:
        """Run tasks until there are none."""
        while self._tasks:
            self.run_task()

    def drop_tasks(self) -> None:
        for task in self._tasks:
            task.close()

    def run_task(self) -> None:
        """Run the oldest task to its end."""
        try:
            self._tasks.pop(0).send(None)
        except StopIteration:
            return
        raise AssertionError("a task waits, so its request is not whole")


class FakeTask:
    def add_done_callback(self, _callback: object) -> None:
        pass


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.aborted = False
        self.reading = True
        self.broken = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.broken:
            raise RuntimeError("broken")
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        if self.closed:
            raise RuntimeError("the handler is closed")  # as uvloop's
        self.reading = True

    def take(self) -> bytes:
        """What was written since the last call."""
        written, self.written = self.written, b""
        return written


class Page:
    """An ASGI application that answers every request with ``ordinary``, and knows what it was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message: Message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        self.requests.append((scope["method"], scope["path"], body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
        await send({"type": "http.response.body", "body": b"ordinary"})


ORDINARY = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 8\r\n\r\nordinary"


class Server:
    """One server; ``connect`` makes connections to it."""

    def __init__(self, bridge: Harness, dialect: Dialect) -> None:
        self.loop = FakeLoop()
        self.page = Page()
        self.state = BridgeState()
        self.state.default_headers = [(b"date", b"today")]
        self.counts = bridge.metrics.dialects["pixeltracker"]
        self._routes = hot_routes({"pixeltracker": dialect}, bridge.metrics.dialects)
        gate = gate_of(bridge.directory / "access", bridge.clock.now_ms, {"pixeltracker": dialect})
        self._protocol = hot_protocol(self._routes, bridge.ingest, bridge.clock.now_ms, gate)
        self._config = uvicorn.Config(
            self.page, ws="none", lifespan="off", log_config=None, timeout_keep_alive=int(KEEP_ALIVE_SECONDS)
        )
        self._config.load()

    def connect(self) -> tuple[BridgeProtocol, FakeTransport]:
        protocol = self._protocol(self._config, self.state, {}, self.loop)  # type: ignore[arg-type]
        transport = FakeTransport()
        protocol.connection_made(transport)
        return protocol, transport

    @property
    def heads(self) -> dict[bytes, HotHead]:
        """What is remembered of heads."""
        return self._protocol.hot_heads

    def learn(self, data: bytes) -> None:
        """Remember the head of a push as if it had come before."""
        head, _, body = data.partition(b"\r\n\r\n")
        keep_alive = b"Connection: close" not in head
        route = self._routes[b"/api/telemetry"]
        self.heads[head + b"\r\n\r\n"] = HotHead(route, JSON.partition(": ")[2], keep_alive, len(body), None)


@pytest.fixture(params=["new heads", "known heads"])
def server(request: pytest.FixtureRequest, bridge: Harness) -> Iterator[Server]:
    """Each test runs with pushes that the parser has not seen before, and with ones that it has."""
    server = Server(bridge, PIXELTRACKER)
    if request.param == "known heads":
        server.learn(PUSH)
        server.learn(push(BODY, "Connection: close"))
    yield server
    server.loop.drop_tasks()


def test_a_head_is_remembered_when_it_came_whole_with_its_body(bridge: Harness) -> None:
    server = Server(bridge, PIXELTRACKER)
    protocol, transport = server.connect()
    protocol.data_received(PUSH[:-1])
    protocol.data_received(PUSH[-1:])
    bridge.drain()
    assert server.heads == {}

    protocol.data_received(PUSH)
    bridge.drain()
    by_parser = server.heads.copy()
    server.heads.clear()
    server.learn(PUSH)

    assert server.heads == by_parser
    assert transport.take() == ACCEPTED * 2


def test_a_known_head_is_not_parsed_again(bridge: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(bridge, PIXELTRACKER)
    server.learn(PUSH)
    protocol, transport = server.connect()
    monkeypatch.setattr(protocol, "parser", None)
    for _ in range(3):
        protocol.data_received(PUSH)
        bridge.drain()

    assert transport.take() == ACCEPTED * 3
    assert server.counts.pushes == 3


@pytest.mark.parametrize(
    "data",
    [PUSH + b"G", PUSH * 2, PUSH[:-1] + b"5", PUSH.replace(b"telemetry", b"telemetrY")],
    ids=["more", "two", "another body of the same length", "another head"],
)
def test_bytes_that_resemble_a_known_push_mean_what_the_parser_says(bridge: Harness, data: bytes) -> None:
    answers = []
    for known in (False, True):
        server = Server(bridge, PIXELTRACKER)
        if known:
            server.learn(PUSH)
        protocol, transport = server.connect()
        protocol.data_received(data)
        for _ in range(3):
            bridge.drain()
            server.loop.run_tasks()
        answers.append((transport.take(), server.page.requests))

    assert answers[0] == answers[1]
    assert answers[0][0]


def test_heads_are_bounded(bridge: Harness) -> None:
    server = Server(bridge, PIXELTRACKER)
    protocol, transport = server.connect()
    for number in range(MAX_HEADS + 10):
        protocol.data_received(push(BODY, f"X-Number: {number}"))
        bridge.drain()
    protocol.data_received(push(BODY, "X-Long: " + "x" * MAX_HEAD_BYTES))
    bridge.drain()

    assert transport.take() == ACCEPTED * (MAX_HEADS + 11)
    assert 0 < len(server.heads) <= 10


# Eligible or not


def test_a_push_is_answered_after_its_commit(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()

    protocol.data_received(PUSH)
    before = transport.take()
    bridge.drain()

    assert before == b""
    assert transport.take() == ACCEPTED
    assert server.page.requests == []
    assert server.counts.pushes == server.counts.accepted == 1


@pytest.mark.parametrize("at", range(1, len(PUSH)))
def test_a_push_may_be_split_at_every_byte(at: int, bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()

    protocol.data_received(PUSH[:at])
    bridge.drain()
    protocol.data_received(PUSH[at:])
    bridge.drain()

    assert transport.take() == ACCEPTED
    assert server.page.requests == []


def test_a_push_may_arrive_byte_by_byte(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()

    for at in range(len(PUSH)):
        protocol.data_received(PUSH[at : at + 1])
    bridge.drain()

    assert transport.take() == ACCEPTED
    assert bridge.series()['host_cpu_cores{job="pixeltracker",instance="host",kind="logical"}'] == 4


@pytest.mark.parametrize(
    ("types", "result"), [((JSON, TEXT), "accepted"), ((TEXT, JSON), "skipped"), ((EMPTY, JSON), "skipped")]
)
def test_the_first_content_type_counts(
    types: tuple[str, str], result: str, bridge: Harness, server: Server
) -> None:
    """As on the ordinary route."""
    protocol, transport = server.connect()

    protocol.data_received(request("POST", "/api/telemetry", *types, body=BODY))
    bridge.drain()

    assert transport.take() == ACCEPTED
    assert (server.counts.accepted, server.counts.skipped) == ((1, 0) if result == "accepted" else (0, 1))


UNUSUAL = {
    "another method": request("PUT", "/api/telemetry", JSON, body=BODY),
    "another path": push(BODY, target="/api/Telemetry"),
    "a query": push(BODY, target="/api/telemetry?a"),
    "http 1.0": push(BODY, version="1.0"),
    "no body": request("POST", "/api/telemetry", JSON),
    "length zero": push(b"", length=0),
    "a coding": push(BODY, "Content-Encoding: identity"),
    "expect": push(BODY, "Expect: 100-continue"),
    "upgrade": push(BODY, "Upgrade: h2c"),
    "an unknown token": push(BODY, "Authorization: Bearer abc"),
    "a user": push(BODY, "Authorization: Basic YTpi"),
    "an idempotency key": push(BODY, "Idempotency-Key: 1"),
    "chunks": request("POST", "/api/telemetry", JSON, "Transfer-Encoding: chunked") + b"1\r\n7\r\n0\r\n\r\n",
    "an oversized body": push(b"x" * (PIXELTRACKER.max_body_bytes + 1)),
    "broken json": push(b"{"),
}


@pytest.mark.parametrize("data", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_what_is_unusual_takes_the_ordinary_route(data: bytes, bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()

    protocol.data_received(data)
    bridge.drain()
    assert b"accepted" not in transport.take()
    server.loop.run_tasks()

    assert len(server.page.requests) == 1
    assert transport.take().endswith(b"ordinary")
    assert server.counts.pushes == 0


def test_a_refused_body_reaches_the_ordinary_route_whole(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()
    broken = push(b'{"name":')

    protocol.data_received(broken[:-3])
    protocol.data_received(broken[-3:-1])
    protocol.data_received(broken[-1:])
    server.loop.run_tasks()
    protocol.data_received(PUSH)
    bridge.drain()

    assert server.page.requests == [("POST", "/api/telemetry", b'{"name":')]
    assert transport.take() == ORDINARY + ACCEPTED


def test_nothing_is_hot_before_the_bridge_is_ready(bridge: Harness, server: Server) -> None:
    bridge.ingest.ready = False
    protocol, _ = server.connect()

    protocol.data_received(PUSH)
    server.loop.run_tasks()

    assert [path for _, path, _ in server.page.requests] == ["/api/telemetry"]


def test_nothing_is_hot_for_a_client_that_does_not_read(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()

    protocol.pause_writing()
    protocol.data_received(PUSH)
    bridge.drain()
    assert transport.take() == b""
    protocol.resume_writing()
    server.loop.run_tasks()

    assert len(server.page.requests) == 1


def test_a_decoder_that_fails_leaves_its_fault_to_the_ordinary_route(bridge: Harness) -> None:
    """There it is logged and answered with 500. Here it would look as if the client spoke no HTTP."""

    def decode(_body: bytes, _context: PushContext) -> Report:
        raise ZeroDivisionError

    faulty = Dialect(
        name="pixeltracker",
        paths=("/api/telemetry",),
        max_body_bytes=1000,
        series_class=PIXELTRACKER.series_class,
        default_interval_seconds=10.0,
        decode=decode,
        accepted=PIXELTRACKER.accepted,
        refuse=PIXELTRACKER.refuse,
    )
    server = Server(bridge, faulty)
    protocol, transport = server.connect()

    protocol.data_received(PUSH)
    server.loop.run_tasks()

    assert transport.take() == ORDINARY
    assert not transport.is_closing()


def test_the_accepted_reply_is_the_dialects_own(bridge: Harness) -> None:
    created = Dialect(
        name="pixeltracker",
        paths=("/in",),
        max_body_bytes=1000,
        series_class=PIXELTRACKER.series_class,
        default_interval_seconds=10.0,
        decode=PIXELTRACKER.decode,
        accepted=Reply(202, b"later", "text/plain"),
        refuse=PIXELTRACKER.refuse,
    )
    protocol, transport = Server(bridge, created).connect()

    protocol.data_received(push(BODY, target="/in"))
    bridge.drain()

    assert transport.take() == (
        b"HTTP/1.1 202 Accepted\r\ndate: today\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nlater"
    )


# Pipelines


def test_pipelined_requests_wait_for_their_turn(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()

    protocol.data_received(PUSH + GET + PUSH)
    server.loop.run_tasks()
    assert transport.take() == b""
    assert not transport.is_reading()
    bridge.drain()
    assert transport.take() == ACCEPTED
    server.loop.run_tasks()

    assert transport.take() == ORDINARY * 2
    assert [method for method, _, _ in server.page.requests] == ["GET", "POST"]
    assert transport.is_reading()


def test_nothing_is_read_while_requests_wait(bridge: Harness, server: Server) -> None:
    """Else one client that pipelines faster than it is served fills the memory."""
    protocol, transport = server.connect()

    protocol.data_received(PUSH + GET * 50)
    bridge.drain()
    reading = []
    while protocol.pipeline:
        reading.append(transport.is_reading())
        server.loop.run_task()
    server.loop.run_tasks()

    assert len(reading) == 49
    assert not any(reading)
    assert transport.is_reading()
    assert transport.take() == ACCEPTED + ORDINARY * 50


def test_the_connection_is_hot_again_after_a_pipeline(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(PUSH + GET)
    bridge.drain()
    server.loop.run_tasks()
    transport.take()

    protocol.data_received(PUSH)
    bridge.drain()

    assert transport.take() == ACCEPTED
    assert len(server.page.requests) == 1


def test_a_connection_that_is_lost_with_its_last_request_under_way_is_not_read(
    bridge: Harness, server: Server
) -> None:
    protocol, transport = server.connect()
    protocol.data_received(PUSH + GET)
    bridge.drain()

    transport.close()
    server.loop.run_tasks()

    assert transport.take().startswith(ACCEPTED)
    assert len(server.page.requests) == 1


# Answers


def test_close_is_granted(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()

    protocol.data_received(push(BODY, "Connection: close") + PUSH)
    bridge.drain()
    server.loop.run_tasks()

    assert transport.take() == ACCEPTED_LAST
    assert transport.is_closing()


def test_a_new_date_is_sent(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(PUSH)
    bridge.drain()
    transport.take()

    server.state.default_headers = [(b"date", b"tomorrow")]
    protocol.data_received(PUSH)
    bridge.drain()

    assert transport.take() == ACCEPTED.replace(b"today", b"tomorrow")


@pytest.fixture
def queued(bridge: Harness, monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """What the pipeline gives to the journal; the journal does not get it."""
    entries: list[Entry] = []
    monkeypatch.setattr(bridge.journal, "append", entries.append)
    return entries


def test_a_journal_that_refuses_is_told_in_the_dialects_words(queued: list[Entry], server: Server) -> None:
    protocol, transport = server.connect()

    protocol.data_received(PUSH)
    queued[0].failed(JournalFull("the disk has no room"))
    head, _, body = transport.take().partition(b"\r\n\r\n")

    assert head.split(b"\r\n") == [
        b"HTTP/1.1 503 Service Unavailable",
        b"date: today",
        b"content-type: text/html; charset=utf-8",
        b"content-length: %d" % len(body),
        b"retry-after: 1",
    ]
    assert b"the disk has no room" in body
    assert server.counts.pushes == server.counts.rejected["journal_full"] == 1
    assert not transport.is_closing()


def test_a_refusal_counts_although_its_client_is_gone(queued: list[Entry], server: Server) -> None:
    protocol, transport = server.connect()

    protocol.data_received(PUSH)
    protocol.connection_lost(ConnectionResetError())
    queued[0].failed(JournalFull("the disk has no room"))

    assert transport.take() == b""
    assert server.counts.rejected["journal_full"] == 1


def test_a_push_is_stored_although_its_client_is_gone(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()

    protocol.data_received(PUSH + GET)
    protocol.connection_lost(ConnectionResetError())
    transport.close()
    bridge.drain()

    assert transport.take() == b""
    assert server.counts.accepted == 1


def test_a_client_that_leaves_in_mid_body_is_counted(bridge: Harness, server: Server) -> None:
    protocol, _ = server.connect()

    protocol.data_received(PUSH[:-1])
    protocol.connection_lost(None)

    assert server.counts.pushes == server.counts.rejected["client_gone"] == 1
    assert server.counts.accepted == 0


def test_a_connection_that_fails_keeps_no_other_from_its_answer(
    bridge: Harness, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    (broken, broken_transport), (whole, whole_transport) = server.connect(), server.connect()
    broken_transport.broken = True

    broken.data_received(PUSH)
    whole.data_received(PUSH)
    bridge.drain()

    assert whole_transport.take() == ACCEPTED
    assert broken_transport.aborted
    assert [record.message for record in caplog.records] == ["answer not written"]


# Idle connections


def test_an_idle_connection_is_closed_in_time_and_not_earlier(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(PUSH)
    bridge.drain()

    server.loop.pass_seconds(KEEP_ALIVE_SECONDS - 0.25)
    assert not transport.is_closing()
    server.loop.pass_seconds(0.25)
    assert transport.is_closing()
    assert server.loop.waiting == []


def test_each_answer_puts_the_close_off(bridge: Harness, server: Server) -> None:
    """One timer serves many requests; it looks when the newest answer was."""
    protocol, transport = server.connect()
    for data in (PUSH, GET, PUSH, GET, PUSH):
        protocol.data_received(data)
        bridge.drain()
        server.loop.run_tasks()
        assert len(server.loop.waiting) == 1
        server.loop.pass_seconds(KEEP_ALIVE_SECONDS - 1)

    assert not transport.is_closing()
    server.loop.pass_seconds(1)
    assert transport.is_closing()


def test_the_close_is_put_off_by_as_much_as_the_newest_answer_is_younger(
    bridge: Harness, server: Server
) -> None:
    protocol, transport = server.connect()
    protocol.data_received(PUSH)
    bridge.drain()
    server.loop.pass_seconds(0.5)
    protocol.data_received(PUSH)
    bridge.drain()

    server.loop.pass_seconds(KEEP_ALIVE_SECONDS - 0.25)
    assert not transport.is_closing()
    server.loop.pass_seconds(0.25)
    assert transport.is_closing()


@pytest.mark.parametrize(
    "begun", [PUSH[:20], PUSH[:-1], PUSH], ids=["half a head", "half a body", "awaits its commit"]
)
def test_a_connection_with_a_request_is_not_idle(begun: bytes, bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(PUSH)
    bridge.drain()
    server.loop.pass_seconds(KEEP_ALIVE_SECONDS - 1)

    protocol.data_received(begun)
    server.loop.pass_seconds(10 * KEEP_ALIVE_SECONDS)
    assert not transport.is_closing()
    protocol.data_received(PUSH[len(begun) :])
    bridge.drain()

    server.loop.pass_seconds(KEEP_ALIVE_SECONDS - 0.25)
    assert not transport.is_closing()
    server.loop.pass_seconds(0.25)
    assert transport.is_closing()


def test_a_connection_that_never_asked_is_not_idle(server: Server) -> None:
    _, transport = server.connect()

    server.loop.pass_seconds(10 * KEEP_ALIVE_SECONDS)

    assert not transport.is_closing()


def test_a_closed_connection_leaves_no_timer(bridge: Harness, server: Server) -> None:
    protocol, _ = server.connect()
    protocol.data_received(PUSH)
    bridge.drain()

    protocol.connection_lost(ConnectionResetError())

    assert server.loop.waiting == []


# Stop


def test_a_stop_leaves_time_for_what_is_in_the_sockets_buffer(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(PUSH)
    bridge.drain()
    transport.take()

    protocol.shutdown()
    server.loop.pass_seconds(DRAIN_SECONDS / 2)
    protocol.data_received(PUSH)
    bridge.drain()

    assert transport.take() == ACCEPTED_LAST
    assert transport.is_closing()


def test_an_ordinary_request_in_that_time_is_the_last_too(server: Server) -> None:
    protocol, transport = server.connect()

    protocol.shutdown()
    protocol.data_received(GET)
    server.loop.run_tasks()

    assert transport.take() == ORDINARY.replace(b"8\r\n", b"8\r\nconnection: close\r\n")
    assert transport.is_closing()


def test_a_stop_closes_an_idle_connection_after_that_time(server: Server) -> None:
    _, unused = server.connect()
    protocol, transport = server.connect()
    protocol.data_received(GET)
    server.loop.run_tasks()

    for connection in list(server.state.connections):
        connection.shutdown()
    assert not transport.is_closing()
    server.loop.pass_seconds(2 * DRAIN_SECONDS)

    assert transport.is_closing()
    assert unused.is_closing()


def test_a_loop_that_was_held_up_looks_at_its_sockets_before_it_closes_them(
    bridge: Harness, server: Server
) -> None:
    protocol, transport = server.connect()
    protocol.shutdown()
    server.loop.now += 10 * DRAIN_SECONDS

    [timer] = server.loop.waiting  # a real loop runs what is due, then reads
    server.loop.timers.remove(timer)
    timer.run()
    protocol.data_received(PUSH)
    bridge.drain()

    assert transport.take() == ACCEPTED_LAST


def test_a_stop_waits_for_a_commit(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(PUSH)

    protocol.shutdown()
    server.loop.pass_seconds(10.0)
    assert not transport.is_closing()
    bridge.drain()

    assert transport.take() == ACCEPTED_LAST
    assert transport.is_closing()


HALVES = {
    "hot": PUSH[:-1],
    "ordinary": push(BODY, "Content-Encoding: identity")[:-1],
}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES.keys())
def test_a_stop_does_not_wait_for_half_a_body(half: bytes, server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(half)

    protocol.shutdown()
    assert not transport.is_closing()
    server.loop.pass_seconds(2 * DRAIN_SECONDS)

    assert transport.is_closing()


def test_a_stop_answers_the_push_before_half_a_body(bridge: Harness, server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(PUSH + PUSH[:-1])

    protocol.shutdown()
    server.loop.pass_seconds(1.0)
    assert not transport.is_closing()
    bridge.drain()
    assert transport.take() == ACCEPTED
    server.loop.pass_seconds(2 * DRAIN_SECONDS)

    assert transport.is_closing()


# What it leans on


def test_the_installed_uvicorn_carries_the_hot_routes() -> None:
    assert unsupported() is None


@pytest.mark.parametrize("name", [name for name in NEEDED if name in vars(HttpToolsProtocol)])
def test_a_uvicorn_without_a_needed_part_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(HttpToolsProtocol, name)

    reason = unsupported()

    assert reason is None if hasattr(HttpToolsProtocol, name) else reason == f"uvicorn lacks {name}"
