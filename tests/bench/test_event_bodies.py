from __future__ import annotations

import json
from typing import Any

from bench.event_bodies import (
    BATCH_EVENTS,
    EVENTS_OF_A_RUN,
    PERSONS,
    minigem_batch,
    minigem_single,
    proxmoxve_execution,
)
from bench.pushes import VARIANTS

NOW = 1_770_000_000.25
BATCHES = PERSONS * EVENTS_OF_A_RUN // BATCH_EVENTS
MINIGEM_BYTES = 65_536
"""What its server takes at most."""


def batch(seed: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(minigem_batch("", seed, NOW))["batch"]
    return events


def execution(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    begun, ended = (
        json.loads(proxmoxve_execution("", number * VARIANTS + one, NOW)) for one in range(VARIANTS)
    )
    return begun, ended


def test_a_batch_has_a_hundred_events_and_fits() -> None:
    for seed in range(BATCHES * VARIANTS):
        assert len(minigem_batch("", seed, NOW)) <= MINIGEM_BYTES
    assert len(batch(0)) == BATCH_EVENTS == 100


def test_all_batches_together_are_of_ten_thousand_persons() -> None:
    for variant in range(VARIANTS):
        persons = {event["anon"] for group in range(BATCHES) for event in batch(group * VARIANTS + variant)}

        assert len(persons) == PERSONS == 10_000
        assert all(len(person) == 32 and int(person, 16) >= 0 for person in persons)


def test_runs_end_in_every_way_and_after_different_times() -> None:
    ended = [event for seed in range(0, 40, VARIANTS) for event in batch(seed)[1::2]]
    measured = [event["m"] for event in ended if event["evt"] == "java.run.completed"]
    failed = [event["m"] for event in ended if event["evt"] == "java.run.error"]

    assert {one["exit"] for one in measured} == {0, 1, 130, 143}
    assert len({one["durationMs"] for one in measured}) > len(measured) / 2
    assert {one["phase"] for one in failed} == {"compile", "runtime"}
    assert len(measured) + len(failed) == len(ended)


def test_single_events_are_the_two_of_a_run() -> None:
    begun, ended = (json.loads(minigem_single("", 14 + variant, NOW)) for variant in range(VARIANTS))

    assert begun["schema"] == "jwc.v1"
    assert (begun["evt"], ended["evt"]) == ("java.run.started", "java.run.error")
    assert begun["t"] < ended["t"] == 1_770_000_000_250
    assert [begun[key] for key in ("anon", "sessionId", "os")] == [
        ended[key] for key in ("anon", "sessionId", "os")
    ]


def test_an_execution_begins_and_ends_under_one_id() -> None:
    begun, ended = execution(7)

    assert (begun["status"], ended["status"]) == ("installing", "success")
    assert begun["execution_id"] == ended["execution_id"] != execution(8)[0]["execution_id"]
    assert len(begun["execution_id"]) == 36


def test_one_execution_in_five_fails_with_a_text() -> None:
    results = [execution(number)[1] for number in range(60)]
    failed = [one for one in results if one["status"] == "failed"]

    assert len(failed) == 12
    assert all(one["exit_code"] and one["error"] for one in failed)
    assert len({one["exit_code"] for one in failed}) == 6
    assert not any(one["exit_code"] or one["error"] for one in results if one["status"] == "success")
