"""Scrapes one after the other: CPU, latency, and how much they show."""

from __future__ import annotations

import contextlib
import time
from typing import NamedTuple

from bench.exporter import targets
from bench.exporter.contenders import (
    SHARED,
    Pair,
    Settings,
    all_defaults,
    check_collectors,
    connected,
    count_series,
    same_collectors,
)
from bench.load import Meter
from bench.noise import Noise
from bench.scraper import Scraper
from bench.servers import Server
from bench.summary import percentile
from bench.table import Row, Target, compared

WARM_UP_SCRAPES = 10


class Result(NamedTuple):
    """What was measured of one contender in one round."""

    scrapes: int
    p50_ms: float
    p99_ms: float
    server_cpu_seconds: float
    own_cpu_seconds: float
    other_cores: float
    series: int
    """Of the last scrape."""

    @property
    def cpu_ms(self) -> float:
        """The server's CPU for one scrape."""
        return self.server_cpu_seconds / self.scrapes * 1e3

    @property
    def own_cpu_us(self) -> float:
        """This process' CPU for one scrape."""
        return self.own_cpu_seconds / self.scrapes * 1e6


def shared_scrapes(settings: Settings, noise: Noise) -> list[Row]:
    """Both with the same collectors."""
    pair = same_collectors(settings)
    rows = _compare(settings, noise, pair, targets.SAME_COLLECTORS, targets.SAME_COLLECTORS_AIM)
    missing = [name for name in SHARED if name not in pair.collectors]
    note = f"without {', '.join(missing)}, which ours has not" if missing else ", ".join(pair.collectors)
    return [rows[0]._replace(note=note), *rows[1:]]


def default_scrapes(settings: Settings, noise: Noise) -> list[Row]:
    """Both as they ship."""
    pair = all_defaults(settings)
    return _compare(settings, noise, pair, targets.ALL_DEFAULTS, targets.ALL_DEFAULTS_AIM)


def _compare(settings: Settings, noise: Noise, pair: Pair, must: Target, aim: Target) -> list[Row]:
    settings.say(f"scrapes, {pair.label}")
    peer: list[Result] = []
    ours: list[Result] = []
    with contextlib.ExitStack() as stack:
        for server in pair.servers:
            stack.enter_context(server)
            server.pause()
        for _ in range(settings.rounds):
            noise.look()
            for server, found in zip(pair.servers, (peer, ours), strict=True):
                with server.awake() as awake, connected(awake) as scraper:
                    found.append(scrape_for(settings.seconds, awake, scraper, pair.collectors))
                noise.note(found[-1])
    return _rows(pair.label, ours, peer, must, aim)


def scrape_for(seconds: float, server: Server, scraper: Scraper, collectors: tuple[str, ...]) -> Result:
    """Scrape for *seconds*, each scrape when the last is answered, and a few before that are not counted.

    Raises ServerFailed if one of *collectors* did not succeed, or there is a wrong answer.
    """
    for _ in range(WARM_UP_SCRAPES):
        last = scraper.scrape()
    taken = []
    meter = Meter(server.pid)
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        last = scraper.scrape()
        taken.append(last.seconds)
    passed, server_cpu, own_cpu, machine = meter.read()
    check_collectors(last, collectors, server.name)
    ordered = sorted(taken)
    return Result(
        scrapes=len(ordered),
        p50_ms=percentile(ordered, 0.5) * 1000,
        p99_ms=percentile(ordered, 0.99) * 1000,
        server_cpu_seconds=server_cpu,
        own_cpu_seconds=own_cpu,
        other_cores=max(machine - server_cpu - own_cpu, 0.0) / passed,
        series=count_series(last),
    )


def _rows(label: str, ours: list[Result], peer: list[Result], must: Target, aim: Target) -> list[Row]:
    return [
        compared(
            f"CPU a scrape, {label}",
            "ms",
            [result.cpu_ms for result in ours],
            [result.cpu_ms for result in peer],
            must,
            aim,
        ),
        compared(
            f"scrape p50, {label}",
            "ms",
            [result.p50_ms for result in ours],
            [result.p50_ms for result in peer],
            must,
            aim,
        ),
        compared(
            f"scrape p99, {label}",
            "ms",
            [result.p99_ms for result in ours],
            [result.p99_ms for result in peer],
            must,
            aim,
        ),
        compared(
            f"series of the host, {label}",
            "",
            [result.series for result in ours],
            [result.series for result in peer],
            targets.SERIES,
        ),
    ]
