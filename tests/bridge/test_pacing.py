from __future__ import annotations

import asyncio

import pytest

from pushgateway_bridge.pacing import (
    BURST,
    LONGEST_REFUSAL_SECONDS,
    OTHERS_SECONDS,
    REFUSALS_PER_SECOND,
    Pacer,
)
from tests.bridge.harness import FakeClock


class Source:
    def __init__(self) -> None:
        self.paced_until = 0.0


class Answers:
    """Counts the answers that were given."""

    def __init__(self, wanted: int) -> None:
        self.given = 0
        self.wanted = wanted
        self.all = asyncio.Event()

    def __call__(self, _refusal: None) -> None:
        self.given += 1
        if self.given == self.wanted:
            self.all.set()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def pacer(clock: FakeClock) -> Pacer:
    made = Pacer(clock.monotonic)
    made.per_second = 1000.0
    return made


def answer(pacer: Pacer, source: Source, times: int) -> Answers:
    answers = Answers(times)
    for _ in range(times):
        pacer.answer(source, answers)
    return answers


def test_a_source_that_has_the_bridge_to_itself_is_not_slowed(pacer: Pacer) -> None:
    answers = answer(pacer, Source(), 10_000)

    assert (answers.given, pacer.delayed) == (10_000, 0)


def test_a_flood_is_answered_at_the_pace_while_another_source_pushes(pacer: Pacer) -> None:
    async def flooded() -> None:
        flood, other = Source(), Source()
        answer(pacer, flood, 1)
        answer(pacer, other, 1)
        answers = answer(pacer, flood, 10 * BURST)
        assert answers.given <= BURST
        assert pacer.delayed == 10 * BURST - answers.given
        assert answer(pacer, other, 1).given == 1

        # By the pace the last answer is due when as many steps have passed as there are answers beyond the burst.
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.wait_for(answers.all.wait(), 60)
        assert loop.time() - began >= 0.9 * (9 * BURST) / pacer.per_second

    asyncio.run(flooded())


def test_no_answer_is_forgotten_when_the_bridge_stops(pacer: Pacer) -> None:
    async def stopped() -> None:
        flood = Source()
        answer(pacer, flood, 1)
        answer(pacer, Source(), 1)
        answers = answer(pacer, flood, 5 * BURST)
        pacer.answer_all()
        assert answers.given == 5 * BURST
        await asyncio.sleep(0.3)
        assert answers.given == 5 * BURST

    asyncio.run(stopped())


def test_a_source_is_free_again_when_the_others_have_been_silent(pacer: Pacer, clock: FakeClock) -> None:
    flood = Source()
    answer(pacer, flood, 1)
    answer(pacer, Source(), 1)
    answer(pacer, flood, 1)
    clock.pass_seconds(OTHERS_SECONDS + 1)

    assert answer(pacer, flood, 10_000).given == 10_000


def test_without_a_pace_nobody_waits(pacer: Pacer) -> None:
    pacer.per_second = 0.0
    flood = Source()
    answer(pacer, flood, 1)
    answer(pacer, Source(), 1)

    assert answer(pacer, flood, 10_000).given == 10_000


def test_a_source_that_keeps_to_the_pace_never_waits(pacer: Pacer, clock: FakeClock) -> None:
    steady = Source()
    for _ in range(5000):
        answer(pacer, Source(), 1)
        assert answer(pacer, steady, 1).given == 1
        clock.pass_seconds(1 / pacer.per_second)
    assert pacer.delayed == 0


def test_refusals_wait_only_when_there_are_very_many_and_never_for_long(pacer: Pacer) -> None:
    async def refused(number: int) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(pacer.pace_refusal() for _ in range(number)))
        return loop.time() - began

    async def both() -> None:
        await refused(BURST)
        assert pacer._refused_until <= pacer._monotonic() + 1e-9  # a burst is answered at once
        many = int(REFUSALS_PER_SECOND)
        assert await refused(many) >= 0.9 * many / REFUSALS_PER_SECOND
        await refused(10 * many)
        assert pacer._refused_until <= pacer._monotonic() + LONGEST_REFUSAL_SECONDS + 1e-9

    asyncio.run(both())
