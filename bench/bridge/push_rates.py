"""Pushes a second, CPU and latency, each push on disk before its answer; the peer keeps nothing on disk."""

from __future__ import annotations

from collections.abc import Sequence

from bench.bridge import targets
from bench.bridge.rounds import Contender, Settings, count_groups, push_rounds, started
from bench.load import Result
from bench.noise import Noise
from bench.pushes import GAUGES, PIXELTRACKER, PUSHGATEWAY
from bench.servers import Bridge, Pushgateway
from bench.table import Row, compared

SHIPPED_GROUPS = (1, 100, 1_000)


def unchecked(settings: Settings, noise: Noise) -> list[Row]:
    """Against Pushgateway without its consistency checks, at each number of groups."""
    return [row for groups in settings.groups for row in _unchecked(settings, noise, groups)]


def _unchecked(settings: Settings, noise: Noise, groups: int) -> list[Row]:
    settings.say(f"pushes, {count_groups(groups)}, peer without checks")
    folder = settings.folder
    contenders = [
        Contender(Pushgateway(settings.pushgateway, folder, checks=False), PUSHGATEWAY, groups),
        Contender(Bridge(folder, f"gauges-{groups}", "bench.gauges"), GAUGES, groups),
        Contender(Bridge(folder, f"pixeltracker-{groups}"), PIXELTRACKER, groups),
    ]
    if groups == targets.MANY_GROUPS:
        contenders.append(Contender(Bridge(folder, "gauges-single", "bench.gauges"), GAUGES, 1))
    with started(settings, *contenders):
        peer, gauges, pixeltracker, *single = push_rounds(settings, noise, *contenders)
    rows = push_rows(f"{count_groups(groups)}, {GAUGES.name}", gauges, peer)
    rows += push_rows(f"{count_groups(groups)}, {PIXELTRACKER.name}", pixeltracker, peer)
    if single:
        row = compared(
            f"pushes, {count_groups(groups)} against 1, both ours",
            "/s",
            rates(gauges),
            rates(single[0]),
            targets.MANY_GROUPS_RATE,
        )
        rows.append(row)
    return rows


def push_rows(label: str, ours: Sequence[Result], peers: Sequence[Result]) -> list[Row]:
    """Rate, CPU and latency of *ours* against *peers*."""
    return [
        compared(
            f"pushes, {label}", "/s", rates(ours), rates(peers), targets.PUSH_RATE, targets.PUSH_RATE_AIM
        ),
        compared(
            f"CPU a push, {label}",
            "µs",
            [result.cpu_us for result in ours],
            [result.cpu_us for result in peers],
            targets.PUSH_CPU,
            targets.PUSH_CPU_AIM,
        ),
        compared(
            f"push p50, {label}",
            "ms",
            [result.p50_ms for result in ours],
            [result.p50_ms for result in peers],
        ),
        compared(
            f"push p99, {label}",
            "ms",
            [result.p99_ms for result in ours],
            [result.p99_ms for result in peers],
            targets.PUSH_P99,
            targets.PUSH_P99_AIM,
        ),
    ]


def as_shipped(settings: Settings, noise: Noise) -> list[Row]:
    """Against Pushgateway with its checks, which look at all groups for each push."""
    return [_as_shipped(settings, noise, groups) for groups in SHIPPED_GROUPS]


def _as_shipped(settings: Settings, noise: Noise, groups: int) -> Row:
    settings.say(f"pushes, {count_groups(groups)}, peer as it ships")
    folder = settings.folder
    contenders = (
        Contender(Pushgateway(settings.pushgateway, folder, checks=True), PUSHGATEWAY, groups),
        Contender(Bridge(folder, f"shipped-{groups}", "bench.gauges"), GAUGES, groups),
    )
    with started(settings, *contenders):
        peer, ours = push_rounds(settings, noise, *contenders)
    what = f"pushes, {count_groups(groups)}, peer as it ships"
    return compared(what, "/s", rates(ours), rates(peer), targets.SHIPPED_RATE[groups])


def rates(results: Sequence[Result]) -> list[float]:
    """Pushes a second of each round."""
    return [result.rate for result in results]
