"""What decoding costs: CPU of one core from a typical body to its report, in this process."""

from __future__ import annotations

import time

from bench.bridge import targets
from bench.bridge.rounds import Settings
from bench.noise import Noise
from bench.summary import spread
from bench.table import Row, compared
from bench.typical import EVENTS, HOSTS, MAPPED, Typical

VARIANTS = 64
REPEATS = 40


def decode(settings: Settings, noise: Noise) -> list[Row]:
    """A row a dialect. The first pass over its bodies is not measured: agents send the same series again and again."""
    settings.say("decoding")
    decoded = (*HOSTS, *EVENTS, MAPPED)
    found: dict[str, list[float]] = {typical.name: [] for typical in decoded}
    for _ in range(settings.rounds):
        noise.look()
        for typical in decoded:
            found[typical.name].append(_microseconds(typical))
    rows = [_row(typical, found[typical.name]) for typical in decoded]
    mapped, pixeltracker = found[MAPPED.name], found[HOSTS[0].name]
    beside = f"{MAPPED.name}, beside {HOSTS[0].name}"
    return [*rows, compared(beside, "µs", mapped, pixeltracker, targets.MAPPED_DECODE)]


def _row(typical: Typical, microseconds: list[float]) -> Row:
    if typical.items == 1:
        what, must = "a push", targets.DECODE_MICROSECONDS
    else:
        what, must = "an event", targets.DECODE_BATCHED_MICROSECONDS
    return Row(f"decode {what}, {typical.name}", "µs", spread(microseconds), must=must)


def _microseconds(typical: Typical) -> float:
    """CPU time for one item."""
    bodies = [typical.body(seed) for seed in range(VARIANTS)]
    run, context = typical.dialect.decode, typical.context
    for body in bodies:
        report = run(body, context)
        assert report.accepted >= typical.items, f"{typical.name}: accepted {report.accepted}"
    began = time.process_time()
    for _ in range(REPEATS):
        for body in bodies:
            run(body, context)
    return (time.process_time() - began) / (REPEATS * VARIANTS * typical.items) * 1e6
