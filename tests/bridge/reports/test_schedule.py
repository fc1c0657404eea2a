"""When the weekly report is sent, and that it is sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pushgateway_bridge.reports.figures import RESULTS, Value
from pushgateway_bridge.reports.prometheus import NoAnswer
from pushgateway_bridge.reports.schedule import (
    FILE,
    LOOK_SECONDS,
    RETRY_SECONDS,
    ReportCounts,
    WeeklyReport,
)
from tests.bridge.reports.conftest import PostOffice

SUNDAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
MONDAY_BEFORE_SIX = datetime(2026, 11, 23, 5, 58, tzinfo=UTC)
MONDAY_AT_SIX = datetime(2026, 11, 23, 6, tzinfo=UTC)
THURSDAY = datetime(2026, 11, 26, 17, tzinfo=UTC)
NEXT_MONDAY = datetime(2026, 11, 30, 9, tzinfo=UTC)
SUBJECT = "Installations in week 2026-W47: 3, 100.0% succeeded"


class Life:
    """Bridges one after the other on one folder, with a clock that is set and a Prometheus that may be away."""

    def __init__(self, folder: Path, post_office: PostOffice) -> None:
        self._folder = folder
        self._post_office = post_office
        self._now = SUNDAY
        self.answers = True
        self.installed = 3.0
        self.counts = ReportCounts()
        self.start()

    def start(self) -> None:
        """A new process, which knows what is in the folder."""
        self._report = WeeklyReport(
            self._folder, self._ask, self._post_office.settings, 6, self.counts, lambda: self._now
        )

    async def _ask(self, query: str, _at: datetime) -> Sequence[Value]:
        if not self.answers:
            raise NoAnswer("Prometheus is away")
        if query != RESULTS or not self.installed:
            return []
        return [Value({"type": "lxc", "status": "success"}, self.installed)]

    def look(self, now: datetime) -> float:
        """Look at the clock once, at *now*; return when to look again."""
        self._now = now
        return asyncio.run(self._report.look())

    @property
    def subjects(self) -> list[str]:
        return [mail.subject for mail in self._post_office.mailbox.mails]


@pytest.fixture
def life(tmp_path: Path, post_office: PostOffice) -> Life:
    return Life(tmp_path, post_office)


def test_a_report_is_sent_on_monday_at_the_hour_and_once(life: Life) -> None:
    life.look(SUNDAY)
    wait = life.look(MONDAY_BEFORE_SIX)
    assert (life.subjects, wait) == ([], 120.0)
    life.look(MONDAY_AT_SIX)
    life.look(MONDAY_AT_SIX)
    life.look(THURSDAY)

    assert life.subjects == [SUBJECT]
    assert (life.counts.sent, life.counts.failed) == (1, 0)


def test_a_restart_sends_nothing_twice(life: Life) -> None:
    life.look(SUNDAY)
    life.look(MONDAY_AT_SIX)
    life.start()
    life.look(MONDAY_AT_SIX)
    life.start()
    life.look(THURSDAY)

    assert life.subjects == [SUBJECT]


def test_a_bridge_that_was_away_on_monday_sends_later_that_week(life: Life) -> None:
    life.look(SUNDAY)
    life.start()
    life.look(THURSDAY)

    assert life.subjects == [SUBJECT]


def test_of_two_weeks_that_were_missed_the_last_one_is_told(life: Life) -> None:
    life.look(SUNDAY)
    life.start()
    life.look(NEXT_MONDAY)

    assert life.subjects == [SUBJECT.replace("W47", "W48")]


def test_a_new_bridge_does_not_tell_of_the_week_before_it_was_there(life: Life, tmp_path: Path) -> None:
    life.look(THURSDAY)

    assert life.subjects == []
    assert (tmp_path / FILE).read_text() == "2026-W47\n"


def test_a_clock_that_goes_back_sends_nothing_again(life: Life) -> None:
    life.look(SUNDAY)
    life.look(NEXT_MONDAY)
    life.look(MONDAY_AT_SIX)

    assert len(life.subjects) == 1


def test_while_prometheus_is_away_it_is_tried_again_at_growing_intervals(life: Life) -> None:
    life.look(SUNDAY)
    life.answers = False
    waits = [life.look(MONDAY_AT_SIX) for _ in range(5)]
    life.answers = True
    life.look(MONDAY_AT_SIX)

    assert waits == [*RETRY_SECONDS, RETRY_SECONDS[-1]]
    assert life.subjects == [SUBJECT]
    assert (life.counts.sent, life.counts.failed) == (1, 5)


def test_a_mail_that_is_refused_is_sent_again_later(
    life: Life, post_office: PostOffice, caplog: pytest.LogCaptureFixture
) -> None:
    life.look(SUNDAY)
    post_office.mailbox.refusals["DATA"] = "451 4.3.0 later"
    life.look(MONDAY_AT_SIX)
    assert life.subjects == []
    assert "weekly report not sent week=2026-W47" in caplog.text
    assert "answers 451 4.3.0 later" in caplog.text
    post_office.mailbox.refusals.clear()
    life.start()
    life.look(MONDAY_AT_SIX)

    assert life.subjects == [SUBJECT]


def test_where_nothing_was_ever_installed_nothing_is_sent(life: Life) -> None:
    life.installed = 0.0
    life.look(SUNDAY)

    assert life.look(MONDAY_AT_SIX) == LOOK_SECONDS
    assert life.subjects == []
    assert life.counts.failed == 0


def test_a_damaged_file_begins_anew(life: Life, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\x00")
    life.look(THURSDAY)
    life.look(NEXT_MONDAY)

    assert "weekly report begins anew" in caplog.text
    assert life.subjects == [SUBJECT.replace("W47", "W48")]


def test_a_report_that_cannot_be_noted_is_not_sent_again_by_this_process(
    life: Life, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    life.look(SUNDAY)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    life.look(MONDAY_AT_SIX)
    life.look(MONDAY_AT_SIX)

    assert life.subjects == [SUBJECT]
    assert "weekly report not noted" in caplog.text
