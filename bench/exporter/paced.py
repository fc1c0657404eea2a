"""Scraped every two seconds, as Prometheus does: what it costs with the idle time between."""

from __future__ import annotations

import contextlib
import time

from bench.exporter import targets
from bench.exporter.contenders import Settings, all_defaults, connected, same_collectors
from bench.noise import Noise
from bench.servers import Server
from bench.table import Row, compared

INTERVAL_SECONDS = 2.0


def paced(settings: Settings, noise: Noise) -> list[Row]:
    """All four servers run at once and are scraped in turn, evenly spread, so that the same minute is compared."""
    settings.say(f"a scrape every {INTERVAL_SECONDS:g} s, {settings.paced_seconds:g} s")
    pairs = (same_collectors(settings), all_defaults(settings))
    servers = [server for pair in pairs for server in pair.servers]
    scrapes = max(round(settings.paced_seconds / settings.rounds / INTERVAL_SECONDS), 1)
    noise.look()
    used = _cpu_of_rounds(servers, settings.rounds, scrapes)
    cpu_ms = {server: [seconds / scrapes * 1000 for seconds in used[server]] for server in servers}
    same, defaults = (
        compared(
            f"CPU a scrape, every {INTERVAL_SECONDS:g} s, idle time included, {pair.label}",
            "ms",
            cpu_ms[pair.ours],
            cpu_ms[pair.peer],
        )
        for pair in pairs
    )
    note = f"{settings.rounds * scrapes} scrapes of each"
    return [same._replace(must=targets.PACED, aim=targets.PACED_AIM, note=note), defaults]


def _cpu_of_rounds(servers: list[Server], rounds: int, scrapes: int) -> dict[Server, list[float]]:
    """CPU seconds of each server in each round; the rounds follow each other without a break."""
    used: dict[Server, list[float]] = {server: [] for server in servers}
    with contextlib.ExitStack() as stack:
        scrapers = [stack.enter_context(connected(stack.enter_context(server))) for server in servers]
        for scraper in scrapers:
            scraper.scrape()  # the first one is dearer, and there is one in a server's life
        before = {server: server.cpu_seconds() for server in servers}
        origin = time.perf_counter()
        for number in range(rounds):
            for count in range(scrapes):
                for place, scraper in enumerate(scrapers):
                    turn = number * scrapes + count + place / len(scrapers)
                    _sleep_until(origin + turn * INTERVAL_SECONDS)
                    scraper.scrape()
            _sleep_until(origin + (number + 1) * scrapes * INTERVAL_SECONDS)
            for server in servers:
                now = server.cpu_seconds()
                used[server].append(now - before[server])
                before[server] = now
    return used


def _sleep_until(moment: float) -> None:
    time.sleep(max(moment - time.perf_counter(), 0))
