"""A family's type holds as long as something of it is held, and not longer; also over restarts and full disks."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import Dialect, PushContext
from pushgateway_bridge.errors import JournalFull, NameConflict, PushRejected, ReservedName, TypeConflict
from pushgateway_bridge.model.additions import Observation
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import make_push_group
from pushgateway_bridge.model.report import GroupReport, Report
from tests.bridge.events import EVENTS
from tests.bridge.harness import Harness

PUSHGATEWAY: Final = DIALECTS["pushgateway"]
SAMPLES: Final = DIALECTS["samples"]
LINES: Final = {
    "gauge": "{0} 1\n",
    "counter": "{0} 1\n",
    "untyped": "{0} 1\n",
    "summary": '{0}{{quantile="0.5"}} 1\n{0}_sum 2\n{0}_count 3\n',
    "histogram": '{0}_bucket{{le="+Inf"}} 3\n{0}_sum 2\n{0}_count 3\n',
}
"""Of each type: what is pushed of a family of it, with the values that it has afterwards."""


def body(families: Mapping[str, str], help_text: str = "") -> bytes:
    """A push of families, each of the type."""
    return "".join(
        (f"# HELP {name} {help_text}\n" if help_text else "")
        + f"# TYPE {name} {kind}\n"
        + LINES[kind].format(name)
        for name, kind in families.items()
    ).encode()


def begun(
    bridge: Harness, method: str, group: str, pushed: bytes, ttl: str = ""
) -> list[PushRejected | None]:
    """Queue a push, of several groups if *group* is empty: where its outcome will be. Raises PushRejected."""
    outcome: list[PushRejected | None] = []
    path = f"/metrics/job/{group}" if group else "/api/v1/groups"
    context = PushContext(bridge.clock.now_ms(), path=path, method=method, time_to_live=ttl)
    bridge.ingest.begin(PUSHGATEWAY, pushed, context, outcome.append)
    return outcome


def push(bridge: Harness, method: str, group: str, pushed: bytes, ttl: str = "") -> None:
    """Push and wait for the reply. Raises PushRejected."""
    outcome = begun(bridge, method, group, pushed, ttl)
    bridge.drain()
    if outcome[0] is not None:
        raise outcome[0]


def delete(bridge: Harness, job: str) -> None:
    assert bridge.run(bridge.ingest.delete(lambda group: dict(group)["job"] == job)) == 1


class Shown(NamedTuple):
    kind: str
    help_text: str
    lines: list[str]


def shown(bridge: Harness, name: str) -> Shown | None:
    """One family of a scrape."""
    found = re.search(
        rf"^(?:# HELP {name} (.*)\n)?# TYPE {name} (\w+)\n((?:[^#].*\n)*)", bridge.exposition(), re.MULTILINE
    )
    return found and Shown(found[2], found[1] or "", found[3].splitlines())


@contextmanager
def commits_held(bridge: Harness) -> Iterator[None]:
    """What is queued meanwhile is written, and not committed before the end."""
    released = threading.Event()

    def wait() -> bool:
        released.wait()
        return False  # it may go on

    bridge.journal._connection.set_commit_hook(wait)
    try:
        yield
    finally:
        released.set()
        bridge.drain()
        bridge.journal._connection.set_commit_hook(None)


def fill_disk(bridge: Harness) -> None:
    connection = bridge.journal._connection
    connection.pragma("max_page_count", connection.pragma("page_count"))


def empty_disk(bridge: Harness) -> None:
    bridge.journal._connection.pragma("max_page_count", 1_000_000)


def restart(bridge: Harness, how: str) -> None:
    """As *how* says: from records alone, or from a checkpoint and those behind it."""
    if how == "checkpoint":
        bridge.checkpoint()
    if how != "stay":
        bridge.crash()


HOWS = pytest.mark.parametrize("how", ["stay", "crash", "checkpoint"])


# When nothing of it is held


@HOWS
@pytest.mark.parametrize("before", ["stay", "crash", "checkpoint"])
def test_deleted_family_comes_again_with_another_type_and_help(
    bridge: Harness, before: str, how: str
) -> None:
    push(bridge, "PUT", "a", body({"x": "gauge"}, "Old."))
    restart(bridge, before)
    delete(bridge, "a")
    push(bridge, "PUT", "b", body({"x": "histogram"}, "New."))
    restart(bridge, how)

    assert shown(bridge, "x") == (
        "histogram",
        "New.",
        [
            'x_bucket{job="b",instance="",le="+Inf"} 3.0',
            'x_sum{job="b",instance=""} 2.0',
            'x_count{job="b",instance=""} 3.0',
        ],
    )
    with pytest.raises(TypeConflict):
        push(bridge, "PUT", "a", body({"x": "gauge"}))


@HOWS
def test_family_whose_series_expired_comes_again_with_another_type(bridge: Harness, how: str) -> None:
    push(bridge, "PUT", "a", body({"x": "summary"}), ttl="100")
    bridge.clock.pass_seconds(50)
    with pytest.raises(TypeConflict):
        push(bridge, "PUT", "b", body({"x": "counter"}))
    bridge.clock.pass_seconds(51)
    bridge.expire()
    push(bridge, "PUT", "b", body({"x": "counter"}))
    restart(bridge, how)

    assert shown(bridge, "x") == ("counter", "", ['x{job="b",instance=""} 1.0'])


def test_family_of_the_same_type_comes_again_with_its_new_help(bridge: Harness) -> None:
    push(bridge, "PUT", "a", body({"x": "gauge"}, "Old."))
    push(bridge, "PUT", "b", body({"x": "gauge"}, "Of another group."))
    assert shown(bridge, "x")[1] == "Old."  # type: ignore[index]
    push(bridge, "PUT", "a", b"")
    push(bridge, "PUT", "b", b"")
    push(bridge, "PUT", "a", body({"x": "gauge"}, "New."))
    bridge.crash()

    assert shown(bridge, "x")[1] == "New."  # type: ignore[index]


def test_names_of_its_lines_are_free_again(bridge: Harness) -> None:
    push(bridge, "PUT", "a", body({"x": "histogram"}))
    with pytest.raises(NameConflict):
        push(bridge, "PUT", "b", body({"x_count": "gauge"}))
    delete(bridge, "a")
    push(bridge, "PUT", "b", body({"x_count": "gauge"}))

    for _ in range(2):
        with pytest.raises(NameConflict):
            push(bridge, "PUT", "a", body({"x": "histogram"}))
        push(bridge, "PUT", "a", body({"x": "gauge"}))
        bridge.crash()


def test_what_is_queued_counts_as_held(bridge: Harness) -> None:
    first = begun(bridge, "PUT", "a", body({"x": "gauge"}))
    with pytest.raises(TypeConflict):
        begun(bridge, "PUT", "b", body({"x": "counter"}))
    bridge.drain()

    assert first == [None]


def test_what_waits_to_be_deleted_counts_as_held(bridge: Harness) -> None:
    push(bridge, "PUT", "a", body({"x": "gauge"}))
    deletion = bridge.loop.create_task(bridge.ingest.delete(lambda _group: True))
    refusals = []
    while not deletion.done():
        bridge.run(once())
        try:
            begun(bridge, "PUT", "b", body({"x": "counter"}))
        except TypeConflict as refusal:
            refusals.append(refusal)
    bridge.drain()

    assert refusals
    assert len(re.findall(r"^# TYPE x ", bridge.exposition(), re.MULTILINE)) <= 1


async def once() -> None:
    """Let the event loop run."""


# Families that are counted here


class Observed(NamedTuple):
    """A family of the tests whose buckets change."""

    family: Family

    def decode(self, pushed: bytes, _context: PushContext) -> Report:
        group = GroupReport(
            make_push_group("events", "shop"),
            observations=[Observation(self.family, (), value) for value in msgspec.json.decode(pushed)],
        )
        return Report((group,), accepted=1)

    @property
    def dialect(self) -> Dialect:
        return msgspec.structs.replace(EVENTS, decode=self.decode)


FEW: Final = Observed(Family("x", "histogram", "Few.", buckets=(1.0,))).dialect
MANY: Final = Observed(Family("x", "histogram", "Many.", buckets=(1.0, 2.0, 3.0))).dialect


@HOWS
@pytest.mark.parametrize("before", ["stay", "crash", "checkpoint"])
@pytest.mark.parametrize(("first", "second"), [(FEW, MANY), (MANY, FEW)], ids=["more", "fewer"])
def test_deleted_histogram_is_counted_again_with_other_buckets(
    bridge: Harness, first: Dialect, second: Dialect, before: str, how: str
) -> None:
    bridge.push([0.5, 2.5], first)
    restart(bridge, before)
    bridge.push([0.5], first)
    with pytest.raises(TypeConflict):
        bridge.push([1.5], second)
    delete(bridge, "events")
    bridge.push([1.5, 2.5], second)
    restart(bridge, how)
    bridge.push([2.5], second)

    series = bridge.series()
    group = 'job="events",instance="shop"'
    bounds = {name for name in series if name.startswith("x_bucket")}
    assert len(bounds) == (4 if second is MANY else 2)
    assert series[f'x_bucket{{{group},le="1.0"}}'] == 0
    assert series[f'x_bucket{{{group},le="+Inf"}}'] == series[f"x_count{{{group}}}"] == 3


@HOWS
@pytest.mark.parametrize("before", ["stay", "crash", "checkpoint"])
def test_family_that_was_counted_is_pushed_as_a_gauge(bridge: Harness, before: str, how: str) -> None:
    bridge.push([0.5], FEW)
    bridge.push({"runs": 1, "users": ["a"]}, EVENTS)
    restart(bridge, before)
    with pytest.raises(NameConflict):
        push(bridge, "PUT", "a", body({"app_runs_created": "gauge"}))
    delete(bridge, "events")
    kinds = {"x": "gauge", "app_runs_total": "counter", "app_users": "histogram", "app_runs_created": "gauge"}
    push(bridge, "PUT", "a", body(kinds))
    restart(bridge, how)

    for name, kind in kinds.items():
        found = shown(bridge, name)
        assert found is not None
        assert (found.kind, len(found.lines)) == (kind, 3 if kind == "histogram" else 1)
    with pytest.raises(NameConflict):
        bridge.push({"runs": 1}, EVENTS)


@HOWS
def test_records_of_a_gauge_of_two_classes_are_read_when_it_has_become_a_histogram(
    bridge: Harness, how: str
) -> None:
    def sample(room: str, ttl: int) -> dict[str, object]:
        return {"name": "x", "value": 1, "labels": {"job": "s", "room": room}, "time_to_live_seconds": ttl}

    context = PushContext(bridge.clock.now_ms(), "application/json")
    pushed = msgspec.json.encode([sample("a", 60), sample("b", 600)])
    assert bridge.run(bridge.ingest.push(SAMPLES, pushed, context)).status == 200
    assert len(shown(bridge, "x").lines) == 2  # type: ignore[union-attr]
    bridge.checkpoint()
    for _ in range(2):
        bridge.clock.pass_seconds(601)
        bridge.expire()
    push(bridge, "PUT", "a", body({"x": "histogram"}))
    restart(bridge, how)

    assert len(shown(bridge, "x").lines) == 3  # type: ignore[union-attr]


def test_names_of_this_stack_are_refused_in_every_type(bridge: Harness) -> None:
    push(bridge, "PUT", "a", body({"x": "gauge"}))
    for kind in LINES:
        with pytest.raises(ReservedName):
            push(bridge, "PUT", "a", body({"telemetry_reports_total": kind}))


# When the push takes the place of all of it


@HOWS
@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("before", LINES)
@pytest.mark.parametrize("after", LINES)
def test_only_holder_changes_the_type_in_one_push(
    bridge: Harness, method: str, before: str, after: str, how: str
) -> None:
    push(bridge, "PUT", "a", body({"x": before}, "Old."))
    push(bridge, method, "a", body({"x": after}, "New."))
    restart(bridge, how)

    lines = [
        line.replace("{", ",").replace("x", "", 1)
        for line in LINES[after].format("x").replace("}", "").splitlines()
    ]
    found = shown(bridge, "x")
    assert found is not None
    assert found.kind == after
    assert found.help_text == ("Old." if before == after else "New.")
    assert len(found.lines) == len(lines)
    assert [float(line.rsplit(" ")[-1]) for line in found.lines] == [
        float(line.rsplit(" ")[-1]) for line in lines
    ]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_one_of_two_holders_does_not_change_the_type(bridge: Harness, method: str) -> None:
    push(bridge, "PUT", "a", body({"x": "gauge"}))
    push(bridge, "PUT", "b", body({"x": "gauge"}))
    for how in ("stay", "crash", "checkpoint"):
        restart(bridge, how)
        before = bridge.exposition()
        with pytest.raises(TypeConflict):
            push(bridge, method, "a", body({"x": "counter"}))
        assert bridge.exposition() == before

    delete(bridge, "b")
    push(bridge, method, "a", body({"x": "counter"}))
    assert shown(bridge, "x") == ("counter", "", ['x{job="a",instance=""} 1.0'])


def test_lines_that_were_pushed_by_themselves_become_a_histogram(bridge: Harness) -> None:
    """As when a script is given the TYPE line that it lacked."""
    untyped = {"x_sum": "untyped", "x_count": "untyped"}
    push(bridge, "PUT", "a", body(untyped))
    with pytest.raises(NameConflict):
        push(bridge, "POST", "a", body({"x": "histogram"}))
    push(bridge, "PUT", "a", body({"x": "histogram"}))
    bridge.crash()
    assert shown(bridge, "x").kind == "histogram"  # type: ignore[union-attr]

    push(bridge, "PUT", "a", body(untyped))
    bridge.crash()
    assert shown(bridge, "x") is None
    assert shown(bridge, "x_count") == ("untyped", "", ['x_count{job="a",instance=""} 1.0'])


def test_types_that_change_while_others_are_queued_come_in_order(bridge: Harness) -> None:
    push(bridge, "PUT", "a", body({"x": "gauge"}))
    with commits_held(bridge):
        outcomes = [
            begun(bridge, "PUT", "a", body({"x": kind}))
            for kind in ("histogram", "counter", "summary", "gauge", "histogram")
        ]
        outcomes.append(begun(bridge, "PUT", "b", body({"x": "histogram"})))
        with pytest.raises(TypeConflict):
            begun(bridge, "PUT", "c", body({"x": "gauge"}))
        assert shown(bridge, "x") == ("gauge", "", ['x{job="a",instance=""} 1.0'])
    bridge.drain()

    assert outcomes == [[None]] * 6
    for _ in range(2):
        assert len(shown(bridge, "x").lines) == 6  # type: ignore[union-attr]
        bridge.crash()


def test_change_that_finds_no_room_on_the_disk_leaves_the_type(bridge: Harness) -> None:
    push(bridge, "PUT", "a", body({"x": "gauge"}))
    fill_disk(bridge)
    large = body({"x": "histogram"}) + b"".join(b'y{n="%d"} 1\n' % n for n in range(4000))
    outcomes = [
        begun(bridge, "PUT", "a", large),
        begun(bridge, "PUT", "a", body({"x": "summary"})),
    ]
    bridge.drain()
    empty_disk(bridge)

    assert all(isinstance(outcome[0], JournalFull) for outcome in outcomes)
    assert shown(bridge, "x") == ("gauge", "", ['x{job="a",instance=""} 1.0'])
    with pytest.raises(TypeConflict):
        push(bridge, "PUT", "b", body({"x": "histogram"}))
    push(bridge, "PUT", "b", body({"x": "gauge"}))
    delete(bridge, "b")
    push(bridge, "PUT", "a", body({"x": "counter"}))
    bridge.crash()
    assert shown(bridge, "x") == ("counter", "", ['x{job="a",instance=""} 1.0'])


# In a push of several groups


def of_groups(families: Mapping[str, str], *jobs: str) -> bytes:
    """A push of the same families in several groups, the metrics of each in this order."""
    text = ""
    for name, kind in families.items():
        text += f"# TYPE {name} {kind}\n"
        for job in jobs:
            text += re.sub(
                r"^(\w+)(?:{(.*)})?",
                lambda line, job=job: f'{line[1]}{{job="{job}",{line[2] or ""}}}',  # type: ignore[misc]
                LINES[kind].format(name),
                flags=re.MULTILINE,
            )
    return text.encode()


@HOWS
@pytest.mark.parametrize("jobs", ["ab", "ba"])
def test_group_that_changes_a_type_brings_it_to_the_others_of_its_push(
    bridge: Harness, jobs: str, how: str
) -> None:
    """If it is the first of them: each group of a push finds what those before it leave."""
    push(bridge, "PUT", "a", body({"x": "gauge"}))
    outcome: type[PushRejected] | None = None
    try:
        push(bridge, "PUT", "", of_groups({"x": "histogram"}, *jobs))
    except TypeConflict:
        outcome = TypeConflict
    restart(bridge, how)

    found = shown(bridge, "x")
    assert found is not None
    if jobs == "ab":
        assert (outcome, found.kind, len(found.lines)) == (None, "histogram", 6)
    else:
        assert (outcome, found.kind, len(found.lines)) == (TypeConflict, "gauge", 1)


def test_two_groups_that_have_a_family_do_not_change_its_type_together(bridge: Harness) -> None:
    push(bridge, "PUT", "", of_groups({"x": "gauge"}, "a", "b"))
    with pytest.raises(TypeConflict):
        push(bridge, "PUT", "", of_groups({"x": "counter"}, "a", "b"))

    assert shown(bridge, "x").kind == "gauge"  # type: ignore[union-attr]


def test_lines_that_one_group_leaves_are_not_taken_twice(bridge: Harness) -> None:
    push(bridge, "PUT", "a", body({"x_count": "gauge"}))
    of_b = b'x_count{job="b"} 1\n# TYPE x summary\n'
    with pytest.raises(NameConflict):
        push(bridge, "PUT", "", b'first{job="a"} 1\n# TYPE x_count gauge\n' + of_b + b'x_sum{job="a"} 1\n')
    push(bridge, "PUT", "", of_groups({"x": "summary"}, "a", "b"))

    assert shown(bridge, "x_count") is None
    assert len(shown(bridge, "x").lines) == 6  # type: ignore[union-attr]


# All of it in any order


NAMES: Final = ("x", "x_count", "x_sum")
SUFFIXES: Final = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
Held = dict[str, dict[str, str]]
"""Group → its families and their types."""


def agrees(held: Held) -> bool:
    """Whether every family has one type, and every name of a line one family."""
    kinds: dict[str, str] = {}
    owners: dict[str, str] = {}
    for families in held.values():
        for name, kind in families.items():
            if kinds.setdefault(name, kind) != kind:
                return False
            for suffix in ("", *SUFFIXES.get(kind, ())):
                if owners.setdefault(f"{name}{suffix}", name) != name:
                    return False
    return True


FAMILIES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(sorted(LINES)), max_size=3).filter(
    lambda families: agrees({"": families})  # else the text itself would mean something else
)
PUSH = st.tuples(st.sampled_from(["PUT", "POST"]), st.sampled_from(["a", "b"]), FAMILIES)
OTHER = st.sampled_from(["crash", "checkpoint", "delete a", "delete b", "full"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(PUSH, PUSH, OTHER), max_size=20))
def test_push_is_taken_if_what_is_held_then_agrees(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, dict[str, str]] | str]
) -> None:
    bridge = Harness(tmp_path_factory.mktemp("journal"))
    held: Held = {}
    full = False
    try:
        for step in steps:
            if isinstance(step, tuple):
                method, group, families = step
                after = {**held, group: {**(held.get(group, {}) if method == "POST" else {}), **families}}
                if full:
                    bridge.drain()
                    fill_disk(bridge)
                pushed = body(families) + (b"y 1\n" * full)
                try:
                    push(bridge, method, group, pushed)
                except JournalFull:
                    assert full
                except PushRejected as refusal:
                    if agrees(after) or not isinstance(refusal, TypeConflict | NameConflict):
                        raise
                else:
                    assert agrees(after), step
                    held = after
                    if full:
                        held[group]["y"] = "untyped"
                finally:
                    empty_disk(bridge)
                    full = False
            elif step == "full":
                full = True
            elif step == "crash":
                bridge.crash()
            elif step == "checkpoint":
                bridge.checkpoint()
            elif (group := step.removeprefix("delete ")) in held:
                delete(bridge, group)
                del held[group]
            found = {
                name: (one.kind, len(one.lines)) for name in (*NAMES, "y") if (one := shown(bridge, name))
            }
            assert found == {
                name: (kind, sum(name in families for families in held.values()) * LINES[kind].count("\n"))
                for families in held.values()
                for name, kind in families.items()
            }
    finally:
        bridge.close()
