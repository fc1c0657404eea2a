"""What decoding costs: CPU of one core from a typical body to its report, in this process."""

from __future__ import annotations

import time

from bench.bodies import TYPICAL, Typical
from bench.bridge import targets
from bench.bridge.rounds import Noise, Settings
from bench.summary import spread
from bench.table import Row

VARIANTS = 64
REPEATS = 40


def decode(settings: Settings, noise: Noise) -> list[Row]:
    """A row a dialect. The first pass over its bodies is not measured: agents send the same series again and again."""
    settings.say("decoding")
    found: dict[str, list[float]] = {typical.name: [] for typical in TYPICAL}
    for _ in range(settings.rounds):
        noise.look()
        for typical in TYPICAL:
            found[typical.name].append(_microseconds(typical))
    return [
        Row(
            f"decode a push, {typical.name}",
            "µs",
            spread(found[typical.name]),
            must=targets.DECODE_MICROSECONDS,
        )
        for typical in TYPICAL
    ]


def _microseconds(typical: Typical) -> float:
    bodies = [typical.body(seed) for seed in range(VARIANTS)]
    run, context = typical.dialect.decode, typical.context
    for body in bodies:
        report = run(body, context)
        assert report.accepted, f"{typical.name} accepted nothing"
    began = time.process_time()
    for _ in range(REPEATS):
        for body in bodies:
            run(body, context)
    return (time.process_time() - began) / (REPEATS * VARIANTS) * 1e6
