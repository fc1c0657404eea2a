"""The newest sample of each series. Only the event loop changes it, and only by changes that are on disk.

A push goes through it twice: ``reserve`` finds or makes its series, unseen by scrapes, and gives the change to
journal; ``apply`` makes that change visible once it is committed; ``discard`` forgets what a failed one made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pushgateway_bridge.model.change import (
    Change,
    Expiry,
    GroupChange,
    GroupDefinition,
    Push,
    SeriesDefinition,
)
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import LabelSet, PushGroup
from pushgateway_bridge.model.report import GroupReport
from pushgateway_bridge.model.text import render_labels, series_prefix
from pushgateway_bridge.state.series import Block, FamilyBlocks, Group, Series, Source

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

SOURCE_RETENTION_SECONDS = 30 * 24 * 3600.0
"""How long what is known about a source outlives its last report."""


class ReservedGroup(NamedTuple):
    """What one group of a push becomes when it is committed."""

    group: Group
    series: list[Series]
    change: GroupChange


class DialectDefaults(NamedTuple):
    """What the store must know of a dialect to hold its series."""

    series_class: SeriesClass
    interval_seconds: float


class Store:
    """All families, groups and sources. *defaults* has a row for each dialect that may push."""

    def __init__(self, defaults: dict[str, DialectDefaults], monotonic: Callable[[], float]) -> None:
        self._defaults = defaults
        self._monotonic = monotonic
        self._families: dict[str, FamilyBlocks] = {}
        self._groups: dict[PushGroup, Group] = {}
        self._groups_by_id: dict[int, Group] = {}
        self._sources: dict[tuple[str, str], Source] = {}
        self._next_group_id = 1
        self._changed_groups: set[int] = set()
        self.new_families: list[Family] = []
        """Families seen for the first time since the pipeline last took this list for the journal."""

    # What a push will change

    def reserve(self, report: GroupReport, dialect: str, timestamp_ms: int) -> ReservedGroup:
        """Find or make the group and series of *report*; nothing of it is visible yet."""
        group = self._groups.get(report.group)
        definition = None
        if group is None:
            group = self._add_group(self._next_group_id, GroupDefinition(report.group, dialect))
        if not group.committed:
            definition = GroupDefinition(group.labels, dialect)
        source = group.source
        source.pending_reports += 1
        series_class = self._defaults[dialect].series_class
        series: list[Series] = []
        values: list[float] = []
        definitions: list[SeriesDefinition] = []
        by_name = group.series
        for sample in report.samples:
            one = by_name.get((sample.family.name, sample.labels))
            if one is None:
                one = self._add_series(group, group.next_id, sample.family, sample.labels, series_class)
            if one.block is None:
                definitions.append(SeriesDefinition(one.id, sample.family.name, one.labels, one.series_class))
            series.append(one)
            values.append(sample.value)
        ids = [one.id for one in series]
        change = GroupChange(
            group.id, timestamp_ms, source.pending_reports, ids, values, definitions, definition
        )
        return ReservedGroup(group, series, change)

    def apply(self, reserved: ReservedGroup, received_ms: int, position: int) -> None:
        """Make a committed change visible. An older sample never replaces a newer one."""
        group, series, change = reserved
        now = self._monotonic()
        timestamp_ms = change.timestamp_ms
        for one, value in zip(series, change.values, strict=True):
            one.seen = now
            block = one.block
            if block is None:
                self._place(group, one, value)
                one.timestamp_ms = timestamp_ms
            elif timestamp_ms >= one.timestamp_ms:
                block.values[one.index] = value
                block.changed = True
                one.timestamp_ms = timestamp_ms
        self._report(group, received_ms, now, change.reports)
        group.check_at = min(group.check_at, now + group.source.time_to_live_seconds)
        group.position = position
        group.committed = True
        self._changed_groups.add(group.id)

    def discard_reserved(self) -> None:
        """Forget every group, series and expiry that is not committed: all pending changes failed."""
        for group in [group for group in self._groups_by_id.values() if not group.committed]:
            self._remove_group(group)
        for group in self._groups_by_id.values():
            for one in [one for one in group.by_id.values() if one.block is None]:
                self._forget_series(group, one)
            for one in group.by_id.values():
                group.series.setdefault((one.family.family.name, one.labels), one)
            self._groups.setdefault(group.labels, group)
            group.check_at = 0.0
        for source in self._sources.values():
            source.pending_reports = source.reports
        self._families = {name: known for name, known in self._families.items() if known.series_count}
        self.new_families = []

    # Expiry

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
            if group.source.seen < forgotten:
                groups.append(group.id)
            elif ids := self._unlink_expired(group, now):
                series.append((group.id, ids))
        for group_id in groups:
            del self._groups[self._groups_by_id[group_id].labels]
        return Expiry(received_ms, series, groups) if series or groups else None

    def _unlink_expired(self, group: Group, now: float) -> list[int]:
        time_to_live = group.source.time_to_live_seconds
        # A series of a quiet source is looked at again when the source itself may be forgotten.
        group.check_at = group.source.seen + SOURCE_RETENTION_SECONDS
        ids = []
        for name, one in list(group.series.items()):
            if one.series_class is not SeriesClass.POINT or one.block is None:
                continue
            if one.seen + time_to_live <= now:
                ids.append(one.id)
                del group.series[name]
            else:
                group.check_at = min(group.check_at, one.seen + time_to_live)
        return ids

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
            group = self._groups_by_id.get(group_id)
            if group is not None and group.position <= position:
                self._remove_group(group)
                self._changed_groups.add(group_id)

    # Restoring

    def restore_family(self, family: Family) -> None:
        """Make *family* known, as it was when it was journalled."""
        self._families.setdefault(family.name, FamilyBlocks(family))

    def replay(self, change: Change, position: int, now_ms: int) -> int:
        """Apply a record again, as of *now_ms*; return how many samples it held. Skips what a checkpoint has."""
        if isinstance(change, Expiry):
            self.apply_expiry(change, position)
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
        for definition in change.definitions:
            self._restore_series(group, definition)
        for series_id, value in zip(change.series_ids, change.values, strict=True):
            one = group.by_id.get(series_id)
            if one is None:
                continue
            one.seen = seen
            if one.block is None:
                self._place(group, one, value)
            elif change.timestamp_ms >= one.timestamp_ms:
                one.block.values[one.index] = value
                one.block.changed = True
            else:
                continue
            one.timestamp_ms = change.timestamp_ms
        self._report(group, push.received_ms, seen, change.reports)
        group.check_at = 0.0
        group.position = position
        self._changed_groups.add(group.id)
        return len(change.values)

    # Reading

    def families(self) -> list[FamilyBlocks]:
        """Families that have series, sorted by name."""
        return sorted(
            (one for one in self._families.values() if one.series_count), key=lambda one: one.family.name
        )

    @property
    def series_count(self) -> int:
        return sum(family.series_count for family in self._families.values())

    @property
    def source_count(self) -> int:
        return len(self._sources)

    def groups(self) -> Iterable[Group]:
        return self._groups.values()

    def take_changed_groups(self) -> set[int]:
        """Numbers of the groups that changed since this was last asked, removed ones included."""
        changed, self._changed_groups = self._changed_groups, set()
        return changed

    def give_back_changed_groups(self, group_ids: Iterable[int]) -> None:
        """Put groups back among the changed ones, as their checkpoint could not be written."""
        self._changed_groups.update(group_ids)

    def group(self, group_id: int) -> Group | None:
        return self._groups_by_id.get(group_id)

    def restored_group(self, group_id: int, definition: GroupDefinition, position: int) -> Group:
        """A group as its checkpoint has it, still without series."""
        group = self._add_group(group_id, definition)
        group.position = position
        group.committed = True
        return group

    def restored_series(
        self, group: Group, definition: SeriesDefinition, value: float, timestamp_ms: int, seen: float
    ) -> None:
        """A series as its group's checkpoint has it."""
        self._restore_series(group, definition)
        one = group.by_id[definition.id]
        self._place(group, one, value)
        one.timestamp_ms = timestamp_ms
        one.seen = seen

    def restored_source(
        self, group: Group, received_ms: int, seen: float, reports: int, gaps: list[float]
    ) -> None:
        """What a checkpoint knows of a group's source."""
        group.source.restore(received_ms, seen, reports, gaps)
        self._show_source(group.source)

    # Parts of the above

    def _add_group(self, group_id: int, definition: GroupDefinition) -> Group:
        labels = dict(definition.labels)
        key = (labels["job"], labels["instance"])
        source = self._sources.get(key)
        if source is None:
            source = Source(key, self._defaults[definition.dialect].interval_seconds)
            self._sources[key] = source
        source.groups += 1
        group = Group(
            group_id, definition.labels, definition.dialect, source, render_labels(definition.labels)
        )
        self._groups.setdefault(definition.labels, group)
        self._groups_by_id[group_id] = group
        self._next_group_id = max(self._next_group_id, group_id + 1)
        return group

    def _remove_group(self, group: Group) -> None:
        for one in list(group.series.values()):
            self._forget_series(group, one)
        del self._groups_by_id[group.id]
        if self._groups.get(group.labels) is group:
            del self._groups[group.labels]
        source = group.source
        source.groups -= 1
        if source.groups == 0:
            for one in source.series:
                self._unplace(one)
            del self._sources[source.key]

    def _add_series(
        self, group: Group, series_id: int, family: Family, labels: LabelSet, series_class: SeriesClass
    ) -> Series:
        one = Series(series_id, self._family(family), labels, series_class)
        group.series[family.name, labels] = one
        group.by_id[series_id] = one
        group.next_id = max(group.next_id, series_id + 1)
        return one

    def _restore_series(self, group: Group, definition: SeriesDefinition) -> None:
        if definition.id not in group.by_id:
            family = self._families[definition.family].family
            self._add_series(group, definition.id, family, definition.labels, definition.series_class)

    def _forget_series(self, group: Group, one: Series) -> None:
        self._unplace(one)
        del group.by_id[one.id]
        name = (one.family.family.name, one.labels)
        if group.series.get(name) is one:
            del group.series[name]

    def _family(self, family: Family) -> FamilyBlocks:
        known = self._families.get(family.name)
        if known is None:
            known = self._families[family.name] = FamilyBlocks(family)
            self.new_families.append(family)
        return known

    def _place(self, group: Group, one: Series, value: float) -> None:
        prefix = series_prefix(one.family.family.name, group.rendered, one.labels)
        one.block, one.index = one.family.place(prefix, value, one.series_class)

    def _unplace(self, one: Series) -> None:
        if one.block is not None:
            one.family.remove(one.block, one.index, one.series_class)
            one.block = None

    def _report(self, group: Group, received_ms: int, seen: float, reports: int) -> None:
        group.source.report(received_ms, seen, reports)
        self._show_source(group.source)

    def _show_source(self, source: Source) -> None:
        if not source.series:
            source.series = tuple(self._source_series(source))
        for one, value in zip(
            source.series,
            (source.last_received_ms / 1000, source.interval_seconds, float(source.reports)),
            strict=True,
        ):
            assert one.block is not None
            one.block.values[one.index] = value
            one.block.changed = True

    def _source_series(self, source: Source) -> Iterator[Series]:
        job, instance = source.key
        rendered = render_labels((("job", job), ("instance", instance)))
        for family in (LAST_REPORT, REPORT_INTERVAL, REPORTS):
            blocks = self._families.setdefault(family.name, FamilyBlocks(family))
            one = Series(0, blocks, (), SeriesClass.AGGREGATE)
            one.block, one.index = blocks.place(
                series_prefix(family.name, rendered, ()), 0.0, SeriesClass.AGGREGATE
            )
            yield one


def blocks_of(family: FamilyBlocks, classes: Iterable[SeriesClass]) -> list[Block]:
    """The blocks of *family* that hold series of *classes*."""
    return [block for series_class in classes for block in family.blocks.get(series_class, ())]
