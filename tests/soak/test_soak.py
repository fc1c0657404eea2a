"""The long forms of tests/bridge/faults: the same code, more of it. Each prints what it went through.

``SOAK_SHARE=0.05 make soak`` does a twentieth of each, and ``SOAK_SEED`` chooses other random numbers.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bridge.faults.churn import live_through, reached_a_plateau
from tests.bridge.faults.counted_once import push_through_kills
from tests.bridge.faults.fill_and_free import fill_and_free
from tests.bridge.faults.hostile import besiege
from tests.bridge.faults.load import push_and_watch
from tests.bridge.faults.size import fill
from tests.bridge.faults.small_disk import SmallDisk
from tests.bridge.faults.test_size import MAX_BYTES_A_SERIES
from tests.bridge.faults.test_wal import CHECKPOINT_BYTES
from tests.bridge.harness import Harness

SHARE = float(os.environ.get("SOAK_SHARE", "1"))
SEED = int(os.environ.get("SOAK_SEED", "1"))

pytestmark = pytest.mark.stack


def share_of(count: int) -> int:
    return max(round(count * SHARE), 1)


def test_200_kills_count_each_acknowledged_event_once(tmp_path: Path) -> None:
    rounds = share_of(200)

    outcome = push_through_kills(tmp_path, rounds, SEED)
    print(outcome)

    assert outcome.kills > rounds
    assert outcome.events > 40 * rounds


def test_100_000_hostile_requests_do_no_harm(tmp_path: Path) -> None:
    print(besiege(tmp_path / "journal", tmp_path / "log", share_of(100_000), SEED))


def test_full_disk_100_times(tmp_path: Path, small_disk: SmallDisk) -> None:
    fill_and_free(small_disk, tmp_path / "log", share_of(100))


def test_200_000_series_of_10_000_sources(tmp_path: Path) -> None:
    size = fill(tmp_path, sources=share_of(10_000), values=20, rounds=10)
    print(size)

    assert size.bytes_a_series < MAX_BYTES_A_SERIES
    assert size.again_bytes < 1.3 * size.held_bytes
    assert size.restarted_bytes < 1.3 * size.held_bytes


def test_100_generations_of_short_lived_instances(bridge: Harness) -> None:
    seen = live_through(bridge, max(share_of(100), 12), 500, days=6.0)
    for one in (seen[0], seen[len(seen) // 2], seen[-1]):
        print(one)

    assert reached_a_plateau(seen, known=4)


def test_4_gigabytes_of_pushes_leave_the_journal_small(tmp_path: Path) -> None:
    watched = push_and_watch(tmp_path, share_of(4 * 10**9))
    print(watched)

    assert watched.largest_wal_bytes < 4 * CHECKPOINT_BYTES
    assert watched.largest_file_bytes < watched.file_bound_bytes
