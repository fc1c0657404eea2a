"""minigem and proxmoxve on the real journal: exact, and the same after a crash, a checkpoint and a full disk."""

from __future__ import annotations

import random

import pytest

from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.errors import JournalFull
from tests.bridge.harness import Harness

MINIGEM, PROXMOXVE = DIALECTS["minigem"], DIALECTS["proxmoxve"]
ERROR = 0.05
"""Three standard deviations of a sketch."""


def users(bridge: Harness) -> dict[str, float]:
    bridge.store.renew_distinct(bridge.clock.now_ms())
    start = 'minigem_unique_users{job="minigem",instance="",window="'
    return {
        name.removeprefix(start).rstrip('"}'): value
        for name, value in bridge.series().items()
        if name.startswith(start)
    }


def batch(people: range) -> dict[str, object]:
    return {
        "schema": "jwc.v1",
        "batch": [{"anon": f"user-{number}", "evt": "test.ping"} for number in people],
    }


def test_who_was_seen_is_the_same_after_crashes_and_near_the_truth(bridge: Harness) -> None:
    for hour in range(3):
        for first in range(hour * 1000, hour * 1000 + 2000, 100):
            bridge.push(batch(range(first, first + 100)), MINIGEM)
        if hour == 1:
            bridge.checkpoint()
        bridge.clock.pass_seconds(3600)
    seen = users(bridge)
    assert seen["1d"] == pytest.approx(4000, rel=ERROR)
    assert seen["1h"] == pytest.approx(2000, rel=ERROR)
    for _ in range(2):
        bridge.crash()
        assert users(bridge) == seen

    bridge.push(batch(range(4000)), MINIGEM)
    assert users(bridge)["1d"] == seen["1d"], "nobody new came"


def series_of(bridge: Harness) -> dict[str, float]:
    return {
        name: value for name, value in bridge.series().items() if name.startswith(("minigem_", "proxmoxve_"))
    }


def installs(count: int, seed: int) -> list[dict[str, object]]:
    """Starts and results of *count* executions, results repeated, in some order that has each start first."""
    order = random.Random(seed)
    sent: list[tuple[float, dict[str, object]]] = []
    for number in range(count):
        base = {
            "random_id": f"r-{number}",
            "execution_id": f"e-{number}",
            "type": "lxc",
            "nsapp": f"app-{number % 7}",
        }
        begun = order.random()
        sent.append((begun, {**base, "status": "installing", "ram_size": 512}))
        status, code = order.choice([("success", 0), ("failed", 1), ("failed", 137), ("aborted", 130)])
        result = {**base, "status": status, "exit_code": code}
        sent += [(begun + 0.1 + again / 10, result) for again in range(1 + order.randrange(3))]
    return [document for _, document in sorted(sent, key=lambda pair: pair[0])]


@pytest.mark.parametrize("seed", range(3))
def test_faults_and_restarts_change_no_count(bridge: Harness, seed: int) -> None:
    order = random.Random(seed)
    documents = installs(40, seed)
    squeezed_in = 0
    """Pushes for which the full disk had room."""
    for step, document in enumerate(documents):
        bridge.push(document, PROXMOXVE)
        fault = order.randrange(12)
        if fault == 0:
            bridge.crash()
        elif fault == 1:
            bridge.checkpoint()
        elif fault == 2:
            connection = bridge.journal._connection
            connection.pragma("max_page_count", connection.pragma("page_count"))
            lost = {
                **document,
                "execution_id": "lost",
                "status": "failed",
                "exit_code": 1,
                "error": "x" * 100_000,
            }
            pushes = [
                bridge.begin({**lost, "execution_id": f"lost-{step}-{n}"}, PROXMOXVE) for n in range(40)
            ]
            bridge.drain()
            connection.pragma("max_page_count", 1_000_000)
            refusals = [push.result() for push in pushes]
            assert isinstance(refusals[-1], JournalFull)
            squeezed_in += refusals.count(None)

    total = {
        name: value
        for name, value in series_of(bridge).items()
        if name.startswith("proxmoxve_executions_total{")
    }
    assert sum(total.values()) == 40 + squeezed_in
    expected = {"success": 0, "failed": 0, "aborted": 0}
    results = {
        str(one["execution_id"]): str(one["status"]) for one in documents if one["status"] != "installing"
    }
    for status in results.values():
        expected[status] += 1
    expected["failed"] += squeezed_in
    for status, number in expected.items():
        assert sum(value for name, value in total.items() if f'status="{status}"' in name) == number
    before = series_of(bridge)
    bridge.crash()
    assert series_of(bridge) == before
