"""Changes → batches: what one request carries, in time order per series, an expiry as stale markers.

At most one sample per series and millisecond: a later one replaces one that is not sent yet; one whose time was
sent already is dropped, since remotes refuse it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, cast

from pushgateway_bridge.model.change import Change, Push
from pushgateway_bridge.remote_write.encode import (
    FIRST_MS,
    LAST_MS,
    STALE,
    Heads,
    doubles,
    labels_of,
    several,
    singles,
)
from pushgateway_bridge.remote_write.names import GroupNames, Names

SAME_TIME: Final = "same_time"
UNNAMED: Final = "unnamed"
UNSENDABLE_TIME: Final = "time"


class Row(NamedTuple):
    """Samples of some series at one time: of each the head that precedes its value, and the value.

    Values are numbers, or bytes as they are sent; all of one kind.
    """

    heads: Sequence[bytes]
    values: Sequence[float] | Sequence[bytes]
    timestamp_ms: int

    @property
    def samples(self) -> int:
        return len(self.heads)

    def encode(self) -> bytes:
        """As messages of a request."""
        heads = self.heads
        if type(heads) is Heads and type(self.values[0]) is float:
            return heads.singles(cast(Sequence[float], self.values), self.timestamp_ms)
        return singles(heads, self.sent_values(), self.timestamp_ms)

    def sent_values(self) -> Sequence[bytes]:
        """The values as they are sent."""
        values = self.values
        if isinstance(values[0], bytes):
            return cast(Sequence[bytes], values)
        return doubles(cast(Sequence[float], values))

    def halves(self) -> tuple[Piece, Piece]:
        """Two that hold the same; it must have at least two samples."""
        middle = len(self.heads) // 2
        return (
            Row(self.heads[:middle], self.values[:middle], self.timestamp_ms),
            Row(self.heads[middle:], self.values[middle:], self.timestamp_ms),
        )


class Run(NamedTuple):
    """Several samples of one series, oldest first."""

    head: bytes
    times: Sequence[tuple[int, bytes]]

    @property
    def samples(self) -> int:
        return len(self.times)

    def encode(self) -> bytes:
        """As a message of a request."""
        return several(labels_of(self.head), self.times)

    def halves(self) -> tuple[Piece, Piece]:
        """Two that hold the same; it must have at least two samples."""
        middle = len(self.times) // 2
        return Run(self.head, self.times[:middle]), Run(self.head, self.times[middle:])


Piece = Row | Run


class Batch(NamedTuple):
    """What one request carries; sent whole, or split when a remote refuses it."""

    pieces: Sequence[Piece]

    @property
    def samples(self) -> int:
        return sum(piece.samples for piece in self.pieces)

    def encode(self) -> bytes:
        """A ``WriteRequest``."""
        return b"".join([piece.encode() for piece in self.pieces])

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches that hold the same, in order; this one must have at least two samples."""
        pieces = self.pieces if len(self.pieces) > 1 else self.pieces[0].halves()
        middle = len(pieces) // 2
        return Batch(pieces[:middle]), Batch(pieces[middle:])


class _Sent(NamedTuple):
    """The newest time of a group that was put into a batch, of which series, and how its clock differs from ours."""

    timestamp_ms: int
    heads: Sequence[bytes]
    ahead_ms: int


class Collector:
    """Takes changes in the order of the journal and gives batches; one for each range that is sent in order.

    *dropped* is told how many samples are not sent, and why.
    """

    def __init__(self, names: Names, dropped: Callable[[str, int], None]) -> None:
        self._names = names
        self._dropped = dropped
        self._sent: dict[GroupNames, _Sent] = {}
        """As of the last batch."""
        self._newest: dict[GroupNames, _Sent] = {}
        """Of those groups that have something in this one."""
        self._rows: list[tuple[GroupNames, Row]] = []
        self._repeated = False
        self._ended: list[GroupNames] = []
        """Groups that are gone; what was sent of them need not be remembered."""
        self.samples = 0
        """Collected since the last batch."""

    def add(self, position: int, change: Change) -> None:
        """Collect what *change*, from the record at *position*, has for remotes."""
        if isinstance(change, Push):
            self._add_push(change)
            return
        for group_id, series_ids in change.series:
            self._names.depart(position, group_id, series_ids)
            self._end(group_id, series_ids, change.received_ms)
        for group_id in change.groups:
            self._names.depart(position, group_id, None)
            self._end(group_id, None, change.received_ms)

    def _add_push(self, push: Push) -> None:
        for change in push.groups:
            if change.definitions or change.group is not None:
                group = self._names.define(change.group_id, change.group, change.definitions)
            else:
                group = self._names.group(change.group_id)
            if group is None:
                self._dropped(UNNAMED, len(change.values))
                continue
            try:
                heads, where = group.layout(change.series_ids)
            except KeyError:
                self._dropped(UNNAMED, len(change.values))
                continue
            if not heads:
                continue
            values = change.values if where is None else [change.values[i] for i in where]
            self._add_row(group, Row(heads, values, change.timestamp_ms), push.received_ms)

    def _end(self, group_id: int, series_ids: Iterable[int] | None, received_ms: int) -> None:
        """Mark series as stale, in their pusher's time: behind the newest sample, by how long it was silent."""
        group = self._names.group(group_id)
        if group is None:
            return
        # A copy, as another remote's thread may learn of new series meanwhile.
        known = list(group.heads.values()) if series_ids is None else map(group.heads.get, series_ids)
        heads = [one for one in known if one is not None]
        sent = self._newest.get(group) or self._sent.get(group)
        timestamp_ms = received_ms
        if sent is not None:
            timestamp_ms = max(received_ms + sent.ahead_ms, sent.timestamp_ms + 1)
        if heads:
            self._add_row(group, Row(heads, [STALE] * len(heads), timestamp_ms), received_ms)
        if series_ids is None:
            self._ended.append(group)

    def _add_row(self, group: GroupNames, row: Row, received_ms: int) -> None:
        if not FIRST_MS <= row.timestamp_ms <= LAST_MS:
            self._dropped(UNSENDABLE_TIME, row.samples)
            return
        sent = self._sent.get(group)
        if sent is not None and sent.timestamp_ms == row.timestamp_ms:
            row = self._without(row, sent.heads)
            if not row.heads:
                return
        newest = self._newest.get(group)
        if newest is not None:
            self._repeated = True
        if newest is None or row.timestamp_ms >= newest.timestamp_ms:
            self._newest[group] = _Sent(row.timestamp_ms, row.heads, row.timestamp_ms - received_ms)
        self._rows.append((group, row))
        self.samples += row.samples

    def _without(self, row: Row, sent: Sequence[bytes]) -> Row:
        """*row* without the series that were sent with its time already."""
        known = set(sent)
        left = [pair for pair in zip(row.heads, row.values, strict=True) if pair[0] not in known]
        self._dropped(SAME_TIME, row.samples - len(left))
        values = cast(Sequence[float], [value for _, value in left])
        return Row([one for one, _ in left], values, row.timestamp_ms)

    def take(self) -> Batch:
        """What was collected; collecting begins anew."""
        pieces: list[Piece] = self._merged() if self._repeated else [row for _, row in self._rows]
        for group, newest in self._newest.items():
            sent = self._sent.get(group)
            if sent is None or newest.timestamp_ms >= sent.timestamp_ms:
                self._sent[group] = newest
        for group in self._ended:
            self._sent.pop(group, None)
        self._rows = []
        self._newest = {}
        self._ended = []
        self._repeated = False
        self.samples = 0
        return Batch(pieces)

    def _merged(self) -> list[Piece]:
        """The rows of groups that have several, series by series."""
        by_group: dict[GroupNames, list[Row]] = {}
        for group, row in self._rows:
            by_group.setdefault(group, []).append(row)
        pieces: list[Piece] = []
        for rows in by_group.values():
            if len(rows) == 1:
                pieces += rows
            else:
                pieces += self._runs(rows)
        return pieces

    def _runs(self, rows: Sequence[Row]) -> list[Piece]:
        by_series: dict[bytes, dict[int, bytes]] = {}
        for row in rows:
            for one, value in zip(row.heads, row.sent_values(), strict=True):
                by_series.setdefault(one, {})[row.timestamp_ms] = value
        runs = [Run(one, sorted(times.items())) for one, times in by_series.items()]
        replaced = sum(row.samples for row in rows) - sum(run.samples for run in runs)
        if replaced:
            self._dropped(SAME_TIME, replaced)
        return list(runs)
