"""The newest sample of each series. Only the event loop changes it, and only by changes that are on disk.

A push goes through it three times: ``check`` refuses what contradicts the state; ``reserve`` finds or makes its
series, unseen by scrapes, and gives the change to journal; ``apply`` makes that change visible once it is
committed. ``discard_reserved`` forgets what changes made that failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from pushgateway_bridge.errors import ClassConflict, TypeConflict
from pushgateway_bridge.model.change import (
    Change,
    Deletion,
    Expiry,
    GroupChange,
    GroupDefinition,
    Push,
    SeriesDefinition,
)
from pushgateway_bridge.model.family import Family, SeriesClass, SeriesKind
from pushgateway_bridge.model.histogram import count_in
from pushgateway_bridge.model.labels import LabelSet, PushGroup
from pushgateway_bridge.model.report import BESIDE_OTHERS, GroupReport, Replaces
from pushgateway_bridge.model.text import render_labels
from pushgateway_bridge.model.timestamps import MAX_AHEAD_MS
from pushgateway_bridge.state.block import Block, FamilyBlocks, row_of, set_row
from pushgateway_bridge.state.conflicts import (
    LINE_SUFFIXES,
    check_class,
    check_counted,
    check_family,
    check_job,
    check_owner,
    is_same_kind,
    line_names_of,
    possible_counters,
    possible_owners,
)
from pushgateway_bridge.state.distinct import DistinctCount
from pushgateway_bridge.state.limits import NewSeries, PushCheck, SeriesLimits, SourceKey
from pushgateway_bridge.state.removal import encode_removal
from pushgateway_bridge.state.series import (
    CounterSeries,
    DistinctSeries,
    Group,
    HistogramSeries,
    KnownShape,
    Series,
    SeriesName,
    Source,
    Stamp,
    Waiting,
    series_name,
)

LAST_REPORT = Family(
    "telemetry_last_report_timestamp_seconds",
    "gauge",
    "Unix time at which the newest report of this source was received.",
    "seconds",
)
REPORT_INTERVAL = Family(
    "telemetry_report_interval_seconds",
    "gauge",
    "Median time between the last reports of this source; its dialect's usual interval until there are two.",
    "seconds",
)
REPORTS = Family("telemetry_reports_total", "counter", "Reports accepted from this source.")
SOURCE_FAMILIES = (LAST_REPORT, REPORT_INTERVAL, REPORTS)
"""Shown for every source; they are made anew from what is known of it, not journalled."""

SOURCE_RETENTION_SECONDS = 30 * 24 * 3600.0
"""How long what is known about a source outlives its last report."""


class ReservedGroup(NamedTuple):
    """What one group of a push becomes when it is committed."""

    group: Group
    known: KnownShape
    counters: Sequence[Series]
    """Of the change's values behind those of the shape: what is counted, and what begins with 0."""
    change: GroupChange


NO_COUNTERS: Sequence[Series] = ()


class DialectDefaults(NamedTuple):
    """What the store must know of a dialect to hold its series."""

    series_class: SeriesClass
    interval_seconds: float | None


NOT_SPOKEN: Final = DialectDefaults(SeriesClass.POINT, None)
"""Of a dialect that the journal knows and this bridge does not, as it was switched off: its series expire."""


class Store:
    """All families, groups and sources. *defaults* has a row for each dialect that may push."""

    def __init__(
        self,
        defaults: dict[str, DialectDefaults],
        monotonic: Callable[[], float],
        limits: SeriesLimits | None = None,
        own_families: Mapping[str, Family] | None = None,
    ) -> None:
        """*own_families*: those that have one type, whoever pushes their name."""
        self._own_families = own_families or {}
        self._defaults = defaults
        self.new_series = NewSeries(limits or SeriesLimits(), monotonic)
        self._held = 0
        """Series of all groups, those included that are not shown yet."""
        self._monotonic = monotonic
        self._families: dict[str, FamilyBlocks] = {}
        """Also those of which nothing is held any more: they stand in nobody's way."""
        self._superseded: list[FamilyBlocks] = []
        """Families whose last series are shown until the push that gives them another type is committed."""
        self._groups: dict[PushGroup, Group] = {}
        self._groups_by_id: dict[int, Group] = {}
        self._sources: dict[tuple[str, str], Source] = {}
        self._next_group_id = 1
        self._changed_groups: set[int] = set()
        self._distinct: set[DistinctSeries] = set()
        self._waiting: dict[int, Group] = {}
        """Groups whose newest values are not in their blocks yet, by number."""
        self.new_families: list[Family] = []
        """Families that are new, or have another type, since the pipeline last took this list for the journal."""
        for family in SOURCE_FAMILIES:
            self._keep_family(family)

    # What a push will change

    def is_alike(self, report: GroupReport, dialect: str) -> bool:
        """Whether *report* sets what its group's last one did, so that it can contradict nothing."""
        group = self._groups.get(report.group)
        return group is not None and _pushed_alike(group, report, dialect)

    def check(self, report: GroupReport, dialect: str, push: PushCheck) -> None:
        """Raises a PushRejected if *report* contradicts what is held, or there is no room for it.

        Changes nothing, but adds what this report would bring to *push*, so that the groups of one push are
        checked against each other.
        """
        group = self._groups.get(report.group)
        if group is not None and _pushed_alike(group, report, dialect):
            return
        if group is None:
            check_job(report.group[0][1])
            self.new_series.check_group(report.group)
            known: dict[SeriesName, Series] = {}
        else:
            if group.dialect != dialect:
                check_owner(group.rendered, group.dialect, dialect)
            known = group.series
        new: set[SeriesName] = set()
        series_class, _ = self._lifetime(report, dialect)
        for family, labels in report.shape:
            name = series_name(family.name, labels)
            held = known.get(name)
            if held is None or held.family.family.type != family.type:
                self._check_family(family, report, group, push)
            if held is None:
                new.add(name)
                self.new_series.check_labels(report.group, family, labels)
            elif isinstance(held, (CounterSeries, HistogramSeries, DistinctSeries)):
                raise ClassConflict(
                    f"this series of {family.name} is counted here; it can be set when it is gone"
                )
            elif held.series_class is not series_class:
                check_class(family.name, held.series_class, series_class)
        new.update(
            name
            for name in (series_name(family.name, labels) for family, labels in report.initial)
            if name not in known
        )
        for kind, items in (
            (CounterSeries, report.increments),
            (HistogramSeries, report.observations),
            (DistinctSeries, report.distinct),
        ):
            for item in items:
                name = series_name(item.family.name, item.labels)
                held = known.get(name)
                if held is None or held.family.family is not item.family:
                    self._check_family(item.family, report, group, push)
                if held is not None and not isinstance(held, kind):
                    raise ClassConflict(
                        f"this series of {item.family.name} is held as one that is set, or counted in another way; "
                        "it can be counted so when it is gone"
                    )
                if held is None and name not in new:
                    new.add(name)
                    check_counted(item.family, self._owner_of)
                    self.new_series.check_labels(report.group, item.family, item.labels)
        self._check_room(source_key(report.group), len(new), push)

    def _check_room(self, source: SourceKey, new: int, push: PushCheck) -> None:
        """Raises a PushRejected if there is no room for *source*, or for so many *new* series of it."""
        is_new = source not in self._sources and source not in push.new_sources
        if is_new:
            self.new_series.check_source(len(self._sources) + len(push.new_sources))
        if new:
            self.new_series.check(source, new, push, self._held)
        if is_new:
            push.new_sources.add(source)

    def _lifetime(self, report: GroupReport, dialect: str) -> tuple[SeriesClass, float]:
        """Class and time to live of the series that *report* sets; 0: as the class says."""
        series_class = report.series_class
        if series_class is None:
            series_class = self._defaults[dialect].series_class
        return series_class, report.time_to_live_seconds or 0.0

    def _check_family(
        self, family: Family, report: GroupReport, group: Group | None, push: PushCheck
    ) -> None:
        """Raises a PushRejected if *family*, of which *report* has a new series, cannot stand beside the others."""
        name = family.name
        own = self._own_families.get(name)
        if own is not None and own is not family and not is_same_kind(own, family):
            raise TypeConflict(
                f"{name} is a {own.type} wherever it comes from, and was pushed as a {family.type}"
            )
        known = push.families.get(name)
        if known is None:
            held = self._families.get(name)
            if held is not None and held.held and name not in push.left:
                if is_same_kind(held.family, family) or not _leaves(held, report, group, push):
                    check_family(family, held.family, self._owner_of)
                    push.joined.add(name)
                    return
                push.left.add(name)

        def owner_of(line: str) -> str | None:
            for owner in self._owners_of(line):
                if owner.family.name not in push.left:
                    if not _leaves(owner, report, group, push):
                        return owner.family.name
                    push.left.add(owner.family.name)
            return push.claimed.get(line)

        check_family(family, known, owner_of)
        if known is None:
            push.add_family(family)

    def _owners_of(self, line: str) -> Iterator[FamilyBlocks]:
        """The held families that have lines of this name."""
        for name in possible_owners(line):
            held = self._families.get(name)
            if held is not None and held.held and line in line_names_of(held.family):
                yield held
        for name in possible_counters(line):
            held = self._families.get(name)
            if held is not None and held.counted:
                yield held

    def _owner_of(self, line: str) -> str | None:
        """The first of them, by name."""
        owner = next(self._owners_of(line), None)
        return None if owner is None else owner.family.name

    def reserve(
        self, report: GroupReport, dialect: str, timestamp_ms: int, received_ms: int, *, first: bool = True
    ) -> ReservedGroup:
        """Find or make the group and series of a *report* that was checked; nothing of it is visible yet.

        *first* is false if the same push has reported of the same source already: that is one report.
        """
        group = self._groups.get(report.group)
        if group is not None and _pushed_alike(group, report, dialect):
            known = group.known
            assert known is not None
            source = group.source
            source.pending_reports += first
            change = GroupChange(group.id, timestamp_ms, source.pending_reports, known.ids, report.values)
            return ReservedGroup(group, known, NO_COUNTERS, change)
        return self._reserve_new(group, report, dialect, timestamp_ms, received_ms, first=first)

    def _reserve_new(
        self,
        group: Group | None,
        report: GroupReport,
        dialect: str,
        timestamp_ms: int,
        received_ms: int,
        *,
        first: bool,
    ) -> ReservedGroup:
        """The same for a report of another shape than its group's last, or one that counts."""
        definition = None
        if group is None:
            made = GroupDefinition(report.group, dialect, received_ms)
            group = self._add_group(self._next_group_id, made)
        if not group.committed:
            definition = GroupDefinition(group.labels, dialect, group.source.created_ms)
        source = group.source
        source.pending_reports += first
        series_class, time_to_live = self._lifetime(report, dialect)
        before = self._held
        replaced = self._unlink_replaced(group, report) if report.replaces else []
        series: list[Series] = []
        defined: list[SeriesDefinition] = []
        for family, labels in report.shape:
            one = group.series.get(series_name(family.name, labels))
            if one is None:
                one = self._add_series(
                    group, Series(group.next_id, self._family(family), labels, series_class, time_to_live)
                )
            if one.block is None or one.time_to_live_seconds != time_to_live:
                defined.append(msgspec.structs.replace(one.definition(), time_to_live_seconds=time_to_live))
            series.append(one)
        known = group.known = KnownShape(report.shape, series, report.replaces, report.time_to_live_seconds)
        extras = self._reserve_initial(group, report, series_class)
        change = GroupChange(
            group.id,
            timestamp_ms,
            source.pending_reports,
            (*known.ids, *(one.id for one in extras)) if extras else known.ids,
            [*report.values, *(0.0 for _ in extras)] if extras else report.values,
            [*defined, *(one.definition() for one in extras)],
            definition,
            replaced=replaced,
        )
        if report.increments or report.observations or report.distinct:
            reserved = self._reserve_aggregates(group, report, received_ms, known, extras, change)
        else:
            reserved = ReservedGroup(group, known, extras, change)
        if not group.by_id:
            source.expect_reports()
        if self._held > before:
            self.new_series.count(source.key, self._held - before)
        return reserved

    def _unlink_replaced(self, group: Group, report: GroupReport) -> list[int]:
        """Take out of *group* what *report* takes the place of; return the numbers of these series.

        They stay visible until the change is applied, as with an expiry. If the lines of a histogram or summary are
        not the same as before, all of them go, so that the new ones stand together and in order. All series of a
        family go that comes as another type.
        """
        kept = {series_name(family.name, labels): family.type for family, labels in report.shape}
        initial = {series_name(family.name, labels) for family, labels in report.initial}
        names = {family.name for family, _ in report.shape}
        gone = [
            name
            for name, one in group.series.items()
            if kept.get(name) != one.family.family.type
            and name not in initial
            and (report.replaces is Replaces.GROUP or one.family.family.name in names)
        ]
        changed = {group.series[name].family.family.name for name in gone}
        changed |= {
            family.name
            for family, labels in report.shape
            if family.type in LINE_SUFFIXES and series_name(family.name, labels) not in group.series
        }
        gone += [
            name
            for name, one in group.series.items()
            if kept.get(name) == one.family.family.type
            and one.family.in_lines
            and one.family.family.name in changed
        ]
        return [group.series.pop(name).id for name in gone]

    def _reserve_initial(
        self, group: Group, report: GroupReport, series_class: SeriesClass
    ) -> Sequence[Series]:
        """The series that *report* has begin with 0 and the group has not yet."""
        made = []
        for family, labels in report.initial:
            if series_name(family.name, labels) not in group.series:
                one = Series(
                    group.next_id,
                    self._family(family),
                    labels,
                    series_class,
                    BESIDE_OTHERS,
                )
                made.append(self._add_series(group, one))
        return made

    def _reserve_aggregates(
        self,
        group: Group,
        report: GroupReport,
        received_ms: int,
        known: KnownShape,
        extras: Sequence[Series],
        change: GroupChange,
    ) -> ReservedGroup:
        """*change* with what *report* counts, on top of what is still queued."""
        counters: list[Series] = [*extras]
        totals: list[float] = []
        changed: list[Series] = []
        for increment in report.increments:
            counter = self._aggregate(
                group, increment.family, increment.labels, SeriesKind.COUNTER, received_ms
            )
            assert isinstance(counter, CounterSeries)
            counter.pending += increment.amount
            counters.append(counter)
            totals.append(counter.pending)
            changed.append(counter)
        observed: dict[int, HistogramSeries] = {}
        for observation in report.observations:
            family = observation.family
            histogram = self._aggregate(group, family, observation.labels, SeriesKind.HISTOGRAM, received_ms)
            assert isinstance(histogram, HistogramSeries)
            if histogram.id not in observed:
                observed[histogram.id] = histogram
                histogram.pending = list(histogram.pending)  # what stands in earlier records stays
            count_in(histogram.pending, histogram.family.family.buckets, observation.value)
        change.histograms.extend((histogram.id, histogram.pending) for histogram in observed.values())
        changed += observed.values()
        for seen in report.distinct:
            distinct = self._aggregate(group, seen.family, seen.labels, SeriesKind.DISTINCT, received_ms)
            change.distinct.append((distinct.id, seen.hash64))
            changed.append(distinct)
        unseen = {one.id: one for one in changed if one.block is None}
        change = msgspec.structs.replace(
            change,
            series_ids=(*change.series_ids, *(counter.id for counter in counters[len(extras) :])),
            values=[*change.values, *totals],
            definitions=[*change.definitions, *(one.definition() for one in unseen.values())],
        )
        return ReservedGroup(group, known, counters, change)

    def _aggregate(
        self, group: Group, family: Family, labels: LabelSet, kind: SeriesKind, created_ms: int
    ) -> Series:
        one = group.series.get(series_name(family.name, labels))
        if one is None:
            blocks = self._family(family)
            definition = SeriesDefinition(
                group.next_id, family.name, labels, SeriesClass.AGGREGATE, kind, created_ms
            )
            one = self._add_series(group, _make_series(definition, blocks))
        return one

    def apply(self, reserved: ReservedGroup, received_ms: int, position: int) -> None:
        """Make a committed change visible. An older sample never replaces a newer one."""
        group, known, counters, change = reserved
        now = self._monotonic()
        waiting = group.waiting
        if (
            known.placed
            and group.committed
            and not counters
            and not change.definitions
            and not change.replaced
            and (waiting is None or (waiting.known is known and waiting.timestamp_ms <= change.timestamp_ms))
        ):
            # Between two scrapes only the last of these is ever looked at.
            group.waiting = Waiting(known, change.values, change.timestamp_ms, received_ms, now)
            if waiting is None:
                self._waiting[group.id] = group
            group.source.report(received_ms, now, change.reports)
        else:
            self.settle(group)
            if change.replaced:
                self._forget_replaced(group, change.replaced)
            for defined in change.definitions:
                group.by_id[defined.id].time_to_live_seconds = defined.time_to_live_seconds
            series = [*known.series, *counters]
            self._set_values(group, series, change.values, change.timestamp_ms, received_ms, now)
            known.placed = True
            self._report(group, received_ms, now, change.reports)
            shortest = min(group.source.time_to_live_seconds, known.time_to_live_seconds or math.inf)
            group.check_at = min(group.check_at, now + shortest)
            group.committed = True
        if change.histograms or change.distinct:
            self._set_aggregates(group, change, received_ms, now)
        group.position = position
        self._changed_groups.add(group.id)

    def _forget_replaced(self, group: Group, series_ids: Iterable[int]) -> None:
        for series_id in series_ids:
            one = group.by_id.get(series_id)
            if one is not None:  # else a checkpoint has it removed already
                self._forget_series(group, one)

    def settle(self, group: Group) -> None:
        """Write the values of *group* that wait into its blocks."""
        waiting = group.waiting
        if waiting is None:
            return
        group.waiting = None
        self._waiting.pop(group.id, None)
        known, values, timestamp_ms, received_ms, seen = waiting
        row, stamp = known.row, known.stamp
        if (
            row is not None
            and stamp is not None
            and group.known is known
            and timestamp_ms >= stamp.timestamp_ms
        ):
            stamp.timestamp_ms = timestamp_ms
            stamp.seen = seen
            set_row(row, known.index, values)
        else:
            self._set_values(group, known.series, values, timestamp_ms, received_ms, seen)
            if group.known is known:
                known.look_for_row()
        self._show_source(group.source)

    @property
    def next_group_id(self) -> int:
        """The number of the next new group. Numbers are not given out twice, so a restart must go on from here."""
        return self._next_group_id

    @next_group_id.setter
    def next_group_id(self, number: int) -> None:
        self._next_group_id = max(self._next_group_id, number)

    def waiting(self) -> list[Group]:
        """Groups to settle before their families are rendered."""
        return list(self._waiting.values())

    @staticmethod
    def _set_values(
        group: Group,
        series: Iterable[Series],
        values: Iterable[float],
        timestamp_ms: int,
        received_ms: int,
        seen: float,
    ) -> None:
        # A time further ahead than any that is believed was so when it came: our clock was set back since.
        latest_ms = received_ms + MAX_AHEAD_MS
        stamp = Stamp(timestamp_ms, seen)
        for one, value in zip(series, values, strict=True):
            block = one.block
            if block is None:
                one.place(group.rendered, value)
            elif (
                timestamp_ms >= one.stamp.timestamp_ms
                or one.stamp.timestamp_ms > latest_ms
                or one.series_class is SeriesClass.AGGREGATE
            ):
                block.values[one.index] = value
                block.changed = True
            else:
                one.stamp = Stamp(one.stamp.timestamp_ms, seen)
                continue
            one.stamp = stamp

    def _set_aggregates(self, group: Group, change: GroupChange, received_ms: int, seen: float) -> None:
        for series_id, totals in change.histograms:
            histogram = group.by_id[series_id]
            assert isinstance(histogram, HistogramSeries)
            histogram.stamp = Stamp(received_ms, seen)
            histogram.show(group.rendered, totals)
        for series_id, hash64 in change.distinct:
            distinct = group.by_id[series_id]
            assert isinstance(distinct, DistinctSeries)
            distinct.stamp = Stamp(received_ms, seen)
            distinct.count.add(hash64, received_ms)
            if distinct.block is None:
                self._show_distinct(group, distinct, received_ms)

    def discard_reserved(self) -> None:
        """Forget every group, series and expiry that is not committed: all pending changes failed."""
        for group in [group for group in self._groups_by_id.values() if not group.committed]:
            self._remove_group(group)
        for group in self._groups_by_id.values():
            for one in [one for one in group.by_id.values() if one.block is None]:
                self._forget_series(group, one)
            for one in group.by_id.values():
                one.discard_pending()
                group.series.setdefault(one.name, one)
            self._groups.setdefault(group.labels, group)
            group.known = None
            group.check_at = 0.0
        for superseded in self._superseded:
            self._families[superseded.family.name] = superseded
        self._superseded = []
        for source in self._sources.values():
            source.pending_reports = source.reports
        held = [known.family for known in self._families.values() if known.series_count]
        unheld = self._families.keys() - {family.name for family in (*held, *SOURCE_FAMILIES)}
        for name in unheld:
            del self._families[name]
        self.new_families = []

    # Expiry, and counts that change with time alone

    def reserve_expiry(self, received_ms: int) -> Expiry | None:
        """What has outlived its time to live by now, as the change to journal; ``None`` if nothing has.

        It stays visible until ``apply_expiry``, but a push from now on makes its series anew: that push stands
        behind the expiry in the journal.
        """
        now = self._monotonic()
        series: list[tuple[int, list[int]]] = []
        groups: list[int] = []
        forgotten = now - SOURCE_RETENTION_SECONDS
        for group in self._groups.values():
            if group.check_at > now or not group.committed:
                continue
            if group.source.pending_reports != group.source.reports:
                continue  # a push of it is queued: it is no time to call it silent
            self.settle(group)
            if group.source.seen < forgotten and not _outlasts(group, now):
                groups.append(group.id)
            elif ids := self._unlink_expired(group, now):
                if _hold_on_to_others(group):
                    groups.append(group.id)
                else:
                    series.append((group.id, ids))
                    group.known = None
        for group_id in groups:
            del self._groups[self._groups_by_id[group_id].labels]
        return Expiry(received_ms, series, groups) if series or groups else None

    def _unlink_expired(self, group: Group, now: float) -> list[int]:
        time_to_live = group.source.time_to_live_seconds
        # A series of a quiet source is looked at again when the source itself may be forgotten.
        group.check_at = group.source.seen + SOURCE_RETENTION_SECONDS
        if group.check_at < now:
            group.check_at = math.inf  # only what stays by itself is left of it
        ids = []
        for name, one in list(group.series.items()):
            seconds = one.time_to_live_seconds
            if not seconds and one.series_class is SeriesClass.POINT:
                seconds = time_to_live
            if seconds <= 0 or one.block is None:
                continue
            if one.stamp.seen + seconds <= now:
                ids.append(one.id)
                del group.series[name]
            else:
                group.check_at = min(group.check_at, one.stamp.seen + seconds)
        return ids

    def holds(self, labels: PushGroup) -> bool:
        """Whether there is a push group with these labels."""
        return labels in self._groups

    def dialect_of(self, labels: PushGroup) -> str | None:
        """Whose the push group with these labels is; ``None`` if there is none."""
        group = self._groups.get(labels)
        return None if group is None else group.dialect

    def groups_of(self, dialect: str) -> list[Group]:
        """The push groups of *dialect* that are shown, their newest values in their blocks."""
        found = [group for group in self._groups.values() if group.dialect == dialect and group.committed]
        for group in found:
            self.settle(group)
        return found

    def groups(self) -> list[Group]:
        """The push groups, those included that are not shown yet; the newest values may not be in their blocks."""
        return list(self._groups.values())

    def series_of(self, dialect: str) -> list[tuple[Family, LabelSet]]:
        """Family and own labels of every series that *dialect* has."""
        return [
            (one.family.family, one.labels)
            for group in self._groups_by_id.values()
            if group.dialect == dialect
            for one in group.by_id.values()
        ]

    def distinct_of(self, labels: PushGroup, family: str) -> DistinctCount | None:
        """The distinct count *family* without own labels of the push group with *labels*; ``None`` if there is none."""
        group = self._groups.get(labels)
        one = None if group is None else group.series.get(series_name(family, ()))
        return one.count if isinstance(one, DistinctSeries) else None

    def reserve_deletion(
        self, wanted: Callable[[PushGroup], bool], received_ms: int, only: PushGroup | None = None
    ) -> Deletion | None:
        """The deletion of the groups that are *wanted*, as the change to journal; ``None`` if there is none.

        With *only* no other one is looked at.

        As an expiry, it leaves them visible until ``apply_deletion``; a push from now on makes its group anew.
        """
        looked_at = self._groups.values() if only is None else [self._groups.get(only)]
        found = [group for group in looked_at if group is not None and wanted(group.labels)]
        return self.reserve_deletion_of(found, received_ms)

    def reserve_deletion_of(self, groups: Iterable[Group], received_ms: int) -> Deletion | None:
        """The same of *groups*, without those that are gone already."""
        found = [group for group in groups if group.committed and self._groups.get(group.labels) is group]
        for group in found:
            del self._groups[group.labels]
        return Deletion(received_ms, [group.id for group in found]) if found else None

    def apply_deletion(self, deletion: Deletion, position: int) -> None:
        """Remove what a deletion names, now that it is on disk."""
        for group_id in deletion.groups:
            self._remove_before(group_id, position)

    def apply_expiry(self, expiry: Expiry, position: int) -> None:
        """Remove what an expiry names, now that it is on disk."""
        for group_id, ids in expiry.series:
            group = self._groups_by_id.get(group_id)
            if group is None or group.position > position:
                continue
            for one in [group.by_id[i] for i in ids if i in group.by_id]:
                self._forget_series(group, one)
            group.position = position
            self._changed_groups.add(group_id)
        for group_id in expiry.groups:
            self._remove_before(group_id, position)

    def _remove_before(self, group_id: int, position: int) -> None:
        """Remove a group unless a checkpoint has it from after *position*."""
        group = self._groups_by_id.get(group_id)
        if group is not None and group.position <= position:
            self._remove_group(group)
            self._changed_groups.add(group_id)

    def removals_of(self, change: Expiry | Deletion) -> list[tuple[int, bytes]]:
        """What *change* will remove, by group, for remotes that may have to name it still."""
        found = []
        for group_id, ids in (*change.series, *((group_id, None) for group_id in change.groups)):
            group = self._groups_by_id.get(group_id)
            if group is None:
                continue
            series = group.by_id.values() if ids is None else [group.by_id[i] for i in ids]
            points = [one for one in series if one.series_class is SeriesClass.POINT]
            if points:
                definition = GroupDefinition(group.labels, group.dialect, group.source.created_ms)
                found.append((group_id, encode_removal(definition, points)))
        return found

    def renew_distinct(self, now_ms: int) -> None:
        """Show who was seen in the windows that end at *now_ms* (Unix)."""
        for one in self._distinct:
            if one.block is not None:
                one.show("", one.count.estimates(now_ms))

    # Restoring

    def restore_family(self, family: Family) -> None:
        """Make *family* known, as it was when it was journalled."""
        if family.name not in self._families:
            self._keep_family(family)

    def replay(self, change: Change, position: int, now_ms: int) -> int:
        """Apply a record again, as of *now_ms*; return how many samples it held. Skips what a checkpoint has."""
        if isinstance(change, Expiry):
            self.apply_expiry(change, position)
            return 0
        if isinstance(change, Deletion):
            self.apply_deletion(change, position)
            return 0
        age_seconds = max(now_ms - change.received_ms, 0) / 1000
        seen = self._monotonic() - age_seconds
        return sum(self._replay_group(change, one, position, seen) for one in change.groups)

    def _replay_group(self, push: Push, change: GroupChange, position: int, seen: float) -> int:
        group = self._groups_by_id.get(change.group_id)
        self._next_group_id = max(self._next_group_id, change.group_id + 1)
        if group is None:
            if change.group is None:
                return 0  # the group was removed by a later record whose checkpoint is already loaded
            group = self._add_group(change.group_id, change.group)
        if group.position > position:
            return 0
        group.committed = True
        self._forget_replaced(group, change.replaced)
        for definition in change.definitions:
            one = group.by_id.get(definition.id)
            if one is not None:
                one.time_to_live_seconds = definition.time_to_live_seconds
            elif definition.family in self._families:
                self._add_series(group, _make_series(definition, self._families[definition.family]))
        change = _readable_part(change, group)
        series = [group.by_id[series_id] for series_id in change.series_ids]
        self._set_values(group, series, change.values, change.timestamp_ms, push.received_ms, seen)
        self._set_aggregates(group, change, push.received_ms, seen)
        # After a replay nothing is queued: further counts go on top of what the record holds.
        for series_id in (*change.series_ids, *(series_id for series_id, _ in change.histograms)):
            group.by_id[series_id].discard_pending()
        if not group.by_id:
            group.source.expect_reports()
        self._report(group, push.received_ms, seen, change.reports)
        group.check_at = 0.0
        group.position = position
        self._changed_groups.add(group.id)
        return len(change.values) + len(change.histograms) + len(change.distinct)

    def restored_group(self, group_id: int, definition: GroupDefinition, position: int) -> Group:
        """A group as its checkpoint has it, still without series."""
        group = self._add_group(group_id, definition)
        group.position = position
        group.committed = True
        return group

    def restored_series(
        self, group: Group, definition: SeriesDefinition, timestamp_ms: int, seen: float
    ) -> Series:
        """A series as its group's checkpoint has it, still to be shown."""
        one = self._add_series(group, _make_series(definition, self._families[definition.family]))
        one.stamp = Stamp(timestamp_ms, seen)
        return one

    def restored_source(
        self, group: Group, received_ms: int, seen: float, reports: int, gaps: list[float]
    ) -> None:
        """What a checkpoint knows of a group's source."""
        if not group.by_id:
            group.source.expect_reports()  # it told nothing but that it is there, as hosts do
        group.source.restore(received_ms, seen, reports, gaps)
        self._show_source(group.source)

    def restored_hour(self, group_id: int, series_id: int, hour: int, body: bytes) -> None:
        """One hour's sketch of a series of distinct counts."""
        group = self._groups_by_id.get(group_id)
        one = None if group is None else group.by_id.get(series_id)
        if isinstance(one, DistinctSeries):
            one.count.restore_hour(hour, body)

    def show_restored_distinct(self, now_ms: int) -> None:
        """Show the distinct counts whose sketches were restored."""
        for group in self._groups.values():
            for one in group.by_id.values():
                if isinstance(one, DistinctSeries) and one.block is None:
                    self._show_distinct(group, one, now_ms)

    # Reading

    def families(self) -> list[FamilyBlocks]:
        """Families that have series, sorted by name."""
        return sorted(
            (one for one in (*self._families.values(), *self._superseded) if one.series_count),
            key=lambda one: one.family.name,
        )

    @property
    def series_count(self) -> int:
        return sum(family.series_count for family in (*self._families.values(), *self._superseded))

    @property
    def source_count(self) -> int:
        return len(self._sources)

    def take_changed_groups(self) -> set[int]:
        """Numbers of the groups that changed since this was last asked, removed ones included."""
        changed, self._changed_groups = self._changed_groups, set()
        return changed

    def give_back_changed_groups(self, group_ids: Iterable[int]) -> None:
        """Put groups back among the changed ones, as their checkpoint could not be written."""
        self._changed_groups.update(group_ids)

    def settled_group(self, group_id: int) -> Group | None:
        """The group with this number, its newest values in their blocks; ``None`` if it was removed."""
        group = self._groups_by_id.get(group_id)
        if group is not None:
            self.settle(group)
        return group

    # Parts of the above

    def _add_group(self, group_id: int, definition: GroupDefinition) -> Group:
        key = source_key(definition.labels)
        source = self._sources.get(key)
        if source is None:
            interval = self._defaults.get(definition.dialect, NOT_SPOKEN).interval_seconds
            source = self._sources[key] = Source(key, interval, definition.created_ms)
        source.groups += 1
        source.created_ms = min(source.created_ms, definition.created_ms)
        group = Group(
            group_id, definition.labels, definition.dialect, source, render_labels(definition.labels)
        )
        self._groups.setdefault(definition.labels, group)
        self._groups_by_id[group_id] = group
        self._next_group_id = max(self._next_group_id, group_id + 1)
        return group

    def _remove_group(self, group: Group) -> None:
        for one in list(group.by_id.values()):
            self._forget_series(group, one)
        del self._groups_by_id[group.id]
        self._waiting.pop(group.id, None)
        if self._groups.get(group.labels) is group:
            del self._groups[group.labels]
        source = group.source
        source.groups -= 1
        if source.groups == 0:
            for one in source.series:
                one.unplace()
            del self._sources[source.key]

    def _add_series(self, group: Group, one: Series) -> Series:
        group.series[one.name] = one
        group.by_id[one.id] = one
        if one.series_class is SeriesClass.POINT:
            group.source.expect_reports()
        self._held += 1
        one.family.held += 1
        group.next_id = max(group.next_id, one.id + 1)
        if isinstance(one, DistinctSeries):
            self._distinct.add(one)
        elif isinstance(one, CounterSeries | HistogramSeries):
            one.family.counted += 1
        return one

    def _forget_series(self, group: Group, one: Series) -> None:
        one.unplace()
        del group.by_id[one.id]
        self._held -= 1
        if group.series.get(one.name) is one:
            del group.series[one.name]
        family = one.family
        family.held -= 1
        if isinstance(one, DistinctSeries):
            self._distinct.discard(one)
        elif isinstance(one, CounterSeries | HistogramSeries):
            family.counted -= 1
        if not family.held and self._superseded:
            self._superseded = [other for other in self._superseded if other is not family]

    def _show_distinct(self, group: Group, one: DistinctSeries, now_ms: int) -> None:
        one.show(group.rendered, one.count.estimates(now_ms))

    def _family(self, family: Family) -> FamilyBlocks:
        """Where series of *family*, which was checked, are put from now on."""
        known = self._families.get(family.name)
        if known is not None:
            if known.family == family or (known.held and is_same_kind(known.family, family)):
                return known
            if known.held:  # by the one group that replaces all of it
                self._superseded.append(known)
        self.new_families.append(family)
        return self._keep_family(family)

    def _keep_family(self, family: Family) -> FamilyBlocks:
        known = self._families[family.name] = FamilyBlocks(family)
        return known

    def _report(self, group: Group, received_ms: int, seen: float, reports: int) -> None:
        group.source.report(received_ms, seen, reports)
        self._show_source(group.source)

    def _show_source(self, source: Source) -> None:
        if len(source.series) != (2 if source.default_interval_seconds is None else 3):
            for one in source.series:
                one.unplace()
            source.series = self._source_series(source)
            source.row = row_of([(one.block, one.index) for one in source.series])
        interval = source.interval_seconds
        values = [source.last_received_ms / 1000, float(source.reports)]
        if interval is not None:
            values.append(interval)
        if source.row is not None:
            set_row(*source.row, values)
        else:
            for one, value in zip(source.series, values, strict=True):
                _set(one, value)

    def _source_series(self, source: Source) -> tuple[Series, ...]:
        job, instance = source.key
        rendered = render_labels((("job", job), ("instance", instance)))
        last = Series(0, self._families[LAST_REPORT.name], (), SeriesClass.AGGREGATE)
        series = [last, CounterSeries(0, self._families[REPORTS.name], (), source.created_ms)]
        if source.default_interval_seconds is not None:
            series.append(Series(0, self._families[REPORT_INTERVAL.name], (), SeriesClass.AGGREGATE))
        for one in series:
            one.place(rendered, 0.0)
        return tuple(series)


def source_key(group: PushGroup) -> SourceKey:
    """Job and instance of a push group."""
    return group[0][1], group[1][1]


def _pushed_alike(group: Group, report: GroupReport, dialect: str) -> bool:
    """Whether *report* sets the same series as its group's last one, all of them shown, and counts nothing."""
    known = group.known
    return (
        known is not None
        and known.shape is report.shape
        and known.placed
        and group.dialect == dialect
        and known.replaces >= report.replaces
        and known.time_to_live_seconds == report.time_to_live_seconds
        and not (report.increments or report.observations or report.distinct)
    )


def _leaves(held: FamilyBlocks, report: GroupReport, group: Group | None, push: PushCheck) -> bool:
    """Whether *report* takes the place of all series of a *held* family, and has none of it: not as it is held."""
    name = held.family.name
    if group is None or report.replaces is Replaces.NOTHING or name in push.joined:
        return False
    pushed = [family for family, _ in report.shape if family.name == name]
    if report.replaces is Replaces.FAMILIES and not pushed:
        return False
    if any(is_same_kind(held.family, family) for family in pushed) or any(
        family.name == name for family, _ in report.initial
    ):
        return False
    return sum(one.family is held for one in group.by_id.values()) == held.held


def _outlasts(group: Group, now: float) -> bool:
    """Whether *group* has a series that stays by its own time to live, though its source is silent for long."""
    return any(
        one.time_to_live_seconds > 0 and one.stamp.seen + one.time_to_live_seconds > now
        for one in group.series.values()
    )


def _hold_on_to_others(group: Group) -> bool:
    """Whether *group* has nothing left but series that stay only beside others."""
    return bool(group.series) and all(
        one.time_to_live_seconds == BESIDE_OTHERS for one in group.series.values()
    )


def _set(one: Series, value: float) -> None:
    assert one.block is not None
    one.block.values[one.index] = value
    one.block.changed = True


def _readable_part(change: GroupChange, group: Group) -> GroupChange:
    """*change* without series whose definition stood in a record that could not be read."""
    if all(i in group.by_id for i in (*change.series_ids, *dict(change.histograms), *dict(change.distinct))):
        return change
    kept = [pair for pair in zip(change.series_ids, change.values, strict=True) if pair[0] in group.by_id]
    return msgspec.structs.replace(
        change,
        series_ids=tuple(series_id for series_id, _ in kept),
        values=[value for _, value in kept],
        histograms=[pair for pair in change.histograms if pair[0] in group.by_id],
        distinct=[pair for pair in change.distinct if pair[0] in group.by_id],
    )


def _make_series(definition: SeriesDefinition, blocks: FamilyBlocks) -> Series:
    match definition.kind:
        case SeriesKind.COUNTER:
            return CounterSeries(definition.id, blocks, definition.labels, definition.created_ms)
        case SeriesKind.HISTOGRAM:
            return HistogramSeries(definition.id, blocks, definition.labels, definition.created_ms)
        case SeriesKind.DISTINCT:
            return DistinctSeries(definition.id, blocks, definition.labels)
        case SeriesKind.VALUE:
            return Series(
                definition.id,
                blocks,
                definition.labels,
                definition.series_class,
                definition.time_to_live_seconds,
            )


def blocks_of(family: FamilyBlocks, classes: Iterable[SeriesClass]) -> list[Block]:
    """The blocks of *family* that hold series of *classes*."""
    return [block for series_class in classes for block in family.blocks.get(series_class, ())]
