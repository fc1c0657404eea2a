"""What others notice when one source pushes as fast as it can: their p99, with the flood against without it."""

from __future__ import annotations

from bench import generator
from bench.bridge import targets
from bench.bridge.rounds import Contender, Settings, started
from bench.load import Plan, Result
from bench.noise import Noise
from bench.pushes import GAUGES, PIXELTRACKER
from bench.servers import Bridge
from bench.table import Row, compared

QUIET_SOURCES = 50
PAUSE_SECONDS = 0.1
FLOOD_SECONDS = 1.0
"""How long the flood lasts beyond the measurement of the others, before and after."""
FLOOD_CONNECTIONS = 64


def flood(settings: Settings, noise: Noise) -> list[Row]:
    """With the pace that is the default, and without any, on two bridges that are measured in turn."""
    settings.say("a flood from one source")
    paced = Contender(Bridge(settings.folder, "flood-paced", "bench.gauges"), PIXELTRACKER, QUIET_SOURCES)
    unpaced = Contender(
        Bridge(settings.folder, "flood-unpaced", "bench.gauges", ["--limits.paced-pushes-per-second=0"]),
        PIXELTRACKER,
        QUIET_SOURCES,
    )
    alone: dict[str, list[Result]] = {}
    beside: dict[str, list[Result]] = {}
    floods: dict[str, list[Result]] = {}
    with started(settings, paced, unpaced):
        for _ in range(settings.rounds):
            noise.look()
            for contender in (paced, unpaced):
                name = contender.server.name
                with contender.server.awake():
                    alone.setdefault(name, []).append(generator.run(_quiet(contender, settings)))
                    with generator.running(_flood(contender, settings)) as flooding:
                        beside.setdefault(name, []).append(generator.run(_quiet(contender, settings)))
                        floods.setdefault(name, []).append(flooding.result())
                noise.note(beside[name][-1])
    rows = []
    for contender, label in ((paced, ""), (unpaced, ", without a pace")):
        name = contender.server.name
        rate = sum(result.rate for result in floods[name]) / len(floods[name])
        rows.append(
            compared(
                f"push p99 of {QUIET_SOURCES} sources, with a flood from another against without{label}",
                "ms",
                [result.p99_ms for result in beside[name]],
                [result.p99_ms for result in alone[name]],
                None if label else targets.P99_BESIDE_A_FLOOD,
                note=f"the flood: {rate:,.0f} pushes/s on {FLOOD_CONNECTIONS} connections",
            )
        )
    return rows


def _quiet(contender: Contender, settings: Settings) -> Plan:
    return Plan(
        port=contender.server.port,
        pid=contender.server.pid,
        kind=contender.kind.name,
        groups=contender.groups,
        connections=contender.groups,
        seconds=settings.seconds,
        pause_seconds=PAUSE_SECONDS,
    )


def _flood(contender: Contender, settings: Settings) -> Plan:
    return Plan(
        port=contender.server.port,
        pid=contender.server.pid,
        kind=GAUGES.name,
        groups=1,
        connections=FLOOD_CONNECTIONS,
        warm_up_seconds=FLOOD_SECONDS,
        seconds=settings.seconds + FLOOD_SECONDS,
    )
