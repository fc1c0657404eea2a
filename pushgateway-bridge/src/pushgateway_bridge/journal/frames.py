"""Which frames the journal keeps: those that a restart would replay, and those that a remote still wants.

Frames up to the floor are covered by the checkpoint. Of these the ones that all cursors have passed are surplus.
When the frames take more room than they may, or the oldest is older than it may be, frames that a remote still
wants go too, and are counted: one dead remote must not stop all pushes. Frames behind the floor never go: the
state would go with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, cast

import apsw

from pushgateway_bridge.journal.record import pack_frame

DELETED_A_GROUP: Final = 64
"""Frames deleted in one transaction: few enough that nobody waits for it."""

LOOK_MS: Final = 60_000
"""How often the age of the oldest frame is looked at."""


class RemoteLimits(NamedTuple):
    """How much may be kept for one remote; 0 if the journal's own limits are enough."""

    max_bytes: int
    max_age_seconds: float


class FrameLimits(NamedTuple):
    """How much may be kept for remotes."""

    max_bytes: int
    max_age_seconds: float
    remotes: Mapping[str, RemoteLimits] = {}


class Pending(NamedTuple):
    """What a remote has not confirmed."""

    samples: int = 0
    bytes: int = 0
    oldest_ms: int = 0
    """When the oldest frame of it was written (Unix), 0 if there is none."""


class FramesState(NamedTuple):
    """What a transaction that fails must put back."""

    floor: int
    deleted_through: int
    kept_bytes: int
    behind_floor_bytes: int
    cursors: dict[str, int]
    lost_samples: dict[str, int]
    pending: dict[str, Pending]
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
        self.lost_samples: dict[str, int] = {}
        """By remote: samples that went before it had them."""
        self.pending: dict[str, Pending] = {}
        """By remote: what stands behind its cursor."""
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
        self.pending = {
            remote: _pending_behind(connection, position) for remote, position in self.cursors.items()
        }
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
            self.lost_samples,
            self.pending,
            self._over_limit,
        )

    def restore(self, state: FramesState) -> None:
        self.floor = state.floor
        self._deleted_through = state.deleted_through
        self.kept_bytes = state.kept_bytes
        self.behind_floor_bytes = state.behind_floor_bytes
        self.cursors = state.cursors
        self.lost_samples = state.lost_samples
        self.pending = state.pending
        self._over_limit = state.over_limit

    def add(self, now_ms: int, records: list[bytes], samples: int) -> bytes:
        """The body of the frame that holds *records*, which counts as kept from now on."""
        body = pack_frame(records)
        self.kept_bytes += len(body)
        self.behind_floor_bytes += len(body)
        if self.cursors:
            self.pending = {
                remote: Pending(had.samples + samples, had.bytes + len(body), had.oldest_ms or now_ms)
                for remote, had in self.pending.items()
            }
        return body

    def write(
        self, connection: apsw.Connection, position: int, now_ms: int, records: list[bytes], samples: int
    ) -> None:
        """Add the frame of one group commit."""
        values = (position, now_ms, len(records), samples, self.add(now_ms, records, samples))
        connection.execute("INSERT INTO frame VALUES (?, ?, ?, ?, ?)", values)

    def set_floor(self, connection: apsw.Connection, floor: int) -> None:
        """The checkpoint is complete up to *floor*."""
        query = "SELECT sum(length(body)) FROM frame WHERE position > ? AND position <= ?"
        self.behind_floor_bytes -= _number(connection, query, self.floor, floor)
        self.floor = max(self.floor, floor)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('floor', ?)", (self.floor,))

    def set_cursor(self, connection: apsw.Connection, remote: str, position: int | None) -> None:
        """*remote* has all records up to *position*; ``None`` if nothing is kept for it any more."""
        others = {name: at for name, at in self.cursors.items() if name != remote}
        pending = {name: had for name, had in self.pending.items() if name != remote}
        if position is None:
            self.cursors, self.pending = others, pending
            connection.execute("DELETE FROM cursor WHERE remote = ?", (remote,))
        else:
            before = self.cursors.get(remote)
            position = max(position, before or 0)
            if before is None:
                behind = _pending_behind(connection, position)
            else:
                behind = self._without(connection, self.pending[remote], before, position)
            self.cursors, self.pending = {**others, remote: position}, {**pending, remote: behind}
            connection.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (remote, position))
        if self.cursors:
            passed = min(self.cursors.values())
            connection.execute("DELETE FROM removal WHERE position <= ?", (passed,))
        else:
            connection.execute("DELETE FROM removal")

    @staticmethod
    def _without(connection: apsw.Connection, pending: Pending, after: int, through: int) -> Pending:
        """*pending* without the frames behind *after* up to *through*."""
        samples, size = _passed(connection, after, through)
        oldest = "SELECT written_ms FROM frame WHERE position > ? ORDER BY position LIMIT 1"
        return Pending(
            pending.samples - samples, pending.bytes - size, _number(connection, oldest, max(after, through))
        )

    @property
    def surplus(self) -> bool:
        """Whether there are frames to delete."""
        return self._deleted_through < self._deletable()

    def due(self, now_ms: int) -> bool:
        """Whether ``delete_surplus`` has something to do, or must look how old the oldest frame is."""
        if self.surplus or self._over_own_limits(now_ms):
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
        for remote in self._over_own_limits(now_ms):
            self._drop_oldest_of(connection, remote)
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

    def _over_own_limits(self, now_ms: int) -> list[str]:
        """Remotes for which more is kept than their own limits let."""
        over = []
        for remote, limits in self._limits.remotes.items():
            _, size, oldest_ms = self.pending.get(remote, Pending())
            too_old = (
                limits.max_age_seconds and oldest_ms and now_ms - oldest_ms > limits.max_age_seconds * 1000
            )
            if too_old or (limits.max_bytes and size > limits.max_bytes):
                over.append(remote)
        return over

    def _drop_oldest_of(self, connection: apsw.Connection, remote: str) -> None:
        """Move the cursor of *remote* over a few frames that it does not have."""
        position = self.cursors[remote]
        oldest = "SELECT max(position) FROM (SELECT position FROM frame WHERE position > ? ORDER BY position LIMIT ?)"
        through = _number(connection, oldest, position, DELETED_A_GROUP)
        lost, _ = _passed(connection, position, through)
        self.lost_samples = {**self.lost_samples, remote: self.lost_samples.get(remote, 0) + lost}
        self.set_cursor(connection, remote, through)

    def _is_over(self, connection: apsw.Connection, now_ms: int) -> bool:
        if self.kept_bytes > self._limits.max_bytes:
            return True
        oldest_ms = _number(connection, "SELECT written_ms FROM frame ORDER BY position LIMIT 1")
        return oldest_ms > 0 and now_ms - oldest_ms > self._limits.max_age_seconds * 1000

    def _count_lost(self, connection: apsw.Connection, through: int) -> None:
        for remote, position in self.cursors.items():
            if position < through:
                lost, _ = _passed(connection, position, through)
                self.lost_samples = {
                    **self.lost_samples,
                    remote: self.lost_samples.get(remote, 0) + lost,
                }
                behind = self._without(connection, self.pending[remote], position, through)
                self.pending = {**self.pending, remote: behind}


def _passed(connection: apsw.Connection, after: int, through: int) -> tuple[int, int]:
    """Samples and bytes of the frames behind *after* up to *through*."""
    query = "SELECT sum(samples), sum(length(body)) FROM frame WHERE position > ? AND position <= ?"
    row = connection.execute(query, (after, through)).fetchone()
    assert row is not None
    return int(row[0] or 0), int(row[1] or 0)


def _pending_behind(connection: apsw.Connection, position: int) -> Pending:
    """What the file holds behind *position*."""
    query = "SELECT sum(samples), sum(length(body)) FROM frame WHERE position > ?"
    row = connection.execute(query, (position,)).fetchone()
    assert row is not None
    oldest = "SELECT written_ms FROM frame WHERE position > ? ORDER BY position LIMIT 1"
    return Pending(int(row[0] or 0), int(row[1] or 0), _number(connection, oldest, position))


def _number(connection: apsw.Connection, query: str, *arguments: int) -> int:
    """The first value of the first row, 0 if there is none."""
    row = connection.execute(query, arguments).fetchone()
    return 0 if row is None or row[0] is None else int(row[0])
