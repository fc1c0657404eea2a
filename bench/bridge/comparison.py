"""All parts of the table in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bench.bridge import (
    decode,
    dialects,
    events,
    flood,
    push_rates,
    remote_write,
    replay,
    scrapes,
    slow_disk,
)
from bench.bridge.rounds import Settings
from bench.noise import Noise
from bench.table import Row

PARTS: dict[str, Callable[[Settings, Noise], list[Row]]] = {
    "pushes": push_rates.unchecked,
    "shipped": push_rates.as_shipped,
    "scrapes": scrapes.many_groups,
    "replay": replay.replay,
    "slow-disk": slow_disk.slow_disk,
    "remote-write": remote_write.remote_write,
    "flood": flood.flood,
    "decode": decode.decode,
    "dialects": dialects.dialects,
    "events": events.events,
}

WITH_PUSHGATEWAY = frozenset({"pushes", "shipped", "scrapes"})
"""Parts whose peer it is; that of the others, if they have one, is a bridge too."""


def compare(settings: Settings, noise: Noise, parts: Iterable[str]) -> list[Row]:
    """The rows of *parts*, in the order of PARTS. Raises ServerFailed or LoadFailed: then there is no table."""
    chosen = set(parts)
    return [row for name, part in PARTS.items() if name in chosen for row in part(settings, noise)]
