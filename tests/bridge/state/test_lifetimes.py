"""How long series stay: the class of each, its own time to live, and what a report of several groups counts as."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import msgspec
import pytest

from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.errors import ClassConflict, JournalFull, PushRejected
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import make_label_set, make_push_group
from pushgateway_bridge.model.report import GroupReport, Replaces, Report
from tests.bridge.harness import DEFAULTS, Harness

SOURCE = 'job="kept",instance="a"'
VALUE = f"value{{{SOURCE}}}"
LAST = f"telemetry_last_report_timestamp_seconds{{{SOURCE}}}"
REPORTS = f"telemetry_reports_total{{{SOURCE}}}"


class Pushed(msgspec.Struct):
    """One group of a push: its series by name, and how long they stay."""

    series: dict[str, float]
    held: bool = False
    time_to_live: float | None = None
    zone: str = ""
    replaces: int = Replaces.NOTHING
    initial: list[str] = []
    instance: str = "a"


_decoder = msgspec.json.Decoder(list[Pushed])


def decode(body: bytes, _context: PushContext) -> Report:
    groups = [
        GroupReport(
            make_push_group("kept", one.instance, make_label_set({"zone": one.zone})),
            tuple((gauge(name), ()) for name in one.series),
            list(one.series.values()),
            series_class=SeriesClass.HELD if one.held else SeriesClass.POINT,
            time_to_live_seconds=one.time_to_live,
            replaces=Replaces(one.replaces),
            initial=tuple((gauge(name), ()) for name in one.initial),
        )
        for one in _decoder.decode(body)
    ]
    return Report(groups, accepted=1)


def gauge(name: str) -> Family:
    return Family(name, "gauge", "")


def refuse(error: PushRejected) -> Reply:
    return Reply(error.status, str(error).encode(), "text/plain")


KEPT = Dialect(
    name="pushgateway",  # the harness knows the defaults of this name
    paths=("/kept",),
    max_body_bytes=100_000,
    series_class=SeriesClass.HELD,
    default_interval_seconds=None,
    decode=decode,
    accepted=Reply(200, b"", "text/plain"),
    refuse=refuse,
)


def test_the_harness_knows_the_dialect() -> None:
    assert KEPT.name in DEFAULTS


def push(bridge: Harness, *groups: Pushed) -> None:
    bridge.push([msgspec.to_builtins(one) for one in groups], KEPT)


def held(value: float, time_to_live: float | None = None) -> Pushed:
    return Pushed({"value": value}, held=True, time_to_live=time_to_live)


def point(value: float, time_to_live: float | None = None) -> Pushed:
    return Pushed({"value": value}, time_to_live=time_to_live)


def shown(bridge: Harness) -> dict[str, float]:
    """What was pushed; what the bridge knows of its source left out."""
    return {name: value for name, value in bridge.series().items() if not name.startswith("telemetry_")}


def after(bridge: Harness, seconds: float) -> dict[str, float]:
    """What is shown then."""
    bridge.clock.pass_seconds(seconds)
    bridge.expire()
    return shown(bridge)


# Classes


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (held, point, "is held as one that stays (time to live above 240 s); as one that expires soon"),
        (point, held, "is held as one that expires soon (time to live up to 240 s); as one that stays"),
    ],
)
def test_class_of_a_series_is_fixed_while_it_is_held(
    bridge: Harness, first: Callable[..., Pushed], second: Callable[..., Pushed], words: str
) -> None:
    push(bridge, first(1, 100))
    with pytest.raises(ClassConflict) as refusal:
        push(bridge, second(2, 100))

    assert words in str(refusal.value)
    assert (refusal.value.status, refusal.value.reason) == (400, "class_conflict")
    assert shown(bridge) == {VALUE: 1}
    bridge.crash()
    with pytest.raises(ClassConflict):
        push(bridge, second(2, 100))
    assert after(bridge, 101) == {}
    push(bridge, second(2, 100))
    assert shown(bridge) == {VALUE: 2}


def test_class_is_fixed_while_its_first_push_is_queued(bridge: Harness) -> None:
    queued = bridge.begin([msgspec.to_builtins(held(1))], KEPT)
    with pytest.raises(ClassConflict):
        bridge.begin([msgspec.to_builtins(point(2))], KEPT)
    bridge.drain()

    assert queued.result() is None
    assert shown(bridge) == {VALUE: 1}


def test_series_of_both_classes_may_stand_in_a_group(bridge: Harness) -> None:
    push(bridge, Pushed({"stays": 1}, held=True), Pushed({"goes": 2}))

    assert shown(bridge) == {f"goes{{{SOURCE}}}": 2, f"stays{{{SOURCE}}}": 1}
    assert after(bridge, 241) == {f"stays{{{SOURCE}}}": 1}


# Times to live


@pytest.mark.parametrize("pushed", [held, point])
def test_series_are_shown_for_their_own_time_to_live(bridge: Harness, pushed: Callable[..., Pushed]) -> None:
    push(bridge, pushed(1, 100))

    assert after(bridge, 99) == {VALUE: 1}
    assert after(bridge, 2) == {}
    assert REPORTS in bridge.series(), "the source is known for longer"


def test_each_push_begins_the_time_to_live_anew(bridge: Harness) -> None:
    for number in range(5):
        push(bridge, held(number, 100))
        assert after(bridge, 99) == {VALUE: number}
    assert after(bridge, 2) == {}


def test_series_have_times_to_live_of_their_own_within_a_group(bridge: Harness) -> None:
    push(bridge, Pushed({"long": 1}, held=True, time_to_live=500))
    push(bridge, Pushed({"short": 1}, held=True, time_to_live=100))
    push(bridge, Pushed({"ever": 1}, held=True, time_to_live=None))

    assert set(after(bridge, 101)) == {f"ever{{{SOURCE}}}", f"long{{{SOURCE}}}"}
    assert set(after(bridge, 400)) == {f"ever{{{SOURCE}}}"}
    assert set(after(bridge, 10_000)) == {f"ever{{{SOURCE}}}"}


def restart(bridge: Harness) -> None:
    bridge.crash()


def checkpoint_and_restart(bridge: Harness) -> None:
    bridge.checkpoint()
    bridge.crash()


def nothing(_bridge: Harness) -> None:
    pass


LIVES = pytest.mark.parametrize("live_on", [nothing, restart, checkpoint_and_restart])


@LIVES
@pytest.mark.parametrize("pushed", [held, point])
@pytest.mark.parametrize(("first", "second"), [(500.0, 100.0), (100.0, 500.0), (100.0, 1e9), (None, 100.0)])
def test_later_push_changes_the_time_to_live(
    bridge: Harness,
    live_on: Callable[[Harness], None],
    pushed: Callable[..., Pushed],
    first: float | None,
    second: float,
) -> None:
    """A checkpoint between the two pushes has the first one, and the record behind it the second."""
    push(bridge, pushed(1, first))
    if live_on is checkpoint_and_restart:
        bridge.checkpoint()
    push(bridge, pushed(2, second))
    live_on(bridge)

    assert after(bridge, 99) == {VALUE: 2}
    assert after(bridge, 2) == ({} if second == 100 else {VALUE: 2})
    assert after(bridge, 400) == ({VALUE: 2} if second > 500 else {})


@LIVES
@pytest.mark.parametrize("pushed", [held, point])
def test_time_to_live_goes_on_over_a_restart(
    bridge: Harness, live_on: Callable[[Harness], None], pushed: Callable[..., Pushed]
) -> None:
    push(bridge, pushed(1, 100))
    bridge.clock.pass_seconds(60)
    live_on(bridge)

    assert after(bridge, 39) == {VALUE: 1}
    assert after(bridge, 2) == {}
    live_on(bridge)
    assert shown(bridge) == {}


def test_time_to_live_of_a_push_that_fails_is_not_taken_over(bridge: Harness) -> None:
    push(bridge, held(1, 100))
    with full_disk(bridge), pytest.raises(JournalFull):
        push(bridge, held(2, 500), Pushed(LARGE, held=True, zone="z"))

    assert after(bridge, 99) == {VALUE: 1}
    assert after(bridge, 2) == {}


def test_expired_series_of_a_queued_push_stays(bridge: Harness) -> None:
    push(bridge, held(1, 100))
    bridge.clock.pass_seconds(101)
    queued = bridge.begin([msgspec.to_builtins(held(2, 100))], KEPT)
    bridge.expire()

    assert queued.result() is None
    assert shown(bridge) == {VALUE: 2}


# What a push takes the place of


@contextlib.contextmanager
def full_disk(bridge: Harness) -> Iterator[None]:
    """Nothing large can be written."""
    connection = bridge.journal._connection
    connection.pragma("max_page_count", connection.pragma("page_count"))
    yield
    connection.pragma("max_page_count", 1_000_000)


LARGE = {f"large_{number}_{'x' * 200}": 1.0 for number in range(500)}


@pytest.mark.parametrize("replaces", [Replaces.GROUP, Replaces.FAMILIES])
def test_what_was_replaced_is_restored_when_the_commit_fails(bridge: Harness, replaces: Replaces) -> None:
    before = {"a": 1.0, "b": 2.0}
    push(bridge, Pushed(before, held=True, initial=["failed"]))
    shown_before = bridge.series()
    with full_disk(bridge), pytest.raises(JournalFull):
        push(bridge, Pushed({"a": 3.0, **LARGE}, held=True, replaces=replaces))

    assert bridge.series() == shown_before
    push(bridge, Pushed({"b": 4.0}, held=True, replaces=Replaces.FAMILIES))
    assert shown(bridge) == {f"a{{{SOURCE}}}": 1, f"b{{{SOURCE}}}": 4, f"failed{{{SOURCE}}}": 0}
    push(bridge, Pushed({"b": 5.0}, held=True, replaces=Replaces.GROUP, initial=["failed"]))
    assert shown(bridge) == {f"b{{{SOURCE}}}": 5, f"failed{{{SOURCE}}}": 0}
    bridge.crash()
    assert shown(bridge) == {f"b{{{SOURCE}}}": 5, f"failed{{{SOURCE}}}": 0}


@LIVES
def test_what_was_replaced_stays_gone(bridge: Harness, live_on: Callable[[Harness], None]) -> None:
    push(bridge, Pushed({"a": 1.0, "b": 2.0}, held=True))
    bridge.checkpoint()
    push(bridge, Pushed({"c": 3.0}, held=True, replaces=Replaces.GROUP))
    live_on(bridge)

    assert shown(bridge) == {f"c{{{SOURCE}}}": 3}
    push(bridge, Pushed({"a": 4.0}, held=True))
    live_on(bridge)
    assert shown(bridge) == {f"a{{{SOURCE}}}": 4, f"c{{{SOURCE}}}": 3}


def test_pushes_that_are_queued_together_replace_each_other_in_their_order(bridge: Harness) -> None:
    queued = [
        bridge.begin([msgspec.to_builtins(Pushed(series, held=True, replaces=Replaces.GROUP))], KEPT)
        for series in ({"a": 1.0, "b": 1.0}, {"c": 2.0}, {"a": 3.0})
    ]
    bridge.drain()

    assert [one.result() for one in queued] == [None] * 3
    assert shown(bridge) == {f"a{{{SOURCE}}}": 3}
    bridge.crash()
    assert shown(bridge) == {f"a{{{SOURCE}}}": 3}


def test_initial_series_begins_with_0_and_keeps_what_it_is_set_to(bridge: Harness) -> None:
    once = Pushed({"a": 1.0}, held=True, replaces=Replaces.GROUP, initial=["failed"])
    push(bridge, once)
    assert shown(bridge)[f"failed{{{SOURCE}}}"] == 0
    push(bridge, Pushed({"failed": 7.0}, held=True))
    push(bridge, once)

    assert shown(bridge) == {f"a{{{SOURCE}}}": 1, f"failed{{{SOURCE}}}": 7}
    bridge.checkpoint()
    push(bridge, once)
    bridge.crash()
    assert shown(bridge) == {f"a{{{SOURCE}}}": 1, f"failed{{{SOURCE}}}": 7}


# Reports


def reports(bridge: Harness, instance: str = "a") -> float:
    return bridge.series()[REPORTS.replace('"a"', f'"{instance}"')]


@LIVES
def test_push_of_several_groups_is_one_report_of_each_source(
    bridge: Harness, live_on: Callable[[Harness], None]
) -> None:
    groups = [
        Pushed({"value": 1.0}, held=True),
        Pushed({"value": 2.0}, held=True, zone="z"),
        Pushed({"value": 3.0}, held=True, instance="b"),
        Pushed({"value": 4.0}, held=True, zone="y"),
    ]
    for number in (1, 2, 3):
        push(bridge, *groups)
        live_on(bridge)

        assert (reports(bridge), reports(bridge, "b")) == (number, number)


def test_push_that_fails_is_no_report(bridge: Harness) -> None:
    push(bridge, held(1))
    with full_disk(bridge), pytest.raises(JournalFull):
        push(bridge, held(2), Pushed(LARGE, held=True, zone="z"))
    push(bridge, held(3), Pushed({"value": 1.0}, held=True, zone="z"))

    assert reports(bridge) == 2


# Long silence, and series that stay beside others


MONTH_SECONDS = 31 * 86400.0


def as_pushed(value: float, time_to_live: float) -> Pushed:
    """A push to Pushgateway's paths."""
    return Pushed(
        {"value": value}, held=True, time_to_live=time_to_live, replaces=Replaces.GROUP, initial=["failed"]
    )


@LIVES
@pytest.mark.parametrize("time_to_live", [1e9, 2 * MONTH_SECONDS])
def test_series_that_stay_outlast_a_source_that_is_silent_for_long(
    bridge: Harness, live_on: Callable[[Harness], None], time_to_live: float
) -> None:
    push(bridge, as_pushed(1, time_to_live))
    bridge.clock.pass_seconds(MONTH_SECONDS)
    live_on(bridge)

    assert after(bridge, 1) == {VALUE: 1, f"failed{{{SOURCE}}}": 0}
    assert after(bridge, 1) == {VALUE: 1, f"failed{{{SOURCE}}}": 0}
    assert after(bridge, time_to_live) == {}
    assert bridge.series() == {}


@LIVES
def test_initial_series_goes_with_the_last_of_the_others(
    bridge: Harness, live_on: Callable[[Harness], None]
) -> None:
    push(bridge, as_pushed(1, 100))
    assert after(bridge, 60) == {VALUE: 1, f"failed{{{SOURCE}}}": 0}
    push(bridge, as_pushed(2, 100))
    live_on(bridge)

    assert after(bridge, 60) == {VALUE: 2, f"failed{{{SOURCE}}}": 0}
    assert after(bridge, 41) == {}
    live_on(bridge)
    assert shown(bridge) == {}
    push(bridge, as_pushed(3, 100))
    assert shown(bridge) == {VALUE: 3, f"failed{{{SOURCE}}}": 0}


@pytest.mark.parametrize("checkpoint", [True, False], ids=["from the checkpoint", "from the journal"])
def test_only_a_source_of_what_soon_expires_is_expected_to_report(bridge: Harness, checkpoint: bool) -> None:
    """Else the alert about silent sources would fire for a script that runs once a night."""

    def push_sample(**parts: object) -> None:
        bridge.push([{"name": "value", "value": 1, **parts}], DIALECTS["samples"])

    def intervals() -> list[float]:
        return [
            value
            for name, value in bridge.series().items()
            if name.startswith("telemetry_report_interval_seconds")
        ]

    for _ in range(2):
        push_sample(time_to_live_seconds="keep")
        bridge.clock.pass_seconds(86400)
    assert intervals() == []
    if checkpoint:
        bridge.checkpoint()
    bridge.crash()
    assert intervals() == []

    push_sample(name="often")
    assert intervals() == [60]
    if checkpoint:
        bridge.checkpoint()
    bridge.crash()
    assert intervals() == [60]
    assert bridge.series()['telemetry_reports_total{job="samples",instance=""}'] == 3
