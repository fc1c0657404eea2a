from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.proxmoxve import DIALECT
from pushgateway_bridge.dialects.proxmoxve_event import TERMINAL, TYPES
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet
from pushgateway_bridge.tallies import proxmoxve_families as families
from pushgateway_bridge.tallies.caps import Caps
from pushgateway_bridge.tallies.executions import decode_execution
from pushgateway_bridge.tallies.proxmoxve import (
    EXECUTION,
    MOST_AT_ONCE,
    TODAY,
    ProxmoxveTally,
    TodayNumbers,
)
from pushgateway_bridge.tallies.tally import Fact, Plan

NOON_MS = 1_769_947_200_000
HOUR_MS = 3_600_000
SECRET = b"0" * 32
START: dict[str, Any] = {
    "status": "installing",
    "ct_type": 1,
    "disk_size": 8,
    "core_count": 2,
    "ram_size": 2048,
    "os_type": "debian",
    "os_version": "13",
    "pve_version": "9.0.3",
    "method": "default",
    "gpu_vendor": "intel",
    "gpu_passthrough": "igpu",
    "cpu_vendor": "amd",
    "arch": "amd64",
    "repo_slug": "community-scripts/ProxmoxVE",
}


class Bridge:
    """A tally with the little of the bridge that it needs: totals, gauges and facts, on a disk of its own."""

    def __init__(self, max_executions: int = 200_000) -> None:
        self.now_ms = NOON_MS
        self._max_executions = max_executions
        self.totals: Counter[tuple[str, LabelSet]] = Counter()
        self.observed: Counter[tuple[str, LabelSet]] = Counter()
        self.sums: Counter[str] = Counter()
        self.gauges: dict[tuple[str, LabelSet], float] = {}
        self.series: dict[tuple[str, LabelSet], Family] = {}
        self.facts: dict[tuple[str, bytes], bytes] = {}
        self.entries: list[bytes] = []
        self.deduplicated = 0
        self.shapes: set[int] = set()
        self.restart()

    def restart(self) -> None:
        self.tally = ProxmoxveTally(lambda: SECRET, self._max_executions)
        facts = [Fact(kind, key, body) for (kind, key), body in self.facts.items()]
        series = [(family, labels) for (_, labels), family in self.series.items()]
        self.tally.restore(facts, series, self.now_ms)

    def push(self, path: str = "/telemetry", *, fails: bool = False, **fields: Any) -> Plan:
        sent = {"random_id": "r", "type": "lxc", "nsapp": "gitea", **fields}
        body = json.dumps({name: value for name, value in sent.items() if value is not None}).encode()
        report = DIALECT.decode(body, PushContext(self.now_ms, path=path))
        plan = self.tally.plan(report, self.now_ms)
        if fails:
            self.restart()
        else:
            self.store(plan)
        return plan

    def pass_time(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        while (plan := self.tally.plan_time(self.now_ms)) is not None:
            assert plan.report.accepted == 0
            assert len(plan.facts) <= MOST_AT_ONCE + 1
            self.store(plan)

    def store(self, plan: Plan) -> None:
        for group in plan.report.groups:
            assert group.group == (("job", "proxmoxve"), ("instance", ""))
            self.shapes.add(id(group.shape))
            for (family, labels), value in zip(group.shape, group.values, strict=True):
                self.gauges[family.name, labels] = value
            keys = [(one.family.name, one.labels) for one in group.increments]
            assert len(keys) == len(set(keys))
            for one in group.increments:
                self.totals[one.family.name, one.labels] += int(one.amount)
                self.series[one.family.name, one.labels] = one.family
            for seen in group.observations:
                assert seen.family.buckets
                self.observed[seen.family.name, seen.labels] += 1
                self.sums[seen.family.name] += int(seen.value)
                self.series[seen.family.name, seen.labels] = seen.family
        for fact in plan.facts:
            if fact.body is None:
                self.facts.pop((fact.kind, fact.key), None)
            else:
                self.facts[fact.kind, fact.key] = fact.body
        if plan.report.entry is not None:
            assert b"\n" not in plan.report.entry
            self.entries.append(plan.report.entry)
        self.deduplicated += plan.report.deduplicated
        plan.take()

    def total(self, family: Family, **labels: str) -> int:
        return sum(
            amount
            for (name, own), amount in self.totals.items()
            if name == family.name and labels.items() <= dict(own).items()
        )

    def gauge(self, family: Family, **labels: str) -> float:
        return self.gauges.get((family.name, tuple(labels.items())), 0.0)

    @property
    def running(self) -> float:
        return sum(self.gauge(families.IN_PROGRESS, type=one or "unknown") for one in families.GAUGE_TYPES)


@pytest.fixture
def bridge() -> Bridge:
    return Bridge()


def labels_of(bridge: Bridge, family: Family) -> list[dict[str, str]]:
    return [
        dict(labels) for (name, labels), amount in bridge.totals.items() if name == family.name and amount
    ]


# Counting


def test_result_takes_from_the_start_what_it_does_not_say(bridge: Bridge) -> None:
    bridge.push(**START)
    bridge.push(status="failed", exit_code=127, error="x", install_duration=95)

    assert labels_of(bridge, families.STARTED) == [{"repo_source": "ProxmoxVE", "type": "lxc"}]
    assert labels_of(bridge, families.EXECUTIONS) == [
        {"repo_source": "ProxmoxVE", "status": "failed", "type": "lxc"}
    ]
    assert labels_of(bridge, families.BY_APP) == [{"app": "gitea", "status": "failed", "type": "lxc"}]
    assert labels_of(bridge, families.BY_OS) == [{"os_type": "debian", "os_version": "13"}]
    assert labels_of(bridge, families.BY_PVE) == [{"pve_version": "9.0"}]
    assert labels_of(bridge, families.BY_METHOD) == [{"method": "default"}]
    assert labels_of(bridge, families.BY_GPU) == [{"gpu_passthrough": "igpu", "gpu_vendor": "intel"}]
    assert labels_of(bridge, families.BY_CPU) == [{"arch": "amd64", "cpu_vendor": "amd"}]
    assert labels_of(bridge, families.BY_REPO) == [{"repo_slug": "community-scripts/ProxmoxVE"}]
    assert labels_of(bridge, families.FAILURES) == [
        {"error_category": "command_not_found", "exit_code": "127", "type": "lxc"}
    ]
    assert labels_of(bridge, families.PATTERNS) == [{"pattern": "other"}]
    assert bridge.observed == {
        (families.DURATION.name, (("status", "failed"), ("type", "lxc"))): 1,
        (families.DISK.name, (("type", "lxc"),)): 1,
        (families.MEMORY.name, (("type", "lxc"),)): 1,
        (families.CORES.name, (("type", "lxc"),)): 1,
    }
    assert bridge.sums == {
        families.DURATION.name: 95,
        families.DISK.name: 8 * 2**30,
        families.MEMORY.name: 2048 * 2**20,
        families.CORES.name: 2,
    }
    assert labels_of(bridge, families.GENERATIONS) == [{"generation": "3"}]
    assert {total for (name, _), total in bridge.totals.items() if name != families.GENERATIONS.name} == {1}


def test_what_nobody_said_is_unknown(bridge: Bridge) -> None:
    bridge.push(status="success")

    assert labels_of(bridge, families.BY_OS) == [{"os_type": "unknown", "os_version": "unknown"}]
    assert labels_of(bridge, families.BY_PVE) == [{"pve_version": "unknown"}]
    assert labels_of(bridge, families.BY_METHOD) == [{"method": "unknown"}]
    assert labels_of(bridge, families.BY_GPU) == [{"gpu_passthrough": "unknown", "gpu_vendor": "unknown"}]
    assert labels_of(bridge, families.BY_CPU) == [{"arch": "unknown", "cpu_vendor": "unknown"}]
    assert labels_of(bridge, families.BY_REPO) == [{"repo_slug": "unknown"}]
    assert not bridge.observed


@pytest.mark.parametrize("first", sorted(TERMINAL))
@pytest.mark.parametrize("second", sorted(TERMINAL))
def test_second_result_is_a_repeat_whatever_it_says(bridge: Bridge, first: str, second: str) -> None:
    bridge.push(status=first, exit_code=1, error="long")
    totals = bridge.totals.copy()
    plan = bridge.push(status=second, exit_code=1)

    assert bridge.totals == totals
    assert (plan.report.accepted, plan.report.deduplicated) == (0, 1)
    assert not plan.facts
    assert not plan.report.groups
    assert plan.report.entry is None


def test_answer_of_a_repeat_is_that_of_the_first(bridge: Bridge) -> None:
    first = bridge.push("/upload/updatestatus", status="done", error="none")
    second = bridge.push("/upload/updatestatus", status="done", error="none")

    assert first.report.answer is not None
    assert second.report.answer == first.report.answer


def test_start_that_comes_three_times_counts_once(bridge: Bridge) -> None:
    for _ in range(3):
        bridge.push(**START)

    assert bridge.total(families.STARTED) == 1
    assert bridge.deduplicated == 2
    assert bridge.running == 1


def test_start_after_its_result_counts_as_a_start_and_nothing_else(bridge: Bridge) -> None:
    bridge.push(status="success")
    bridge.push(**START)
    bridge.push(**START)

    assert bridge.total(families.STARTED) == 1
    assert bridge.total(families.EXECUTIONS) == 1
    assert bridge.running == 0


def test_pings_count_each_and_begin_an_execution_that_is_not_known(bridge: Bridge) -> None:
    for _ in range(2):
        bridge.push(status="validation")
        bridge.push(status="configuring")

    assert bridge.total(families.PROGRESS_EVENTS, status="validation") == 2
    assert bridge.total(families.PROGRESS_EVENTS, status="configuring") == 2
    assert bridge.total(families.STARTED) == 0
    assert bridge.running == 1
    assert not bridge.entries

    bridge.push(**START)
    assert bridge.total(families.STARTED) == 1
    bridge.push(status="success")
    assert labels_of(bridge, families.BY_PVE) == [{"pve_version": "9.0"}]


def test_execution_id_tells_attempts_of_one_session_apart(bridge: Bridge) -> None:
    bridge.push(status="failed", exit_code=1, execution_id="a")
    bridge.push(status="success", execution_id="b")

    assert bridge.total(families.EXECUTIONS) == 2


def test_client_that_falls_back_to_random_id_is_one_execution(bridge: Bridge) -> None:
    bridge.push(**START)
    bridge.push(status="success", execution_id="r")

    assert bridge.total(families.EXECUTIONS) == 1
    assert bridge.running == 0


def test_generation_0_is_joined_by_random_id(bridge: Bridge) -> None:
    bridge.push("/upload", **{**START, "type": "vm", "nsapp": "haos", "repo_slug": None})
    bridge.push("/upload/updatestatus", type=None, nsapp=None, status="failed", error="none")

    assert labels_of(bridge, families.BY_APP) == [{"app": "haos", "status": "failed", "type": "vm"}]
    assert labels_of(bridge, families.FAILURES) == [
        {"error_category": "unknown", "exit_code": "unknown", "type": "vm"}
    ]
    assert bridge.total(families.GENERATIONS, generation="0") == 2


def test_update_of_generation_0_without_a_start_has_no_type(bridge: Bridge) -> None:
    bridge.push("/upload/updatestatus", type=None, nsapp=None, status="done", error="none")

    assert labels_of(bridge, families.BY_APP) == [{"app": "unknown", "status": "success", "type": "unknown"}]


def test_pings_of_the_newest_client_count_under_its_generation(bridge: Bridge) -> None:
    bridge.push(**START, execution_id="e", payload_version=2)
    bridge.push(status="configuring", execution_id="e")

    assert bridge.total(families.GENERATIONS, generation="3.1") == 2


def test_user_who_aborts_is_no_failure(bridge: Bridge) -> None:
    bridge.push(status="failed", exit_code=113, error="x")
    bridge.push(status="failed", exit_code=130, random_id="r-2")

    assert bridge.total(families.EXECUTIONS, status="failed") == 1
    assert bridge.total(families.EXECUTIONS, status="aborted") == 1
    assert bridge.total(families.FAILURES) == 0
    assert bridge.total(families.PATTERNS) == 0


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("9.0.3", "9.0"),
        ("pve-manager/8.4.1/abc", "8.4"),
        ("8", "other"),
        ("[masked]", "other"),
        ("10.1", "10.1"),
    ],
)
def test_version_of_pve_is_cut_to_two_numbers(bridge: Bridge, sent: str, shown: str) -> None:
    bridge.push(status="success", pve_version=sent)

    assert labels_of(bridge, families.BY_PVE) == [{"pve_version": shown}]


def test_system_of_a_turnkey_and_architecture_stay_within_their_words(bridge: Bridge) -> None:
    bridge.push(status="success", type="turnkey", os_type="my own", arch="Z80")

    assert labels_of(bridge, families.BY_OS) == [{"os_type": "other", "os_version": "unknown"}]
    assert labels_of(bridge, families.BY_CPU) == [{"arch": "other", "cpu_vendor": "unknown"}]


def test_labels_that_clients_make_up_are_capped_also_after_a_restart(bridge: Bridge) -> None:
    for number in range(130):
        bridge.push(status="success", random_id=f"r{number}", repo_slug=f"a{number}/b")
        if number == 60:
            bridge.restart()

    assert len(labels_of(bridge, families.BY_REPO)) == 101
    assert bridge.total(families.BY_REPO, repo_slug="other") == 30
    assert bridge.total(families.BY_REPO) == 130


def test_every_capped_label_has_its_cap() -> None:
    assert {label: cap for (_, label), cap in families.CAPS.items()} == {
        "app": 1500,
        "repo_slug": 100,
        "os_version": 500,
        "pve_version": 500,
        "method": 500,
    }
    assert Caps(families.CAPS).admit(families.BY_APP.name, "app", "x") == "x"


# Time


def test_execution_is_stuck_after_an_hour_and_unknown_after_two_days(bridge: Bridge) -> None:
    bridge.push(**START)
    bridge.pass_time(HOUR_MS - 1)
    assert (bridge.running, bridge.gauge(families.STUCK)) == (1, 0)
    bridge.pass_time(1)
    assert (bridge.running, bridge.gauge(families.STUCK)) == (0, 1)
    assert bridge.total(families.EXECUTIONS) == 0
    bridge.pass_time(47 * HOUR_MS - 1)
    assert bridge.gauge(families.STUCK) == 1
    bridge.pass_time(1)

    assert (bridge.running, bridge.gauge(families.STUCK)) == (0, 0)
    assert bridge.total(families.EXECUTIONS, status="unknown", type="lxc") == 1
    assert bridge.total(families.BY_OS, os_type="debian") == 1
    assert bridge.total(families.MARKED) == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_late_result_counts_as_itself_before_and_is_a_repeat_after(bridge: Bridge, restarts: bool) -> None:
    bridge.push(**START, execution_id="early")
    bridge.push(**START, execution_id="late")
    bridge.pass_time(48 * HOUR_MS - 1)
    if restarts:
        bridge.restart()
    bridge.push(status="success", execution_id="early")
    bridge.pass_time(1)
    if restarts:
        bridge.restart()
    bridge.push(status="success", execution_id="late")

    assert bridge.total(families.EXECUTIONS, status="success") == 1
    assert bridge.total(families.EXECUTIONS, status="unknown") == 1
    assert bridge.deduplicated == 1


def test_result_is_forgotten_after_two_days(bridge: Bridge) -> None:
    bridge.push(status="success")
    bridge.pass_time(48 * HOUR_MS - 1)
    assert len(bridge.facts) == 2
    bridge.pass_time(1)

    assert [kind for kind, _ in bridge.facts] == [TODAY]


def test_much_to_do_is_done_in_slices(bridge: Bridge) -> None:
    for number in range(MOST_AT_ONCE + 10):
        bridge.push(status="configuring", random_id=f"r{number}")
    bridge.pass_time(48 * HOUR_MS)

    assert bridge.total(families.MARKED) == MOST_AT_ONCE + 10
    assert bridge.gauge(families.STUCK) == 0


def test_nothing_to_do_is_no_plan(bridge: Bridge) -> None:
    assert bridge.tally.plan_time(NOON_MS) is None
    bridge.push(**START)
    assert bridge.tally.plan_time(NOON_MS + 5_000) is None


def test_gauges_are_right_again_after_a_restart_that_took_hours(bridge: Bridge) -> None:
    bridge.push(**START)
    bridge.now_ms += 2 * HOUR_MS
    bridge.restart()
    bridge.pass_time(0)

    assert (bridge.running, bridge.gauge(families.STUCK)) == (0, 1)


def test_clock_that_was_ahead_for_a_moment_holds_up_nothing(bridge: Bridge) -> None:
    bridge.now_ms += 10_000 * HOUR_MS
    bridge.push(status="configuring", random_id="future")
    bridge.now_ms = NOON_MS
    bridge.push(**START)
    bridge.pass_time(HOUR_MS)
    assert bridge.gauge(families.STUCK) == 1
    bridge.pass_time(47 * HOUR_MS)

    assert bridge.total(families.MARKED) == 1


def test_today_begins_anew_at_midnight_utc(bridge: Bridge) -> None:
    bridge.push(status="success", random_id="a")
    bridge.push(status="failed", exit_code=1, random_id="b")
    bridge.push(status="success", random_id="c", repo_source="external")
    bridge.push(**{**START, "random_id": "d"})
    assert bridge.gauge(families.TODAY, status="success") == 1
    assert bridge.gauge(families.TODAY, status="failed") == 1
    assert bridge.tally.today(bridge.now_ms) == TodayNumbers(1, 1, 0, 0, 1)
    bridge.restart()
    assert bridge.tally.today(bridge.now_ms) == TodayNumbers(1, 1, 0, 0, 1)

    bridge.pass_time(12 * HOUR_MS - 1)
    assert bridge.gauge(families.TODAY, status="success") == 1
    bridge.pass_time(1)

    assert bridge.gauge(families.TODAY, status="success") == 0
    assert bridge.gauge(families.TODAY, status="failed") == 0
    assert bridge.tally.today(bridge.now_ms) == TodayNumbers(0, 0, 0, 0, 0)
    bridge.push(status="success", random_id="e")
    assert bridge.gauge(families.TODAY, status="success") == 1


def test_first_result_after_midnight_needs_no_plan_for_the_time(bridge: Bridge) -> None:
    bridge.push(status="success", random_id="a")
    bridge.now_ms += 12 * HOUR_MS
    bridge.push(status="failed", exit_code=1, random_id="b")

    assert bridge.gauge(families.TODAY, status="success") == 0
    assert bridge.gauge(families.TODAY, status="failed") == 1


def test_clock_set_back_over_midnight_keeps_the_day(bridge: Bridge) -> None:
    bridge.now_ms += 12 * HOUR_MS
    bridge.push(status="success", random_id="a")
    bridge.now_ms -= 1
    bridge.push(status="success", random_id="b")

    assert bridge.gauge(families.TODAY, status="success") == 2


def test_gauges_have_the_same_shape_at_each_push(bridge: Bridge) -> None:
    bridge.push(**START)
    bridge.push(status="success")
    bridge.pass_time(48 * HOUR_MS)

    assert bridge.shapes == {id(families.SHAPE)}


# Bounds and failures


def test_memory_is_bounded_and_what_goes_is_counted() -> None:
    bridge = Bridge(max_executions=3)
    bridge.push(**START)
    bridge.push(status="success", random_id="ended")
    for number in range(4):
        bridge.push(**{**START, "random_id": f"r{number}"})

    assert bridge.total(families.FORGOTTEN) == 3
    assert len(bridge.facts) == 3 + 1
    assert bridge.running == 3


def test_plan_changes_nothing_until_it_is_taken(bridge: Bridge) -> None:
    bridge.push(**START)
    bridge.push(status="success", fails=True)
    assert bridge.running == 1
    bridge.push(status="failed", exit_code=1)

    assert bridge.total(families.EXECUTIONS, status="failed") == 1
    assert bridge.total(families.EXECUTIONS) == 1
    assert bridge.running == 0


def test_facts_that_cannot_be_read_are_left_out_and_deleted(bridge: Bridge) -> None:
    bridge.facts = {
        (EXECUTION, b"a"): b"\xc1",
        (EXECUTION, b"b"): msgspec.msgpack.encode([1, 0, True, "2", "docker"]),
        (EXECUTION, b"c"): msgspec.msgpack.encode([bridge.now_ms, 0, True, "2", "vm"]),
        (TODAY, b""): b"[]",
    }
    bridge.restart()
    bridge.pass_time(0)

    assert list(bridge.facts) == [(EXECUTION, b"c")]
    assert bridge.gauge(families.IN_PROGRESS, type="vm") == 1


def test_an_end_is_remembered_without_labels(bridge: Bridge) -> None:
    bridge.push(**START)
    bridge.push(status="success")
    (body,) = [body for (kind, _), body in bridge.facts.items() if kind == EXECUTION]

    assert len(body) < 50
    assert decode_execution(body).ended_ms == NOON_MS


# Entries and privacy


def test_entry_is_the_record_with_a_hash_for_its_id(bridge: Bridge) -> None:
    bridge.push(**START)
    bridge.push(status="failed", exit_code=127, error="from 10.0.0.1\nx", cpu_model="i5", has_arm=True)

    assert [json.loads(entry) for entry in bridge.entries] == [
        {
            "id": bridge.tally._key("r").hex(),
            "created": "2026-02-01 12:00:00.000",
            "type": "lxc",
            "nsapp": "gitea",
            **{name: value for name, value in START.items() if value},
            "repo_source": "ProxmoxVE",
        },
        {
            "id": bridge.tally._key("r").hex(),
            "created": "2026-02-01 12:00:00.000",
            "type": "lxc",
            "nsapp": "gitea",
            **{name: value for name, value in START.items() if name != "ct_type"},
            "status": "failed",
            "repo_source": "ProxmoxVE",
            "exit_code": 127,
            "error": "from [masked]\nx",
            "error_category": "command_not_found",
            "cpu_model": "i5",
            "has_arm": True,
        },
    ]


@pytest.mark.parametrize(
    "private",
    [
        "192.168.100.200",
        "2001:db8::1",
        "aa:bb:cc:dd:ee:ff",
        "ann@example.org",
        "/home/annabel",
        "C:\\Users\\annabel",
    ],
)
@pytest.mark.parametrize("status", ["installing", "configuring", "success", "failed", "aborted", "unknown"])
def test_no_id_and_no_address_is_kept_anywhere(bridge: Bridge, private: str, status: str) -> None:
    texts = [
        *("nsapp", "os_version", "pve_version", "method", "error", "gpu_model", "cpu_model", "ram_speed"),
        *("repo_slug", "arch", "platform", "kernel_version", "app_version", "failed_command"),
    ]
    plan = bridge.push(
        random_id="the-random-id",
        execution_id="the-execution-id",
        status=status,
        exit_code=1,
        **dict[str, Any](dict.fromkeys(texts, f"x {private} y")),
    )
    bridge.pass_time(49 * HOUR_MS)

    kept = repr((bridge.totals, bridge.observed, bridge.facts, bridge.entries, plan.facts, plan.report))
    assert private not in kept
    assert "annabel" not in kept
    assert "the-random-id" not in kept
    assert "the-execution-id" not in kept
    assert plan.report.sanitized == 1


def test_hashes_are_keyed() -> None:
    one, other = ProxmoxveTally(lambda: b"a"), ProxmoxveTally(lambda: b"b")

    assert one._key("r") != other._key("r")
    assert len(one._key("r")) == 16


# Exactly once, under any order, repeats, failures and restarts

IDS = st.sampled_from(["a", "b", "c"])
STATUSES = st.sampled_from(["installing", "validation", "configuring", *sorted(TERMINAL)])


@given(st.lists(st.tuples(IDS, STATUSES, st.booleans()), max_size=20))
def test_any_order_counts_each_start_and_result_once(events: list[tuple[str, str, bool]]) -> None:
    bridge = Bridge()
    for execution, status, restarts in events:
        bridge.push(random_id=execution, status=status, exit_code=1)
        if restarts:
            bridge.restart()

    begun = {execution for execution, status, _ in events if status == "installing"}
    ended = {execution for execution, status, _ in events if status in TERMINAL}
    heard = {execution for execution, _, _ in events}
    pings = sum(status in ("validation", "configuring") for _, status, _ in events)
    bridge.pass_time(0)
    assert bridge.total(families.STARTED) == len(begun)
    assert bridge.total(families.EXECUTIONS) == len(ended)
    assert bridge.total(families.PROGRESS_EVENTS) == pings
    assert bridge.deduplicated == len(events) - len(begun) - len(ended) - pings
    assert bridge.running == len(heard - ended)


class Installers(RuleBasedStateMachine):
    """Installers of few executions beside a model that knows of each only what it must."""

    @initialize()
    def begin(self) -> None:
        self.bridge = Bridge()
        self.started_ms: dict[str, int] = {}
        self.ended_ms: dict[str, int] = {}
        self.results: Counter[str] = Counter()
        self.starts = 0
        self.was_started: set[str] = set()

    def forget(self) -> None:
        """What two days do."""
        now_ms = self.bridge.now_ms
        for execution, ended_ms in list(self.ended_ms.items()):
            if ended_ms <= now_ms - 48 * HOUR_MS:
                del self.ended_ms[execution]
                self.was_started.discard(execution)
        for execution, started_ms in list(self.started_ms.items()):
            if started_ms <= now_ms - 48 * HOUR_MS:
                del self.started_ms[execution]
                self.results["unknown"] += 1
                self.ended_ms[execution] = now_ms

    @rule(
        execution=IDS, status=STATUSES, fails=st.booleans(), event_type=st.sampled_from(["lxc", "vm", "tool"])
    )
    def push(self, execution: str, status: str, fails: bool, event_type: str) -> None:
        self.bridge.push(
            random_id=execution, status=status, exit_code=1, type=event_type, error="x", fails=fails
        )
        if fails:
            return
        if status in TERMINAL:
            if execution not in self.ended_ms:
                self.results[status] += 1
                self.ended_ms[execution] = self.bridge.now_ms
                self.started_ms.pop(execution, None)
            return
        if status == "installing" and execution not in self.was_started:
            self.was_started.add(execution)
            self.starts += 1
        if execution not in self.ended_ms:
            self.started_ms.setdefault(execution, self.bridge.now_ms)

    @rule(minutes=st.sampled_from([0, 1, 59, 60, 24 * 60, 47 * 60, 48 * 60]))
    def pass_time(self, minutes: int) -> None:
        self.bridge.pass_time(minutes * 60_000)
        self.forget()

    @rule()
    def restart(self) -> None:
        self.bridge.restart()

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        self.bridge.pass_time(0)
        bridge, now_ms = self.bridge, self.bridge.now_ms
        for status in families.RESULTS:
            assert bridge.total(families.EXECUTIONS, status=status) == self.results[status]
        assert bridge.total(families.STARTED) == self.starts
        stuck = sum(begun_ms <= now_ms - HOUR_MS for begun_ms in self.started_ms.values())
        assert bridge.gauge(families.STUCK) == stuck
        assert bridge.running == len(self.started_ms) - stuck
        assert all(value >= 0 for value in bridge.gauges.values())
        remembered = sum(kind == EXECUTION for kind, _ in bridge.facts)
        assert remembered == len(self.started_ms) + len(self.ended_ms)


TestInstallers = Installers.TestCase
TestInstallers.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_every_type_has_its_gauge() -> None:
    assert set(families.GAUGE_TYPES) == {"", *TYPES}
