from __future__ import annotations

from pathlib import Path

import pytest

from tests.bridge.faults.counted_once import push_through_kills

pytestmark = pytest.mark.stack

ROUNDS = 5


def test_kills_and_repeats_count_each_acknowledged_event_once(tmp_path: Path) -> None:
    outcome = push_through_kills(tmp_path, ROUNDS, seed=11)

    assert outcome.events > 200
    assert outcome.sent_again > 20
