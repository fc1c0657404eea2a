"""Contenders, and rounds in which each is measured once while the others stand still."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import generator
from bench.load import Plan, Result
from bench.noise import Noise
from bench.pushes import PushKind
from bench.scraper import Scraper, check_groups
from bench.servers import Server, ServerFailed
from bench.table import thousands

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
