"""GET /metrics and memory at many groups, while nothing changes and while everything does."""

from __future__ import annotations

import contextlib
import statistics
import time
from typing import NamedTuple

from bench import generator
from bench.bridge import targets
from bench.bridge.rounds import Contender, Settings, count_groups, started
from bench.load import Result
from bench.noise import Noise
from bench.pushes import GAUGES, PUSHGATEWAY
from bench.scraper import Scraper, check_groups
from bench.servers import Bridge, Pushgateway
from bench.table import Row, compared

QUIET_SCRAPES = 3
PUSHED_SCRAPES = 3
SCRAPE_INTERVAL_SECONDS = 2.0
"""Between two beginnings while pushes run: long enough that nearly all groups change, see ``changed``."""
MEBIBYTE = 2**20


class Quiet(NamedTuple):
    """Scrapes while nothing is pushed: medians of one round."""

    seconds: float
    cpu_seconds: float


class Pushed(NamedTuple):
    """Scrapes while pushes run, in one round."""

    seconds: float
    pushes: Result
    changed: float
    """Pushes between two scrapes for each group; below 1 some groups did not change."""


class Measured(NamedTuple):
    """One contender."""

    quiet: list[Quiet]
    pushed: list[Pushed]
    resident_bytes: list[int]
    """After the pushes, and after all scrapes."""


def many_groups(settings: Settings, noise: Noise) -> list[Row]:
    """Against Pushgateway without checks, as with them it would take minutes to fill."""
    groups = targets.MANY_GROUPS
    settings.say(f"/metrics and memory, {count_groups(groups)}")
    contenders = (
        Contender(Pushgateway(settings.pushgateway, settings.folder, checks=False), PUSHGATEWAY, groups),
        Contender(Bridge(settings.folder, "scraped", "bench.gauges"), GAUGES, groups),
    )
    peer, ours = measured = (Measured([], [], []), Measured([], [], []))
    with started(settings, *contenders, check=False):  # memory is read before the first scrape
        for contender, found in zip(contenders, measured, strict=True):
            with contender.server.awake():
                generator.run(contender.plan(settings))
                found.resident_bytes.append(contender.server.resident_bytes())
        for _ in range(settings.rounds):
            noise.look()
            for contender, found in zip(contenders, measured, strict=True):
                with contender.server.awake(), contextlib.closing(Scraper(contender.server)) as scraper:
                    contender.fill(settings)
                    found.quiet.append(_quiet(contender, scraper))
                    found.pushed.append(_pushed(contender, scraper, settings))
                noise.note(found.pushed[-1].pushes)
        for contender, found in zip(contenders, measured, strict=True):
            found.resident_bytes.append(contender.server.resident_bytes())
    return _rows(ours, peer, groups)


def _quiet(contender: Contender, scraper: Scraper) -> Quiet:
    """What was pushed is rendered by the scrape that checks it, and that is not measured."""
    contender.check()
    scrapes = [scraper.scrape() for _ in range(QUIET_SCRAPES)]
    return Quiet(
        statistics.median(scrape.seconds for scrape in scrapes),
        statistics.mean(scrape.cpu_seconds for scrape in scrapes),
    )


def _pushed(contender: Contender, scraper: Scraper, settings: Settings) -> Pushed:
    """Scrapes begin every SCRAPE_INTERVAL_SECONDS, or when the last is done if it takes longer than that."""
    duration = PUSHED_SCRAPES * SCRAPE_INTERVAL_SECONDS
    plan = contender.plan(settings._replace(seconds=duration))
    scrapes, begun = [], []
    with generator.running(plan) as load:
        origin = time.perf_counter()
        for number in range(PUSHED_SCRAPES):
            # The first one begins when as much was pushed as between two others.
            time.sleep(max(origin + (number + 0.5) * SCRAPE_INTERVAL_SECONDS - time.perf_counter(), 0))
            begun.append(time.perf_counter())
            scrapes.append(scraper.scrape())
        result = load.result()
    check_groups(scrapes[-1], contender.kind.shown, contender.groups, contender.server.name)
    apart = (begun[-1] - begun[0]) / (len(begun) - 1)
    changed = result.rate * apart / contender.groups
    return Pushed(statistics.median(scrape.seconds for scrape in scrapes), result, changed)


def _rows(ours: Measured, peer: Measured, groups: int) -> list[Row]:
    label = count_groups(groups)
    changed = (
        f"pushes between two scrapes for each group: peer {statistics.median(one.changed for one in peer.pushed):.1f}, "
        f"ours {statistics.median(one.changed for one in ours.pushed):.1f}"
    )
    rows = [
        compared(
            f"GET /metrics, nothing changed, {label}",
            "ms",
            [one.seconds * 1000 for one in ours.quiet],
            [one.seconds * 1000 for one in peer.quiet],
            targets.SCRAPE,
            targets.SCRAPE_AIM,
        ),
        compared(
            f"CPU of it, {label}",
            "ms",
            [one.cpu_seconds * 1000 for one in ours.quiet],
            [one.cpu_seconds * 1000 for one in peer.quiet],
        ),
        compared(
            f"GET /metrics while all is pushed, {label}",
            "ms",
            [one.seconds * 1000 for one in ours.pushed],
            [one.seconds * 1000 for one in peer.pushed],
            targets.SCRAPE_WHILE_PUSHED,
            note=changed,
        ),
        compared(
            f"push p99 meanwhile, {label}",
            "ms",
            [one.pushes.p99_ms for one in ours.pushed],
            [one.pushes.p99_ms for one in peer.pushed],
            targets.PUSH_P99_WHILE_SCRAPED,
        ),
        compared(
            f"pushes meanwhile, {label}",
            "/s",
            [one.pushes.rate for one in ours.pushed],
            [one.pushes.rate for one in peer.pushed],
        ),
    ]
    for when, our, theirs in zip(
        ("after pushes", "after scrapes"), ours.resident_bytes, peer.resident_bytes, strict=True
    ):
        row = compared(
            f"resident memory {when}, {label}",
            "MiB",
            [our / MEBIBYTE],
            [theirs / MEBIBYTE],
            targets.MEMORY,
            targets.MEMORY_AIM,
        )
        rows.append(row)
    return rows
