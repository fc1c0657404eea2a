"""What is required of the bridge, as multiples of the peer's figures unless a line says otherwise."""

from __future__ import annotations

from bench.table import Target

PUSH_RATE, PUSH_RATE_AIM = Target("≥", 1.0), Target("≥", 1.7)
PUSH_CPU, PUSH_CPU_AIM = Target("≤", 0.5), Target("≤", 0.35)
PUSH_P99, PUSH_P99_AIM = Target("≤", 0.25), Target("≤", 0.1)

MANY_GROUPS = 10_000
MANY_GROUPS_RATE = Target("≥", 0.65)
"""Of our own rate with one group: many groups cost at most 35 %."""

SHIPPED_RATE = {1: Target("≥", 5.0), 100: Target("≥", 20.0), 1_000: Target("≥", 200.0)}
"""By number of groups, against a peer with its checks on."""

SCRAPE, SCRAPE_AIM = Target("≤", 0.25), Target("≤", 0.1)
SCRAPE_WHILE_PUSHED = Target("≤", 0.33)
PUSH_P99_WHILE_SCRAPED = Target("≤", 0.125)
MEMORY, MEMORY_AIM = Target("≤", 0.5), Target("≤", 0.33)

REPLAY_SAMPLES_PER_SECOND = Target("≥", 200_000.0)
DELAYED_RATE = Target("≥", 0.5)
"""Of our own rate without the delay."""

SINK_SAMPLES_PER_SECOND = Target("≥", 100_000.0)
PROMETHEUS_SAMPLES_PER_SECOND = Target("≥", 50_000.0)
RATE_WHILE_SHIPPING = Target("≥", 0.75)
"""Of our own rate without a remote."""

P99_BESIDE_A_FLOOD = Target("≤", 2.0)
"""Of the others' own p99 without it."""

DECODE_MICROSECONDS = Target("≤", 40.0)
DECODE_BATCHED_MICROSECONDS = Target("≤", 10.0)
"""For one event of a batch of a hundred."""

MAPPED_DECODE = Target("≤", 2.0)
"""Ten values by a mapping, of the hand-written pixeltracker decoder's time."""

DIALECT_RATE = Target("≥", 0.7)
"""Of the core's rate with as many series a push."""
EVENTS_PER_SECOND = Target("≥", 30_000.0)
"""In batches of a hundred, each on disk before its answer."""
