"""Which frames the journal keeps: those that a restart would replay, and those that a remote still wants.

Frames up to the floor are covered by the checkpoint. Of these the ones that all cursors have passed are surplus.
When the frames take more room than they may, or the oldest is older than it may be, frames that a remote still
wants go too, and are counted: one dead remote must not stop all pushes. Frames behind the floor never go: the
state would go with them.
"""

from __future__ import annotations

from typing import Final, NamedTuple, cast

import apsw

from pushgateway_bridge.journal.record import pack_frame

DELETED_A_GROUP: Final = 64
"""Frames deleted in one transaction: few enough that nobody waits for it."""

LOOK_MS: Final = 60_000
"""How often the age of the oldest frame is looked at."""


class FrameLimits(NamedTuple):
    """How much may be kept for remotes."""

    max_bytes: int
    max_age_seconds: float


class FramesState(NamedTuple):
    """What a transaction that fails must put back."""

    floor: int
    deleted_through: int
    kept_bytes: int
    behind_floor_bytes: int
    cursors: dict[str, int]
    lost_records: dict[str, int]
    over_limit: bool


class Frames:
    """Knows the frame table's bounds. Changed in the writer thread, inside its transactions."""

    def __init__(self, limits: FrameLimits) -> None:
        self._limits = limits
        self.floor = 0
        """The newest position that the checkpoint covers."""
        self.kept_bytes = 0
        """What all frames take."""
        self.behind_floor_bytes = 0
        """What the frames take that a restart would replay."""
        self.cursors: dict[str, int] = {}
        self.lost_records: dict[str, int] = {}
        """By remote: records that went before it had them."""
        self._deleted_through = 0
        self._over_limit = False
        self._looked_ms = 0

    def load(self, connection: apsw.Connection) -> None:
        """Read where things stand from a file just opened."""
        self.floor = _number(connection, "SELECT value FROM meta WHERE key = 'floor'")
        rows = connection.execute("SELECT remote, position FROM cursor").fetchall()
        self.cursors = {str(remote): int(position) for remote, position in cast(list[tuple[str, int]], rows)}
        total = "SELECT sum(length(body)) FROM frame WHERE position > ?"
        self.kept_bytes = _number(connection, total, 0)
        self.behind_floor_bytes = _number(connection, total, self.floor)
        oldest = _number(connection, "SELECT min(position) FROM frame")
        self._deleted_through = oldest - 1 if oldest else self.floor

    def state(self) -> FramesState:
        """What ``restore`` puts back if the transaction fails."""
        return FramesState(
            self.floor,
            self._deleted_through,
            self.kept_bytes,
            self.behind_floor_bytes,
            self.cursors,
            self.lost_records,
            self._over_limit,
        )

    def restore(self, state: FramesState) -> None:
        self.floor = state.floor
        self._deleted_through = state.deleted_through
        self.kept_bytes = state.kept_bytes
        self.behind_floor_bytes = state.behind_floor_bytes
        self.cursors = state.cursors
        self.lost_records = state.lost_records
        self._over_limit = state.over_limit

    def add(self, records: list[bytes]) -> bytes:
        """The body of the frame that holds *records*, which counts as kept from now on."""
        body = pack_frame(records)
        self.kept_bytes += len(body)
        self.behind_floor_bytes += len(body)
        return body

    def write(self, connection: apsw.Connection, position: int, now_ms: int, records: list[bytes]) -> None:
        """Add the frame of one group commit."""
        values = (position, now_ms, len(records), self.add(records))
        connection.execute("INSERT INTO frame VALUES (?, ?, ?, ?)", values)

    def set_floor(self, connection: apsw.Connection, floor: int) -> None:
        """The checkpoint is complete up to *floor*."""
        query = "SELECT sum(length(body)) FROM frame WHERE position > ? AND position <= ?"
        self.behind_floor_bytes -= _number(connection, query, self.floor, floor)
        self.floor = max(self.floor, floor)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('floor', ?)", (self.floor,))

    def set_cursor(self, connection: apsw.Connection, remote: str, position: int | None) -> None:
        """*remote* has all records up to *position*; ``None`` if nothing is kept for it any more."""
        others = {name: at for name, at in self.cursors.items() if name != remote}
        if position is None:
            self.cursors = others
            connection.execute("DELETE FROM cursor WHERE remote = ?", (remote,))
        else:
            self.cursors = {**others, remote: position}
            connection.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (remote, position))

    @property
    def surplus(self) -> bool:
        """Whether there are frames to delete."""
        return self._deleted_through < self._deletable()

    def due(self, now_ms: int) -> bool:
        """Whether ``delete_surplus`` has something to do, or must look how old the oldest frame is."""
        if self.surplus:
            return True
        if not self.cursors or self._deleted_through >= self.floor:
            return False
        return self.kept_bytes > self._limits.max_bytes or abs(now_ms - self._looked_ms) > LOOK_MS

    def _deletable(self) -> int:
        """The newest position that may go."""
        return self.floor if self._over_limit else min([self.floor, *self.cursors.values()])

    def delete_surplus(self, connection: apsw.Connection, now_ms: int) -> None:
        """Delete a few frames that nobody needs, or that are over the limits."""
        self._looked_ms = now_ms
        kept_for_remotes = bool(self.cursors) and self._deleted_through < self.floor
        self._over_limit = kept_for_remotes and self._is_over(connection, now_ms)
        deletable = self._deletable()
        if self._deleted_through >= deletable:
            return
        through = min(self._deleted_through + DELETED_A_GROUP, deletable)
        size = _number(connection, "SELECT sum(length(body)) FROM frame WHERE position <= ?", through)
        self._count_lost(connection, through)
        connection.execute("DELETE FROM frame WHERE position <= ?", (through,))
        self.kept_bytes -= size
        self._deleted_through = through

    def _is_over(self, connection: apsw.Connection, now_ms: int) -> bool:
        if self.kept_bytes > self._limits.max_bytes:
            return True
        oldest_ms = _number(connection, "SELECT written_ms FROM frame ORDER BY position LIMIT 1")
        return oldest_ms > 0 and now_ms - oldest_ms > self._limits.max_age_seconds * 1000

    def _count_lost(self, connection: apsw.Connection, through: int) -> None:
        for remote, position in self.cursors.items():
            if position < through:
                lost = _number(
                    connection,
                    "SELECT sum(records) FROM frame WHERE position > ? AND position <= ?",
                    position,
                    through,
                )
                known = self.lost_records.get(remote, 0)
                self.lost_records = {**self.lost_records, remote: known + lost}


def _number(connection: apsw.Connection, query: str, *arguments: int) -> int:
    """The first value of the first row, 0 if there is none."""
    row = connection.execute(query, arguments).fetchone()
    return 0 if row is None or row[0] is None else int(row[0])
