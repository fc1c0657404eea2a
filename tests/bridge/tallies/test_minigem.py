from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.minigem import DIALECT
from pushgateway_bridge.dialects.minigem_event import EVENTS
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.histogram import count_in, no_observations
from pushgateway_bridge.model.labels import LabelSet
from pushgateway_bridge.model.report import Report
from pushgateway_bridge.tallies.minigem import MAX_DELETED, MinigemTally
from pushgateway_bridge.tallies.minigem_counts import HOUR_MS, KEPT_DAYS, NAME_CAPS, Counts
from pushgateway_bridge.tallies.minigem_families import GROUP, SHAPE
from pushgateway_bridge.tallies.minigem_rows import MAX_ROWS
from pushgateway_bridge.tallies.tally import Fact, Plan, Tally
from pushgateway_bridge.tallies.visitors import Union, add_visitors

NOW = 1_769_932_860_000
"""2026-02-01 08:01:00 UTC."""
MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS
Event = dict[str, Any]
ANON = "00112233445566778899aabbccddeeff"
RUN: Event = {
    "anon": ANON,
    "evt": "java.run.completed",
    "os": "linux-x64",
    "ext": "2.3.1",
    "vscode": "1.96.0",
    "sessionId": "s-81",
    "m": {
        "durationMs": 4180,
        "waitMsTotal": 900,
        "exit": 0,
        "scannerUsage": True,
        "truncatedOutput": False,
        "cumulativeBytesBucket": "1-10k",
    },
}


def decode(events: Sequence[object], at_ms: int = NOW, country: str = "DE") -> Report:
    body = json.dumps({"schema": "jwc.v1", "batch": events}).encode()
    return DIALECT.decode(body, PushContext(at_ms, "application/json", country=country))


class Disk:
    """A tally, and what a journal would hold of what it plans."""

    def __init__(self, secret: bytes = b"s" * 32) -> None:
        self._secret = secret
        self.tally = MinigemTally(lambda: self._secret)
        self.facts: dict[tuple[str, bytes], bytes] = {}
        self.series: dict[tuple[Family, LabelSet], float] = {}
        self.histograms: dict[str, list[float]] = {}
        self.seen: dict[str, set[int]] = {}
        self.entries: list[bytes] = []
        self.fact_writes: Counter[str] = Counter()

    def push(self, *events: object, at_ms: int = NOW, country: str = "DE") -> Report:
        return self.commit(self.tally.plan(decode(events, at_ms, country), at_ms))

    def commit(self, plan: Plan) -> Report:
        plan.take()
        for fact in plan.facts:
            self.fact_writes[fact.kind] += 1
            if fact.body is None:
                del self.facts[fact.kind, fact.key]
            else:
                self.facts[fact.kind, fact.key] = fact.body
        for group in plan.report.groups:
            assert group.group == GROUP
            self.series.update(zip(group.shape, group.values, strict=True))
            for increment in group.increments:
                key = increment.family, increment.labels
                self.series[key] = self.series.get(key, 0.0) + increment.amount
            for one in group.observations:
                buckets = one.family.buckets
                totals = self.histograms.get(one.family.name) or no_observations(buckets)
                self.histograms[one.family.name] = totals = list(totals)
                count_in(totals, buckets, one.value)
            for distinct in group.distinct:
                assert 0 <= distinct.hash64 < 2**64
                self.seen.setdefault(distinct.family.name, set()).add(distinct.hash64)
        if plan.report.entry is not None:
            self.entries.append(plan.report.entry)
        return plan.report

    def pass_to(self, now_ms: int) -> int:
        """Let the tally do all that it does by itself until *now_ms*; return in how many plans."""
        plans = 0
        while (plan := self.tally.plan_time(now_ms)) is not None:
            assert plan.report.accepted == 0
            assert len(plan.facts) <= MAX_DELETED
            self.commit(plan)
            plans += 1
            assert plans < 100
        return plans

    def restart(self, now_ms: int = NOW) -> None:
        self.tally = MinigemTally(lambda: self._secret)
        self.tally.restore(self.kept(), list(self.series), now_ms)

    def kept(self) -> list[Fact]:
        return [Fact(kind, key, body) for (kind, key), body in self.facts.items()]

    def shown(self) -> dict[str, float]:
        """Series by name and labels, without the prefix that all have."""
        return {
            family.name.removeprefix("minigem_") + "".join(f" {value}" for _, value in labels): value
            for (family, labels), value in self.series.items()
        }


def event(evt: str = "test.ping", **fields: object) -> Event:
    return {"anon": ANON, "evt": evt, **fields}


def visitors(bodies: Iterable[bytes]) -> int:
    union = Union()
    for body in bodies:
        union.add(body)
    return union.count()


def test_it_is_a_tally() -> None:
    tally: Tally = MinigemTally(lambda: b"s" * 32)

    assert tally.plan_time(NOW) is None


def test_a_completed_run_gives_all_its_series() -> None:
    disk = Disk()
    report = disk.push(event("java.run.started"), RUN, event("java.run.error", m={"phase": "compile"}), None)

    assert (report.accepted, report.skipped, report.events) == (3, 1, ())
    assert disk.shown() == {
        "active_sessions": 0.0,
        "events_total java.run.started": 1.0,
        "events_total java.run.completed": 1.0,
        "events_total java.run.error": 1.0,
        "events_skipped_total not_an_object": 1.0,
        "events_by_os_total unknown": 2.0,
        "events_by_os_total linux": 1.0,
        "events_by_extension_total 0.0.0": 2.0,
        "events_by_extension_total 2.3.1": 1.0,
        "events_by_editor_total 0.0.0": 2.0,
        "events_by_editor_total 1.96.0": 1.0,
        "events_by_country_total DE": 3.0,
        "java_runs_started_total": 1.0,
        "java_runs_completed_total 0": 1.0,
        "java_run_output_total 1-10k": 1.0,
        "java_run_errors_total compile": 1.0,
        "java_runs_interactive_total": 1.0,
    }
    assert disk.histograms["minigem_java_run_duration_seconds"] == [0, 0, 0, 1, 1, 1, 1, 1, 4.18, 1]
    assert disk.histograms["minigem_java_run_input_wait_seconds"][-2:] == [0.9, 1]
    assert {name: len(seen) for name, seen in disk.seen.items()} == {"minigem_unique_users": 1}


@pytest.mark.parametrize(
    ("exit_code", "label"),
    [
        *((0, "0"), (1, "1"), (130, "130"), (143, "143"), (127, "other"), (-1, "other")),
        *(("127", "other"), ("130", "130"), ("broken", "other"), (None, "0")),
    ],
)
def test_runs_are_counted_by_exit_code(exit_code: object, label: str) -> None:
    disk = Disk()
    disk.push(event("java.run.completed", m={"exit": exit_code}))

    assert disk.shown()[f"java_runs_completed_total {label}"] == 1.0


def test_a_batch_adds_once_to_each_series_and_sees_each_user_once() -> None:
    plan = MinigemTally(lambda: b"s" * 32).plan(decode([RUN] * 50 + [event(anon="b")] * 50), NOW)

    (group,) = plan.report.groups
    keys = [(increment.family.name, increment.labels) for increment in group.increments]
    assert len(keys) == len(set(keys))
    assert len(group.distinct) == 2
    assert group.shape is SHAPE
    assert {fact.kind for fact in plan.facts} == {"hour", "day", "visitors", "country_visitors", "session"}
    assert len(plan.facts) == 5


def test_a_push_of_somebody_known_writes_only_counts() -> None:
    disk = Disk()
    disk.push(RUN)
    disk.fact_writes.clear()
    disk.push(RUN)

    assert disk.fact_writes == {"hour": 1, "day": 1}


def test_nothing_in_a_push_changes_nothing() -> None:
    tally = MinigemTally(lambda: b"s" * 32)
    plan = tally.plan(decode([]), NOW)

    assert (plan.report, list(plan.facts)) == (Report(), [])


def test_a_plan_that_is_not_taken_changes_nothing() -> None:
    disk = Disk()
    disk.push(RUN)
    before = disk.tally.counts()
    for _ in range(3):
        disk.tally.plan(
            decode([event("telemetry.optout"), event("install.created", anon="b", sessionId="x")]), NOW
        )

    assert disk.tally.counts() == before
    assert disk.push(event()).accepted == 1
    assert disk.shown()["active_sessions"] == 0.0


# Opting out


def test_who_opted_out_is_counted_once_and_then_dropped() -> None:
    disk = Disk()
    report = disk.push(
        event("telemetry.optout"), event("java.run.started", sessionId="s"), event(anon="other")
    )

    assert (report.accepted, report.skipped) == (2, 1)
    assert disk.push(event("telemetry.optout"), event()).skipped == 2
    shown = disk.shown()
    assert shown["events_total telemetry.optout"] == 1.0
    assert shown["events_skipped_total opted_out"] == 3.0
    assert shown["events_total test.ping"] == 1.0
    assert "java_runs_started_total" not in shown
    assert shown["active_sessions"] == 0.0


def test_nothing_but_the_fact_is_kept_of_who_opted_out() -> None:
    disk = Disk()
    disk.push(event("telemetry.optout", sessionId="s"), event(sessionId="s"))
    disk.fact_writes.clear()
    disk.push(event(), event("telemetry.optout"))

    assert disk.entries == []
    assert disk.seen == {}
    assert disk.fact_writes == {}
    assert {kind for kind, _ in disk.facts} == {"hour", "day", "optout"}


def test_opting_in_again_ends_it() -> None:
    disk = Disk()
    disk.push(event("telemetry.optout"))
    disk.restart()
    assert disk.push(event()).accepted == 0
    assert disk.push(event("telemetry.optin"), event()).accepted == 2
    disk.restart()

    assert disk.push(event()).accepted == 1
    assert "optout" not in {kind for kind, _ in disk.facts}


def test_out_and_in_within_a_batch_leaves_no_trace() -> None:
    disk = Disk()

    assert disk.push(event("telemetry.optout"), event("telemetry.optin"), event()).accepted == 3
    assert "optout" not in {kind for kind, _ in disk.facts}


# Sessions


def test_a_session_is_active_for_ten_minutes_and_until_its_run_completes() -> None:
    disk = Disk()
    disk.push(event(sessionId="a"), event(sessionId="b"), event())
    assert disk.shown()["active_sessions"] == 2.0
    disk.push(event("java.run.completed", sessionId="b"), at_ms=NOW + MINUTE_MS)
    assert disk.shown()["active_sessions"] == 1.0
    disk.push(event("java.run.started", sessionId="b"), at_ms=NOW + 2 * MINUTE_MS)
    assert disk.shown()["active_sessions"] == 1.0

    assert disk.pass_to(NOW + 10 * MINUTE_MS - 1) == 0
    assert disk.tally.active_sessions(NOW + 10 * MINUTE_MS - 1) == 1
    assert disk.tally.active_sessions(NOW + 10 * MINUTE_MS) == 0
    assert disk.pass_to(NOW + 10 * MINUTE_MS) == 1
    assert disk.shown()["active_sessions"] == 0.0
    assert disk.pass_to(NOW + 12 * MINUTE_MS) == 1
    assert "session" not in {kind for kind, _ in disk.facts}


def test_a_session_is_written_at_most_once_a_minute() -> None:
    disk = Disk()
    for seconds in range(0, 300, 5):
        disk.push(event(sessionId="a"), at_ms=NOW + seconds * 1000)

    assert disk.fact_writes["session"] == 5


def test_late_events_make_no_session_active() -> None:
    disk = Disk()
    disk.push(event(sessionId="a", t=NOW - 11 * MINUTE_MS))

    assert disk.shown()["active_sessions"] == 0.0
    assert disk.pass_to(NOW) == 0


def test_sessions_survive_a_restart() -> None:
    disk = Disk()
    disk.push(event(sessionId="a"), event(sessionId="b"))
    disk.restart(NOW + MINUTE_MS)
    assert disk.tally.active_sessions(NOW + MINUTE_MS) == 2
    disk.restart(NOW + 11 * MINUTE_MS)
    assert disk.tally.active_sessions(NOW + 11 * MINUTE_MS) == 0

    disk.pass_to(NOW + 11 * MINUTE_MS)
    assert disk.shown()["active_sessions"] == 0.0
    assert "session" not in {kind for kind, _ in disk.facts}


def test_many_sessions_go_in_slices() -> None:
    disk = Disk()
    disk.push(*(event(sessionId=f"s-{number}") for number in range(1200)))
    assert disk.shown()["active_sessions"] == 1200.0

    assert disk.pass_to(NOW + 10 * MINUTE_MS) == 3
    assert disk.shown()["active_sessions"] == 0.0


# Counts


def test_counts_stand_in_the_hour_and_day_of_the_event() -> None:
    disk = Disk()
    disk.push(event(t=NOW - 9 * HOUR_MS), event("install.created", t=NOW), country="")
    counts = disk.tally.counts()

    hour = NOW // HOUR_MS
    assert counts.hours == {hour - 9: {"test.ping": 1}, hour: {"install.created": 1}}
    assert counts.days == {
        day: {"os:unknown": 1, "ext:0.0.0": 1, "vscode:0.0.0": 1, "country:": 1}
        for day in (hour // 24 - 1, hour // 24)
    }
    assert counts.installs == 1
    assert set(counts.country_visitors) == {(hour // 24 - 1, ""), (hour // 24, "")}


def test_counts_are_forgotten_after_35_days() -> None:
    disk = Disk()
    for day in range(60):
        for hour in range(24):
            at_ms = NOW + day * DAY_MS + hour * HOUR_MS
            disk.push(event(), at_ms=at_ms)
    disk.restart(at_ms)
    today = at_ms // DAY_MS
    assert disk.pass_to(at_ms) > 1

    counts = disk.tally.counts()
    assert min(counts.days) == today - KEPT_DAYS
    assert min(counts.hours) // 24 == min(counts.visitors) // 24 == today - KEPT_DAYS
    assert min(counts.country_visitors)[0] == today - KEPT_DAYS
    assert disk.pass_to(at_ms) == 0
    disk.restart(at_ms)
    assert disk.tally.counts() == counts


def test_made_up_versions_fill_neither_labels_nor_days() -> None:
    disk = Disk()
    for number in range(0, 600, 100):
        disk.push(*(event(ext=f"1.{one}") for one in range(number, number + 100)))
        disk.restart()
    disk.push(event(ext="1.7"), event(ext="1.599"))

    versions = {name: n for name, n in disk.shown().items() if name.startswith("events_by_extension")}
    assert len(versions) == 501
    assert versions["events_by_extension_total 1.7"] == 2.0
    assert versions["events_by_extension_total other"] == 101.0
    (day,) = disk.tally.counts().days.values()
    named = [name for name in day if name.startswith("ext:")]
    assert len(named) == NAME_CAPS["ext"] + 1
    assert sum(day[name] for name in named) == 602


def test_visitors_are_counted_within_the_error_of_the_sketch() -> None:
    """Three standard deviations of 3.3 %; what the series count is exact until it comes to their own sketches."""
    disk = Disk()
    anons: dict[int, set[str]] = {}
    for number in range(60):
        hour = number % 3
        batch = [f"u{(number * 53 + one * 7) % 4000}" for one in range(100)]
        anons.setdefault(hour, set()).update(batch)
        disk.push(*(event(anon=anon) for anon in batch), at_ms=NOW + hour * HOUR_MS)
        if number % 7 == 0:
            disk.restart()
    everybody = set().union(*anons.values())

    kept = disk.tally.counts().visitors
    for hour, expected in anons.items():
        assert visitors([kept[NOW // HOUR_MS + hour]]) == pytest.approx(len(expected), rel=0.1)
    assert visitors(kept.values()) == pytest.approx(len(everybody), rel=0.1)
    assert visitors(disk.tally.counts().country_visitors.values()) == pytest.approx(len(everybody), rel=0.1)
    assert len(disk.seen["minigem_unique_users"]) == len(everybody)
    assert max(len(body) for body in kept.values()) <= 600


def test_hashes_of_64_bits_are_told_apart_where_only_low_bits_differ() -> None:
    body = add_visitors(None, [2**63 + number for number in range(100)])
    assert body is not None

    assert visitors([body]) == pytest.approx(100, rel=0.1)
    assert add_visitors(body, [2**63 + 5]) is None


@given(st.data())
@settings(max_examples=60)
def test_restarts_and_plans_that_were_refused_change_no_count(data: st.DataObject) -> None:
    pushes = data.draw(st.lists(st.lists(EVENT, max_size=4), max_size=6))
    straight, broken = Disk(), Disk()
    for number, events in enumerate(pushes):
        at_ms = NOW + number * 20 * MINUTE_MS
        straight.push(*events, at_ms=at_ms)
        if data.draw(st.booleans()):
            broken.tally.plan(decode(events, at_ms), at_ms)
        if data.draw(st.booleans()):
            broken.restart(at_ms)
        broken.push(*events, at_ms=at_ms)

    assert counters(broken) == counters(straight)
    assert broken.histograms == straight.histograms
    assert broken.seen == straight.seen
    assert broken.entries == straight.entries
    assert read(broken.tally.counts()) == read(straight.tally.counts())
    broken.restart()
    assert read(broken.tally.counts()) == read(straight.tally.counts())


@given(st.data())
@settings(max_examples=40)
def test_the_order_of_pushes_changes_no_count(data: st.DataObject) -> None:
    pushes = data.draw(st.lists(st.lists(EVENT, max_size=4), max_size=6))
    pushes = [[one for one in events if "opt" not in str(one["evt"])] for events in pushes]
    straight, shuffled = Disk(), Disk()
    for events in pushes:
        straight.push(*events)
    for events in data.draw(st.permutations(pushes)):
        shuffled.push(*events)
        if data.draw(st.booleans()):
            shuffled.restart()

    assert counters(shuffled) == counters(straight)
    assert read(shuffled.tally.counts()) == read(straight.tally.counts())


def counters(disk: Disk) -> dict[str, float]:
    """What is shown but for active sessions: of one not seen in ten minutes, a late event is not remembered."""
    return {name: n for name, n in disk.shown().items() if name != "active_sessions"}


def read(counts: Counts) -> tuple[object, ...]:
    """*counts* with the number of visitors in place of their sketches, whose bytes depend on the order."""
    return (
        counts.hours,
        counts.days,
        {hour: visitors([body]) for hour, body in counts.visitors.items()},
        {key: visitors([body]) for key, body in counts.country_visitors.items()},
        counts.installs,
    )


EVENT = st.fixed_dictionaries(
    {"anon": st.sampled_from(["a", "b", "c"]), "evt": st.sampled_from(EVENTS)},
    optional={
        "t": st.integers(NOW - 30 * HOUR_MS, NOW),
        "os": st.sampled_from(["linux", "win32"]),
        "ext": st.sampled_from(["1.0", "2.0"]),
        "sessionId": st.sampled_from(["s", "t"]),
        "m": st.fixed_dictionaries(
            {},
            optional={
                "durationMs": st.integers(0, 200_000),
                "waitMsTotal": st.integers(0, 1000),
                "exit": st.sampled_from([0, 1, 130, 143, 7]),
                "scannerUsage": st.booleans(),
                "phase": st.sampled_from(["compile", "runtime", "x"]),
                "exceptionHash": st.sampled_from(["c0ffee", "x y"]),
            },
        ),
    },
)


@pytest.mark.parametrize(
    "fact",
    [
        Fact("hour", b"\0\0\0\x01", b"\xc1"),
        Fact("hour", b"\x01", msgspec.msgpack.encode({"test.ping": 1})),
        Fact("hour", b"\0\0\0\x01", msgspec.msgpack.encode({"test.ping": "x"})),
        Fact("day", b"\0\0\0\x01", b""),
        Fact("visitors", b"\0\0\0\x01", b"\0" * 40),
        Fact("country_visitors", b"\0\0\0\x01\xff\xff", add_visitors(None, [1])),
        Fact("installs", b"", msgspec.msgpack.encode("x")),
        Fact("session", b"k" * 16, b"\xc1"),
        Fact("later", b"", b""),
    ],
    ids=lambda fact: fact.kind,
)
def test_a_fact_that_cannot_be_read_is_left_out(fact: Fact) -> None:
    disk = Disk()
    disk.push(RUN)
    before = disk.tally.counts()
    disk.facts[fact.kind, fact.key] = fact.body or b""
    disk.restart()

    assert disk.tally.counts() == before
    disk.pass_to(NOW)
    assert disk.push(event()).accepted == 1


# What is shown of single events, and of whom


def test_the_entry_is_one_line_with_the_newest_events() -> None:
    disk = Disk()
    disk.push(*(event(t=NOW - 1000 + number) for number in range(50)), None)
    (entry,) = disk.entries

    assert b"\n" not in entry
    assert [row["t"] for row in json.loads(entry)] == [NOW - 1000 + number for number in range(30, 50)]
    assert len(json.loads(entry)) == MAX_ROWS


def test_ids_are_keyed_hashes_of_their_kind() -> None:
    entries = []
    for secret in (b"s" * 32, b"t" * 32):
        disk = Disk(secret)
        disk.push(event("java.run.error", sessionId=ANON, m={"exceptionHash": "Ada's"}))
        (row,) = json.loads(disk.entries[0])
        entries += [row["anon"], row["session"], row["exception"]]

    assert all(len(one) == 32 and int(one, 16) >= 0 for one in entries)
    assert len(set(entries)) == len(entries)


def test_an_exception_hash_is_shown_as_sent() -> None:
    disk = Disk()
    disk.push(event("java.run.error", m={"exceptionHash": "C0FFEE"}))

    assert json.loads(disk.entries[0])[0]["exception"] == "c0ffee"


ADDRESSES = ("pupil@example.org", "10.0.0.17", "2001:db8::17", "aa:bb:cc:dd:ee:17", "my free text")
SECRETS = ("ada-lovelace", *ADDRESSES)


@given(st.data())
@settings(max_examples=60)
def test_nothing_that_tells_who_somebody_is_is_kept_or_shown(data: st.DataObject) -> None:
    """One word in place of a version, or of a bucket, cannot be told from one."""
    anything, no_version = st.sampled_from(SECRETS), st.sampled_from(ADDRESSES)
    sent: list[Event] = data.draw(
        st.lists(
            st.fixed_dictionaries(
                {"anon": anything, "evt": st.sampled_from([*EVENTS, *SECRETS])},
                optional={
                    **dict.fromkeys(("os", "sessionId", "name", "ip"), anything),
                    **dict.fromkeys(("ext", "vscode"), no_version),
                    "m": st.fixed_dictionaries(
                        {},
                        optional={
                            **dict.fromkeys(
                                ("phase", "exceptionHash", "sessionId", "user", "exit"), anything
                            ),
                            "cumulativeBytesBucket": no_version,
                        },
                    ),
                },
            ),
            min_size=1,
            max_size=5,
        )
    )
    disk = Disk()
    report = disk.push(*sent)

    kept = [*disk.entries, *(kind.encode() + key + body for (kind, key), body in disk.facts.items())]
    kept += [value.encode() for _, labels in disk.series for _, value in labels]
    assert not any(secret.encode() in one for secret in SECRETS for one in kept)
    assert report.events == (), "they go no further than the tally"
