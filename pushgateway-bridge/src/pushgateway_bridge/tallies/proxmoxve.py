"""ProxmoxVE's tally: each execution has one start and one result, however often and in whatever order they arrive."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from pushgateway_bridge.dialects.proxmoxve_event import MAINLINE, PROGRESS, TERMINAL, ProxmoxveEvent
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet
from pushgateway_bridge.model.report import GroupReport, Report
from pushgateway_bridge.tallies import proxmoxve_families as families
from pushgateway_bridge.tallies.caps import Caps
from pushgateway_bridge.tallies.executions import (
    MAX_EXECUTIONS,
    Execution,
    Executions,
    decode_execution,
    encode_execution,
)
from pushgateway_bridge.tallies.proxmoxve_counts import Counts, repository
from pushgateway_bridge.tallies.proxmoxve_records import make_entry
from pushgateway_bridge.tallies.tally import Fact, Plan

logger = logging.getLogger(__name__)

EXECUTION: Final = "execution"
TODAY: Final = "today"
KINDS: Final = (EXECUTION, TODAY)
DAY_MS: Final = 86_400_000
MOST_AT_ONCE: Final = 500
"""Executions that one plan for the time changes."""


class Today(msgspec.Struct, frozen=True, array_like=True):
    """Results since midnight UTC, of the main repository only, as its service counts them."""

    day: int = 0
    """Since 1970."""
    success: int = 0
    failed: int = 0
    aborted: int = 0
    unknown: int = 0

    @property
    def results(self) -> tuple[int, int, int, int]:
        """In the order of families.RESULTS."""
        return self.success, self.failed, self.aborted, self.unknown

    def on(self, day: int) -> Today:
        """These, or none if *day* is another one. A clock that is set back over midnight changes nothing."""
        return self if self.day - 1 <= day <= self.day else Today(day)

    def plus(self, status: str) -> Today:
        """These and one more with *status*."""
        return msgspec.structs.replace(self, **{status: getattr(self, status) + 1})


_encode_today: Final = msgspec.msgpack.Encoder().encode
_decode_today: Final = msgspec.msgpack.Decoder(Today).decode


class TodayNumbers(NamedTuple):
    """What the original's ``/metrics`` shows: results since midnight UTC, and what began since then and still runs."""

    success: int
    failed: int
    aborted: int
    unknown: int
    pending: int


class _Change(NamedTuple):
    """What a plan makes of what is remembered."""

    puts: Sequence[tuple[bytes, Execution]] = ()
    drops: Sequence[bytes] = ()
    stuck: Sequence[bytes] = ()
    today: Today | None = None


class ProxmoxveTally:
    """*secret* gives the key of the hashes that stand for ids."""

    def __init__(self, secret: Callable[[], bytes], max_executions: int = MAX_EXECUTIONS) -> None:
        self._secret = secret
        self._max_executions = max_executions
        self._caps = Caps(families.CAPS)
        self._executions = Executions()
        self._today = Today()
        self._unreadable: list[Fact] = []
        self._shown: list[float] | None = self._gauges(self._today)
        """The gauges as they were reported last; ``None`` if that is not known."""

    # The state

    def restore(self, facts: Iterable[Fact], series: Iterable[tuple[Family, LabelSet]], now_ms: int) -> None:
        """Begin anew with what is on disk; facts that cannot be read are deleted by and by."""
        self._today = Today()
        self._unreadable = []
        executions = []
        empty = True
        for fact in facts:
            if fact.body is None:
                continue
            empty = False
            try:
                if fact.kind == EXECUTION:
                    executions.append((fact.key, decode_execution(fact.body)))
                elif fact.kind == TODAY:
                    self._today = _decode_today(fact.body)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._unreadable.append(Fact(fact.kind, fact.key, None))
        if self._unreadable:
            logger.warning(
                "facts of proxmoxve cannot be read and are left out facts=%d", len(self._unreadable)
            )
        self._executions.restore(executions, now_ms)
        self._caps.restore(series)
        self._shown = self._gauges(self._today) if empty else None

    def _take(self, change: _Change, shown: list[float]) -> None:
        for key in change.drops:
            self._executions.drop(key)
        for key, execution in change.puts:
            self._executions.put(key, execution)
        for key in change.stuck:
            self._executions.set_stuck(key)
        if change.today is not None:
            self._today = change.today
        self._shown = shown

    def _key(self, execution_id: str) -> bytes:
        return blake2b(execution_id.encode(), digest_size=16, key=self._secret()[:64]).digest()

    # A push

    def plan(self, report: Report, received_ms: int) -> Plan:
        """What the event of *report* changes; a repeat of a start or a result changes nothing."""
        event = report.events[0]
        assert isinstance(event, ProxmoxveEvent)
        key = self._key(event.execution)
        known = self._executions.get(key)
        ending = event.status in TERMINAL
        if known is not None and (
            known.ended_ms if ending else known.started and event.status not in PROGRESS
        ):
            return Plan(
                msgspec.structs.replace(report, accepted=0, deduplicated=1, rescued=0, sanitized=0, events=())
            )
        counts = Counts(self._caps)
        said = _merge(event, known, received_ms)
        remembered: Execution | None = said
        today = None
        if ending:
            counts.add_result(said, event.status)
            counts.add_details(said, event)
            remembered = Execution(said.begun_ms, received_ms, said.started)
            today = self._today_with(said, event.status, received_ms)
        elif event.status in PROGRESS:
            counts.add(families.PROGRESS_EVENTS, ("status", event.status))
            remembered = None if known is not None else said
        else:
            counts.add_started(said)
            if known is not None and known.ended_ms:
                remembered = Execution(known.begun_ms, known.ended_ms, started=True)
        counts.add(families.GENERATIONS, ("generation", said.generation))
        return self._plan_event(
            report,
            counts,
            _Change(
                puts=((key, remembered),) if remembered is not None else (),
                drops=self._too_many(counts) if remembered is not None and known is None else (),
                today=today,
            ),
            entry=None if event.status in PROGRESS else make_entry(key, event, said, received_ms),
        )

    def _plan_event(self, report: Report, counts: Counts, change: _Change, entry: bytes | None) -> Plan:
        gauges = self._gauges_after(change)
        planned = msgspec.structs.replace(
            report, groups=(self._group(counts, gauges),), events=(), entry=entry
        )
        return Plan(planned, _facts_of(change), partial(self._take, change, gauges))

    def _too_many(self, counts: Counts) -> list[bytes]:
        """Which executions make room for another, if there is none."""
        if len(self._executions) < self._max_executions:
            return []
        # Several at once, as the first ones of a dict are slow to find after many were taken from there.
        oldest = self._executions.oldest(self._max_executions // 2_000 + 1)
        for _ in oldest:
            counts.add(families.FORGOTTEN)
        return oldest

    def _today_with(self, execution: Execution, status: str, now_ms: int) -> Today | None:
        if repository(execution) != MAINLINE:
            return None
        return self._today.on(now_ms // DAY_MS).plus(status)

    # Time alone

    def plan_time(self, now_ms: int) -> Plan | None:
        """Executions that are stuck, that end unknown or are forgotten by now; and midnight."""
        executions = self._executions
        overdue = executions.overdue(now_ms, MOST_AT_ONCE)
        drops = executions.to_be_forgotten(now_ms, MOST_AT_ONCE - len(overdue))
        garbage = self._unreadable[: MOST_AT_ONCE - len(overdue) - len(drops)]
        counts = Counts(self._caps)
        puts = []
        today = self._today.on(now_ms // DAY_MS)
        for key, execution in overdue:
            counts.add_result(execution, families.UNKNOWN)
            counts.add(families.MARKED)
            puts.append((key, Execution(execution.begun_ms, now_ms, execution.started)))
            if repository(execution) == MAINLINE:
                today = today.plus(families.UNKNOWN)
        change = _Change(
            puts,
            drops,
            executions.to_be_stuck(now_ms, MOST_AT_ONCE),
            today if today.results != self._today.results else None,
        )
        gauges = self._gauges_after(change)
        facts = (*_facts_of(change), *garbage)
        if gauges == self._shown and not facts:
            return None
        groups = (self._group(counts, gauges),) if overdue or gauges != self._shown else ()
        return Plan(Report(groups=groups), facts, partial(self._take_time, change, gauges, garbage))

    def _take_time(self, change: _Change, shown: list[float], garbage: Sequence[Fact]) -> None:
        del self._unreadable[: len(garbage)]
        self._take(change, shown)

    # What is shown

    def today(self, now_ms: int) -> TodayNumbers:
        """Today's numbers of the main repository."""
        day = now_ms // DAY_MS
        pending = sum(
            execution.begun_ms >= day * DAY_MS and repository(execution) == MAINLINE
            for execution in self._executions.running()
        )
        return TodayNumbers(*self._today.on(day).results, pending)

    def _group(self, counts: Counts, gauges: list[float]) -> GroupReport:
        return GroupReport(
            families.GROUP,
            families.SHAPE,
            gauges,
            increments=counts.increments,
            observations=counts.observations,
        )

    def _gauges(self, today: Today) -> list[float]:
        """The values of the gauges, in the order of their shape."""
        executions = self._executions
        running = (float(executions.fresh_of(event_type)) for event_type in families.GAUGE_TYPES)
        return [*running, float(executions.stuck), *map(float, today.results)]

    def _gauges_after(self, change: _Change) -> list[float]:
        """The gauges as they are once *change* is taken."""
        executions = self._executions
        gauges = self._gauges(change.today or self._today)
        stuck = len(families.GAUGE_TYPES)

        def leave(key: bytes) -> None:
            if executions.is_fresh(key):
                gauges[_type_of(executions.get(key))] -= 1
            elif executions.is_stuck(key):
                gauges[stuck] -= 1

        for key in change.drops:
            leave(key)
        for key, execution in change.puts:
            was_stuck = executions.is_stuck(key)
            leave(key)
            if not execution.ended_ms:
                gauges[stuck if was_stuck else _type_of(execution)] += 1
        for key in change.stuck:
            leave(key)
            gauges[stuck] += 1
        return gauges


def _type_of(execution: Execution | None) -> int:
    """Which gauge *execution* is counted in while it is fresh."""
    return families.GAUGE_TYPES.index(execution.type) if execution is not None else 0


def _facts_of(change: _Change) -> list[Fact]:
    facts = [Fact(EXECUTION, key, None) for key in change.drops]
    facts += [Fact(EXECUTION, key, encode_execution(execution)) for key, execution in change.puts]
    if change.today is not None:
        facts.append(Fact(TODAY, b"", _encode_today(change.today)))
    return facts


def _merge(event: ProxmoxveEvent, known: Execution | None, now_ms: int) -> Execution:
    """What is known of an execution after *event*: what it says, and what was said before."""
    before = known if known is not None else Execution(now_ms)
    return Execution(
        begun_ms=before.begun_ms,
        started=before.started or event.status == "installing",
        generation=max(event.generation, before.generation),
        type=event.type or before.type,
        app=event.app or before.app,
        repo_source=event.repo_source or before.repo_source,
        repo_slug=event.repo_slug or before.repo_slug,
        os_type=event.os_type or before.os_type,
        os_version=event.os_version or before.os_version,
        pve_version=event.pve_version or before.pve_version,
        method=event.method or before.method,
        gpu_vendor=event.gpu_vendor or before.gpu_vendor,
        gpu_passthrough=event.gpu_passthrough or before.gpu_passthrough,
        cpu_vendor=event.cpu_vendor or before.cpu_vendor,
        arch=event.arch or before.arch,
        disk_gigabytes=event.disk_gigabytes or before.disk_gigabytes,
        cores=event.cores or before.cores,
        memory_megabytes=event.memory_megabytes or before.memory_megabytes,
    )
