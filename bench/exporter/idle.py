"""What an exporter uses while nobody asks."""

from __future__ import annotations

import contextlib
import time

from bench.exporter import targets
from bench.exporter.contenders import Settings, all_defaults, connected
from bench.noise import Noise
from bench.summary import spread
from bench.table import Row

SCRAPES = 5
SETTLE_SECONDS = 1.0
"""After the last scrape: what it left to be done belongs to it."""


def idle(settings: Settings, noise: Noise) -> list[Row]:
    """Both at once, as they ship, with a connection that was scraped through and stays."""
    settings.say(f"idle, {settings.idle_seconds:g} s")
    pair = all_defaults(settings)
    used: list[list[float]] = [[] for _ in pair.servers]
    seconds = settings.idle_seconds / settings.rounds
    noise.look()
    with contextlib.ExitStack() as stack:
        for server in pair.servers:
            scraper = stack.enter_context(connected(stack.enter_context(server)))
            for _ in range(SCRAPES):
                scraper.scrape()
        time.sleep(SETTLE_SECONDS)
        for _ in range(settings.rounds):
            before = [server.cpu_seconds() for server in pair.servers]
            began = time.perf_counter()
            time.sleep(seconds)
            passed = time.perf_counter() - began
            for server, then, found in zip(pair.servers, before, used, strict=True):
                found.append((server.cpu_seconds() - then) / passed * 1000)
    peer, ours = used
    return [
        Row(
            f"CPU while idle, {pair.label}",
            "ms/s",
            spread(ours),
            spread(peer),
            must=targets.IDLE_MS_PER_SECOND,
            aim=targets.IDLE_MS_PER_SECOND_AIM,
            note=f"an absolute figure: the median of {settings.rounds} times {seconds:.3g} s, {max(ours):.3g} ms/s "
            "at most",
        )
    ]
