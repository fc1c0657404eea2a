"""Everything in the journal reaches a remote, in whatever way it answers; what does not is counted."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.model.change import Change, Expiry, Push
from pushgateway_bridge.remote_write import shipper as shipper_module
from pushgateway_bridge.remote_write.answer import Answer, Outcome
from pushgateway_bridge.remote_write.messages import Progress
from pushgateway_bridge.remote_write.names import Names
from pushgateway_bridge.remote_write.shipper import Changes, Shipper
from tests.bridge.remote import LONGEST_WAIT_SECONDS, Series, decode, faults_of, value_of, wait_until
from tests.bridge.remote_write.changes import POINT, START_MS, defined, first_push, push

SENT = Answer(Outcome.SENT, "http_204")
SPLIT = Answer(Outcome.SPLIT, "http_400", "out of bounds")
DROP = Answer(Outcome.DROP, "http_422", "no")
BUSY = Answer(Outcome.RETRY, "http_503", "busy")
GONE = Answer(Outcome.RETRY, "unreachable", "refused")

Sample = tuple[str, int, float | str]


class ListSource:
    """A journal in memory. Records are written at *now_ms*."""

    def __init__(self) -> None:
        self.frames: list[Changes] = []
        self.now_ms = START_MS
        self.learned = 0

    def add(self, *changes: Change) -> None:
        """One group commit."""
        self.frames.append(Changes(self.newest_position() + 1, self.now_ms, changes))

    def read(self, after: int, through: int, samples: int) -> Iterable[Changes]:
        held = 0
        for frame in [frame for frame in self.frames if after < frame.position <= through]:
            yield frame
            held += sum(
                len(group.values)
                for change in frame.changes
                if isinstance(change, Push)
                for group in change.groups
            )
            if held >= samples:
                return

    def newest_position(self) -> int:
        return self.frames[-1].position if self.frames else 0

    def learn_names(self) -> None:
        self.learned += 1


class ScriptedRemote:
    """Answers what *answer* says of the samples in a request, and remembers what it took."""

    def __init__(self, answer: Callable[[list[Sample]], Answer] = lambda _samples: SENT) -> None:
        self.answer = answer
        self.requests: list[tuple[list[Sample], Answer]] = []
        self.faults: list[str] = []

    def send(self, message: bytes) -> Answer:
        series: list[Series] = decode(message)
        self.faults += faults_of(series)
        samples = [
            (dict(one.labels)["__name__"], at - START_MS, value_of(bits))
            for one in series
            for at, bits in one.samples
        ]
        answer = self.answer(samples)
        self.requests.append((samples, answer))
        return answer

    @property
    def taken(self) -> list[Sample]:
        return [
            sample
            for samples, answer in self.requests
            if answer.outcome is Outcome.SENT
            for sample in samples
        ]

    @property
    def outcomes(self) -> list[Outcome]:
        return [answer.outcome for _, answer in self.requests]


def in_turn(*answers: Answer) -> Callable[[list[Sample]], Answer]:
    """These, one a request; the last one from then on."""
    waiting = list(answers)
    return lambda _samples: waiting.pop(0) if len(waiting) > 1 else waiting[0]


class Shipping:
    """A shipper on a list, one step at a time."""

    def __init__(
        self, remote: ScriptedRemote, *, max_samples: int = 1000, cursor: int = 0, late_samples: bool = True
    ) -> None:
        self.source = ListSource()
        self.reports: list[Progress] = []
        self.shipper = Shipper(
            "one",
            cursor,
            self.source,
            remote,
            Names({}),
            self.reports.append,
            max_samples=max_samples,
            late_samples=late_samples,
            now_ms=lambda: self.source.now_ms,
            jitter=lambda: 0.5,
        )

    def ship_all(self) -> Progress:
        """Ship until there is nothing left."""
        while self.shipper.ship_some():
            pass
        return self.shipper.progress()


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries are short, but grow."""
    monkeypatch.setattr(shipper_module, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(shipper_module, "LONGEST_WAIT_SECONDS", 0.004)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is waited instead of sleeping."""
    asked: list[float] = []
    monkeypatch.setattr(Shipper, "_sleep", lambda _shipper, seconds: asked.append(seconds))
    return asked


# Sending


def test_group_commits_share_requests_of_bounded_size() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote, max_samples=3)
    shipping.source.add(first_push(0, {1: 0.0}))
    for at in range(1, 10):
        shipping.source.add(push(at, {1: float(at)}))

    progress = shipping.ship_all()

    assert remote.taken == [("a", at, float(at)) for at in range(10)]
    assert [len(samples) for samples, _ in remote.requests] == [3, 3, 3, 1]
    assert remote.faults == []
    assert progress == Progress("one", 10, 10, 0, {}, {"sent": 4}, "")


def test_one_large_commit_is_sent_in_several_requests() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote, max_samples=4)
    shipping.source.add(first_push(0, {1: 0.0}), *(push(at, {1: float(at)}) for at in range(1, 10)))

    shipping.ship_all()

    assert remote.taken == [("a", at, float(at)) for at in range(10)]
    assert [len(samples) for samples, _ in remote.requests] == [4, 4, 2]


def test_nothing_is_sent_again_and_nothing_before_the_cursor() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote, cursor=2)
    for at in range(4):
        shipping.source.add(first_push(at, {1: float(at)}))

    shipping.ship_all()
    shipping.ship_all()

    assert remote.taken == [("a", 2, 2.0), ("a", 3, 3.0)]


def test_records_with_nothing_to_send_move_the_cursor_without_a_request() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote)
    shipping.source.add(Expiry(START_MS, [(7, [1])]))

    assert shipping.ship_all().position == 1
    assert remote.requests == []


# Retry


def test_what_may_pass_is_sent_again_until_it_is_taken(no_waits: None) -> None:
    remote = ScriptedRemote(in_turn(BUSY, GONE, BUSY, SENT))
    shipping = Shipping(remote)
    shipping.source.add(first_push(0, {1: 1.0, 2: 2.0}))

    progress = shipping.ship_all()

    assert remote.taken == [("a", 0, 1.0), ("b", 0, 2.0)]
    assert progress == Progress("one", 1, 2, 6, {}, {"retry": 3, "sent": 1}, "")


def test_waits_grow_up_to_a_bound(waits: list[float]) -> None:
    shipping = Shipping(ScriptedRemote(in_turn(*[BUSY] * 9, SENT)))
    shipping.source.add(first_push(0, {1: 1.0}))

    shipping.ship_all()

    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0]


def test_waits_of_two_bridges_differ_by_up_to_a_factor_of_three(waits: list[float]) -> None:
    chances = iter([0.0, 0.999, 0.0, 0.999])
    source = ListSource()
    source.add(first_push(0, {1: 1.0}))
    remote = ScriptedRemote(in_turn(*[BUSY] * 4, SENT))
    jitter = lambda: next(chances)  # noqa: E731 - shorter than a function
    Shipper(
        "one",
        0,
        source,
        remote,
        Names({}),
        lambda _: None,
        max_samples=9,
        now_ms=lambda: START_MS,
        jitter=jitter,
    ).ship_some()

    assert waits == pytest.approx([0.25, 1.499, 1.0, 5.996])


def test_waits_begin_anew_with_each_batch(waits: list[float]) -> None:
    shipping = Shipping(ScriptedRemote(in_turn(BUSY, BUSY, SENT, BUSY, SENT)), max_samples=1)
    shipping.source.add(first_push(0, {1: 1.0}))
    shipping.source.add(push(1, {1: 2.0}))

    shipping.ship_all()

    assert waits == [0.5, 1.0, 0.5]


def test_a_remote_is_left_alone_for_as_long_as_it_asks(waits: list[float]) -> None:
    answers = [BUSY._replace(retry_after_seconds=seconds) for seconds in (7.0, 0.0, 0.1)]
    shipping = Shipping(ScriptedRemote(in_turn(*answers, SENT)))
    shipping.source.add(first_push(0, {1: 1.0}))

    shipping.ship_all()

    assert waits == [7.0, 1.0, 2.0]


# Split and drop


def test_what_is_refused_as_a_whole_is_dropped_and_counted() -> None:
    remote = ScriptedRemote(in_turn(DROP, SENT))
    shipping = Shipping(remote, max_samples=2)
    shipping.source.add(first_push(0, {1: 1.0, 2: 2.0}))
    shipping.source.add(push(1, {1: 3.0}))

    progress = shipping.ship_all()

    assert remote.taken == [("a", 1, 3.0)]
    assert progress == Progress("one", 2, 1, 0, {"refused": 2}, {"drop": 1, "sent": 1}, "")


@given(
    st.lists(st.sets(st.integers(1, 3), min_size=1), min_size=1, max_size=12),
    st.data(),
    st.integers(1, 20),
)
def test_only_refused_samples_are_missing(
    groups: list[set[int]], data: st.DataObject, max_samples: int
) -> None:
    samples: list[Sample] = [
        ("abc"[number - 1], at, float(at)) for at, numbers in enumerate(groups) for number in sorted(numbers)
    ]
    refused = data.draw(st.sets(st.sampled_from(samples)))
    remote = ScriptedRemote(lambda found: SPLIT if refused & set(found) else SENT)
    shipping = Shipping(remote, max_samples=max_samples)
    for at, numbers in enumerate(groups):
        shipping.source.add(first_push(at, dict.fromkeys(sorted(numbers), float(at))))

    progress = shipping.ship_all()

    assert Counter(remote.taken) == Counter(sample for sample in samples if sample not in refused)
    assert progress.sent == len(samples) - len(refused)
    assert progress.dropped == ({"refused": len(refused)} if refused else {})
    assert progress.position == len(groups)
    assert remote.faults == []


@given(st.integers(1, 30), st.integers(1, 40))
def test_a_remote_that_takes_small_requests_only_gets_everything(most: int, commits: int) -> None:
    remote = ScriptedRemote(lambda found: SPLIT if len(found) > most else SENT)
    shipping = Shipping(remote)
    for at in range(commits):
        shipping.source.add(first_push(at, {1: float(at), 2: float(at)}))

    progress = shipping.ship_all()

    assert sorted(remote.taken) == sorted((name, at, float(at)) for at in range(commits) for name in "ab")
    assert progress.dropped == {}


def test_the_parts_of_a_split_batch_keep_the_time_order_of_each_series() -> None:
    remote = ScriptedRemote(lambda found: SPLIT if len(found) > 1 else SENT)
    shipping = Shipping(remote)
    for at in (3, 1, 2, 0):
        shipping.source.add(first_push(at, {1: float(at), 2: float(at)}))

    shipping.ship_all()

    for name in "ab":
        assert [at for series, at, _ in remote.taken if series == name] == [0, 1, 2, 3]


def test_a_part_that_must_wait_is_sent_again_alone(waits: list[float]) -> None:
    remote = ScriptedRemote(in_turn(SPLIT, BUSY, SENT, SENT))
    shipping = Shipping(remote)
    shipping.source.add(first_push(0, {1: 1.0, 2: 2.0}))

    progress = shipping.ship_all()

    assert [samples for samples, _ in remote.requests] == [
        [("a", 0, 1.0), ("b", 0, 2.0)],
        *([("a", 0, 1.0)], [("a", 0, 1.0)], [("b", 0, 2.0)]),
    ]
    assert progress.retried == 1


def test_a_remote_that_refuses_everything_is_answered_with_counts_and_the_cursor_moves_on() -> None:
    remote = ScriptedRemote(lambda _samples: SPLIT)
    shipping = Shipping(remote)
    for at in range(5):
        shipping.source.add(first_push(at, {1: 0.0, 2: 0.0, 3: 0.0}))

    progress = shipping.ship_all()

    assert remote.taken == []
    assert progress.dropped == {"refused": 15}
    assert progress.position == 5
    assert shipping.shipper.ship_some() is False


# Backlog


def old_records(shipping: Shipping, number: int) -> None:
    """*number* group commits of which a minute passed."""
    for at in range(number):
        shipping.source.add(first_push(at, {1: float(at)}))
    shipping.source.now_ms += 60_000


def test_what_is_new_goes_before_an_old_backlog_and_all_is_sent_once() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote, max_samples=2)
    old_records(shipping, 6)

    shipping.shipper.ship_some()
    shipping.source.add(push(60_000, {1: 60.0}))
    shipping.shipper.ship_some()
    shipping.source.add(push(60_001, {1: 61.0}))
    progress = shipping.ship_all()

    assert [at for _, at, _ in remote.taken] == [0, 1, 60_000, 2, 3, 60_001, 4, 5]
    assert progress.position == 8
    assert shipping.source.learned == 1


def test_a_remote_that_takes_nothing_late_gets_all_in_order() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote, max_samples=2, late_samples=False)
    old_records(shipping, 6)

    shipping.shipper.ship_some()
    shipping.source.add(push(60_000, {1: 60.0}))
    progress = shipping.ship_all()

    assert [at for _, at, _ in remote.taken] == [0, 1, 2, 3, 4, 5, 60_000]
    assert progress.position == 7


def test_the_cursor_stays_before_the_backlog_until_that_is_sent() -> None:
    shipping = Shipping(ScriptedRemote(), max_samples=2)
    old_records(shipping, 6)
    positions = []

    shipping.source.add(push(60_000, {1: 60.0}))
    while shipping.shipper.ship_some():
        positions.append(shipping.shipper.position)

    assert positions == [2, 4, 6, 7]


def test_a_backlog_of_a_backlog_is_sent_oldest_first() -> None:
    """The remote answers again, but more comes in than it takes: what was new becomes old too."""
    remote = ScriptedRemote()
    shipping = Shipping(remote, max_samples=1)
    old_records(shipping, 3)
    shipping.shipper.ship_some()
    for at in range(3, 6):
        shipping.source.add(push(at, {1: float(at)}))
    shipping.source.now_ms += 60_000
    shipping.shipper.ship_some()
    shipping.source.add(push(9, {1: 9.0}))

    progress = shipping.ship_all()

    assert [at for _, at, _ in remote.taken] == [0, 1, 9, 2, 3, 4, 5]
    assert progress.position == 7


def test_what_was_freed_of_a_backlog_does_not_hold_it_up() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote, max_samples=1)
    old_records(shipping, 4)
    shipping.shipper.ship_some()
    del shipping.source.frames[:4]
    shipping.source.frames.append(Changes(5, shipping.source.now_ms, [push(9, {1: 9.0})]))

    progress = shipping.ship_all()

    assert remote.taken == [("a", 0, 0.0), ("a", 9, 9.0)]
    assert progress.position == 5


@given(st.lists(st.sampled_from(["add", "ship", "pass"]), max_size=60), st.integers(1, 5))
def test_however_time_passes_each_sample_is_sent_once(steps: list[str], max_samples: int) -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote, max_samples=max_samples)
    added = 0
    for step in steps:
        if step == "add":
            shipping.source.add(first_push(added, {1: float(added)}))
            added += 1
        elif step == "ship":
            shipping.shipper.ship_some()
        else:
            shipping.source.now_ms += 20_000

    progress = shipping.ship_all()

    assert sorted(remote.taken) == [("a", at, float(at)) for at in range(added)]
    assert progress.position == added
    assert progress.dropped == {}


def test_the_end_of_a_series_in_the_backlog_does_not_end_the_one_that_came_back() -> None:
    """A host falls silent while the remote is away, and is back before the remote is."""
    remote = ScriptedRemote()
    shipping = Shipping(remote, max_samples=1)
    shipping.source.add(first_push(0, {1: 1.0}))
    shipping.source.add(Expiry(START_MS + 60_000, [(1, [1])]))
    shipping.source.now_ms += 120_000
    shipping.shipper.ship_some()
    shipping.source.add(push(120_000, {2: 2.0}, definitions=defined((2, "a", POINT))))

    shipping.ship_all()

    assert sorted(remote.taken, key=lambda sample: sample[1]) == [
        ("a", 0, 1.0),
        ("a", 60_000, "stale"),
        ("a", 120_000, 2.0),
    ]


# Skip


def test_what_is_skipped_is_not_sent() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote)
    shipping.source.add(first_push(0, {1: 0.0}))
    shipping.ship_all()
    for at in range(1, 6):
        shipping.source.add(push(at, {1: float(at)}))

    shipping.shipper.skip(4)
    progress = shipping.ship_all()

    assert [at for _, at, _ in remote.taken] == [0, 4, 5]
    assert progress.position == 6


def test_a_skip_over_the_backlog_leaves_what_is_new() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote, max_samples=1)
    old_records(shipping, 4)
    shipping.shipper.ship_some()
    shipping.source.add(push(9, {1: 9.0}))

    shipping.shipper.skip(4)
    progress = shipping.ship_all()

    assert [at for _, at, _ in remote.taken] == [0, 9]
    assert progress.position == 5


def test_a_skip_backwards_changes_nothing() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote)
    shipping.source.add(first_push(0, {1: 0.0}))
    shipping.ship_all()

    shipping.shipper.skip(0)
    shipping.source.add(push(1, {1: 1.0}))
    shipping.ship_all()

    assert [at for _, at, _ in remote.taken] == [0, 1]


# The thread


class Running:
    """A shipper in its thread."""

    def __init__(self, shipping: Shipping) -> None:
        self.shipper = shipping.shipper
        self.thread = threading.Thread(target=self.shipper.run)
        self.thread.start()

    def stop(self) -> None:
        self.shipper.stop()
        self.thread.join(LONGEST_WAIT_SECONDS)
        assert not self.thread.is_alive()


def test_it_ships_what_comes_in_when_it_is_woken_and_stops_when_told() -> None:
    remote = ScriptedRemote()
    shipping = Shipping(remote)
    running = Running(shipping)
    for at in range(3):
        shipping.source.add(first_push(at, {1: float(at)}))
        running.shipper.wake()
        wait_until(lambda: len(remote.taken) > at, "the sample")  # noqa: B023 - called within the loop
    running.stop()

    assert [at for _, at, _ in remote.taken] == [0, 1, 2]
    assert shipping.reports[-1].position == 3


def test_a_stop_while_it_waits_ends_soon_and_leaves_the_cursor() -> None:
    asked_to_wait = BUSY._replace(retry_after_seconds=3600.0)
    remote = ScriptedRemote(in_turn(SENT, asked_to_wait))
    shipping = Shipping(remote, max_samples=1)
    shipping.source.add(first_push(0, {1: 0.0}))
    shipping.source.add(push(1, {1: 1.0}))
    running = Running(shipping)
    wait_until(lambda: len(remote.requests) == 2, "the second request")
    running.stop()

    assert shipping.reports[-1] == Progress("one", 1, 1, 1, {}, {"sent": 1, "retry": 1}, "http_503")


def test_a_wake_does_not_shorten_a_wait() -> None:
    remote = ScriptedRemote(lambda _samples: BUSY._replace(retry_after_seconds=3600.0))
    shipping = Shipping(remote)
    shipping.source.add(first_push(0, {1: 0.0}))
    running = Running(shipping)
    wait_until(lambda: remote.requests, "the first request")
    for _ in range(20):
        running.shipper.wake()
        time.sleep(0.005)
    running.stop()

    assert len(remote.requests) == 1


def test_what_has_to_wait_is_told_while_it_waits() -> None:
    remote = ScriptedRemote(lambda _samples: BUSY._replace(retry_after_seconds=3600.0))
    shipping = Shipping(remote)
    shipping.source.add(first_push(0, {1: 0.0, 2: 0.0}))
    running = Running(shipping)
    try:
        wait_until(lambda: any(report.waiting for report in shipping.reports), "the report")
    finally:
        running.stop()

    assert shipping.reports[0] == Progress("one", 0, 0, 2, {}, {"retry": 1}, "http_503")


# Logs


def lines(caplog: pytest.LogCaptureFixture) -> Iterator[tuple[str, str]]:
    """Level and message up to the first number that depends on the clock."""
    for record in caplog.records:
        yield record.levelname, record.getMessage().split(" after_seconds=")[0]


def test_one_line_is_logged_when_it_begins_to_wait_and_one_when_it_goes_on(
    waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shipping = Shipping(ScriptedRemote(in_turn(*[BUSY, GONE] * 20, SENT, SENT, BUSY, SENT)), max_samples=1)
    for at in range(3):
        shipping.source.add(first_push(at, {1: 0.0}))

    shipping.ship_all()

    assert list(lines(caplog)) == [
        ("WARNING", "remote write waits remote=one reason=http_503 detail='busy'"),
        ("WARNING", "remote write waits remote=one reason=unreachable detail='refused'"),
        ("INFO", "remote write goes on remote=one"),
        ("WARNING", "remote write waits remote=one reason=http_503 detail='busy'"),
        ("INFO", "remote write goes on remote=one"),
    ]


def test_nothing_is_logged_while_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shipping = Shipping(ScriptedRemote(), max_samples=1)
    for at in range(3):
        shipping.source.add(first_push(at, {1: 0.0}))

    shipping.ship_all()

    assert list(lines(caplog)) == []


def test_refused_samples_are_logged_once_a_minute_with_their_number(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shipping = Shipping(ScriptedRemote(lambda _samples: SPLIT), max_samples=3)
    shipping.source.add(first_push(0, {1: 0.0, 2: 0.0, 3: 0.0}))
    shipping.ship_all()
    monkeypatch.setattr(shipper_module, "LOG_DROPS_SECONDS", 0.0)
    shipping.source.add(push(1, {1: 0.0}))
    shipping.ship_all()

    assert list(lines(caplog)) == [
        ("WARNING", "remote refused samples remote=one samples=1 reason=http_400 detail='out of bounds'"),
        ("WARNING", "remote refused samples remote=one samples=3 reason=http_400 detail='out of bounds'"),
    ]
