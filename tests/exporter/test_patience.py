"""Scrapes in which a collector hangs: the others' series arrive, and in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from host_exporter.collector import Collect
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.patience import PatientScraper, TooBusyError
from host_exporter.render import TEXT
from host_exporter.scrape import Scraper

GOOD = Family("good", "gauge", "Works.")
LATE = Family("late", "gauge", "Comes when it is released.")
SHORT_SECONDS = 0.4


class Hanging:
    """A collector that answers when it is released, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.release = threading.Event()
        self.started = threading.Event()
        self.came_back = threading.Event()

    def __call__(self, _: HostPaths) -> Iterator[Value]:
        self.asked += 1
        self.started.set()
        self.release.wait()
        self.came_back.set()
        yield LATE, (), 1


def good(_: HostPaths) -> Iterator[Value]:
    yield GOOD, (), 1


class Asked:
    """One scraper and what its scrapes gave: the lines of values, without durations."""

    def __init__(self, **collectors: Collect) -> None:
        self.scraper = PatientScraper(Scraper(collectors, list), HostPaths)

    async def lines(self, timeout_seconds: float = SHORT_SECONDS) -> list[str]:
        body = await self.scraper.scrape(
            TEXT, self.scraper.enabled, compress=False, timeout_seconds=timeout_seconds
        )
        return [
            line for line in body.decode().splitlines() if not line.startswith("#") and "duration" not in line
        ]


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    collector = Hanging()
    yield collector
    collector.release.set()


def success(name: str, value: int) -> str:
    return f'node_scrape_collector_success{{collector="{name}"}} {value}'


def test_a_collector_that_hangs_costs_only_its_own_series(hanging: Hanging) -> None:
    asked = Asked(first=good, hangs=hanging)

    lines = asyncio.run(asked.lines())

    assert lines == ["good 1", success("first", 1), success("hangs", 0)]


def test_collectors_after_one_that_hangs_are_asked_as_well(hanging: Hanging) -> None:
    asked = Asked(hangs=hanging, last=good)

    lines = asyncio.run(asked.lines())

    assert lines == ["good 1", success("hangs", 0), success("last", 1)]


def test_of_several_that_hang_each_is_given_up(hanging: Hanging) -> None:
    asked = Asked(a=hanging, b=hanging, c=hanging, last=good)

    lines = asyncio.run(asked.lines())

    assert lines == ["good 1", success("a", 0), success("b", 0), success("c", 0), success("last", 1)]


def test_a_collector_that_still_hangs_is_not_asked_again(hanging: Hanging) -> None:
    asked = Asked(hangs=hanging, last=good)

    async def twice() -> list[list[str]]:
        return [await asked.lines(), await asked.lines()]

    first, second = asyncio.run(twice())

    assert first == second == ["good 1", success("hangs", 0), success("last", 1)]
    assert hanging.asked == 1


def test_a_collector_that_came_back_is_asked_again(hanging: Hanging) -> None:
    asked = Asked(hangs=hanging)

    async def before_and_after() -> list[str]:
        assert await asked.lines() == [success("hangs", 0)]
        hanging.release.set()
        await asyncio.to_thread(hanging.came_back.wait)
        for _ in range(1000):  # the thread that came back has still to say so
            lines = await asked.lines(timeout_seconds=60)
            if lines != [success("hangs", 0)]:
                break
            await asyncio.sleep(0.01)
        return lines

    assert asyncio.run(before_and_after()) == ["late 1", success("hangs", 1)]


def test_scrapes_wait_for_each_other_and_say_so_when_their_time_is_over(hanging: Hanging) -> None:
    asked = Asked(hangs=hanging)

    async def both() -> tuple[list[str], bool]:
        patient = asyncio.create_task(asked.lines(timeout_seconds=60))
        await asyncio.to_thread(hanging.started.wait)
        with pytest.raises(TooBusyError):
            await asked.lines(timeout_seconds=0.05)
        hanging.release.set()
        return await patient, True

    assert asyncio.run(both()) == (["late 1", success("hangs", 1)], True)
