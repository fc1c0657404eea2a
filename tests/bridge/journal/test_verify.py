from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pushgateway_bridge import pipeline
from pushgateway_bridge.journal.inspect import open_journal
from pushgateway_bridge.journal.record import encode_change, pack_frame
from pushgateway_bridge.journal.verify import Verification
from pushgateway_bridge.model.change import (
    Change,
    Expiry,
    GroupChange,
    GroupDefinition,
    Push,
    SeriesDefinition,
)
from pushgateway_bridge.model.family import SeriesClass, SeriesKind
from pushgateway_bridge.state.stored import check_sketch, decode_group
from tests.bridge.events import EVENTS
from tests.bridge.harness import ALL_DIALECTS, Harness
from tests.bridge.journal.damage import alter, break_frame_on_disk, database

HOST = {"name": "a", "cpuC": 4, "cpuL": 10}
GROUP = GroupDefinition((("job", "pixeltracker"), ("instance", "b")), "pixeltracker", 0)
LOAD = SeriesDefinition(1, "node_load1", (), SeriesClass.POINT)


def nothing() -> None:
    pass


def check(
    directory: Path, meanwhile: Callable[[], None] = nothing, during_frames: Callable[[], None] = nothing
) -> list[str]:
    """The problems of a journal. *meanwhile* runs at each step of the check, *during_frames* at each frame."""

    def tell(what: str, _done: int, _of: int) -> None:
        meanwhile()
        if what == "frames":
            during_frames()

    with open_journal(directory) as connection:
        verification = Verification(connection, decode_group, check_sketch, ALL_DIALECTS, tell)
        return [str(problem) for problem in verification.problems()]


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stopped bridge's folder: two groups in the checkpoint, three frames, a sketch, a histogram."""
    monkeypatch.setattr(
        pipeline, "SLICE_SECONDS", 60.0
    )  # one slice: positions do not depend on how busy the machine is
    harness = Harness(tmp_path)
    harness.push(HOST)
    harness.push({"runs": 2, "seconds": [0.3], "users": ["ann"]}, EVENTS)
    harness.checkpoint()
    for load in range(3):
        harness.push({**HOST, "cpuL": load})
    harness.close()
    return tmp_path


def add_frame(directory: Path, change: Change | bytes, position: int = 100) -> None:
    record = change if isinstance(change, bytes) else encode_change(change)
    statement = "INSERT INTO frame (position, written_ms, records, body) VALUES (?, 0, 1, ?)"
    alter(directory, statement, position, pack_frame([record]))


def push(group_id: int = 9, **parts: object) -> Push:
    """A push of one group that is whole but for *parts*."""
    whole = GroupChange(group_id, 0, 1, (1,), [0.5], [LOAD], GROUP)
    return Push(0, [msgspec.structs.replace(whole, **parts)])


# Nothing wrong


def test_a_whole_journal_has_no_problems_and_is_counted(stopped: Path) -> None:
    with open_journal(stopped) as connection:
        verification = Verification(connection, decode_group, check_sketch, ALL_DIALECTS)

        assert list(verification.problems()) == []
    assert verification.checked == {
        "frames": 3,
        "records": 3,
        "checkpoint rows": 2,
        "families": 5,
        "sketches": 1,
    }


def test_a_bridge_that_goes_on_meanwhile_causes_no_problems(bridge: Harness) -> None:
    """Definitions move from records into the checkpoint, and records are freed, while the check reads."""
    rounds = 0

    def meanwhile() -> None:
        nonlocal rounds
        rounds += 1
        bridge.clock.pass_seconds(40)
        bridge.expire()
        if rounds % 7 == 0:
            bridge.checkpoint()
        if rounds % 7 < 4:
            bridge.push({"name": f"host-{rounds % 5}", "cpuC": rounds, "cpuL": 1})
            bridge.push({"name": f"host-{rounds % 11}", "cpuL": 1})

    for _ in range(20):
        bridge.push({"name": "host-0", "cpuL": 1})
        assert check(bridge.directory, meanwhile) == []
    assert rounds > 100


def test_a_group_that_a_later_record_removes_needs_no_definition(stopped: Path) -> None:
    """The checkpoint was written up to the removal, but not to its end: the records before it are still there."""
    add_frame(stopped, push(group=None), 100)
    add_frame(stopped, Expiry(0, [], [9]), 101)

    assert check(stopped) == []


def test_records_that_the_checkpoint_covers_need_no_definitions(stopped: Path) -> None:
    add_frame(stopped, push(group=None, definitions=[]), 100)
    alter(stopped, "UPDATE meta SET value = 100 WHERE key = 'floor'")

    assert check(stopped) == []


def test_records_that_the_checkpoint_of_their_group_includes_need_no_definitions(stopped: Path) -> None:
    """It was written among the records, and the series expired before it was."""
    with database(stopped) as connection:
        state = decode_group(connection.execute("SELECT body FROM checkpoint WHERE group_id = 1").get)
    later = msgspec.structs.replace(state, position=101)
    alter(stopped, "UPDATE checkpoint SET body = ? WHERE group_id = 1", msgspec.msgpack.encode(later))
    add_frame(stopped, push(1, series_ids=(77,), group=None, definitions=[]), 100)
    add_frame(stopped, push(1, group=None, definitions=[]), 101)

    assert check(stopped) == []


def test_a_removal_that_is_written_meanwhile_is_found(bridge: Harness) -> None:
    bridge.push(HOST)
    add_frame(bridge.directory, push(group=None), 100)
    removals = [Expiry(0, [], [9])]

    def meanwhile() -> None:
        if removals:
            add_frame(bridge.directory, removals.pop(), 101)

    assert check(bridge.directory, during_frames=meanwhile) == []
    assert removals == []


# Records


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (push(group=None), "position 100: group 9 is not defined"),
        (push(definitions=[]), "position 100: series 1 of group 9 not defined"),
        (
            push(1, series_ids=(77,), group=None, definitions=[]),
            "position 100: series 77 of group 1 not defined",
        ),
        (
            push(series_ids=tuple(range(10, 18)), values=[0.0] * 8),
            "position 100: series 10, 11, 12, 13, 14 and 3 more of group 9 not defined",
        ),
        (push(histograms=[(7, [1.0])]), "position 100: series 7 of group 9 not defined"),
        (push(distinct=[(8, 5)]), "position 100: series 8 of group 9 not defined"),
        (Expiry(0, [(1, [88])]), "position 100: series 88 of group 1 not defined"),
        (push(values=[]), "position 100, record 1: has 0 values for 1 series"),
        (
            push(definitions=[SeriesDefinition(1, "other", (), SeriesClass.POINT)]),
            "position 100, record 1: the family other of series 1 is not known",
        ),
        (
            push(group=GroupDefinition((("job", "a"), ("instance", "b")), "elsewhere", 0)),
            "position 100, record 1: the dialect 'elsewhere' is not known here",
        ),
        (
            push(group=GroupDefinition((("job", "a"),), "pixeltracker", 0)),
            "position 100, record 1: the labels of the group do not begin with job and instance",
        ),
        (
            push(
                definitions=[
                    LOAD,
                    SeriesDefinition(
                        2, "app_duration_seconds", (), SeriesClass.AGGREGATE, SeriesKind.HISTOGRAM
                    ),
                ],
                histograms=[(2, [1.0])],
            ),
            "position 100, record 1: series 2 has 1 totals, a histogram needs at least 3",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_record_that_a_restart_could_not_apply_is_told(stopped: Path, change: Change, problem: str) -> None:
    add_frame(stopped, change)

    assert check(stopped) == [problem]


def test_a_series_is_not_defined_any_more_behind_its_expiry(stopped: Path) -> None:
    add_frame(stopped, push(), 100)
    add_frame(stopped, Expiry(0, [(9, [1])]), 101)
    add_frame(stopped, push(group=None, definitions=[]), 102)
    add_frame(stopped, Expiry(0, [(1, [1])]), 103)
    add_frame(stopped, push(1, group=None, definitions=[]), 104)

    assert check(stopped) == [
        "position 102: series 1 of group 9 not defined",
        "position 104: series 1 of group 1 not defined",
    ]


def test_a_number_that_is_used_anew_is_defined_anew(stopped: Path) -> None:
    other = GroupDefinition((("job", "pixeltracker"), ("instance", "c")), "pixeltracker", 0)
    add_frame(stopped, push(), 100)
    add_frame(stopped, Expiry(0, [], [9]), 101)
    add_frame(stopped, push(group=other, definitions=[]), 102)

    assert check(stopped) == ["position 102: series 1 of group 9 not defined"]


def test_records_that_cannot_be_decoded_are_told_each(stopped: Path) -> None:
    text = encode_change(push()).replace(b"node_load1", b"node_loa\xff1")
    bad = pack_frame([b"\xc1", encode_change(push()), text])
    alter(stopped, "UPDATE frame SET body = ?, records = 3 WHERE position = 5", bad)
    alter(stopped, "UPDATE frame SET body = x'01ff000000' WHERE position = 6")
    alter(stopped, "UPDATE frame SET records = 2 WHERE position = 7")
    with database(stopped) as connection:
        rows = connection.execute("SELECT position FROM frame").fetchall()

    problems = check(stopped)

    assert rows == [(5,), (6,), (7,)]
    assert [problem.partition(": ")[0] for problem in problems] == [
        "position 5, record 1",
        "position 5, record 3",
        "position 6, behind record 0",
        "position 7",
    ]
    assert "can't decode byte 0xff" in problems[1]
    assert problems[2:] == [
        "position 6, behind record 0: a frame ends inside a record",
        "position 7: holds 1 records, but says 2",
    ]


def test_positions_begin_at_one(stopped: Path) -> None:
    add_frame(stopped, push(), -4)

    assert check(stopped) == ["position -4: positions begin at 1"]


# The file and the other tables


def test_a_frame_that_the_disk_lost_is_told_and_the_rest_is_checked(stopped: Path) -> None:
    break_frame_on_disk(stopped, 100)
    add_frame(stopped, b"\xc1", 101)

    problems = check(stopped)

    assert any(problem.startswith("file: ") for problem in problems)
    assert "behind position 7: cannot be read: database disk image is malformed" in problems
    assert problems[-1].startswith("position 101, record 1: ")


def test_a_checkpoint_that_a_restart_could_not_load_is_told(stopped: Path) -> None:
    with database(stopped) as connection:
        body = connection.execute("SELECT body FROM checkpoint WHERE group_id = 2").get
    state = decode_group(body)
    histogram = next(one for one in state.definitions if one.kind is SeriesKind.HISTOGRAM)
    numbers = [
        [1.0] if definition is histogram else held
        for definition, held in zip(state.definitions, state.numbers, strict=True)
    ]
    altered = msgspec.structs.replace(state, position=5000, numbers=numbers)
    alter(stopped, "UPDATE checkpoint SET body = ? WHERE group_id = 2", msgspec.msgpack.encode(altered))
    alter(stopped, "UPDATE checkpoint SET body = x'c1' WHERE group_id = 1")

    problems = check(stopped)

    assert problems[0].startswith("checkpoint of group 1: ")
    assert problems[1:3] == [
        "checkpoint of group 2: includes position 5000, the journal ends at 7",
        f"checkpoint of group 2: series {histogram.id} has 1 totals, a histogram needs at least 3",
    ]
    assert problems[3:] == [f"position {position}: group 1 is not defined" for position in (5, 6, 7)]


def test_families_that_cannot_be_read_are_told(stopped: Path) -> None:
    alter(stopped, "UPDATE family SET body = x'c1' WHERE name = 'app_users'")
    alter(stopped, "UPDATE family SET name = 'renamed' WHERE name = 'app_runs_total'")

    problems = check(stopped)

    assert problems[0].startswith("family app_users: ")
    assert problems[1] == "family renamed: holds the family app_runs_total"
    assert {problem.partition(" of series")[0] for problem in problems[2:]} == {
        "checkpoint of group 2: the family app_runs_total",
        "checkpoint of group 2: the family app_users",
    }


def test_a_sketch_that_cannot_be_read_is_told(stopped: Path) -> None:
    alter(stopped, "UPDATE sketch SET body = x'0102'")

    (problem,) = check(stopped)
    assert problem.startswith("sketch of group 2, series ")
    assert problem.endswith(": a sketch ends inside its header, after 2 bytes")


def test_what_the_journal_knows_of_itself_is_checked(stopped: Path) -> None:
    alter(stopped, "DELETE FROM meta WHERE key = 'secret'")
    alter(stopped, "UPDATE meta SET value = -1 WHERE key = 'floor'")

    assert check(stopped) == [
        "meta: the secret is missing or has not 32 bytes",
        "meta: the floor is -1, expected a position",
    ]
