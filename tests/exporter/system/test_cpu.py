"""How busy the CPUs are, from one document to the next."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host_exporter.system.cpu import CpuUsage, busy_percent
from host_exporter.system.document import SystemDocument
from tests.exporter.system.trees import LATER_STAT, write


class Time:
    """A clock that only moves when someone sleeps or says so; sleeping, the host goes on to *later*."""

    def __init__(self, later: Callable[[], None] = lambda: None) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self._later = later

    def timer(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds
        self._later()


@pytest.fixture
def time(host: Path) -> Time:
    return Time(later=lambda: write(host / "proc/stat", LATER_STAT))


@pytest.fixture
def measure(document_of: Callable[..., SystemDocument], time: Time) -> Callable[[], Any]:
    document = document_of(usage=CpuUsage(time.timer, time.sleep))
    return lambda: json.loads(document.json())["cpu"]["percent"]


def test_the_first_time_a_tenth_of_a_second_is_measured(measure: Callable[[], Any], time: Time) -> None:
    assert measure() == 44.0
    assert time.slept == [0.1]


def test_later_what_passed_since_the_last_time_is_measured(
    measure: Callable[[], Any], time: Time, host: Path
) -> None:
    measure()
    time.now += 30
    write(host / "proc/stat", LATER_STAT.replace("cpu  1030 12 310 8050", "cpu  1130 12 310 8350"))

    assert measure() == 25.0
    assert time.slept == [0.1]


def test_two_documents_at_once_wait_for_a_meaningful_share(measure: Callable[[], Any], time: Time) -> None:
    measure()
    time.now += 0.03
    measure()

    assert time.slept == [0.1, 0.07]


def test_nothing_spent_is_nothing_busy(measure: Callable[[], Any], time: Time) -> None:
    measure()
    time.now += 30

    assert measure() == 0.0


@pytest.mark.parametrize(
    ("before", "after", "percent"),
    [
        ([0] * 10, [50, 0, 0, 50, 0, 0, 0, 0, 0, 0], 50.0),
        ([0] * 10, [50, 0, 0, 0, 50, 0, 0, 0, 0, 0], 50.0),
        ([0] * 10, [50, 0, 0, 50, 0, 0, 0, 0, 50, 0], 50.0),
        ([0] * 10, [0, 0, 0, 0, 0, 0, 0, 25, 0, 0], 100.0),
        ([0, 0, 0, 0, 90, 0, 0, 0, 0, 0], [10, 0, 0, 10, 80, 0, 0, 0, 0, 0], 50.0),
        ([0] * 7, [1, 0, 0, 2, 0, 0, 0], 33.3),
        ([5] * 10, [5] * 10, 0.0),
    ],
    ids=["idle", "iowait is idle", "guest is in user", "stolen", "iowait fell", "old kernel", "nothing"],
)
def test_busy_is_what_is_not_idle(before: list[int], after: list[int], percent: float) -> None:
    assert busy_percent(before, after) == percent
