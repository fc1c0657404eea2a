"""How many events are counted a second, each on disk before its answer: in batches, and one a push."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bench.bridge import targets
from bench.bridge.push_rates import rates
from bench.bridge.rounds import Contender, Settings, push_rounds, started
from bench.event_bodies import BATCH_EVENTS, EVENTS_OF_A_RUN, PERSONS
from bench.kinds import MINIGEM_BATCH, MINIGEM_SINGLE, PROXMOXVE
from bench.load import Result
from bench.noise import Noise
from bench.pushes import GAUGES
from bench.servers import Bridge, ServerFailed
from bench.summary import spread
from bench.table import Row, compared

GROUPS = 1_000
UNLIMITED = "--limits.rates={minigem: unlimited, proxmoxve: unlimited}"
"""All load comes from one address, and as shipped a client may push some thousand times an hour at most."""
TAKEN = ("accepted", "sanitized")
"""Sanitized ones are accepted too: addresses stand in error texts."""
_EVENTS = r'^telemetry_events_total\{{dialect="{dialect}",result="(\w+)"\}} (\S+)$'


def events(settings: Settings, noise: Noise) -> list[Row]:
    """Of minigem in batches and one by one, and of proxmoxve; beside single events the core's ten gauges."""
    settings.say("events")
    folder = settings.folder
    batches = Contender(
        Bridge(folder, "minigem-batches", arguments=[UNLIMITED]),
        MINIGEM_BATCH,
        PERSONS * EVENTS_OF_A_RUN // BATCH_EVENTS,
    )
    single = Contender(Bridge(folder, "minigem", arguments=[UNLIMITED]), MINIGEM_SINGLE, PERSONS)
    # Two connections with one group would send the same execution.
    executions = max(GROUPS, settings.connections)
    proxmoxve = Contender(Bridge(folder, "proxmoxve", arguments=[UNLIMITED]), PROXMOXVE, executions)
    core = Contender(Bridge(folder, "core-events", "bench.gauges"), GAUGES, GROUPS)
    contenders = (batches, single, proxmoxve, core)
    with started(settings, *contenders, check=False):
        found = push_rounds(settings, noise, *contenders)
        check_counted(batches, found[0], "minigem", BATCH_EVENTS)
        check_counted(single, found[1], "minigem", 1)
        check_counted(proxmoxve, found[2], "proxmoxve", 1)
    return [
        *_batch_rows(found[0]),
        *_single_rows("minigem, one a push", found[1], found[3]),
        *_single_rows("proxmoxve, one a push", found[2], found[3]),
    ]


def _batch_rows(results: Sequence[Result]) -> list[Row]:
    return [
        Row(
            f"events, minigem, {BATCH_EVENTS} a push",
            "/s",
            spread([BATCH_EVENTS * rate for rate in rates(results)]),
            must=targets.EVENTS_PER_SECOND,
        ),
        Row(
            f"CPU an event, minigem, {BATCH_EVENTS} a push",
            "µs",
            spread([result.cpu_us / BATCH_EVENTS for result in results]),
        ),
    ]


def _single_rows(name: str, ours: Sequence[Result], peers: Sequence[Result]) -> list[Row]:
    return [
        compared(f"events, {name}", "/s", rates(ours), rates(peers)),
        compared(
            f"CPU an event, {name}",
            "µs",
            [result.cpu_us for result in ours],
            [result.cpu_us for result in peers],
        ),
    ]


def check_counted(contender: Contender, results: Sequence[Result], dialect: str, items: int) -> None:
    """Raises ServerFailed if the bridge did not count what it answered."""
    with contender.server.awake() as server:
        counts = parse_counts(server.get("/metrics")[1].decode(), dialect)
    refuse_uncounted(server.name, counts, items * sum(result.requests for result in results))


def parse_counts(metrics: str, dialect: str) -> Mapping[str, float]:
    """What became of the events of *dialect*, out of /metrics: result → count."""
    found = re.findall(_EVENTS.format(dialect=dialect), metrics, re.MULTILINE)
    return {result: float(count) for result, count in found}


def refuse_uncounted(name: str, counts: Mapping[str, float], least: int) -> None:
    """Raises ServerFailed if fewer than *least* events were accepted, or one was taken for anything else.

    To skip what was sent, or to take it for a repetition, would be no achievement.
    """
    others = sum(count for result, count in counts.items() if result not in TAKEN)
    if counts.get("accepted", 0.0) < least or others:
        raise ServerFailed(f"{name}: expected at least {least} events accepted and no others, got {counts}")
