"""The load generator's connection on a transport that only remembers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator

import pytest

from bench.load import Connection, Result, Run, requests_of
from bench.pushes import FRESH

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class FakeTransport(asyncio.WriteTransport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True


class Wired:
    """A connection that has sent its first request."""

    def __init__(self, run: Run, requests: Iterable[bytes] = (b"1", b"2", b"3")) -> None:
        self.run = run
        self.transport = FakeTransport()
        self.connection = Connection(requests, run)
        self.connection.connection_made(self.transport)
        self.connection.send(0.0)


@pytest.fixture
def wired() -> Iterator[Wired]:
    loop = asyncio.new_event_loop()

    async def make() -> Wired:
        return Wired(Run(connections=1, max_requests=100))

    yield loop.run_until_complete(make())
    loop.close()


def test_the_next_request_is_sent_when_the_last_is_answered(wired: Wired) -> None:
    sent_before = list(wired.transport.written)
    wired.connection.data_received(ANSWER)

    assert sent_before == [b"1"]
    assert wired.transport.written == [b"1", b"2"]
    assert len(wired.run.latencies) == 1


@pytest.mark.parametrize("cut", range(1, len(ANSWER)))
def test_an_answer_in_two_pieces_is_one(wired: Wired, cut: int) -> None:
    for _ in range(2):  # the second one is expected to be as long as the first
        wired.connection.data_received(ANSWER[:cut])
        wired.connection.data_received(ANSWER[cut:])

    assert wired.transport.written == [b"1", b"2", b"3"]
    assert len(wired.run.latencies) == 2


def test_a_connection_closes_after_its_last_request(wired: Wired) -> None:
    for _ in range(3):
        wired.connection.data_received(ANSWER)

    assert wired.transport.closed
    assert wired.run.done.result() is None
    assert len(wired.run.latencies) == 3


def test_nothing_more_is_sent_when_the_run_is_ending(wired: Wired) -> None:
    wired.run.ending = True
    wired.connection.data_received(ANSWER)

    assert wired.transport.written == [b"1"]
    assert wired.transport.closed
    assert wired.run.done.done()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno",  # as long as an accepted one
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n\r\n",
        ANSWER + b"HTTP/1.1",
        b"nonsense\r\n\r\n",
    ],
)
def test_any_other_answer_fails_the_run(wired: Wired, answer: bytes) -> None:
    assert len(b"HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno") == len(ANSWER)
    wired.connection.data_received(ANSWER)
    wired.connection.data_received(answer)

    with pytest.raises(ValueError, match="answer"):
        wired.run.done.result()
    assert wired.transport.closed
    assert wired.run.ending


def test_a_connection_that_the_server_closes_fails_the_run(wired: Wired) -> None:
    wired.connection.connection_lost(None)

    with pytest.raises(ConnectionError, match="closed"):
        wired.run.done.result()


def test_closing_after_the_last_answer_is_no_failure(wired: Wired) -> None:
    wired.run.ending = True
    wired.connection.data_received(ANSWER)
    wired.connection.connection_lost(None)

    assert wired.run.done.result() is None


def test_sending_ends_at_the_largest_number_of_requests() -> None:
    async def two_of_two() -> bool:
        run = Run(connections=1, max_requests=2)
        connection = Wired(run).connection
        connection.data_received(ANSWER)
        run.check_count()
        before = run.ending
        connection.data_received(ANSWER)
        run.check_count()
        return not before and run.ending

    assert asyncio.run(two_of_two())


def test_once_means_each_group_in_its_first_variant() -> None:
    assert list(requests_of((b"a0", b"b0", b"a1", b"b1"), once=True)) == [b"a0", b"b0"]


def test_else_both_variants_are_sent_again_and_again() -> None:
    endless = requests_of((b"a0", b"a1"), once=False)

    assert [next(endless) for _ in range(5)] == [b"a0", b"a1", b"a0", b"a1", b"a0"]


def test_each_round_has_numbers_of_its_own_where_they_are_wanted() -> None:
    share = (b"a " + FRESH, b"b " + FRESH)
    first, second, third = itertools.islice(requests_of(share, once=False, fresh_at=1_770_000_000.0), 3)
    [once] = requests_of(share, once=True, fresh_at=1_770_000_000.0)

    assert first[2:] == second[2:] != third[2:]
    assert FRESH not in first + third
    assert once == first


def test_rate_and_cpu_are_of_the_measured_time() -> None:
    result = Result(
        requests=6000,
        seconds=3.0,
        p50_ms=1.0,
        p99_ms=2.0,
        server_cpu_seconds=0.3,
        own_cpu_seconds=0.06,
        other_cores=0.0,
    )

    assert [result.rate, result.cpu_us, result.own_cpu_us] == pytest.approx([2000.0, 50.0, 10.0])
