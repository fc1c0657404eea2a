"""What a slow disk costs: a delay before each commit."""

from __future__ import annotations

from bench import generator
from bench.bridge import targets
from bench.bridge.push_rates import rates
from bench.bridge.rounds import Contender, Settings, push_rounds, started
from bench.gauges import DELAY_VARIABLE
from bench.noise import Noise
from bench.pushes import GAUGES
from bench.servers import Bridge
from bench.table import Row, compared

DELAY_SECONDS = 0.005
PROBE_DELAY_SECONDS = 0.05
CONNECTIONS = 512
GROUPS = 1_000


def slow_disk(settings: Settings, noise: Noise) -> list[Row]:
    """With many connections the rate hardly falls, as one commit takes all that wait."""
    settings.say("pushes with a slow disk")
    what = f"pushes, 5 ms before each commit against none, {CONNECTIONS} connections"
    if not _delays(settings):
        return [Row(what, "/s", None, must=targets.DELAYED_RATE, note="the delay had no effect")]
    contenders = (
        Contender(Bridge(settings.folder, "quick-disk", "bench.gauges"), GAUGES, GROUPS),
        Contender(_slow_bridge(settings, "slow-disk", DELAY_SECONDS), GAUGES, GROUPS),
    )
    crowded = settings._replace(connections=CONNECTIONS)
    with started(crowded, *contenders):
        quick, slow = push_rounds(crowded, noise, *contenders)
    return [compared(what, "/s", rates(slow), rates(quick), targets.DELAYED_RATE)]


def _delays(settings: Settings) -> bool:
    """Whether the bridge knows the variable: then no push is answered before the delay is over."""
    with _slow_bridge(settings, "probe-disk", PROBE_DELAY_SECONDS) as server:
        alone = settings._replace(connections=1, seconds=0.5)
        result = generator.run(Contender(server, GAUGES, 1).plan(alone))
    return result.p50_ms >= PROBE_DELAY_SECONDS * 1000


def _slow_bridge(settings: Settings, name: str, seconds: float) -> Bridge:
    return Bridge(settings.folder, name, "bench.gauges", environment={DELAY_VARIABLE: str(seconds)})
