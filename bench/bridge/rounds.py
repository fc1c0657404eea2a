"""Contenders, and rounds in which each is measured once while the others stand still."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import generator
from bench.load import Plan, Result
from bench.machine import time_fixed_loop
from bench.pushes import PushKind
from bench.scraper import Scraper, check_groups
from bench.servers import Server, ServerFailed
from bench.summary import paired_ratios, spread
from bench.table import Row, Target, thousands

FILL_SECONDS = 300.0
APPLY_SECONDS = 20.0


class Settings(NamedTuple):
    """How long and how often, and where."""

    rounds: int
    seconds: float
    """Of each contender in each round."""
    connections: int
    groups: tuple[int, ...]
    folder: Path
    """For journals and logs; on the disk that is to be measured."""
    pushgateway: Path
    say: Callable[[str], None]


class Noise:
    """How steady the machine was, looked at before each round and during each measurement."""

    def __init__(self) -> None:
        self.loop_seconds: list[float] = []
        """Of a fixed piece of work."""
        self.other_cores: list[float] = []
        """CPUs that neither the server nor the load generator kept busy while one was measured."""
        self.generator_cpu_us: list[float] = []
        """The load generator's own CPU for one push."""

    def look(self) -> None:
        """Time the fixed piece of work."""
        self.loop_seconds.append(time_fixed_loop())

    def note(self, result: Result) -> None:
        """Remember what a measurement says of the machine."""
        self.other_cores.append(result.other_cores)
        self.generator_cpu_us.append(result.own_cpu_us)


class Contender(NamedTuple):
    """A server, and what is pushed to it."""

    server: Server
    kind: PushKind
    groups: int
    tokens: tuple[str, ...] = ()
    """One a group, where its pushes need one."""

    def plan(self, settings: Settings) -> Plan:
        """Pushes for as long as one measurement lasts."""
        return Plan(
            port=self.server.port,
            pid=self.server.pid,
            kind=self.kind.name,
            groups=self.groups,
            connections=settings.connections,
            seconds=settings.seconds,
            tokens=self.tokens,
        )

    def fill(self, settings: Settings) -> None:
        """Push each group once."""
        generator.run(msgspec.structs.replace(self.plan(settings), once=True, seconds=FILL_SECONDS))

    def check(self) -> None:
        """Wait until /metrics shows every group: the peer without checks answers before it applies a push.

        Raises ServerFailed if it does not within APPLY_SECONDS.
        """
        deadline = time.monotonic() + APPLY_SECONDS
        with contextlib.closing(Scraper(self.server)) as scraper:
            while True:
                try:
                    check_groups(scraper.scrape(), self.kind.shown, self.groups, self.server.name)
                except ServerFailed:
                    if time.monotonic() > deadline:
                        raise
                else:
                    return


@contextlib.contextmanager
def started(settings: Settings, *contenders: Contender, check: bool = True) -> Iterator[None]:
    """Start the servers, fill them one after the other, and leave all of them standing still.

    Raises ServerFailed or LoadFailed if one does not come up, or fails to show every group when *check* has it
    scraped.
    """
    with contextlib.ExitStack() as stack:
        for contender in contenders:
            stack.enter_context(contender.server)
            contender.fill(settings)
            if check:
                contender.check()
            contender.server.pause()
        yield


def push_rounds(settings: Settings, noise: Noise, *contenders: Contender) -> list[list[Result]]:
    """The results of each contender, one a round; all of them were measured in each round.

    Raises LoadFailed if a push failed.
    """
    results: list[list[Result]] = [[] for _ in contenders]
    for _ in range(settings.rounds):
        noise.look()
        for contender, found in zip(contenders, results, strict=True):
            with contender.server.awake():
                found.append(generator.run(contender.plan(settings)))
            noise.note(found[-1])
    return results


def count_groups(number: int) -> str:
    """``1 group``, ``1 000 groups``"""
    return f"{thousands(number)} group{'s' if number != 1 else ''}"


def compared(
    what: str,
    unit: str,
    ours: Sequence[float],
    peers: Sequence[float],
    must: Target | None = None,
    aim: Target | None = None,
    note: str = "",
) -> Row:
    """A row whose ratio is paired round by round."""
    return Row(what, unit, spread(ours), spread(peers), spread(paired_ratios(ours, peers)), must, aim, note)
