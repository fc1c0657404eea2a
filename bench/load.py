"""The load generator: a fixed number of connections, each sending its next push when the last is answered.

Runs in a process of its own (``python -m bench.load``): a plan comes in on standard input, a line says when
measuring begins, the last line is the result. It reaches 127.0.0.1 only.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from array import array
from collections.abc import Iterable, Iterator
from typing import cast

import msgspec
import uvloop

from bench import procfs
from bench.http1 import ACCEPTED, parse_answer
from bench.kinds import KINDS
from bench.pushes import VARIANTS, refreshed, shares
from bench.summary import percentile

ADDRESS = "127.0.0.1"
BEGUN = "measuring"
LAST_ANSWER_SECONDS = 30.0
"""How long the last answer may take after the time is over; a peer with checks needs seconds."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send to whom."""

    port: int
    pid: int
    """The server, whose CPU is read."""
    kind: str
    groups: int
    connections: int = 64
    warm_up_seconds: float = 0.3
    seconds: float = 3.0
    """Longest time; with ``once`` the run ends sooner."""
    once: bool = False
    """Push each group once, in its first variant, rather than until the time is over."""
    max_requests: int = 2_000_000
    pause_seconds: float = 0.0
    """Between an answer and the connection's next push: agents that report now and then. 0: none."""
    tokens: tuple[str, ...] = ()
    """One a group, where its pushes need one."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, from the end of the warm-up to the end of the time."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    server_cpu_seconds: float
    own_cpu_seconds: float
    other_cores: float
    """CPUs that neither the server nor this process kept busy: other programs of the machine, and the kernel."""

    @property
    def rate(self) -> float:
        """Pushes a second."""
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """The server's CPU time for one push, in microseconds."""
        return self.server_cpu_seconds / self.requests * 1e6

    @property
    def own_cpu_us(self) -> float:
        """This process' CPU time for one push, in microseconds."""
        return self.own_cpu_seconds / self.requests * 1e6


class Run:
    """What all connections share."""

    def __init__(self, connections: int, max_requests: int) -> None:
        self.latencies = array("d")
        """Seconds of each answered request; a new one when measuring begins."""
        self.ending = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._active = connections
        self._left = max_requests

    def end_one(self) -> None:
        """A connection has nothing more to send."""
        self._active -= 1
        if self._active == 0 and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """End the run: a figure with failed requests in it says nothing."""
        self.ending = True
        if not self.done.done():
            self.done.set_exception(error)

    def check_count(self) -> None:
        """End sending if there were as many requests as were allowed. Called now and then."""
        if len(self.latencies) >= self._left:
            self.ending = True


class Connection(asyncio.Protocol):
    """One request at a time, the next when the last is answered."""

    def __init__(self, requests: Iterable[bytes], run: Run, pause_seconds: float = 0.0) -> None:
        self._requests = iter(requests)
        self._run = run
        self._pause_seconds = pause_seconds
        self._sent = 0.0
        self._usual_length = -1
        self._received = b""
        self._open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is none by its class
        self._write = self._transport.write

    def send(self, now: float) -> None:
        """Send the next request, or close if there is none."""
        request = None if self._run.ending else next(self._requests, None)
        if request is None:
            self._open = False
            self._transport.close()
            self._run.end_one()
            return
        self._sent = now
        self._write(request)

    def data_received(self, data: bytes) -> None:
        # One answer is outstanding, so as many bytes as the last whole one had are a whole one; the Date
        # header changes no length. Everything else is parsed.
        if len(data) != self._usual_length or self._received or not data.startswith(ACCEPTED):
            try:
                if not self._read_slowly(data):
                    return
            except ValueError as error:
                self._fail(error)
                return
        now = time.perf_counter()
        self._run.latencies.append(now - self._sent)
        if self._pause_seconds:
            self.send_later(self._pause_seconds)
        else:
            self.send(now)

    def send_later(self, seconds: float) -> None:
        """Send the next request after *seconds*."""
        asyncio.get_running_loop().call_later(seconds, lambda: self.send(time.perf_counter()))

    def _read_slowly(self, data: bytes) -> bool:
        """Whether the answer is whole. Raises ValueError for one that is not 2xx, or no answer."""
        self._received += data
        answer = parse_answer(self._received)
        if answer is None or len(self._received) < answer.length:
            return False
        if len(self._received) > answer.length:
            raise ValueError("more bytes than the answer has")
        if not 200 <= answer.status < 300:
            raise ValueError(f"a push was answered {self._received[:300]!r}")
        self._usual_length, self._received = answer.length, b""
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._open:
            self._fail(ConnectionError(f"the server closed a connection: {exc}"))

    def _fail(self, error: Exception) -> None:
        self._open = False
        self._transport.close()
        self._run.fail(error)


class Meter:
    """CPU and time since it was made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began = self._read()

    def _read(self) -> tuple[float, float, float, float]:
        return (
            time.perf_counter(),
            procfs.cpu_seconds(self._pid),
            time.process_time(),
            procfs.busy_seconds(),
        )

    def read(self) -> tuple[float, float, float, float]:
        """Seconds passed; CPU seconds of the server, of this process, and of the whole machine."""
        seconds, server, own, machine = (
            now - then for now, then in zip(self._read(), self._began, strict=True)
        )
        return seconds, server, own, machine


def requests_of(share: tuple[bytes, ...], *, once: bool, fresh_at: float | None = None) -> Iterator[bytes]:
    """*share* again and again, or its first variant once; with fresh numbers if *fresh_at* is now."""
    endless = itertools.cycle(share) if fresh_at is None else refreshed(share, fresh_at)
    return itertools.islice(endless, len(share) // VARIANTS) if once else endless


async def run_plan(plan: Plan) -> Result:
    """Send what *plan* says. Raises OSError or ValueError for anything but a 2xx answer to each request."""
    loop = asyncio.get_running_loop()
    run = Run(plan.connections, plan.max_requests)
    connections = []
    kind, now = KINDS[plan.kind], time.time()
    for share in shares(kind, plan.port, plan.groups, plan.connections, now, plan.tokens):
        requests = requests_of(share, once=plan.once, fresh_at=now if kind.fresh else None)
        _, connection = await loop.create_connection(
            lambda requests=requests: Connection(requests, run, plan.pause_seconds),  # type: ignore[misc]
            ADDRESS,
            plan.port,
        )
        connections.append(connection)
    for number, connection in enumerate(connections):
        if plan.pause_seconds:  # spread, as agents are that know nothing of each other
            connection.send_later(plan.pause_seconds * number / len(connections))
        else:
            connection.send(time.perf_counter())
    if not plan.once:
        await _wait(run, plan.warm_up_seconds)
        run.latencies = array("d")
    print(BEGUN, flush=True)
    meter = Meter(plan.pid)
    await _wait(run, plan.seconds)
    seconds, server, own, machine = meter.read()
    latencies, run.latencies = run.latencies, array("d")
    run.ending = True
    await asyncio.wait_for(run.done, LAST_ANSWER_SECONDS)
    ordered = sorted(latencies)
    return Result(
        requests=len(ordered),
        seconds=seconds,
        p50_ms=percentile(ordered, 0.5) * 1000,
        p99_ms=percentile(ordered, 0.99) * 1000,
        server_cpu_seconds=server,
        own_cpu_seconds=own,
        other_cores=max(machine - server - own, 0.0) / seconds,
    )


async def _wait(run: Run, seconds: float) -> None:
    """Until *seconds* are over or the run has ended. Raises what made it fail."""
    deadline = time.perf_counter() + seconds
    while not run.done.done() and (left := deadline - time.perf_counter()) > 0:
        await asyncio.wait((run.done,), timeout=min(left, 0.5))
        run.check_count()
    if run.done.done():
        run.done.result()


def main() -> None:
    """Plan in, result out; a run that fails ends with code 1 and one line that says why."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    try:
        result = uvloop.run(run_plan(plan))
    except (OSError, ValueError, TimeoutError) as error:
        sys.exit(f"load generator: {type(error).__name__}: {error}")
    print(msgspec.json.encode(result).decode(), flush=True)


if __name__ == "__main__":
    main()
