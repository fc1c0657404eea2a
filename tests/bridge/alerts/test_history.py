"""What is kept of notifications, in every order in which they may come."""

from __future__ import annotations

import re
import sqlite3
from itertools import permutations
from pathlib import Path
from typing import Any, ClassVar

import apsw
import pytest

from pushgateway_bridge.alerts.history import FILE_NAME, Compared, HistoryLimits
from pushgateway_bridge.alerts.model import HistoryFull, HistoryUnavailable
from pushgateway_bridge.alerts.query import rfc3339
from pushgateway_bridge.app import Bridge
from pushgateway_bridge.config import AlertsConfig, Config
from pushgateway_bridge.errors import NotReady
from tests.bridge.alerts.told import LABELS, Kept, told

START_MS = 1_769_990_000_000
END_MS = START_MS + 900_000
START, END = rfc3339(START_MS), rfc3339(END_MS)
SYSTEM_FILES = apsw.vfs_names()[0]


# Notifications


def test_an_alert_fires_and_is_resolved(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS))
        [firing] = kept.entries()
        kept.tell(told(START_MS, END_MS))
        [resolved] = kept.entries()

    assert (firing.status, firing.ends_at, firing.closed_by, firing.notified) == ("firing", None, None, 1)
    assert firing.duration_seconds == (kept.clock.now_ms() - START_MS) / 1000
    assert (resolved.status, resolved.starts_at, resolved.ends_at) == ("resolved", START, END)
    assert (resolved.duration_seconds, resolved.closed_by, resolved.notified) == (900, "alertmanager", 2)


def test_a_repeat_is_counted_and_changes_nothing_else(tmp_path: Path) -> None:
    """As Alertmanager repeats it, or as a second Alertmanager tells the same."""
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS))
        kept.clock.pass_seconds(60)
        kept.tell(told(START_MS) | {"annotations": {"summary": "another value"}})
        kept.tell(told(START_MS), told(START_MS))
        [entry] = kept.entries()

    assert (entry.notified, entry.last_notified) == (4, rfc3339(kept.clock.now_ms()))
    assert bytes(entry.annotations) == b'{"summary":"lab-7 is down"}'
    assert kept.history.entries == 1
    assert kept.history.notifications == {"firing": 4, "resolved": 0}


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_whatever_order_two_alertmanagers_tell_it_in_it_is_one_alert(
    order: tuple[int, ...], tmp_path: Path
) -> None:
    """Resolved before firing, too. The first resolution counts."""
    notes = [told(START_MS), told(START_MS), told(START_MS, END_MS), told(START_MS, END_MS)]
    with Kept(tmp_path) as kept:
        for number in order:
            kept.tell(notes[number])
        ends = kept.ends()

    assert ends == [(START, END, "alertmanager")]


@pytest.mark.parametrize("first", [0, 1])
def test_an_alert_that_fires_anew_ended_before(first: int, tmp_path: Path) -> None:
    """Nobody told of that end: Alertmanager had lost what it knew."""
    notes = [told(START_MS), told(START_MS + 5000)]
    with Kept(tmp_path) as kept:
        kept.tell(notes[first])
        kept.tell(notes[1 - first])
        ends = kept.ends()
        kept.tell(told(START_MS, START_MS + 2000))  # somebody does, late

        assert ends == [(START, rfc3339(START_MS + 5000), "newer"), (rfc3339(START_MS + 5000), None, None)]
        assert kept.ends()[0] == (START, rfc3339(START_MS + 2000), "alertmanager")


def test_different_alerts_do_not_meet(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS), told(START_MS, instance="lab-8"))
        kept.tell(told(START_MS, END_MS, instance="lab-8"))

        assert kept.ends(instance="lab-7") == [(START, None, None)]
        assert kept.ends(instance="lab-8") == [(START, END, "alertmanager")]


def test_a_notification_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        connection = kept.history._connection
        assert connection is not None
        connection.execute(
            "CREATE TEMP TRIGGER fault BEFORE INSERT ON main.alert WHEN NEW.labels LIKE '%lab-8%' "
            "BEGIN SELECT raise(ABORT, 'fault'); END"
        )
        with pytest.raises(HistoryUnavailable):
            kept.tell(told(START_MS), told(START_MS, instance="lab-8"))
        assert (kept.entries(), kept.history.entries) == ([], 0)

        kept.tell(told(START_MS), told(START_MS, instance="lab-8"))  # on a new connection
        assert (len(kept.entries()), kept.history.entries) == (2, 2)


# The file


class Watched(apsw.VFSFile):
    """A file that notes when it is brought to the disk."""

    synced: ClassVar[list[str]] = []

    def __init__(self, name: Any, flags: list[int]) -> None:
        super().__init__(SYSTEM_FILES, name, flags)
        self._name = Path(name if isinstance(name, str) else name.filename()).name

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        super().xSync(flags)
        self.synced.append(self._name)


class WatchedFiles(apsw.VFS):
    """The system's files, of which those of databases are watched."""

    def __init__(self) -> None:
        super().__init__("watched", SYSTEM_FILES, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        return Watched(name, flags)


def test_what_is_told_is_on_disk_before_it_is_answered(tmp_path: Path) -> None:
    files = WatchedFiles()
    try:
        with Kept(tmp_path) as kept:
            Watched.synced.clear()
            for number in range(3):
                kept.tell(told(START_MS, instance=f"lab-{number}"))
                assert Watched.synced == [f"{FILE_NAME}-wal"] * (number + 1)
    finally:
        apsw.set_default_vfs(SYSTEM_FILES)
        files.unregister()


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS, END_MS), told(START_MS, instance="lab-8"))
        before = kept.entries()
    with Kept(tmp_path) as kept:
        assert (kept.entries(), kept.history.entries) == (before, 2)


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS))

        assert {file.stat().st_mode & 0o777 for file in tmp_path.glob(f"{FILE_NAME}*")} == {0o600}


def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS))
        connection = kept.history._connection
        assert connection is not None
        connection.pragma("max_page_count", connection.pragma("page_count"))
        with pytest.raises(HistoryFull) as refusal:
            kept.tell(*(told(START_MS, instance=f"lab-{number}") for number in range(1000)))
        assert (refusal.value.status, refusal.value.retry_after_seconds) == (503, 1)
        assert (len(kept.entries()), kept.history.entries) == (1, 1)

        connection.pragma("max_page_count", 2**30)
        kept.tell(*(told(START_MS, instance=f"lab-{number}") for number in range(1000)))
        assert kept.history.entries == 1000


def test_a_file_that_is_none_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS))
        assert len(kept.entries()) == 1

    [aside] = tmp_path.glob(f"{FILE_NAME}.corrupt-*")
    assert aside.read_bytes() == b"no database" * 1000
    assert "alert history corrupt" in caplog.text


def test_a_newer_file_is_left_alone_until_a_bridge_can_read_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the bridge is for goes on meanwhile."""
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 9")
    before = (tmp_path / FILE_NAME).read_bytes()[100:]
    with Kept(tmp_path) as kept:
        for ask in (lambda: kept.tell(told(START_MS)), kept.entries, lambda: kept.delete(all="true")):
            with pytest.raises(HistoryUnavailable, match="it has schema 9, this bridge knows up to 1"):
                ask()
    assert (tmp_path / FILE_NAME).read_bytes()[100:] == before
    assert len(re.findall("alert history cannot be written", caplog.text)) == 1


def test_what_is_not_started_says_so(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for ask in (lambda: kept.tell(told(START_MS)), kept.entries):
        with pytest.raises(NotReady):
            ask()
    kept.history.close()
    kept._runner.close()


# Room


def test_over_the_number_that_is_kept_the_oldest_go(tmp_path: Path) -> None:
    with Kept(tmp_path, max_entries=3) as kept:
        for number in (4, 1, 3, 2, 5):
            kept.tell(told(START_MS + number * 1000, instance=f"lab-{number}"))

        assert [begin for begin, _, _ in kept.ends()] == [rfc3339(START_MS + n * 1000) for n in (3, 4, 5)]
        assert kept.history.entries == 3


def test_what_ended_too_long_ago_goes_and_what_fires_stays(tmp_path: Path) -> None:
    with Kept(tmp_path, max_age_seconds=3600) as kept:
        begin_ms = kept.clock.now_ms() - 7_200_000
        kept.tell(
            told(begin_ms, begin_ms + 1000, instance="gone"),
            told(begin_ms, kept.clock.now_ms() - 1000, instance="recent"),
            told(begin_ms, instance="firing"),
        )

        assert [bytes(entry.labels) for entry in kept.entries(instance="gone")] == []
        assert len(kept.entries()) == kept.history.entries == 2


def test_limits_are_what_the_configuration_says() -> None:
    bridge = Bridge(Config(alerts=AlertsConfig(history_max_entries=3, history_max_age_days=0.5)))

    assert bridge.history._limits == HistoryLimits(3, 43_200.0)


# Comparison with Prometheus


def test_an_alert_that_prometheus_has_no_more_is_closed_after_two_answers(tmp_path: Path) -> None:
    """Silenced or inhibited: nobody told that it ended. It ended when it was first missing."""
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS), told(START_MS, instance="lab-8"))
        firing = (LABELS | {"instance": "lab-8"}, START_MS)
        missing_ms = kept.clock.now_ms()
        assert kept.compare(firing) == Compared(0, 0)
        kept.clock.pass_seconds(60)
        assert kept.compare(firing) == Compared(1, 0)
        kept.clock.pass_seconds(60)
        assert kept.compare(firing) == Compared(0, 0)

        assert kept.ends(instance="lab-7") == [(START, rfc3339(missing_ms), "prometheus")]
        assert kept.ends(instance="lab-8") == [(START, None, None)]


def test_missing_once_is_not_enough(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS))
        for firing in ([], [(LABELS, START_MS)], [], [(LABELS, START_MS)]):
            assert kept.compare(*firing) == Compared(0, 0)

        assert kept.ends() == [(START, None, None)]


def test_an_alert_that_fires_for_a_short_time_is_left_alone(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        kept.tell(told(kept.clock.now_ms() - 299_000))
        for _ in range(3):
            assert kept.compare() == Compared(0, 0)
        kept.clock.pass_seconds(1)
        assert [kept.compare(), kept.compare()] == [Compared(0, 0), Compared(1, 0)]


def test_a_resolution_that_is_told_later_is_better(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS))
        kept.compare()
        kept.compare()
        kept.tell(told(START_MS, END_MS))

        assert kept.ends() == [(START, END, "alertmanager")]


def test_an_alert_that_is_told_again_fires_again(tmp_path: Path) -> None:
    """Prometheus was wrong, or there are two of it."""
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS))
        kept.compare()
        kept.compare()
        kept.tell(told(START_MS))

        assert kept.ends() == [(START, None, None)]


@pytest.mark.parametrize(
    ("active_ms", "reopened"), [(START_MS - 60_000, True), (START_MS, True), (START_MS + 1, False)]
)
def test_what_prometheus_never_stopped_to_have_did_not_end(
    active_ms: int, reopened: bool, tmp_path: Path
) -> None:
    """Alertmanager takes an alert for resolved when it hears nothing of it for some minutes."""
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS), told(START_MS, END_MS))
        assert kept.compare((LABELS, active_ms)) == Compared(0, 0)
        assert kept.compare((LABELS, active_ms)) == Compared(0, int(reopened))

        assert kept.ends() == [(START, None, None) if reopened else (START, END, "alertmanager")]


def test_an_older_time_of_an_alert_stays_closed(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS, END_MS), told(END_MS + 1000))
        for _ in range(3):
            assert kept.compare((LABELS, START_MS - 1000)) == Compared(0, 0)

        assert kept.ends() == [(START, END, "alertmanager"), (rfc3339(END_MS + 1000), None, None)]


# Deletion


def test_what_is_selected_is_deleted(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        kept.tell(
            told(START_MS, END_MS), told(START_MS, END_MS + 5000, instance="b"), told(START_MS, instance="c")
        )

        assert kept.delete(before=rfc3339(END_MS + 1)) == 1
        assert kept.delete(instance="lab-7") == 0
        assert kept.delete(status="firing") == 1
        assert kept.history.entries == 1
        assert kept.delete(all="true") == 1
        assert (kept.entries(), kept.history.entries) == ([], 0)
