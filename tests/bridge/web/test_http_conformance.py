"""What HTTP allows, sent to real bridges that differ in the way they answer a push: same answers, same counts."""

from __future__ import annotations

import contextlib
import gzip
import selectors
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.bridge.journal_faults import FaultyBridge
from tests.bridge.kill import Account, faults, push_body
from tests.bridge.process import BridgeProcess
from tests.bridge.web.raw_http import JSON, Answer, Connection, push, request

pytestmark = pytest.mark.stack

WAYS: Mapping[str, tuple[str, ...]] = {"hot": (), "ordinary": ("--web.hot-routes=false",)}
Bridges = Mapping[str, BridgeProcess]

BODY = b'{"name":"host","cpuC":4,"cpuL":12}'
PUSH = push(BODY)
HEALTHY = request("GET", "/-/healthy")
LIMIT = 102_400
"""The dialect's largest body."""
DEADLINE_SECONDS = 60.0
COUNTED = (
    "telemetry_pushes",
    "telemetry_events",
    "telemetry_values",
    "telemetry_reports",
    "telemetry_journal_records",
)


@contextlib.contextmanager
def started(way: str, directory: Path, fault: str | None = None) -> Iterator[BridgeProcess]:
    """A bridge that answers pushes in this way; its log must hold no error when it is left."""
    log, journal = directory / f"{way}.log", directory / way
    if fault is None:
        bridge = BridgeProcess(journal, *WAYS[way], "--web.idle-timeout-seconds=4", log=log)
    else:
        bridge = FaultyBridge(fault, journal, *WAYS[way], log=log)
    with bridge:
        yield bridge
    lines = log.read_text().splitlines()
    assert [line for line in lines if "level=error" in line or line.startswith("Traceback")] == []


@pytest.fixture(scope="module")
def bridges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridges]:
    """A bridge for each way. All tests send the same to both."""
    directory = tmp_path_factory.mktemp("bridges")
    with contextlib.ExitStack() as stack:
        yield {way: stack.enter_context(started(way, directory)) for way in WAYS}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def counts(bridge: BridgeProcess) -> dict[str, float]:
    """What the bridge counted of pushes."""
    return {name: value for name, value in bridge.series().items() if name.startswith(COUNTED)}


class Counted:
    """What two bridges counted since this was made."""

    def __init__(self, bridges: Bridges) -> None:
        self._bridges = bridges
        self._before = {way: counts(bridge) for way, bridge in bridges.items()}

    def since(self) -> dict[str, dict[str, float]]:
        return {
            way: {
                name: value - self._before[way].get(name, 0)
                for name, value in counts(bridge).items()
                if value != self._before[way].get(name, 0)
            }
            for way, bridge in self._bridges.items()
        }

    def settled(self, expected: Mapping[str, float] | None = None) -> dict[str, float]:
        """What both counted, once it is the same and, if given, as *expected*."""

        def agreed() -> bool:
            since = self.since()
            return since["hot"] == since["ordinary"] and (expected is None or since["hot"] == expected)

        eventually(agreed, lambda: f"counted {self.since()}, expected {expected}")
        return self.since()["hot"]


def eventually(true: Callable[[], bool], message: Callable[[], str]) -> None:
    """Fail with *message* if it does not become true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, message()
        time.sleep(0.02)


def let_it_read(bridge: BridgeProcess) -> None:
    """Return when the bridge has read what was sent to it before: its loop looks at all sockets in each round."""
    with Connection(bridge.port) as connection:
        for _ in range(2):
            assert connection.ask(HEALTHY).status == 200


# One request


class Case(NamedTuple):
    """Bytes on a new connection, and what must come back."""

    data: bytes
    statuses: tuple[int, ...] = (200,)
    closes: bool = False
    """Whether the server closes the connection then; if not, ordinary requests must go on as usual."""
    whole: bool = True
    """Whether the body is whole, so that another request may follow."""


def chunked(*chunks: bytes, headers: tuple[str, ...] = (JSON,), trailer: bytes = b"") -> bytes:
    head = request("POST", "/api/telemetry", *headers, "Transfer-Encoding: chunked")
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + framed + b"0\r\n" + trailer + b"\r\n"


def with_lengths(*lengths: str) -> bytes:
    return (
        request("POST", "/api/telemetry", JSON, *(f"Content-Length: {length}" for length in lengths)) + BODY
    )


def padded(length: int) -> bytes:
    """A body of *length* bytes."""
    start, end = b'{"name":"host","pad":"', b'"}'
    return start + b"x" * (length - len(start) - len(end)) + end


def other_text(media_type: str) -> bytes:
    return request("POST", "/api/telemetry", f"Content-Type: {media_type}", body=BODY)


CASES: Mapping[str, Case] = {
    "push": Case(PUSH),
    "push below the prefix": Case(push(BODY, target="/pt/api/telemetry")),
    # Headers
    "lower-case header names": Case(PUSH.replace(b"Content-", b"content-").replace(b"Host", b"host")),
    "upper-case header names": Case(
        PUSH.replace(b"Content-Type", b"CONTENT-TYPE").replace(b"Length", b"LENGTH")
    ),
    "spaces around values": Case(PUSH.replace(b": ", b":   \t").replace(b"json\r", b"json  \r")),
    "no space before values": Case(PUSH.replace(b": ", b":")),
    "no host": Case(PUSH.replace(b"Host: bridge\r\n", b"")),
    "a header twice": Case(push(BODY, "X-Seen: 1", "X-Seen: 2")),
    "json, then another type": Case(push(BODY, "Content-Type: text/plain")),
    "another type, then json": Case(
        request("POST", "/api/telemetry", "Content-Type: text/plain", JSON, body=BODY)
    ),
    "an empty type, then json": Case(request("POST", "/api/telemetry", "Content-Type:", JSON, body=BODY)),
    "no type": Case(request("POST", "/api/telemetry", body=BODY)),
    "a type with a charset": Case(other_text("application/json; charset=utf-8")),
    "an upper-case type": Case(other_text("APPLICATION/JSON")),
    "a type that is no ASCII": Case(other_text("application/json\xff")),
    "another type": Case(other_text("text/plain")),
    "many headers": Case(push(BODY, *(f"X-{i}: {'v' * 100}" for i in range(200)))),
    "a long header": Case(push(BODY, f"X-Long: {'v' * 60_000}")),
    "an unknown token": Case(push(BODY, "Authorization: Bearer abc"), (401,)),
    "a user, where there are none": Case(push(BODY, "Authorization: Basic YTpi")),
    "an idempotency key": Case(push(BODY, "Idempotency-Key: 1")),
    "a cookie": Case(push(BODY, "Cookie: a=b; c=d")),
    "accept-encoding": Case(push(BODY, "Accept-Encoding: gzip", "Accept: */*")),
    "forwarded": Case(push(BODY, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")),
    "a header without a colon": Case(push(BODY, "X-Broken"), (400,), closes=True),
    "a space in a header name": Case(push(BODY, "X Broken: 1"), (400,), closes=True),
    "a folded header": Case(push(BODY, "X-Folded: a\r\n b"), (400,), closes=True),
    # Connection
    "close": Case(push(BODY, "Connection: close"), closes=True),
    "close in capitals": Case(push(BODY, "CONNECTION: CLOSE"), closes=True),
    "close, and one more push": Case(push(BODY, "Connection: close") + PUSH, closes=True),
    "close and broken": Case(push(b"{", "Connection: close"), (400,), closes=True),
    "keep-alive": Case(push(BODY, "Connection: keep-alive")),
    "http 1.0": Case(push(BODY, version="1.0"), closes=True),
    "http 1.0 with keep-alive": Case(push(BODY, "Connection: keep-alive", version="1.0"), closes=True),
    "http 1.0 and broken": Case(push(b"{", version="1.0"), (400,), closes=True),
    "http 2.0": Case(push(BODY, version="2.0"), closes=True),
    "http 1.2": Case(push(BODY, version="1.2"), (400,), closes=True),
    "http 2 at once": Case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400,), closes=True),
    "tls": Case(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40, (400,), closes=True),
    "line feeds before the request": Case(b"\r\n\r\n" + PUSH),
    # Length
    "length zero": Case(push(b"", length=0)),
    "no length": Case(push(b"")),
    "the same length twice": Case(with_lengths(str(len(BODY)), str(len(BODY))), (400,), closes=True),
    "two lengths": Case(with_lengths(str(len(BODY)), "5"), (400,), closes=True),
    "two lengths in one": Case(with_lengths(f"{len(BODY)}, 5"), (400,), closes=True),
    "a negative length": Case(with_lengths("-1"), (400,), closes=True),
    "a length with a sign": Case(with_lengths(f"+{len(BODY)}"), (400,), closes=True),
    "a length with an underscore": Case(with_lengths("3_4"), (400,), closes=True),
    "a length that is no number": Case(with_lengths("many"), (400,), closes=True),
    "an empty length": Case(with_lengths(""), (400,), closes=True),
    "a length beyond 64 bits": Case(with_lengths("99999999999999999999999"), (400,), closes=True),
    "a length with zeros": Case(with_lengths(f"000{len(BODY)}")),
    "a length that is too small": Case(push(BODY, length=len(BODY) - 10), (400,), closes=True),
    "the largest body": Case(push(padded(LIMIT))),
    "one byte more": Case(push(padded(LIMIT + 1)), (413,)),
    "far more than is sent": Case(push(padded(400_000), length=50_000_000)[:400_000], (413,), whole=False),
    # Target
    "a query": Case(push(BODY, target="/api/telemetry?a=b&c")),
    "an empty query": Case(push(BODY, target="/api/telemetry?")),
    "a fragment": Case(push(BODY, target="/api/telemetry#top")),
    "percent-encoded": Case(push(BODY, target="/api/%74elemetry")),
    "%2f": Case(push(BODY, target="/api%2ftelemetry")),
    "%2f at the end": Case(push(BODY, target="/api/telemetry%2f")),
    "a broken percent sign": Case(push(BODY, target="/api/telemetry%zz"), (404,)),
    "another case": Case(push(BODY, target="/API/Telemetry")),
    "a trailing slash": Case(push(BODY, target="/api/telemetry/")),
    "two trailing slashes": Case(push(BODY, target="/api/telemetry//"), (307,)),
    "two leading slashes": Case(push(BODY, target="//api/telemetry"), (404,)),
    "dots": Case(push(BODY, target="/x/../api/telemetry"), (404,)),
    "an absolute target": Case(push(BODY, target="http://bridge/api/telemetry")),
    "an asterisk": Case(request("OPTIONS", "*"), (404,)),
    "no slash": Case(push(BODY, target="api/telemetry"), (400,), closes=True),
    "an unknown path": Case(push(BODY, target="/nowhere"), (404,)),
    "an unknown path below the prefix": Case(push(BODY, target="/pt/nowhere"), (404,)),
    # Methods
    "get": Case(request("GET", "/-/healthy")),
    "head": Case(request("HEAD", "/-/healthy")),
    "options": Case(request("OPTIONS", "/api/telemetry")),
    "put": Case(request("PUT", "/api/telemetry", JSON, body=BODY), (404,)),
    "patch": Case(request("PATCH", "/api/telemetry", JSON, body=BODY), (404,)),
    "delete": Case(request("DELETE", "/api/telemetry"), (404,)),
    "trace": Case(request("TRACE", "/api/telemetry"), (404,)),
    "an unknown method": Case(request("BREW", "/api/telemetry"), (400,), closes=True),
    "a method in small letters": Case(
        request("post", "/api/telemetry", JSON, body=BODY), (400,), closes=True
    ),
    "put without reading its body": Case(request("PUT", "/api/telemetry", body=padded(300_000)), (404,)),
    # Transfer and content codings
    "chunked": Case(chunked(BODY)),
    "in chunks": Case(chunked(BODY[:5], BODY[5:6], BODY[6:])),
    "no chunks": Case(chunked()),
    "chunks with a trailer": Case(chunked(BODY, trailer=b"X-Sum: 1\r\n")),
    "oversized in chunks": Case(chunked(*[b"x" * 10_000] * 11), (413,)),
    "chunked with a length": Case(
        chunked(BODY, headers=(JSON, f"Content-Length: {len(BODY)}")), (400,), closes=True
    ),
    "a chunk of no size": Case(chunked(BODY).replace(b"\r\n22\r\n", b"\r\nxx\r\n"), (400,), closes=True),
    "gzip": Case(push(gzip.compress(BODY), "Content-Encoding: gzip")),
    "deflate": Case(push(zlib.compress(BODY), "Content-Encoding: deflate")),
    "identity": Case(push(BODY, "Content-Encoding: identity")),
    "gzip that is none": Case(push(BODY, "Content-Encoding: gzip"), (400,)),
    "gzip cut off": Case(push(gzip.compress(BODY)[:-5], "Content-Encoding: gzip"), (400,)),
    "gzip that grows": Case(push(gzip.compress(b" " * 10_000_000), "Content-Encoding: gzip"), (413,)),
    "an unknown coding": Case(push(BODY, "Content-Encoding: br"), (415,)),
    # Expect and upgrade
    "expect": Case(push(BODY, "Expect: 100-continue"), (100, 200)),
    "expect in capitals": Case(push(BODY, "EXPECT: 100-CONTINUE"), (100, 200)),
    "expect, and broken": Case(push(b"{", "Expect: 100-continue"), (100, 400)),
    "expect something else": Case(push(BODY, "Expect: nothing")),
    "upgrade": Case(push(BODY, "Connection: upgrade", "Upgrade: h2c"), whole=False),
    # Bodies
    "broken json": Case(push(b'{"name":'), (400,)),
    "json and more": Case(push(BODY + b"}"), (400,)),
    "a scalar": Case(push(b"17"), (400,)),
    "a string": Case(push(b'"text"'), (400,)),
    "null": Case(push(b"null"), (400,)),
    "an array": Case(push(b"[1, 2]")),
    "an empty object": Case(push(b"{}")),
    "no utf-8": Case(push(b'{"name":"\xff\xfe"}'), (400,)),
    "nested too deeply": Case(push(b"[" * 50 + b"]" * 50), (400,)),
    "markup in broken json": Case(push(b"<script>"), (400,)),
    "form data": Case(other_text("application/x-www-form-urlencoded")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_request_is_answered_and_counted_the_same_both_ways(case: Case, bridges: Bridges) -> None:
    counted = Counted(bridges)

    answers = {way: answers_to(case, bridge) for way, bridge in bridges.items()}

    assert [answer.status for answer in answers["ordinary"]] == list(case.statuses)
    assert answers["hot"] == answers["ordinary"]
    counted.settled()


def answers_to(case: Case, bridge: BridgeProcess) -> list[Answer]:
    """The answers without their dates. Checks that the connection ends as it should, or goes on as usual."""
    with Connection(bridge.port) as connection:
        connection.send(case.data)
        to_head = case.data.startswith(b"HEAD ")
        answers = [connection.read_answer(to_head=to_head) for _ in case.statuses]
        for answer in answers:
            assert answer.status == 100 or abs(answer.unix_seconds - time.time()) < DEADLINE_SECONDS
        if case.closes:
            assert connection.read_end() == b""
            assert ("connection", "close") in answers[-1].headers
        elif case.whole:
            assert connection.ask(PUSH).status == 200
            assert connection.ask(HEALTHY).body == b"The bridge is healthy.\n"
    return [answer.without_date() for answer in answers]


# Many requests on one connection


def test_a_connection_carries_many_requests_one_after_the_other(bridges: Bridges) -> None:
    sequence = [
        PUSH,
        PUSH,
        HEALTHY,
        push(b"{"),
        PUSH,
        chunked(BODY),
        request("HEAD", "/-/healthy"),
        PUSH,
        PUSH,
    ]
    counted = Counted(bridges)

    answers = {way: one_by_one(bridge, sequence) for way, bridge in bridges.items()}

    assert [answer.status for answer in answers["hot"]] == [200, 200, 200, 400, 200, 200, 200, 200, 200]
    assert answers["hot"] == answers["ordinary"]
    counted.settled()


def one_by_one(bridge: BridgeProcess, requests: list[bytes]) -> list[Answer]:
    with Connection(bridge.port) as connection:
        return [connection.ask(data).without_date() for data in requests]


BAD = push(b"{")
WRONG = request("PUT", "/api/telemetry", JSON, body=BODY)
UNKNOWN = push(BODY, target="/nowhere")
HEAD = request("HEAD", "/-/healthy")
LARGE = push(padded(LIMIT + 1))
PIPELINES: Mapping[str, list[bytes]] = {
    "two pushes": [PUSH] * 2,
    "ten pushes": [PUSH] * 10,
    "a get between": [PUSH, HEALTHY, PUSH],
    "a get first": [HEALTHY, PUSH, PUSH],
    "a head between": [PUSH, HEAD, PUSH],
    "a refused one first": [BAD, PUSH, PUSH],
    "refused ones between": [PUSH, BAD, PUSH, LARGE, PUSH, WRONG, UNKNOWN, PUSH, chunked(b"{"), PUSH],
    "large ones": [push(padded(LIMIT)), LARGE, PUSH, push(padded(LIMIT)), HEALTHY],
    "hundreds": [PUSH, BAD, HEALTHY] * 200,
}


@pytest.mark.parametrize("requests", PIPELINES.values(), ids=PIPELINES.keys())
def test_pipelined_requests_are_answered_in_order(requests: list[bytes], bridges: Bridges) -> None:
    counted = Counted(bridges)

    together = {way: pipelined(bridge, requests) for way, bridge in bridges.items()}

    assert together["hot"] == together["ordinary"] == one_by_one(bridges["ordinary"], requests)
    one_by_one(bridges["hot"], requests)
    counted.settled()


def pipelined(bridge: BridgeProcess, requests: list[bytes]) -> list[Answer]:
    with Connection(bridge.port) as connection:
        connection.send(b"".join(requests))
        return [connection.read_answer(to_head=data.startswith(b"HEAD ")).without_date() for data in requests]


def test_pipelined_pushes_apply_in_order(bridges: Bridges) -> None:
    pushes = [push(push_body("ordered", count)) for count in range(1, 51)]

    for bridge in bridges.values():
        assert {answer.status for answer in pipelined(bridge, pushes)} == {200}

    for bridge in bridges.values():
        series = bridge.series()
        assert series['host_cpu_cores{job="pixeltracker",instance="ordered",kind="logical"}'] == 50
        assert series['telemetry_reports_total{job="pixeltracker",instance="ordered"}'] == 50


def test_the_last_of_a_pipeline_may_arrive_later(bridges: Bridges) -> None:
    for bridge in bridges.values():
        with Connection(bridge.port) as connection:
            connection.send(PUSH + HEALTHY + PUSH[:-5])
            assert [connection.read_answer().status for _ in range(2)] == [200, 200]
            let_it_read(bridge)
            connection.send(PUSH[-5:] + PUSH)
            assert [connection.read_answer().status for _ in range(2)] == [200, 200]


# Requests that arrive in pieces


@pytest.mark.parametrize(
    "data", [PUSH, BAD, chunked(BODY[:9], BODY[9:])], ids=["accepted", "refused", "chunked"]
)
def test_a_request_may_be_split_at_every_byte(data: bytes, bridges: Bridges) -> None:
    counted = Counted(bridges)
    answers = {}
    for way, bridge in bridges.items():
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(Connection(bridge.port)) for _ in range(1, len(data))]
            for at, connection in enumerate(connections, 1):
                connection.send(data[:at])
            let_it_read(bridge)
            for at, connection in enumerate(connections, 1):
                connection.send(data[at:])
            answers[way] = [connection.read_answer().without_date() for connection in connections]

    assert answers["hot"] == answers["ordinary"]
    assert len(set(answers["hot"])) == 1
    requests = counted.settled()['telemetry_pushes_total{dialect="pixeltracker"}']
    assert requests == len(data) - 1


def test_a_request_may_arrive_byte_by_byte(bridges: Bridges) -> None:
    """Slow headers, then a slow body."""
    for bridge in bridges.values():
        with Connection(bridge.port) as connection, Connection(bridge.port) as other:
            for at in range(len(PUSH)):
                connection.send(PUSH[at : at + 1])
                assert other.ask(HEALTHY).status == 200
            assert connection.read_answer().status == 200
            assert connection.ask(PUSH).status == 200


def test_a_body_may_come_after_a_pause(bridges: Bridges) -> None:
    data = push(padded(LIMIT))
    for bridge in bridges.values():
        with Connection(bridge.port) as connection:
            for at in range(0, len(data), 30_000):
                connection.send(data[at : at + 30_000])
                let_it_read(bridge)
                time.sleep(0.05)
            assert connection.read_answer().status == 200


def test_continue_is_said_before_the_body_is_sent(bridges: Bridges) -> None:
    head, body = push(BODY, "Expect: 100-continue").split(b"\r\n\r\n")
    for bridge in bridges.values():
        with Connection(bridge.port) as connection:
            assert connection.ask(head + b"\r\n\r\n").status == 100
            assert connection.ask(body).status == 200
            assert connection.ask(PUSH).status == 200


def test_an_oversized_body_is_refused_before_it_is_sent_whole(bridges: Bridges) -> None:
    for bridge in bridges.values():
        with Connection(bridge.port) as connection:
            connection.send(push(padded(300_000), length=10**12))
            assert connection.read_answer().status == 413


# Clients that go away


GONE = {
    'telemetry_pushes_total{dialect="pixeltracker"}': 1.0,
    'telemetry_pushes_rejected_total{dialect="pixeltracker",reason="client_gone"}': 1.0,
}


@pytest.mark.parametrize("sent", [len(PUSH) - len(BODY), len(PUSH) - 1], ids=["no body", "half a body"])
@pytest.mark.parametrize("leave", [Connection.end_sending, Connection.reset], ids=["fin", "rst"])
def test_a_push_whose_client_leaves_in_its_middle_is_counted_and_not_stored(
    sent: int, leave: Callable[[Connection], None], bridges: Bridges
) -> None:
    counted = Counted(bridges)

    for bridge in bridges.values():
        with Connection(bridge.port) as connection:
            connection.send(PUSH[:sent])
            let_it_read(bridge)
            leave(connection)

    counted.settled(GONE)


@pytest.mark.parametrize("leave", [Connection.end_sending, Connection.reset], ids=["fin", "rst"])
def test_a_client_that_leaves_before_its_headers_end_counts_nothing(
    leave: Callable[[Connection], None], bridges: Bridges
) -> None:
    counted = Counted(bridges)

    for bridge in bridges.values():
        with Connection(bridge.port) as connection:
            connection.send(PUSH[:40])
            let_it_read(bridge)
            leave(connection)
        let_it_read(bridge)

    assert counted.settled() == {}


def test_a_client_that_leaves_while_it_waits_disturbs_nobody(way: str, tmp_path: Path) -> None:
    """Commits take 0.3 s here, so clients are surely gone when theirs is over."""
    patient = push(push_body("patient", 1))
    with started(way, tmp_path, fault="slow") as bridge, Connection(bridge.port) as waiting:
        for i in range(6):
            connection = Connection(bridge.port)
            connection.send(push(push_body(f"gone-{i}", 1)) + PUSH * (i % 3))
            waiting.send(patient)
            let_it_read(bridge)
            connection.reset() if i % 2 else connection.socket.close()
        assert {waiting.read_answer().status for _ in range(6)} == {200}
        reports = {
            f'telemetry_reports_total{{job="pixeltracker",instance="gone-{i}"}}': 1.0 for i in range(6)
        }
        eventually(
            lambda: reports.items() <= bridge.series().items(), lambda: f"not stored: {bridge.series()}"
        )
        assert waiting.ask(PUSH).status == 200
        assert bridge.terminate() == 0


# Clients that do not read


PAD = f"X-Pad: {'x' * 3000}"
FLOOD = push(BODY, PAD) + request("GET", "/", PAD)


def test_a_client_that_reads_no_answers_is_not_read_from_either(way: str, tmp_path: Path) -> None:
    """So what it sends does not fill the memory, and the others are served."""
    with started(way, tmp_path) as bridge, Connection(bridge.port, receive_buffer=4096) as flood:
        before = resident_bytes(bridge)
        sent = send_until_blocked(flood, FLOOD * 100)
        grown = resident_bytes(bridge) - before
        with Connection(bridge.port) as other:
            assert [other.ask(PUSH).status for _ in range(100)] == [200] * 100

        assert sent < 60_000_000
        assert grown < 60_000_000
        for _ in range(2 * (sent // len(FLOOD))):
            assert flood.read_answer().status == 200
        flood.send(FLOOD[sent % len(FLOOD) :])
        assert [flood.read_answer().status for _ in range(2)] == [200, 200]


def send_until_blocked(connection: Connection, data: bytes) -> int:
    """Send *data* over and over until nothing was taken for two seconds; the number of bytes sent."""
    sent = 0
    connection.socket.settimeout(2)
    with contextlib.suppress(TimeoutError):
        while sent < 200_000_000:
            sent += connection.socket.send(memoryview(data)[sent % len(data) :])
    connection.socket.settimeout(DEADLINE_SECONDS)
    return sent


def resident_bytes(bridge: BridgeProcess) -> int:
    status = Path(f"/proc/{bridge.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


# Time


class Busy:
    """A connection that is never idle for long, as long as the machine lets it."""

    LONG_SECONDS = 2.0
    """Far below the 5 s after which an idle connection is closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = Connection(port)
        self._answered = time.monotonic()

    def ask(self) -> None:
        """Push. After a pause that was too long, on a new connection: nobody promises that the old one is open."""
        if time.monotonic() - self._answered > self.LONG_SECONDS:
            self.close()
            self._connection = Connection(self._port)
        assert self._connection.ask(PUSH).status == 200
        self._answered = time.monotonic()

    def close(self) -> None:
        self._connection.socket.close()


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(bridges: Bridges) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Connection(bridge.port)) for bridge in bridges.values()]
        busy = [stack.enter_context(contextlib.closing(Busy(bridge.port))) for bridge in bridges.values()]
        for connection in idle:
            assert connection.ask(PUSH).status == 200
        while idle:
            for one in busy:
                one.ask()
            time.sleep(0.1)
            idle = [connection for connection in idle if is_open(connection)]


def is_open(connection: Connection) -> bool:
    """Whether the server has not closed it."""
    try:
        return connection.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True


def test_the_date_moves(way: str, bridges: Bridges) -> None:
    with Connection(bridges[way].port) as connection:
        first = connection.ask(PUSH).unix_seconds

        eventually(lambda: connection.ask(PUSH).unix_seconds > first, lambda: f"it stays {first}")
        assert abs(connection.ask(PUSH).unix_seconds - time.time()) < DEADLINE_SECONDS
        assert connection.ask(HEALTHY).unix_seconds > first


# Counts


def test_both_ways_count_a_sequence_the_same(bridges: Bridges) -> None:
    sequence = [
        PUSH,
        BAD,
        PUSH,
        WRONG,
        LARGE,
        push(b"x", "Content-Encoding: br"),
        push(b"[]"),
        UNKNOWN,
        HEALTHY,
    ]
    counted = Counted(bridges)

    for bridge in bridges.values():
        pipelined(bridge, sequence)
        one_by_one(bridge, sequence)

    rejected = 'telemetry_pushes_rejected_total{dialect="pixeltracker",reason='
    assert counted.settled() == {
        'telemetry_pushes_total{dialect="pixeltracker"}': 14,
        f'{rejected}"malformed_body"}}': 2,
        f'{rejected}"wrong_method"}}': 2,
        f'{rejected}"body_too_large"}}': 2,
        f'{rejected}"unsupported_encoding"}}': 2,
        'telemetry_events_total{dialect="pixeltracker",result="accepted"}': 4,
        'telemetry_events_total{dialect="pixeltracker",result="skipped"}': 2,
        'telemetry_reports_total{job="pixeltracker",instance="host"}': 4,
        "telemetry_journal_records_total": 4,
    }


# Stop


TCP_ESTABLISHED = 1


class Load:
    """64 connections that push in a closed loop, each for a host of its own, until the server closes them."""

    CONNECTIONS = 64

    def __init__(self, port: int) -> None:
        self.accounts = {f"host-{i}": Account() for i in range(self.CONNECTIONS)}
        self.unanswered: list[str] = []
        self._selector = selectors.DefaultSelector()
        self._sent_in_time: dict[str, bool] = {}
        self._answers: dict[str, bytes] = {}
        for host in self.accounts:
            self._selector.register(Connection(port).socket, selectors.EVENT_READ, host)
        for key in list(self._selector.get_map().values()):
            self._send(key)

    def run(self, seconds: float) -> None:
        """Push for so long, or until all connections are closed."""
        until = time.monotonic() + seconds
        while self._selector.get_map() and time.monotonic() < until:
            for key, _ in self._selector.select(until - time.monotonic()):
                self._receive(key)

    @property
    def open_connections(self) -> int:
        return len(self._selector.get_map())

    def _send(self, key: selectors.SelectorKey) -> None:
        account = self.accounts[key.data]
        account.sent += 1
        account.requests += 1
        connection = as_socket(key)
        try:
            connection.send(push(push_body(key.data, account.sent)))
            state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        except OSError:
            self._sent_in_time[key.data] = False
        else:
            # Else the server's FIN was here before the request was sent, or came at that moment.
            self._sent_in_time[key.data] = state == TCP_ESTABLISHED

    def _receive(self, key: selectors.SelectorKey) -> None:
        """Read, and push again when an answer is whole."""
        host, connection = key.data, as_socket(key)
        try:
            data = connection.recv(65536)
        except ConnectionResetError:
            data = b""
            if self._sent_in_time[host]:
                self.unanswered.append(f"{host} was reset, its push {self.accounts[host].sent} unanswered")
        answer = self._answers.pop(host, b"") + data
        if data and not answer.endswith(b"}"):
            self._answers[host] = answer
        elif data and answer.startswith(b"HTTP/1.1 200 OK\r\n"):
            self.accounts[host].answered = self.accounts[host].sent
            self.accounts[host].answers += 1
            if b"connection: close" not in answer:
                self._send(key)
        else:
            if answer:
                self.unanswered.append(f"{host} was told {answer!r}")
            self._selector.unregister(connection)
            connection.close()


def as_socket(key: selectors.SelectorKey) -> socket.socket:
    assert isinstance(key.fileobj, socket.socket)
    return key.fileobj


def test_a_stop_under_load_answers_what_was_sent_and_loses_nothing(way: str, tmp_path: Path) -> None:
    with started(way, tmp_path) as bridge:
        load = Load(bridge.port)
        load.run(0.5)
        assert load.open_connections == Load.CONNECTIONS
        bridge.process.terminate()
        load.run(DEADLINE_SECONDS)
        assert load.open_connections == 0
        assert bridge.process.wait(DEADLINE_SECONDS) == 0

        bridge.start()
        found = faults(load.accounts, bridge.series())

    assert load.unanswered == []
    assert found == []
    assert all(account.answers > 0 for account in load.accounts.values())


def test_a_stop_answers_what_waits_for_its_commit(way: str, tmp_path: Path) -> None:
    with started(way, tmp_path, fault="slow") as bridge:
        with Connection(bridge.port) as single, Connection(bridge.port) as pipeline:
            single.send(PUSH)
            pipeline.send(PUSH + HEALTHY + PUSH)
            let_it_read(bridge)
            bridge.process.terminate()
            assert single.read_answer().status == 200
            assert single.read_end() == b""
            assert [pipeline.read_answer().status for _ in range(3)] == [200, 200, 200]
            assert pipeline.read_end() == b""
        assert bridge.process.wait(DEADLINE_SECONDS) == 0


HALVES = {
    "half a head": PUSH[:50],
    "no body": PUSH[: -len(BODY)],
    "half a body": PUSH[:-5],
    "half a chunked body": chunked(BODY)[:-10],
    "half a body after a push": PUSH + PUSH[:-5],
}


def test_a_half_request_does_not_keep_the_bridge_from_ending(way: str, tmp_path: Path) -> None:
    with started(way, tmp_path) as bridge, contextlib.ExitStack() as stack:
        connections = []
        for half in HALVES.values():
            connection = stack.enter_context(Connection(bridge.port))
            connection.send(half)
            connections.append(connection)
        assert connections[-1].read_answer().status == 200
        let_it_read(bridge)

        assert bridge.terminate() == 0
        for connection in connections:
            assert connection.read_end() == b""
