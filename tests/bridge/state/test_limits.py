from __future__ import annotations

from pathlib import Path

import pytest

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.errors import ItemLimit, LabelLimit, PushRejected, TooManySeries
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import make_label_set, make_push_group
from pushgateway_bridge.model.report import GroupReport, Report
from pushgateway_bridge.state.limits import LEAST_SOURCES, NewSeries, PushCheck, SeriesLimits
from tests.bridge.events import EVENTS
from tests.bridge.harness import FakeClock, Harness

SOURCE = ("job", "a")
OTHER = ("job", "b")


def limit(bridge: Harness, **limits: int) -> None:
    """What a reload does."""
    bridge.store.new_series.limits = SeriesLimits(**limits)


def event(bridge: Harness, app: str, kind: str = "web") -> None:
    """One push with one series."""
    bridge.push({"app": app, "kind": kind, "runs": 1}, EVENTS)


def host(bridge: Harness, name: str) -> None:
    """One push with one series that expires."""
    bridge.push({"name": name, "cpuL": 10})


def refusal(bridge: Harness, app: str, kind: str = "web") -> PushRejected:
    """Why the push is refused, and that nothing of it is kept."""
    before = bridge.exposition()
    with pytest.raises(PushRejected) as caught:
        event(bridge, app, kind)
    assert bridge.exposition() == before
    return caught.value


# Over all sources


def test_series_are_taken_up_to_the_limit_and_then_refused(bridge: Harness) -> None:
    limit(bridge, max_series=2)
    event(bridge, "a")
    event(bridge, "b")
    refused = refusal(bridge, "c")

    assert isinstance(refused, TooManySeries)
    assert (refused.status, refused.reason, refused.retry_after_seconds) == (429, "too_many_series", 60)
    assert str(refused) == "2 series are held, and limits.max_series is 2"


def test_at_the_limit_known_series_are_pushed_on(bridge: Harness) -> None:
    limit(bridge, max_series=1)
    event(bridge, "a")
    refusal(bridge, "a", "mail")
    refusal(bridge, "b")
    event(bridge, "a")

    assert bridge.series()['app_runs_total{job="events",instance="a",kind="web"}'] == 2


def test_a_push_with_one_series_too_many_is_refused_whole(bridge: Harness) -> None:
    limit(bridge, max_series=2)

    with pytest.raises(TooManySeries):
        bridge.push({"app": "a", "runs": 1, "seconds": [0.5], "gauge": ["g", "gauge", 1]}, EVENTS)

    assert bridge.store.series_count == bridge.store.source_count == 0
    event(bridge, "a")
    event(bridge, "b")


def test_what_expires_makes_room(bridge: Harness) -> None:
    limit(bridge, max_series=1)
    host(bridge, "a")
    with pytest.raises(TooManySeries):
        host(bridge, "b")
    bridge.clock.pass_seconds(61)
    bridge.expire()

    host(bridge, "b")
    with pytest.raises(TooManySeries):
        host(bridge, "c")


def test_what_is_deleted_makes_room(bridge: Harness) -> None:
    limit(bridge, max_series=1)
    event(bridge, "a")
    refusal(bridge, "b")
    assert bridge.delete("a") == 1

    event(bridge, "b")
    refusal(bridge, "a")


def test_what_could_not_be_written_makes_room(bridge: Harness) -> None:
    limit(bridge, max_series=1)
    bridge.begin({"app": "a", "runs": 1}, EVENTS)
    with pytest.raises(TooManySeries):
        bridge.begin({"app": "b", "runs": 1}, EVENTS)
    bridge.store.discard_reserved()  # as the journal calls it when a group commit fails

    bridge.begin({"app": "b", "runs": 1}, EVENTS)


def test_what_is_queued_counts(bridge: Harness) -> None:
    limit(bridge, max_series=1)
    first = bridge.begin({"app": "a", "runs": 1}, EVENTS)

    with pytest.raises(TooManySeries):
        bridge.begin({"app": "b", "runs": 1}, EVENTS)

    bridge.drain()
    assert first.result() is None


@pytest.mark.parametrize("checkpoint", [True, False], ids=["from the checkpoint", "from the journal"])
def test_what_is_held_is_counted_over_a_restart(bridge: Harness, checkpoint: bool) -> None:
    event(bridge, "a")
    event(bridge, "b")
    if checkpoint:
        bridge.checkpoint()
    bridge.crash()

    limit(bridge, max_series=2)
    assert "2 series are held" in str(refusal(bridge, "c"))
    assert bridge.delete("a") == 1
    event(bridge, "c")


def test_a_limit_lowered_below_what_is_held_loses_nothing(bridge: Harness) -> None:
    for app in "abc":
        event(bridge, app)
    limit(bridge, max_series=1)

    refusal(bridge, "d")
    for app in "abc":
        event(bridge, app)
    limit(bridge, max_series=4)
    event(bridge, "d")


def test_hosts_without_values_are_bounded_too(bridge: Harness) -> None:
    limit(bridge, max_series=30)
    bridge.push_many([{"name": f"host{number}"} for number in range(LEAST_SOURCES)])

    with pytest.raises(TooManySeries) as refused:
        bridge.push({"name": "one more"})
    assert str(refused.value) == "1000 sources are held, and limits.max_series, which is 30, is for 1000"
    bridge.push({"name": "host7"})


# Of one source in a minute


def test_a_source_brings_so_many_new_series_a_minute_and_no_more(bridge: Harness) -> None:
    limit(bridge, new_series_per_minute=2)
    event(bridge, "a", "one")
    event(bridge, "a", "two")
    refused = refusal(bridge, "a", "three")

    assert isinstance(refused, TooManySeries)
    assert (refused.status, refused.retry_after_seconds) == (429, 60)
    assert str(refused) == (
        "job 'events' instance 'a' would bring 3 new series in this minute, and limits.new_series_per_minute is 2"
    )
    bridge.clock.pass_seconds(refused.retry_after_seconds)
    event(bridge, "a", "three")
    event(bridge, "a", "four")
    refusal(bridge, "a", "five")


def test_one_sources_flood_is_no_others_matter(bridge: Harness) -> None:
    limit(bridge, new_series_per_minute=1)
    event(bridge, "a")
    for number in range(10):
        refusal(bridge, "a", f"flood{number}")

    event(bridge, "b")
    event(bridge, "a")


def test_series_that_were_refused_are_not_counted(bridge: Harness) -> None:
    limit(bridge, new_series_per_minute=2)
    with pytest.raises(ItemLimit):
        bridge.push({"app": "a", "runs": 1, "seconds": [0.5], "gauge": ["g", "gauge", 1]}, EVENTS)

    event(bridge, "a", "one")
    event(bridge, "a", "two")
    refusal(bridge, "a", "three")


def test_a_series_that_comes_again_after_its_expiry_is_new(bridge: Harness) -> None:
    limit(bridge, new_series_per_minute=1)
    host(bridge, "a")
    bridge.clock.pass_seconds(61)
    bridge.expire()
    host(bridge, "a")

    with pytest.raises(TooManySeries):
        bridge.push({"name": "a", "cpuL": 10, "cpuC": 4})


# Groups of one push, checked against each other


@pytest.fixture
def counting() -> tuple[NewSeries, FakeClock]:
    clock = FakeClock()
    return NewSeries(SeriesLimits(max_series=10, new_series_per_minute=4), clock.monotonic), clock


def test_groups_of_one_push_share_their_sources_minute(counting: tuple[NewSeries, FakeClock]) -> None:
    new_series, _ = counting
    push = PushCheck()
    new_series.check(SOURCE, 2, push, 0)
    new_series.check(OTHER, 4, push, 0)
    new_series.check(SOURCE, 2, push, 0)

    with pytest.raises(TooManySeries, match="would bring 5 new series"):
        new_series.check(SOURCE, 1, push, 0)
    assert push.new_series == {SOURCE: 4, OTHER: 4}


def test_groups_of_one_push_share_the_room(counting: tuple[NewSeries, FakeClock]) -> None:
    new_series, _ = counting
    push = PushCheck()
    new_series.check(SOURCE, 4, push, 3)
    new_series.check(OTHER, 3, push, 3)

    with pytest.raises(TooManySeries, match="3 series are held"):
        new_series.check(("job", "c"), 1, push, 3)


def test_nothing_is_remembered_of_sources_beyond_their_minute(counting: tuple[NewSeries, FakeClock]) -> None:
    new_series, clock = counting
    for number in range(100):
        new_series.count(("job", str(number)), 4)
    with pytest.raises(TooManySeries):
        new_series.check(("job", "5"), 1, PushCheck(), 0)
    clock.pass_seconds(60)

    new_series.check(("job", "5"), 4, PushCheck(), 0)
    assert new_series._of_minute() == {}


# Labels

GAUGE = Family("g", "gauge", "A gauge.")


def labelled(bridge: Harness, labels: dict[str, str], instance: str = "a", more: str = "") -> None:
    """Store a report of one series, and of an ordinary one before it."""
    shape = ((Family(f"f{more}", "gauge", "Before it."), ()), (GAUGE, make_label_set(labels)))
    group = GroupReport(make_push_group("job", instance), shape, [1.0, 2.0])
    context = PushContext(bridge.clock.now_ms())
    bridge.run(bridge.ingest.store(EVENTS, Report((group,), 1), context.received_ms))


def label_refusal(bridge: Harness, labels: dict[str, str], instance: str = "a", more: str = "") -> str:
    before = bridge.exposition()
    with pytest.raises(LabelLimit) as caught:
        labelled(bridge, labels, instance, more)
    assert bridge.exposition() == before
    assert (caught.value.status, caught.value.reason, caught.value.retry_after_seconds) == (
        422,
        "label_limit",
        0,
    )
    return str(caught.value)


def test_a_series_has_so_many_labels_and_no_more(bridge: Harness) -> None:
    limit(bridge, max_labels=4)
    labelled(bridge, {"c": "1", "d": "1"})

    says = label_refusal(bridge, {"c": "1", "d": "1", "e": "1"}, more="2")
    assert says == "g has 5 labels, and limits.max_labels is 4"


@pytest.mark.parametrize("value", ["a" * 16, "é" * 8, "😀" * 4], ids=["ascii", "two bytes", "four bytes"])
def test_a_label_is_so_many_bytes_long_and_no_longer(bridge: Harness, value: str) -> None:
    limit(bridge, max_label_value_bytes=16)
    labelled(bridge, {"c": value})

    says = label_refusal(bridge, {"c": value + "b"})
    assert says == "the value of label c is longer than limits.max_label_value_bytes, which is 16"
    assert value not in says


def test_job_and_instance_are_labels_too(bridge: Harness) -> None:
    limit(bridge, max_label_value_bytes=16)
    labelled(bridge, {}, "i" * 16)

    assert "the value of label instance is longer" in label_refusal(bridge, {}, "i" * 17)


def test_series_that_are_held_are_not_measured_again(bridge: Harness) -> None:
    labelled(bridge, {"c": "1" * 100, "d": "1"}, "i" * 100)
    limit(bridge, max_labels=2, max_label_value_bytes=16)

    labelled(bridge, {"c": "1" * 100, "d": "1"}, "i" * 100)
    label_refusal(bridge, {"c": "2" * 100, "d": "1"}, "i" * 100)


@pytest.mark.parametrize("kind", ["k" * 17], ids=["long"])
def test_what_is_counted_has_the_same_limits(bridge: Harness, kind: str) -> None:
    limit(bridge, max_label_value_bytes=16)

    assert isinstance(refusal(bridge, "a", kind), LabelLimit)
    event(bridge, "a", kind[:-1])


def test_a_new_journal_has_the_limits_that_are_documented(tmp_path: Path) -> None:
    bridge = Harness(tmp_path / "journal")
    try:
        assert bridge.store.new_series.limits == SeriesLimits(1_000_000, 5_000, 40, 1024)
    finally:
        bridge.close()
