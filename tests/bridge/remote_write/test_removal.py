"""What a remote that is behind has to be told of series that are gone already: their names survive."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from pushgateway_bridge.journal.reader import JournalReader
from pushgateway_bridge.remote_write.batch import Collector
from pushgateway_bridge.remote_write.names import Names
from pushgateway_bridge.remote_write.shipper import NO_END
from pushgateway_bridge.shipping import JournalSource
from tests.bridge.harness import Harness
from tests.bridge.remote import decode, faults_of, value_of

START_MS = 1_770_000_000_000
Sample = tuple[str, int, float | str]


@pytest.fixture
def behind(bridge: Harness) -> Harness:
    """A bridge with a remote that has confirmed nothing."""
    bridge.run(bridge.ingest.set_remotes(["one"]))
    return bridge


def confirm(bridge: Harness) -> int:
    """Have the remote confirm all there is; its position. What it still wants repeats no definitions."""
    position = bridge.journal.newest_position
    bridge.ingest.move_cursor("one", position)
    bridge.drain()
    return position


def shipped(file: Path, after: int = 0) -> tuple[list[Sample], Counter[str]]:
    """What a process that starts now sends of the journal behind *after*, by series and time; what it drops."""
    names = Names({})
    source = JournalSource(file, names)
    source.learn_names()
    dropped: Counter[str] = Counter()

    def drop(reason: str, samples: int) -> None:
        dropped[reason] += samples

    collector = Collector(names, drop)
    for position, _, changes in source.read(after, NO_END, 10**6):
        for change in changes:
            collector.add(position, change)
    series = decode(collector.take().encode())
    assert faults_of(series) == []
    found = [
        (f"{labels['__name__']} {labels['instance']}", at - START_MS, value_of(bits))
        for one in series
        for labels in [dict(one.labels)]
        for at, bits in one.samples
    ]
    return sorted(found, key=lambda sample: sample[:2]), dropped


def rows(file: Path, table: str) -> int:
    with contextlib.closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").get)


def expire(bridge: Harness) -> None:
    bridge.clock.pass_seconds(90)
    bridge.expire()


def delete(bridge: Harness) -> None:
    bridge.clock.pass_seconds(90)
    assert bridge.delete("lab") == 1


CORES = "host_cpu_cores lab"


@pytest.mark.parametrize("end", [expire, delete])
def test_a_series_that_goes_while_names_are_learned_is_named(
    end: Callable[[Harness], None], behind: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its names move from the checkpoint to the removals, behind the back of who has read these already."""
    removals = JournalReader.removals

    def then_it_goes(reader: JournalReader) -> Iterator[tuple[int, bytes]]:
        yield from removals(reader)
        end(behind)
        behind.checkpoint()

    behind.push({"name": "lab", "cpuC": 4})
    after = confirm(behind)
    behind.clock.pass_seconds(10)
    behind.push({"name": "lab", "cpuC": 5})
    behind.checkpoint()
    monkeypatch.setattr(JournalReader, "removals", then_it_goes)

    found, dropped = shipped(behind.journal.file, after)

    assert found == [(CORES, 10_000, 5.0), (CORES, 100_000, "stale")]
    assert not dropped


@pytest.mark.parametrize("end", [expire, delete])
@pytest.mark.parametrize("restart", [True, False], ids=["restarted", "running"])
def test_a_series_that_is_gone_is_still_named_and_ended(
    end: Callable[[Harness], None], restart: bool, behind: Harness
) -> None:
    behind.push({"name": "lab", "cpuC": 4})
    after = confirm(behind)
    behind.clock.pass_seconds(10)
    behind.push({"name": "lab", "cpuC": 5})
    behind.checkpoint()
    end(behind)
    behind.checkpoint()
    if restart:
        behind.crash()

    found, dropped = shipped(behind.journal.file, after)

    assert found == [(CORES, 10_000, 5.0), (CORES, 100_000, "stale")]
    assert dropped == {}


def test_a_series_that_comes_back_keeps_both_of_its_lives(behind: Harness) -> None:
    behind.push({"name": "lab", "cpuC": 3})
    after = confirm(behind)
    behind.push({"name": "lab", "cpuC": 4})
    behind.checkpoint()
    expire(behind)
    behind.clock.pass_seconds(10)
    behind.push({"name": "lab", "cpuC": 8})
    behind.checkpoint()
    behind.crash()

    found, dropped = shipped(behind.journal.file, after)

    assert found == [(CORES, 0, 4.0), (CORES, 90_000, "stale"), (CORES, 100_000, 8.0)]
    assert dropped == {}


def test_an_expiry_leaves_the_series_of_other_sources(behind: Harness) -> None:
    behind.push({"name": "lab", "cpuC": 4})
    behind.checkpoint()
    for _ in range(9):
        behind.clock.pass_seconds(10)
        behind.push({"name": "other", "cpuC": 2})
    behind.expire()
    behind.checkpoint()
    behind.crash()

    found, _ = shipped(behind.journal.file)

    assert [sample for sample in found if sample[0] == CORES] == [(CORES, 0, 4.0), (CORES, 90_000, "stale")]
    assert [at for series, at, _ in found if series == "host_cpu_cores other"] == list(
        range(10_000, 91_000, 10_000)
    )
    assert "stale" not in [value for series, _, value in found if series != CORES]


def test_names_of_what_is_gone_are_kept_only_until_every_remote_has_passed(bridge: Harness) -> None:
    bridge.run(bridge.ingest.set_remotes(["one", "two"]))
    bridge.push({"name": "lab", "cpuC": 4})
    expire(bridge)
    file, end = bridge.journal.file, bridge.journal.newest_position
    kept = [rows(file, "removal")]
    for remote in ("one", "two"):
        bridge.ingest.move_cursor(remote, end)
        bridge.drain()
        kept.append(rows(file, "removal"))

    assert kept == [1, 1, 0]


def test_without_remotes_nothing_is_kept_of_what_is_gone(bridge: Harness) -> None:
    bridge.push({"name": "lab", "cpuC": 4})
    expire(bridge)

    assert rows(bridge.journal.file, "removal") == 0


def test_a_remote_that_is_given_up_frees_the_names_and_records_kept_for_it(behind: Harness) -> None:
    behind.push({"name": "lab", "cpuC": 4})
    expire(behind)
    behind.checkpoint()
    file = behind.journal.file
    kept = (rows(file, "cursor"), rows(file, "removal"), rows(file, "frame"))

    behind.run(behind.ingest.set_remotes([]))
    behind.checkpoint()
    behind.push({"name": "lab", "cpuC": 4})
    behind.checkpoint()
    behind.drain()

    assert kept == (1, 1, 2)
    assert (rows(file, "cursor"), rows(file, "removal"), rows(file, "frame")) == (0, 0, 0)


def test_a_new_remote_begins_with_what_comes_from_now_on(bridge: Harness) -> None:
    bridge.push({"name": "lab", "cpuC": 1})
    bridge.run(bridge.ingest.set_remotes(["one"]))
    bridge.clock.pass_seconds(10)
    bridge.push({"name": "lab", "cpuC": 2})

    found, dropped = shipped(bridge.journal.file, bridge.journal.frames.cursors["one"])

    assert found == [(CORES, 10_000, 2.0)]
    assert dropped == {}
