"""Whether a journal is whole: the file, every record in it, and all that a replay would need."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Final, NamedTuple

import apsw

from pushgateway_bridge.journal import inspect
from pushgateway_bridge.journal.inspect import Frame, Unreadable
from pushgateway_bridge.journal.names import DecodeGroup, GroupRow, Names
from pushgateway_bridge.journal.record import CorruptRecord, unpack_frame
from pushgateway_bridge.journal.schema import SECRET_BYTES
from pushgateway_bridge.model.change import Change, GroupChange, GroupDefinition, Push, SeriesDefinition
from pushgateway_bridge.model.family import Family, SeriesKind

STEPS_A_SIGN: Final = 20_000
"""Of SQLite's own work between two signs of life: about 10 ms."""
NUMBERS_SHOWN: Final = 5
MIN_TOTALS: Final = 3
"""Of a histogram without bounds: the infinite bucket, sum and count."""

Tell = Callable[[str, int, int], None]
"""Told how far the check is: of what, how many are done, of how many; 0 of 0 where nothing is known."""


class Problem(NamedTuple):
    """What is wrong, and where."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class _Missing(NamedTuple):
    """A record refers to something that nothing defined when it was read."""

    position: int
    group_id: int
    what: str


class Verification:
    """One check of one journal: read ``problems`` to the end, then ``checked`` says how much was looked at.

    The bridge may go on meanwhile. *dialects* are those that a bridge would know at start.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        decode_group: DecodeGroup,
        check_sketch: Callable[[bytes], object],
        dialects: Container[str],
        tell: Tell = lambda _what, _done, _of: None,
    ) -> None:
        self._connection = connection
        self._decode_group = decode_group
        self._check_sketch = check_sketch
        self._dialects = dialects
        self._tell = tell
        self._names = Names(self._load_row)
        self._families: dict[str, Family] = {}
        self._missing: list[_Missing] = []
        self.checked = {"frames": 0, "records": 0, "checkpoint rows": 0, "families": 0, "sketches": 0}

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong, as it is found."""
        for part in (
            self._check_file,
            self._check_meta,
            self._check_families,
            self._check_checkpoint,
            self._check_sketches,
            self._check_frames,
        ):
            try:
                yield from part()
            except apsw.CorruptError as error:
                yield Problem("file", f"{part.__name__.removeprefix('_check_')} cannot be read: {error}")

    # The file

    def _check_file(self) -> Iterator[Problem]:
        connection = self._connection

        def sign() -> bool:
            self._tell("file", 0, 0)
            return False

        connection.set_progress_handler(sign, STEPS_A_SIGN)
        try:
            findings = inspect.rows_of(connection, "PRAGMA integrity_check")
        finally:
            connection.set_progress_handler(None)
        if findings != [("ok",)]:
            for (finding,) in findings:
                yield Problem("file", " ".join(finding.split()))

    def _check_meta(self) -> Iterator[Problem]:
        meta = dict(inspect.rows_of(self._connection, "SELECT key, value FROM meta"))
        secret, floor = meta.get("secret"), meta.get("floor", 0)
        if not isinstance(secret, bytes) or len(secret) != SECRET_BYTES:
            yield Problem("meta", f"the secret is missing or has not {SECRET_BYTES} bytes")
        if not isinstance(floor, int) or floor < 0:
            yield Problem("meta", f"the floor is {floor!r}, expected a position")

    # Families and checkpoint

    def _check_families(self) -> Iterator[Problem]:
        for (name,) in inspect.rows_of(self._connection, "SELECT name FROM family"):
            self.checked["families"] += 1
            try:
                found = inspect.family(self._connection, name)
            except ValueError as error:
                yield Problem(f"family {name}", str(error))
                continue
            if found is not None and found.name != name:
                yield Problem(f"family {name}", f"holds the family {found.name}")

    def _check_checkpoint(self) -> Iterator[Problem]:
        connection, rows = self._connection, inspect.count(self._connection, "checkpoint")
        newest = inspect.newest_position(connection)
        for group_id in inspect.group_ids(connection):
            body = inspect.checkpoint_row(connection, group_id)
            if body is None:
                continue  # removed by the bridge meanwhile
            self.checked["checkpoint rows"] += 1
            self._tell("checkpoint rows", self.checked["checkpoint rows"], rows)
            where = f"checkpoint of group {group_id}"
            try:
                row = self._decode_group(body)
            except ValueError as error:
                yield Problem(where, str(error))
                continue
            if row.position > newest:
                newest = inspect.newest_position(connection)
            if row.position > newest:
                yield Problem(where, f"includes position {row.position}, the journal ends at {newest}")
            yield from self._group_problems(where, row.group)
            yield from self._row_problems(where, row)

    def _row_problems(self, where: str, row: GroupRow) -> Iterator[Problem]:
        for definition, numbers in zip(row.definitions, row.numbers, strict=True):
            problem = self._series_problem(definition)
            if problem is None and definition.kind is SeriesKind.HISTOGRAM:
                problem = self._totals_problem(definition, len(numbers))
            if problem is not None:
                yield Problem(where, problem)

    def _check_sketches(self) -> Iterator[Problem]:
        connection, rows = self._connection, inspect.count(self._connection, "sketch")
        for key in inspect.sketch_keys(connection):
            body = inspect.sketch(connection, key)
            if body is None:
                continue
            self.checked["sketches"] += 1
            self._tell("sketches", self.checked["sketches"], rows)
            try:
                self._check_sketch(body)
            except ValueError as error:
                group_id, series_id, hour = key
                yield Problem(f"sketch of group {group_id}, series {series_id}, hour {hour}", str(error))

    # Records

    def _check_frames(self) -> Iterator[Problem]:
        rows, newest = inspect.count(self._connection, "frame"), inspect.newest_position(self._connection)
        for frame in inspect.read_frames(self._connection, newest):
            if isinstance(frame, Unreadable):
                yield Problem(f"behind position {frame.position}", f"cannot be read: {frame.reason}")
                continue
            self.checked["frames"] += 1
            self._tell("frames", self.checked["frames"], rows)
            yield from self._frame_problems(frame)
        if self._missing:
            self._read_removals(newest)
            yield from self._missing_problems()

    def _frame_problems(self, frame: Frame) -> Iterator[Problem]:
        where = f"position {frame.position}"
        if frame.position <= 0:
            yield Problem(where, "positions begin at 1")
        number = 0
        try:
            for number, record in enumerate(unpack_frame(frame.body), 1):
                self.checked["records"] += 1
                try:
                    change = inspect.decode_record(record)
                except CorruptRecord as error:
                    yield Problem(f"{where}, record {number}", str(error))
                else:
                    yield from self._change_problems(f"{where}, record {number}", frame.position, change)
        except CorruptRecord as error:
            yield Problem(f"{where}, behind record {number}", str(error))
        else:
            if number != frame.records:
                yield Problem(where, f"holds {number} records, but says {frame.records}")

    def _change_problems(self, where: str, position: int, change: Change) -> Iterator[Problem]:
        self._names.learn(change, position)
        if isinstance(change, Push):
            for one in change.groups:
                yield from self._push_problems(where, one)
                self._note_missing(position, one.group_id, _series_of(one))
        else:
            for group_id, series_ids in change.series:
                self._note_missing(position, group_id, series_ids)
        self._names.forget(change, position)

    def _push_problems(self, where: str, change: GroupChange) -> Iterator[Problem]:
        if change.group is not None:
            yield from self._group_problems(where, change.group)
        for definition in change.definitions:
            problem = self._series_problem(definition)
            if problem is not None:
                yield Problem(where, problem)
        if len(change.series_ids) != len(change.values):
            yield Problem(where, f"has {len(change.values)} values for {len(change.series_ids)} series")
        for series_id, totals in change.histograms:
            known = self._names.series(change.group_id, series_id)
            problem = None if known is None else self._totals_problem(known, len(totals))
            if problem is not None:
                yield Problem(where, problem)

    def _note_missing(self, position: int, group_id: int, series_ids: Iterable[int]) -> None:
        names = self._names
        if names.group(group_id) is None:
            self._missing.append(_Missing(position, group_id, f"group {group_id} is not defined"))
            return
        unknown = [series_id for series_id in series_ids if names.series(group_id, series_id) is None]
        if unknown and names.checkpointed_at(group_id) <= position:
            shown = ", ".join(map(str, unknown[:NUMBERS_SHOWN]))
            more = f" and {len(unknown) - NUMBERS_SHOWN} more" if len(unknown) > NUMBERS_SHOWN else ""
            what = f"series {shown}{more} of group {group_id} not defined"
            self._missing.append(_Missing(position, group_id, what))

    def _read_removals(self, position: int) -> None:
        """Read what was written meanwhile, as the checkpoint may lack groups that are removed there."""
        newest = inspect.newest_position(self._connection)
        for frame in inspect.read_frames(self._connection, newest, position):
            if isinstance(frame, Frame):
                with contextlib.suppress(CorruptRecord):  # told by the next check
                    for record in unpack_frame(frame.body):
                        self._names.forget(inspect.decode_record(record), frame.position)

    def _missing_problems(self) -> Iterator[Problem]:
        """Of what was missing, what a replay would miss: not what the checkpoint covers or a later record removes."""
        floor = inspect.floor_of(self._connection)
        for one in self._missing:
            removed = self._names.removed_at(one.group_id)
            if one.position > floor and (removed is None or removed < one.position):
                yield Problem(f"position {one.position}", one.what)

    # What both have

    def _group_problems(self, where: str, group: GroupDefinition) -> Iterator[Problem]:
        if [name for name, _ in group.labels[:2]] != ["job", "instance"]:
            yield Problem(where, "the labels of the group do not begin with job and instance")
        if group.dialect not in self._dialects:
            yield Problem(where, f"the dialect {group.dialect!r} is not known here")

    def _series_problem(self, definition: SeriesDefinition) -> str | None:
        if self._family(definition.family) is None:
            return f"the family {definition.family} of series {definition.id} is not known"
        return None

    @staticmethod
    def _totals_problem(definition: SeriesDefinition, totals: int) -> str | None:
        # The family may have other buckets by now, or another type: all have an infinite one, a sum and a count.
        if totals >= MIN_TOTALS:
            return None
        return f"series {definition.id} has {totals} totals, a histogram needs at least {MIN_TOTALS}"

    def _family(self, name: str) -> Family | None:
        """Looked up when needed: the bridge adds families while this runs."""
        if name not in self._families:
            try:
                found = inspect.family(self._connection, name)
            except ValueError:
                return None  # told where the families are checked
            if found is not None:
                self._families[name] = found
        return self._families.get(name)

    def _load_row(self, group_id: int) -> GroupRow | None:
        body = inspect.checkpoint_row(self._connection, group_id)
        try:
            return None if body is None else self._decode_group(body)
        except ValueError:
            return None  # told where the checkpoint is checked


def _series_of(change: GroupChange) -> list[int]:
    """The series that *change* has values for."""
    return [
        *change.series_ids,
        *(series_id for series_id, _ in change.histograms),
        *(series_id for series_id, _ in change.distinct),
    ]
