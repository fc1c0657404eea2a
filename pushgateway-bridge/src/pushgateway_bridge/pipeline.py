"""The way of a push through all stages: decode, reserve, journal, and once it is on disk, apply.

Everything here runs in the event loop, without an await between decoding and queueing, so the loop is the single
writer of the state and the journal's order is the order in which changes apply.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import apsw
import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Pusher, Reply
from pushgateway_bridge.errors import Forbidden, MalformedBody, NotReady, PushRejected
from pushgateway_bridge.journal.entry import Entry, Extra, Rewrite, Work
from pushgateway_bridge.journal.facts import read_facts
from pushgateway_bridge.journal.journal import Journal
from pushgateway_bridge.journal.receipts import Receipt
from pushgateway_bridge.journal.record import encode_change
from pushgateway_bridge.model.change import Deletion, Expiry, Push
from pushgateway_bridge.model.labels import PushGroup
from pushgateway_bridge.model.report import GroupReport, Rejection, Report
from pushgateway_bridge.model.timestamps import believed_time_ms
from pushgateway_bridge.pacing import Pacer
from pushgateway_bridge.selfmetrics import DialectCounts, SelfMetrics
from pushgateway_bridge.state.checkpoint import (
    encode_group,
    give_back_sketches,
    restore_group,
    take_changed_sketches,
)
from pushgateway_bridge.state.limits import PushCheck, SourceKey
from pushgateway_bridge.state.store import ReservedGroup, Store, source_key
from pushgateway_bridge.state.stored import check_sketch
from pushgateway_bridge.tallies import TALLIES
from pushgateway_bridge.tallies.tally import Plan, Tally

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.002
"""Longest time that a checkpoint keeps pushes waiting."""
EXPIRY_INTERVAL_SECONDS = 1.0
TALLY_INTERVAL_SECONDS = 5.0
"""How often tallies are asked what time alone changes."""
TALLY_PLANS = 20
"""How many plans of one tally follow each other then at most."""
CHECKPOINT_LOOK_SECONDS = 1.0
"""How often it is looked whether a checkpoint is due."""
GROUPS_AT_ONCE = 20
"""Push groups that one record deletes, where many sources go: pushes must not wait for all of them."""

Done = Callable[[PushRejected | None], None]


class Clock(Protocol):
    """The two clocks; a test sets them."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


class CountedSource(Exception):
    """The tally of a source's dialect remembers more than its series say: without them the two would contradict."""

    def __init__(self, source: SourceKey, dialect: str) -> None:
        super().__init__(f"job {source[0]!r} instance {source[1]!r} is counted by {dialect}")
        self.source = source
        self.dialect = dialect


class DeletedSources(NamedTuple):
    """What was deleted."""

    keys: frozenset[SourceKey]
    series: int
    """How many they had together, those about the sources themselves not among them."""


def check_identity(pusher: Pusher, sources: Iterable[SourceKey]) -> None:
    """Raises Forbidden if one of *sources* is another than the token of *pusher* is bound to."""
    if not pusher.job and not pusher.instance:
        return
    for job, instance in sources:
        if pusher.job not in ("", job) or pusher.instance not in ("", instance):
            bound = f"job {pusher.job or 'any'!r}, instance {pusher.instance or 'any'!r}"
            raise Forbidden(
                f"token {pusher.token_id} is for {bound}, and this is a push for job {job!r}, instance {instance!r}"
            )


class _PushEntry(Entry):
    """A push on its way through the journal into the store."""

    __slots__ = (
        "_counts",
        "_dialect",
        "_done",
        "_ingest",
        "_received_ms",
        "_rejected",
        "_replaced",
        "_report",
        "_reserved",
    )

    def __init__(
        self,
        ingest: Ingest,
        dialect: str,
        report: Report,
        reserved: list[ReservedGroup],
        received_ms: int,
        replaced: int,
        done: Done,
        extra: Extra | None,
        rejected: Sequence[Rejection],
    ) -> None:
        self.record = encode_change(Push(received_ms, [one.change for one in reserved])) if reserved else None
        self.samples = sum([one.known.points for one in reserved])
        self.recent = None if report.entry is None else (dialect, report.entry)
        self.extra = extra
        self._ingest = ingest
        self._counts = ingest.counts[dialect]
        self._report = report
        self._reserved = reserved
        self._received_ms = received_ms
        self._replaced = replaced
        self._done = done
        self._dialect = dialect
        self._rejected = rejected

    def committed(self, position: int) -> None:
        ingest, counts, report = self._ingest, self._counts, self._report
        for one in self._reserved:
            ingest.state.apply(one, self._received_ms, position)
        ingest.applied(position)
        counts.accepted += report.accepted
        counts.skipped += report.skipped
        counts.values_skipped += report.skipped_values
        counts.deduplicated += report.deduplicated
        counts.rescued += report.rescued
        counts.sanitized += report.sanitized
        counts.timestamps_replaced += self._replaced + report.timestamps_replaced
        if self._rejected:
            ingest.count_rejected(self._dialect, self._rejected)
        ingest.pacer.answer(self._reserved[0].group.source if self._reserved else None, self._done)

    def failed(self, refusal: PushRejected) -> None:
        self._done(refusal)


class Ingest:
    """Takes pushes and expires what is not pushed any more."""

    def __init__(
        self,
        journal: Journal,
        store: Store,
        metrics: SelfMetrics,
        clock: Clock,
        tallies: Mapping[str, Tally] | None = None,
    ) -> None:
        """*tallies*: of those dialects that have one."""
        self._journal = journal
        self._tallies = tallies or {}
        self.state = store
        self._clock = clock
        self.counts: Mapping[str, DialectCounts] = metrics.dialects
        self.ready = False
        self.pacer = Pacer(clock.monotonic)
        self._applied_position = 0
        self._checkpointed_position = 0
        self.checkpointed_ms = clock.now_ms()
        self.failed_checkpoints = 0
        self.unreadable_rows = 0

    # Start

    def replay(self) -> tuple[int, int]:
        """Bring the store to the state that the journal holds; return the numbers of records and samples read."""
        now_ms, monotonic = self._clock.now_ms(), self._clock.monotonic()
        for family in self._journal.families():
            self.state.restore_family(family)
        self.state.next_group_id = self._journal.next_group_id()
        samples = self._restore_checkpoint(now_ms, monotonic)
        records = 0
        for position, change in self._journal.replay():
            samples += self.state.replay(change, position, now_ms)
            self._applied_position = position
            records += 1
        self._restore_tallies()
        self.state.renew_distinct(now_ms)
        return records, samples

    def _restore_tallies(self) -> None:
        """Have all tallies begin with what is on disk."""
        for name, tally in self._tallies.items():
            facts = read_facts(self._journal.file, name)
            tally.restore(facts, self.state.series_of(name), self._clock.now_ms())

    def discard(self) -> None:
        """Forget what is not committed: everything that was queued failed."""
        self.state.discard_reserved()
        try:
            self._restore_tallies()
        except apsw.Error as error:  # the journal says what it is, and whether the bridge can go on
            logger.warning("tallies not restored error=%r", str(error))

    def _restore_checkpoint(self, now_ms: int, monotonic: float) -> int:
        """Restore groups and sketches; return how many series. What cannot be read is logged, counted, left out."""
        series = 0
        for group_id, body in self._journal.checkpoint_rows():
            try:
                series += restore_group(self.state, group_id, body, now_ms, monotonic)
            except ValueError as error:
                self.unreadable_rows += 1
                logger.error("checkpoint unreadable group=%d error=%r", group_id, str(error))
        for group_id, series_id, hour, body in self._journal.sketches():
            try:
                check_sketch(body)
            except ValueError as error:
                self.unreadable_rows += 1
                logger.error("sketch unreadable group=%d hour=%d error=%r", group_id, hour, str(error))
            else:
                self.state.restored_hour(group_id, series_id, hour, body)
        self.state.show_restored_distinct(now_ms)
        return series

    # Push

    async def push(self, dialect: Dialect, body: bytes, context: PushContext) -> Reply:
        """Store one push; an accepted reply means that it is on disk. Raises PushRejected; then nothing is stored."""
        return await self.store(dialect, self.decode(dialect, body, context), context.received_ms)

    async def store(
        self,
        dialect: Dialect,
        report: Report,
        received_ms: int,
        receipt_of: Callable[[Reply], Receipt] | None = None,
    ) -> Reply:
        """Store a decoded push, and with it what *receipt_of* makes of the reply. Raises PushRejected.

        Nothing is stored then, nor if the reply says that no item was accepted.
        """
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(refusal: PushRejected | None) -> None:
            if outcome.cancelled():
                return  # the client went away; what it pushed is stored all the same
            if refusal is None:
                outcome.set_result(None)
            else:
                outcome.set_exception(refusal)

        plan = self._plan(dialect, report, received_ms)
        checked, rejected = self._checked(dialect, report if plan is None else plan.report)
        reply = checked.answer or dialect.accepted
        if dialect.reply is not None:
            reply = dialect.reply(checked, rejected)
        if rejected and not checked.groups:
            self.count_rejected(dialect.name, rejected)
            return reply
        receipt = None if receipt_of is None else receipt_of(reply)
        self._journal.append(self._entry(dialect.name, checked, received_ms, done, rejected, receipt, plan))
        await outcome
        return reply

    def begin(self, dialect: Dialect, body: bytes, context: PushContext, done: Done) -> Reply | None:
        """Queue one push; *done* is called once it is on disk and visible, or with why it is not.

        Returns the reply where it is not always the same. Raises PushRejected if the body cannot be read, the
        bridge is not ready, or no item of it is accepted; *done* is not called then, and nothing was counted.
        """
        report = self._read(dialect, body, context)
        plan = self._plan(dialect, report, context.received_ms)
        checked, rejected = self._checked(dialect, report if plan is None else plan.report)
        if rejected and not checked.groups:
            raise MalformedBody("no item was accepted")
        self.counts[dialect.name].body_bytes += len(body)
        reply = checked.answer if dialect.reply is None else dialect.reply(checked, rejected)
        entry = self._entry(dialect.name, checked, context.received_ms, done, rejected, plan=plan)
        self._journal.append(entry)
        return reply

    def _plan(self, dialect: Dialect, report: Report, received_ms: int) -> Plan | None:
        """What the tally of *dialect* makes of *report*; ``None`` if it has none."""
        tally = self._tallies.get(dialect.name)
        return None if tally is None else tally.plan(report, received_ms)

    async def note_failed(
        self, dialect: Dialect, error: PushRejected, body: bytes, context: PushContext
    ) -> None:
        """Store what *dialect* keeps of a push that was refused with *error*, if that can be stored."""
        assert dialect.failed is not None
        try:
            report = dialect.failed(error, body, context, self.state.holds)
            if report is not None and self.ready:
                if context.pusher is not None:
                    check_identity(context.pusher, [source_key(one.group) for one in report.groups])
                await self.store(dialect, report, context.received_ms)
        except PushRejected:
            pass  # it is another's group, say; the pusher is told of the first refusal

    def decode(self, dialect: Dialect, body: bytes, context: PushContext) -> Report:
        """What *body* says. Raises PushRejected if it cannot be read or the bridge is not ready."""
        report = self._read(dialect, body, context)
        self.counts[dialect.name].body_bytes += len(body)
        return report

    def _read(self, dialect: Dialect, body: bytes, context: PushContext) -> Report:
        if not self.ready:
            raise NotReady("the bridge is starting or stopping; send it again later")
        report = dialect.decode(body, context)
        if context.pusher is not None:
            sources = [source_key(one.group) for one in report.groups]
            if not sources and dialect.name in self._tallies:
                sources = [(dialect.name, "")]  # where its tally counts
            check_identity(context.pusher, sources)
        return report

    def _checked(self, dialect: Dialect, report: Report) -> tuple[Report, Sequence[Rejection]]:
        """*report* without items that contradict the state, and all items that are refused.

        Raises PushRejected if the dialect takes a push whole or not at all.
        """
        if len(report.groups) == 1 and self.state.is_alike(report.groups[0], dialect.name):
            return report, report.rejected
        check = PushCheck()
        if dialect.reply is None:
            for one in report.groups:
                self.state.check(one, dialect.name, check)
            return report, report.rejected
        groups: list[GroupReport] = []
        rejected = list(report.rejected)
        for one in report.groups:
            families = len(check.families)
            try:
                self.state.check(one, dialect.name, check)
            except PushRejected as refusal:
                if not one.items:
                    raise
                check.take_back(families)
                kept = self._checked_items(dialect, one, check, rejected, refusal)
                groups += [kept] if kept is not None else []
            else:
                groups.append(one)
        if len(rejected) == len(report.rejected):
            return report, report.rejected
        accepted = report.accepted - (len(rejected) - len(report.rejected))
        return msgspec.structs.replace(report, groups=groups, accepted=accepted), rejected

    def _checked_items(
        self,
        dialect: Dialect,
        group: GroupReport,
        check: PushCheck,
        rejected: list[Rejection],
        refusal: PushRejected,
    ) -> GroupReport | None:
        """*group* with those items that the state takes; the others are added to *rejected*."""
        numbers: dict[int, list[int]] = {}
        for number, item in enumerate(group.items):
            numbers.setdefault(item, []).append(number)
        if len(numbers) == 1:
            rejected.append(Rejection(group.items[0], refusal.reason, str(refusal)))
            return None
        kept: list[int] = []
        for item, its in numbers.items():
            alone = msgspec.structs.replace(
                group,
                shape=tuple([group.shape[number] for number in its]),
                values=[group.values[number] for number in its],
                items=(item,) * len(its),
            )
            families = len(check.families)
            try:
                self.state.check(alone, dialect.name, check)
            except PushRejected as one:
                check.take_back(families)
                rejected.append(Rejection(item, one.reason, str(one)))
            else:
                kept += its
        kept.sort()
        if not kept:
            return None
        return msgspec.structs.replace(
            group,
            shape=tuple(group.shape[number] for number in kept),
            values=[group.values[number] for number in kept],
            items=tuple(group.items[number] for number in kept),
        )

    def count_rejected(self, dialect: str, rejected: Sequence[Rejection]) -> None:
        items = self.counts[dialect].items_rejected
        for one in rejected:
            items[one.reason] += 1

    def _entry(
        self,
        dialect: str,
        report: Report,
        received_ms: int,
        done: Done,
        rejected: Sequence[Rejection] = (),
        receipt: Receipt | None = None,
        plan: Plan | None = None,
    ) -> Entry:
        """A *report* that was checked as what the journal is to write, and what follows when it has.

        From here on it is the base of what comes after it, as is the *plan* that it comes from.
        """
        store = self.state
        replaced = 0
        reserved: list[ReservedGroup] = []
        sources: set[tuple[str, str]] = set()
        for one in report.groups:
            timestamp_ms = believed_time_ms(one.timestamp_ms, received_ms)
            replaced += one.timestamp_ms is not None and timestamp_ms != one.timestamp_ms
            source = source_key(one.group)
            first = bool(report.accepted) and source not in sources
            sources.add(source)
            reserved.append(store.reserve(one, dialect, timestamp_ms, received_ms, first=first))

        facts = None
        if plan is not None:
            plan.take()
            facts = (dialect, plan.facts) if plan.facts else None
        families = store.new_families
        extra = None
        if families or receipt is not None or facts is not None:
            store.new_families = []
            extra = Extra(families=families, receipt=receipt, facts=facts)
        return _PushEntry(self, dialect, report, reserved, received_ms, replaced, done, extra, rejected)

    def applied(self, position: int) -> None:
        """Everything up to *position* is in the store."""
        self._applied_position = position

    # Deletion

    async def delete(self, wanted: Callable[[PushGroup], bool], group: PushGroup | None = None) -> int:
        """Delete the push groups that are *wanted*; return how many, when that is on disk. Raises PushRejected.

        With *group* only that one is looked at. What was pushed and answered before is deleted too, what is pushed
        after stays.
        """
        if not self.ready:
            raise NotReady("the bridge is starting or stopping; send it again later")
        await self.drain()
        deletion = self.state.reserve_deletion(wanted, self._clock.now_ms(), group)
        if deletion is None:
            return 0
        await self._delete(deletion)
        return len(deletion.groups)

    async def delete_sources(self, wanted: Callable[[SourceKey], bool]) -> DeletedSources:
        """Delete all series of the sources that are *wanted*, and what is known of these sources.

        It returns when that is on disk. What was pushed and answered before is deleted too, what is pushed after
        that stays. Raises CountedSource, and nothing is deleted; or PushRejected: many sources are deleted in several
        steps, of which some may be done.
        """
        if not self.ready:
            raise NotReady("the bridge is starting or stopping; send it again later")
        await self.drain()
        groups = [group for group in self.state.groups() if group.committed and wanted(group.source.key)]
        for group in groups:
            if group.dialect in TALLIES:
                raise CountedSource(group.source.key, group.dialect)
        series = 0
        for begin in range(0, len(groups), GROUPS_AT_ONCE):
            part = groups[begin : begin + GROUPS_AT_ONCE]
            series += sum(len(group.by_id) for group in part)
            deletion = self.state.reserve_deletion_of(part, self._clock.now_ms())
            if deletion is not None:
                await self._delete(deletion)
        for dialect in self._tallies.keys() & {group.dialect for group in groups}:
            # It remembers nothing but the values that labels have, and there is room for others now.
            self._tallies[dialect].restore((), self.state.series_of(dialect), self._clock.now_ms())
        return DeletedSources(frozenset(group.source.key for group in groups), series)

    async def _delete(self, deletion: Deletion) -> None:
        """Journal *deletion* and apply it. Raises PushRejected."""
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def committed(position: int) -> None:
            self.state.apply_deletion(deletion, position)
            self.applied(position)
            outcome.set_result(None)

        extra = self._removals(deletion)
        self._journal.append(Work(committed, outcome.set_exception, encode_change(deletion), extra))
        # The client may go away meanwhile; what it asked for is done all the same.
        await asyncio.shield(outcome)

    async def rewrite_entries(self, dialect: str, change: Rewrite) -> None:
        """Have *change* say what becomes of each recent entry of *dialect*; done when that is on disk.

        Raises PushRejected.
        """
        if not self.ready:
            raise NotReady("the bridge is starting or stopping; send it again later")
        await self._write(rewrite=(dialect, change))

    # Expiry and checkpoint, each a task that the application runs

    async def expire_until_cancelled(self) -> None:
        """Once a second, journal and then remove what has outlived its time to live."""
        while True:
            await asyncio.sleep(EXPIRY_INTERVAL_SECONDS)
            self.expire()
            self.state.renew_distinct(self._clock.now_ms())

    def expire(self) -> None:
        """Queue the expiry of what has outlived its time to live by now."""
        expiry = self.state.reserve_expiry(self._clock.now_ms())
        if expiry is None:
            return

        def committed(position: int) -> None:
            self.state.apply_expiry(expiry, position)
            self._applied_position = position

        extra = self._removals(expiry)
        self._journal.append(Work(committed, lambda _refusal: None, encode_change(expiry), extra))

    async def count_time_until_cancelled(self) -> None:
        """Every few seconds, journal what time alone changes of what is counted."""
        while True:
            await asyncio.sleep(TALLY_INTERVAL_SECONDS)
            await self.count_time()

    async def count_time(self) -> None:
        """Queue what the time of now changes of what is counted."""
        for name, tally in self._tallies.items():
            for _ in range(TALLY_PLANS):
                plan = tally.plan_time(self._clock.now_ms())
                if plan is None:
                    break
                try:
                    for one in plan.report.groups:
                        self.state.check(one, name, PushCheck())
                except PushRejected as refusal:
                    logger.warning("count of time refused dialect=%s reason=%s", name, refusal.reason)
                    break
                now_ms = self._clock.now_ms()
                self._journal.append(self._entry(name, plan.report, now_ms, lambda _refusal: None, plan=plan))
                await asyncio.sleep(0)  # pushes must not wait for all of it

    def _removals(self, change: Expiry | Deletion) -> Extra | None:
        """What remotes need to name what *change* removes; nothing if there are no remotes."""
        if not self._journal.frames.cursors:
            return None
        return Extra(removals=self.state.removals_of(change))

    # Remotes

    async def set_remotes(self, remotes: Sequence[str]) -> None:
        """Keep records for *remotes* and nobody else; a new one begins with what comes from now on."""
        known = self._journal.frames.cursors
        for remote in known.keys() - set(remotes):
            logger.info("remote forgotten remote=%s", remote)
            await self._write(cursor=(remote, None))
        for remote in set(remotes) - known.keys():
            await self._write(cursor=(remote, self._journal.newest_position))

    def move_cursor(self, remote: str, position: int) -> None:
        """*remote* has everything up to *position*."""
        extra = Extra(cursor=(remote, position))
        self._journal.append(Work(lambda _position: None, lambda _refusal: None, extra=extra))

    async def checkpoint_until_cancelled(self, interval_seconds: float, max_bytes: int) -> None:
        """Write the groups that changed and free the records that this covers.

        Every *interval_seconds*, or sooner when a restart would have to replay more than *max_bytes* of records.
        """
        written = self._clock.monotonic()
        while True:
            await asyncio.sleep(min(interval_seconds, CHECKPOINT_LOOK_SECONDS))
            due = self._clock.monotonic() - written >= interval_seconds
            if due or self._journal.frames.behind_floor_bytes > max_bytes:
                await self.checkpoint()
                written = self._clock.monotonic()

    async def checkpoint(self) -> None:
        """Write all groups that changed since the last checkpoint, in slices among ordinary pushes.

        Each group's row says up to which record it counts, so groups may be written at different moments; the
        records are freed when the last one is on disk.
        """
        floor = self._applied_position
        if floor == self._checkpointed_position:
            self.checkpointed_ms = self._clock.now_ms()
            return
        waiting = list(self.state.take_changed_groups())
        try:
            while waiting:
                await self._write_slice(waiting)
            await self._write(floor=floor, next_group_id=self.state.next_group_id)
        except PushRejected as refusal:
            self.failed_checkpoints += 1
            logger.warning("checkpoint not written reason=%s", refusal.reason)
        else:
            self._checkpointed_position = floor
            self.checkpointed_ms = self._clock.now_ms()
        finally:
            # Also when this task is cancelled: the checkpoint at the stop must not free records of these groups.
            self.state.give_back_changed_groups(waiting)

    async def _write_slice(self, waiting: list[int]) -> None:
        """Take groups off *waiting*, encode them for at most SLICE_SECONDS, and write them.

        Puts them back if it is not known that they were written: it raises PushRejected or is cancelled.
        """
        now_ms, monotonic = self._clock.now_ms(), self._clock.monotonic()
        until = time.perf_counter() + SLICE_SECONDS
        rows: list[tuple[int, bytes | None]] = []
        sketches: list[tuple[int, int, int, bytes | None]] = []
        while waiting and (not rows or time.perf_counter() < until):
            group_id = waiting.pop()
            group = self.state.settled_group(group_id)
            if group is None:
                rows.append((group_id, None))
            elif group.committed:
                rows.append((group_id, encode_group(group, now_ms, monotonic)))
                sketches += [(group_id, *row) for row in take_changed_sketches(group)]
        try:
            await self._write(rows=rows, sketches=sketches)
        except BaseException:
            waiting += [group_id for group_id, _ in rows]
            for group_id, *row in sketches:
                group = self.state.settled_group(group_id)
                if group is not None:
                    give_back_sketches(group, [tuple(row)])  # type: ignore[list-item]
            raise

    async def _write(
        self,
        rows: Sequence[tuple[int, bytes | None]] = (),
        sketches: Sequence[tuple[int, int, int, bytes | None]] = (),
        floor: int | None = None,
        next_group_id: int | None = None,
        cursor: tuple[str, int | None] | None = None,
        rewrite: tuple[str, Rewrite] | None = None,
    ) -> None:
        """Have the journal write this among the pushes. Raises PushRejected."""
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def committed(_position: int) -> None:
            if not outcome.done():
                outcome.set_result(None)

        def failed(refusal: PushRejected) -> None:
            if not outcome.done():
                outcome.set_exception(refusal)

        extra = Extra(
            rows=rows,
            sketches=sketches,
            floor=floor,
            next_group_id=next_group_id,
            cursor=cursor,
            rewrite=rewrite,
        )
        self._journal.append(Work(committed, failed, extra=extra))
        await outcome

    # Stop

    async def drain(self) -> None:
        """Wait until everything queued is on disk or refused."""
        try:
            await self._write()
        except PushRejected as refusal:
            logger.warning("queued pushes refused reason=%s", refusal.reason)
