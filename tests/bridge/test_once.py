from __future__ import annotations

import asyncio
import threading

import msgspec
import pytest

from pushgateway_bridge.dialects.dialect import PushContext, Reply
from pushgateway_bridge.errors import BadIdempotencyKey, IdempotencyKeyReused, JournalFull
from pushgateway_bridge.journal.receipts import Receipt, find_receipt
from pushgateway_bridge.once import Once
from tests.bridge.events import EVENTS
from tests.bridge.harness import Harness

RUNS = 'app_runs_total{job="events",instance="shop",kind="web"}'
ACCEPTED = EVENTS.accepted


class Pusher:
    """Pushes events with a key."""

    def __init__(self, bridge: Harness) -> None:
        self.bridge = bridge
        self.once = Once(bridge.ingest, self.find, lambda: bridge.journal.secret)
        self.may_look = threading.Event()
        self.may_look.set()

    def find(self, key: bytes) -> Receipt | None:
        self.may_look.wait(60)
        return find_receipt(self.bridge.journal.file, key, self.bridge.clock.now_ms())

    async def send(self, document: object, key: str) -> Reply:
        context = PushContext(self.bridge.clock.now_ms(), "application/json")
        counts = self.bridge.metrics.dialects[EVENTS.name]
        return await self.once.push(EVENTS, msgspec.json.encode(document), context, key, counts)

    def push(self, document: object, key: str) -> Reply:
        return self.bridge.run(self.send(document, key))


@pytest.fixture
def pusher(bridge: Harness) -> Pusher:
    return Pusher(bridge)


def test_a_repeat_gets_the_first_reply_and_is_counted_once(bridge: Harness, pusher: Pusher) -> None:
    assert [pusher.push({"runs": 1}, "k") for _ in range(3)] == [ACCEPTED] * 3

    assert bridge.series()[RUNS] == 1.0
    counts = bridge.metrics.dialects[EVENTS.name]
    assert (counts.accepted, counts.deduplicated) == (1, 2)


def test_a_repeat_after_a_crash_is_counted_once(bridge: Harness) -> None:
    Pusher(bridge).push({"runs": 1}, "k")
    bridge.crash()

    assert Pusher(bridge).push({"runs": 1}, "k") == ACCEPTED
    assert bridge.series()[RUNS] == 1.0


def test_the_same_key_with_another_body_is_refused(bridge: Harness, pusher: Pusher) -> None:
    pusher.push({"runs": 1}, "k")

    with pytest.raises(IdempotencyKeyReused):
        pusher.push({"runs": 2}, "k")
    assert bridge.series()[RUNS] == 1.0


def test_a_key_counts_within_its_source(bridge: Harness, pusher: Pusher) -> None:
    pusher.push({"runs": 1}, "k")
    pusher.push({"runs": 1, "app": "other"}, "k")

    assert bridge.series()['app_runs_total{job="events",instance="other",kind="web"}'] == 1.0


def test_a_repeat_while_the_first_is_under_way_waits_for_its_outcome(bridge: Harness, pusher: Pusher) -> None:
    async def three_at_once() -> list[Reply]:
        pusher.may_look.clear()
        sending = [asyncio.create_task(pusher.send({"runs": 1}, "k")) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(IdempotencyKeyReused):
            await pusher.send({"runs": 2}, "k")
        assert not any(one.done() for one in sending)
        pusher.may_look.set()
        return await asyncio.gather(*sending)

    assert bridge.run(three_at_once()) == [ACCEPTED] * 3
    assert bridge.series()[RUNS] == 1.0


def test_a_push_that_was_refused_does_not_use_up_its_key(bridge: Harness, pusher: Pusher) -> None:
    document = {"runs": 1, "users": [str(number) for number in range(30_000)]}
    connection = bridge.journal._connection
    connection.pragma("max_page_count", connection.pragma("page_count"))
    with pytest.raises(JournalFull):
        pusher.push(document, "k")
    connection.pragma("max_page_count", 1_000_000)

    assert pusher.push(document, "k") == ACCEPTED
    assert bridge.series()[RUNS] == 1.0


def test_a_key_is_forgotten_after_a_day(bridge: Harness, pusher: Pusher) -> None:
    pusher.push({"runs": 1}, "k")
    bridge.clock.pass_seconds(86_401)
    pusher.push({"runs": 1}, "k")
    assert bridge.series()[RUNS] == 2.0

    bridge.clock.pass_seconds(86_401)
    pusher.push({"runs": 1}, "other")
    bridge.checkpoint()
    assert bridge.journal._connection.execute("SELECT count(*) FROM receipt").get == 1


@pytest.mark.parametrize("key", ["", "k" * 256], ids=["empty", "too long"])
def test_a_key_has_1_to_255_characters(pusher: Pusher, key: str) -> None:
    with pytest.raises(BadIdempotencyKey):
        pusher.push({"runs": 1}, key)


def test_neither_key_nor_body_is_kept(bridge: Harness, pusher: Pusher) -> None:
    pusher.push({"runs": 1, "app": "shop"}, "a-very-secret-key")
    bridge.checkpoint()
    bridge.journal._connection.wal_checkpoint()

    kept = b"".join(file.read_bytes() for file in bridge.directory.iterdir())
    assert b"a-very-secret-key" not in kept
