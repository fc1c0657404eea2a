"""kill -9 while pushes run: every push that was answered is there, and none is there twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.bridge.journal_faults import FaultyBridge
from tests.bridge.kill import Account, faults, join, push_and_kill, start_pushers
from tests.bridge.process import BridgeProcess

pytestmark = pytest.mark.stack

PUSHERS = 8
ROUNDS = 5


def new_accounts() -> dict[str, Account]:
    return {f"host-{i}": Account() for i in range(PUSHERS)}


def test_kill_loses_no_answered_push_and_counts_none_twice(tmp_path: Path) -> None:
    chance = random.Random(7)
    accounts = new_accounts()
    found = []
    with BridgeProcess(tmp_path, "--journal.checkpoint-interval-seconds=0.2") as bridge:
        for _ in range(ROUNDS):
            found += push_and_kill(bridge, accounts, chance)

    assert found == []
    assert sum(account.answers for account in accounts.values()) > 100


@pytest.mark.parametrize(("journal", "loses"), [("slow", False), ("hasty", True)])
def test_acknowledging_before_the_commit_would_be_seen(journal: str, loses: bool, tmp_path: Path) -> None:
    """The test above can fail: a journal that answers first and commits then loses pushes, and that is found.

    One whose commits take as long, but which answers after them, loses none.
    """
    accounts = new_accounts()
    with FaultyBridge(journal, tmp_path) as bridge:
        found = push_and_kill(bridge, accounts, random.Random(7))

    assert any(fault.startswith("lost: ") for fault in found) is loses
    assert all(account.requests > 0 for account in accounts.values())


def test_a_graceful_stop_answers_everything_and_leaves_nothing_to_replay(tmp_path: Path) -> None:
    accounts = new_accounts()
    with BridgeProcess(tmp_path) as bridge:
        pushers = start_pushers(bridge, accounts)
        time.sleep(0.5)
        code = bridge.terminate()
        join(pushers)
        assert code == 0

        bridge.start()
        found = faults(accounts, bridge.series())

    assert found == []
    assert all(account.answered > 0 for account in accounts.values())
