"""Clients that push events with keys through kill -9, hang up without their answer, and send everything again."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from tests.bridge.events import DURATION
from tests.bridge.faults.served import Served
from tests.bridge.faults.wire import Wire, post
from tests.bridge.process import BridgeProcess

PUSHERS: Final = 8
SECONDS: Final = (0.25, 0.75, 3.0, 16.0)
"""Sums of these are exact in a float."""
USERS: Final = 120
"""Few enough for a sketch to count them exactly."""
CHANCE_TO_HANG_UP: Final = 0.1
CHANCE_TO_KILL_WHILE_STARTING: Final = 0.2
GROUP: Final = 'job="events",instance="shop"'
SETTLE_SECONDS: Final = 120.0
RENEWAL_SECONDS: Final = 1.5
"""Distinct counts are shown anew once a second."""


class Event(NamedTuple):
    """One push as its client knows it."""

    key: str
    kind: str
    runs: int
    seconds: float
    user: str

    @property
    def request(self) -> bytes:
        body = {
            "app": "shop",
            "kind": self.kind,
            "runs": self.runs,
            "seconds": [self.seconds],
            "users": [self.user],
        }
        return post("/events", json.dumps(body).encode(), f"Idempotency-Key: {self.key}")


class Pusher(threading.Thread):
    """Sends one event after the other, each until it is answered; lives through restarts of the bridge."""

    def __init__(self, port: int, number: int, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self._wire = Wire(port)
        self._number = number
        self._chance = chance
        self._last = threading.Event()
        self.acknowledged: list[Event] = []
        self.sent_again = 0
        self.strange: list[int] = []
        """Statuses that are neither an acceptance nor a wish to come again."""

    def run(self) -> None:
        number = 0
        while not self._last.is_set():
            number += 1
            event = Event(
                f"{self._number}-{number}",
                f"k{self._number % 3}",
                self._chance.randint(1, 5),
                self._chance.choice(SECONDS),
                f"user-{self._chance.randrange(USERS)}",
            )
            while not self._accepted(event):
                self.sent_again += 1
            self.acknowledged.append(event)
        self._wire.close()

    def finish(self) -> None:
        """End after the event that is under way."""
        self._last.set()

    def _accepted(self, event: Event) -> bool:
        try:
            if self._chance.random() < CHANCE_TO_HANG_UP:
                self._wire.send(event.request)
                time.sleep(self._chance.uniform(0, 0.004))
                self._wire.close()
                return False
            status = self._wire.ask(event.request).status
        except OSError:
            self._wire.close()
            time.sleep(0.02)
            return False
        if status not in (0, 200, 202, 503):
            self.strange.append(status)
            return True
        return status in (200, 202)


class Outcome(NamedTuple):
    """How much a run went through."""

    events: int
    sent_again: int
    kills: int


def push_through_kills(directory: Path, rounds: int, seed: int) -> Outcome:
    """Kill the bridge *rounds* times under load, then compare all that it counted with what was acknowledged.

    After each kill nothing acknowledged before it may be missing.
    """
    chance = random.Random(seed)
    kills = 0
    with Served(directory, "--journal.checkpoint-interval-seconds=0.2") as bridge:
        pushers = [
            Pusher(bridge.port, number, random.Random(f"{seed} {number}")) for number in range(PUSHERS)
        ]
        for pusher in pushers:
            pusher.start()
        try:
            for _ in range(rounds):
                time.sleep(chance.uniform(0.2, 0.8))
                bridge.kill()
                acknowledged = sum(event.runs for pusher in pushers for event in tuple(pusher.acknowledged))
                kills += 1
                while chance.random() < CHANCE_TO_KILL_WHILE_STARTING:
                    bridge.spawn()
                    time.sleep(chance.uniform(0.0, 1.5))
                    bridge.kill()
                    kills += 1
                bridge.start()
                counted = sum(
                    value for name, value in bridge.series().items() if name.startswith("app_runs_total{")
                )
                assert counted >= acknowledged
        finally:
            for pusher in pushers:
                pusher.finish()
        for pusher in pushers:
            pusher.join(SETTLE_SECONDS)
        assert not any(pusher.is_alive() for pusher in pushers)
        assert [status for pusher in pushers for status in pusher.strange] == []
        events = [event for pusher in pushers for event in pusher.acknowledged]
        expected = exposition_of(events)
        time.sleep(RENEWAL_SECONDS)
        assert counted_series(bridge) == expected
        bridge.kill()
        bridge.start()
        assert counted_series(bridge) == expected
    return Outcome(len(events), sum(pusher.sent_again for pusher in pushers), kills + 1)


def exposition_of(events: list[Event]) -> dict[str, float]:
    """What a scrape must show if each of *events* was counted once."""
    series: dict[str, float] = {f"telemetry_reports_total{{{GROUP}}}": float(len(events))}
    runs: Counter[str] = Counter()
    for event in events:
        runs[event.kind] += event.runs
    for kind, total in runs.items():
        series[f'app_runs_total{{{GROUP},kind="{kind}"}}'] = float(total)
    for bound in (*DURATION.buckets, float("inf")):
        le = "+Inf" if bound == float("inf") else repr(bound)
        series[f'app_duration_seconds_bucket{{{GROUP},le="{le}"}}'] = float(
            sum(event.seconds <= bound for event in events)
        )
    series[f"app_duration_seconds_sum{{{GROUP}}}"] = sum(event.seconds for event in events)
    series[f"app_duration_seconds_count{{{GROUP}}}"] = float(len(events))
    users = float(len({event.user for event in events}))
    for window in ("1h", "1d", "7d", "30d"):
        series[f'app_users{{{GROUP},window="{window}"}}'] = users
    return series


def counted_series(bridge: BridgeProcess) -> dict[str, float]:
    """What the bridge counted of the events, without what depends on when they came."""
    counted = ("app_", "telemetry_reports_total{")
    return {name: value for name, value in bridge.series().items() if name.startswith(counted)}
