"""What a tally remembers is on disk with the push that it comes from, and nothing of it without."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushgateway_bridge.errors import JournalFull, TooManySeries
from pushgateway_bridge.journal.facts import read_facts
from pushgateway_bridge.state.limits import SeriesLimits
from tests.bridge.harness import Harness
from tests.bridge.visits import CAPPED, HOUR_MS, VISIT_DIALECT

LABELS = 'job="visits",instance=""'
VISITORS = f"visitors_total{{{LABELS}}}"
PRESENT = f"visitors_present{{{LABELS}}}"


def visit(bridge: Harness, *who: str, door: str = "front") -> None:
    bridge.push([{"who": one, "door": door} for one in who], VISIT_DIALECT)


def visits(bridge: Harness) -> dict[str, float]:
    found = {}
    for name, value in bridge.series().items():
        if name.startswith("visits_total{"):
            found[name.partition('door="')[2].partition('"')[0]] = value
    return found


@pytest.mark.parametrize("checkpoint", [True, False], ids=["from the checkpoint", "from the journal"])
def test_what_was_counted_before_is_known_after_a_restart(bridge: Harness, checkpoint: bool) -> None:
    visit(bridge, "ann", "bob")
    if checkpoint:
        bridge.checkpoint()
    bridge.crash()

    visit(bridge, "bob", "cat")

    assert bridge.series()[VISITORS] == 3
    assert bridge.series()[PRESENT] == 3
    assert visits(bridge) == {"front": 4}
    counts = bridge.metrics.dialects["visits"]
    assert (counts.accepted, counts.deduplicated) == (1, 1)


def test_pushes_that_are_queued_together_know_of_each_other(bridge: Harness) -> None:
    first = bridge.begin([{"who": "ann"}], VISIT_DIALECT)
    second = bridge.begin([{"who": "ann"}, {"who": "bob"}], VISIT_DIALECT)
    bridge.drain()

    assert first.result() is None
    assert second.result() is None
    assert bridge.series()[VISITORS] == 2


def test_a_refused_push_is_not_remembered(bridge: Harness) -> None:
    visit(bridge, "ann")
    bridge.store.new_series.limits = SeriesLimits(max_series=3)
    with pytest.raises(TooManySeries):
        visit(bridge, "bob", door="back")
    bridge.store.new_series.limits = SeriesLimits()

    visit(bridge, "bob")

    assert bridge.series()[VISITORS] == 2
    assert bridge.series()[PRESENT] == 2


def test_a_full_disk_takes_back_what_was_planned(bridge: Harness) -> None:
    visit(bridge, "ann")
    connection = bridge.journal._connection
    connection.pragma("max_page_count", connection.pragma("page_count"))
    failed = bridge.begin([{"who": f"host-{number}" * 10} for number in range(2000)], VISIT_DIALECT)
    behind = bridge.begin([{"who": "bob"}], VISIT_DIALECT)
    bridge.drain()
    connection.pragma("max_page_count", 1_000_000)
    assert isinstance(failed.result(), JournalFull)
    assert behind.result() is not None or bridge.series()[VISITORS] == 2

    visit(bridge, "bob")

    assert bridge.series()[VISITORS] == 2
    assert bridge.series()[PRESENT] == 2


def test_time_alone_changes_what_is_shown_and_remembered(bridge: Harness) -> None:
    visit(bridge, "ann")
    bridge.clock.pass_seconds(HOUR_MS / 2000)
    visit(bridge, "bob")
    reports = bridge.series()[f"telemetry_reports_total{{{LABELS}}}"]
    bridge.clock.pass_seconds(HOUR_MS / 2000)
    bridge.run(bridge.ingest.count_time())
    bridge.drain()

    assert bridge.series()[PRESENT] == 1
    assert bridge.series()[f"telemetry_reports_total{{{LABELS}}}"] == reports
    assert [fact.key for fact in read_facts(bridge.journal.file, "visits")] == [b"bob"]
    bridge.crash()
    visit(bridge, "ann", "bob")
    assert bridge.series()[VISITORS] == 3


def test_label_values_over_the_cap_are_one_also_after_a_restart(bridge: Harness) -> None:
    for door in ("a", "b"):
        visit(bridge, "ann", door=door)
    bridge.crash()
    for door in ("c", "d", "e", "a"):
        visit(bridge, "ann", door=door)

    assert visits(bridge) == {"a": 2, "b": 1, "c": 1, "other": 2}
    assert len(visits(bridge)) == CAPPED + 1


def test_the_last_word_on_a_fact_stands(bridge: Harness) -> None:
    for who in ("ann", "bob"):
        bridge.begin([{"who": who}], VISIT_DIALECT)
        bridge.clock.pass_seconds(1)
        bridge.begin([{"who": who}], VISIT_DIALECT)
    bridge.drain()

    facts = read_facts(bridge.journal.file, "visits")
    assert [fact.key for fact in facts] == [b"ann", b"bob"]
    assert {fact.kind for fact in facts} == {"who"}
    times = [int.from_bytes(fact.body or b"", "big") for fact in facts]
    assert times == [bridge.clock.unix_ms - 1000, bridge.clock.unix_ms]
    assert read_facts(bridge.journal.file, "minigem") == []


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.lists(st.sampled_from("abcdefgh"), max_size=4),
            st.sampled_from(["crash", "checkpoint", "full", "drain", "time"]),
        ),
        max_size=25,
    )
)
def test_each_is_counted_once_in_any_order_of_pushes_faults_and_restarts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object]
) -> None:
    bridge = Harness(tmp_path_factory.mktemp("journal"))
    total = 0
    last: dict[str, int] = {}
    try:
        for step in steps:
            if step == "crash":
                bridge.drain()
                bridge.crash()
            elif step == "checkpoint":
                bridge.checkpoint()
            elif step == "drain":
                bridge.drain()
            elif step == "time":
                bridge.clock.pass_seconds(HOUR_MS / 4000)
                bridge.run(bridge.ingest.count_time())
                bridge.drain()
                last = {who: at for who, at in last.items() if at > bridge.clock.unix_ms - HOUR_MS}
            elif step == "full":
                bridge.drain()
                connection = bridge.journal._connection
                connection.pragma("max_page_count", connection.pragma("page_count"))
                crowd = [{"who": f"{number}-" + "x" * 100} for number in range(2000)]
                failed = bridge.begin(crowd, VISIT_DIALECT)
                bridge.drain()
                connection.pragma("max_page_count", 1_000_000)
                assert isinstance(failed.result(), JournalFull)
            else:
                assert isinstance(step, list)
                bridge.begin([{"who": who} for who in step], VISIT_DIALECT)
                total += len(set(step) - last.keys())
                last.update(dict.fromkeys(step, bridge.clock.unix_ms))
        bridge.drain()
        series = bridge.series()
        assert series.get(VISITORS, 0.0) == total
        assert series.get(PRESENT, 0.0) == len(last)
    finally:
        bridge.close()


def test_facts_are_of_their_dialect_alone(tmp_path: Path) -> None:
    bridge = Harness(tmp_path)
    visit(bridge, "ann")
    bridge.close()

    assert len(read_facts(tmp_path / "journal.db", "visits")) == 1
    assert read_facts(tmp_path / "journal.db", "proxmoxve") == []
