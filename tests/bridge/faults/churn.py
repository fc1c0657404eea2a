"""Generations of short-lived instances, such as containers whose id is their name, on a clock that runs fast."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pushgateway_bridge.state.block import Block
from pushgateway_bridge.state.series import Group, Series, Source
from tests.bridge.harness import Harness

DAYS = 86400.0


class Held(NamedTuple):
    """What stands at the end of one generation."""

    sources: int
    series: int
    objects: int
    """Series, groups, sources and blocks that memory holds, whether a table still knows them or not."""
    pages: int
    """Of the journal's file, once the log is copied into it; the log has a bound of its own."""
    checkpoint_rows: int


def live_through(
    bridge: Harness, generations: int, instances: int, days: float, *, scraped: bool = True
) -> list[Held]:
    """Each generation has new instances, which report three times and are *scraped*; then *days* pass."""
    seen = []
    for generation in range(generations):
        for report in range(3):
            outcomes = [
                bridge.begin(
                    {"name": f"{generation:04x}{instance:08x}", "cpuC": 4, "cpuL": report, "tRam": 900}
                )
                for instance in range(instances)
            ]
            bridge.drain()
            assert all(outcome.result() is None for outcome in outcomes)
            if scraped:
                bridge.series()
            bridge.clock.pass_seconds(10)
        bridge.checkpoint()
        bridge.clock.pass_seconds(300)
        bridge.expire()
        bridge.clock.pass_seconds(days * DAYS)
        bridge.expire()
        bridge.checkpoint()
        seen.append(held(bridge))
    return seen


def held(bridge: Harness) -> Held:
    gc.collect()
    kinds = Counter(type(one) for one in gc.get_objects())
    connection = bridge.journal._connection
    rows, pages = connection.execute("SELECT count(*) FROM checkpoint").get, connection.pragma("page_count")
    assert isinstance(rows, int)
    assert isinstance(pages, int)
    return Held(
        bridge.store.source_count,
        bridge.store.series_count,
        sum(count for kind, count in kinds.items() if issubclass(kind, Series | Group | Source | Block)),
        pages,
        rows,
    )


def reached_a_plateau(seen: Sequence[Held], known: int) -> bool:
    """Whether nothing grew once *known* generations were there, but for a block or a page that is not full."""
    first, *later = seen[known:]
    return all(
        one.sources == first.sources
        and one.series == first.series
        and one.checkpoint_rows == first.checkpoint_rows
        and one.objects <= 1.02 * first.objects
        for one in later
    ) and max(one.pages for one in seen) <= 1.25 * max(one.pages for one in seen[: 2 * known])
