from __future__ import annotations

from pathlib import Path

import pytest

from tests.bridge.faults.churn import live_through, reached_a_plateau
from tests.bridge.faults.size import fill
from tests.bridge.harness import Harness

MAX_BYTES_A_SERIES = 1500
"""Three times what was seen where this was written: it must not depend on the machine."""


@pytest.mark.stack
def test_memory_of_a_thousand_sources_is_bounded(tmp_path: Path) -> None:
    size = fill(tmp_path, sources=1000, values=20, rounds=3)
    print(size)

    assert size.bytes_a_series < MAX_BYTES_A_SERIES
    assert size.again_bytes < 1.3 * size.held_bytes
    assert size.restarted_bytes < 1.3 * size.held_bytes


def test_short_lived_instances_reach_a_plateau(bridge: Harness) -> None:
    """Six days a generation: four of them are known at its end."""
    generations, instances, known = 16, 30, 4

    seen = live_through(bridge, generations, instances, days=6.0)

    assert [one.sources for one in seen[:known]] == [instances * (n + 1) for n in range(known)]
    assert seen[known].sources == seen[known].checkpoint_rows == instances * known
    assert reached_a_plateau(seen, known)
    expected = bridge.series()
    bridge.crash()
    assert bridge.series() == expected


def test_short_lived_instances_reach_a_plateau_while_nobody_scrapes(bridge: Harness) -> None:
    seen = live_through(bridge, 12, 30, days=6.0, scraped=False)

    assert reached_a_plateau(seen, known=4)
