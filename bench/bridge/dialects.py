"""What each host dialect costs beside the core: as many series a push, of as many sources, in the same rounds."""

from __future__ import annotations

from bench.bridge import targets
from bench.bridge.push_rates import rates
from bench.bridge.rounds import Contender, Settings, push_rounds, started
from bench.noise import Noise
from bench.pushes import core_kind
from bench.servers import Bridge
from bench.table import Row, compared
from bench.tokens import make_tokens
from bench.typical import HOSTS, Typical

SOURCES = 1_000


def dialects(settings: Settings, noise: Noise) -> list[Row]:
    """Three rows a dialect; the peer is the core."""
    return [row for typical in HOSTS for row in _rows(settings, noise, typical)]


def series_of(typical: Typical) -> int:
    """How many series one push sets."""
    return sum(len(group.shape) for group in typical.decode(seed=0).groups)


def _rows(settings: Settings, noise: Noise, typical: Typical) -> list[Row]:
    name, series = typical.name, series_of(typical)
    settings.say(f"{name} beside the core, {series} series a push")
    bridge = Bridge(settings.folder, f"core-{typical.dialect.name}", "bench.gauges")
    core = Contender(bridge, core_kind(series), SOURCES)
    spoken = speaking(settings, typical, SOURCES)
    with started(settings, core, spoken):
        peers, ours = push_rounds(settings, noise, core, spoken)
    return [
        compared(
            f"series, {name}, {series} a push",
            "/s",
            [series * rate for rate in rates(ours)],
            [series * rate for rate in rates(peers)],
            targets.DIALECT_RATE,
        ),
        compared(f"pushes, {name}", "/s", rates(ours), rates(peers)),
        compared(
            f"CPU a push, {name}",
            "µs",
            [result.cpu_us for result in ours],
            [result.cpu_us for result in peers],
        ),
    ]


def speaking(settings: Settings, typical: Typical, sources: int) -> Contender:
    """A bridge as it ships to which *typical* is pushed, with tokens for its sources where they need one."""
    bridge = Bridge(settings.folder, f"spoken-{typical.dialect.name}")
    tokens: tuple[str, ...] = ()
    if typical.kind.token_header:
        with bridge:
            tokens = make_tokens(bridge, typical.dialect.name, sources)
    return Contender(bridge, typical.kind, sources, tokens)
