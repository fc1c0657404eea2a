"""Which of minigem's sessions are active: an event in the last ten minutes, and no run that completed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from pushgateway_bridge.tallies.tally import Fact

ACTIVE_MS: Final = 10 * 60 * 1000
WRITTEN_MS: Final = 60 * 1000
"""How far a session on disk may be behind."""
MAX_SESSIONS: Final = 50_000
"""More are not looked at."""
KIND: Final = "session"

_decoder = msgspec.msgpack.Decoder(tuple[int, bool])


class Session(NamedTuple):
    """*last_ms* is its newest event's time (Unix), *written_ms* the one that is on disk."""

    last_ms: int
    completed: bool
    written_ms: int


class Sessions:
    """The sessions of the last ten minutes by the keyed hash of their id."""

    def __init__(self, facts: Iterable[Fact] = (), now_ms: int = 0) -> None:
        """As *facts* have them at *now_ms* (Unix). Those that cannot be read are deleted later."""
        self.all: dict[bytes, Session] = {}
        self.active = 0
        self._gone: dict[bytes, None] = {}
        """Those that are on disk only, and to be deleted there."""
        self._look_at_ms = 0
        """Before this time (Unix) none can have expired."""
        for fact in facts:
            try:
                last_ms, completed = _decoder.decode(fact.body or b"")
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._gone[fact.key] = None
                continue
            if last_ms <= now_ms - ACTIVE_MS or len(self.all) >= MAX_SESSIONS:
                self._gone[fact.key] = None
            else:
                self.all[fact.key] = Session(last_ms, completed, last_ms)
                self.active += not completed

    def active_at(self, now_ms: int) -> int:
        """How many are active at *now_ms* (Unix), whether the expired ones were deleted yet or not."""
        oldest_ms = now_ms - ACTIVE_MS
        return sum(1 for one in self.all.values() if not one.completed and one.last_ms > oldest_ms)

    def take(self, changed: dict[bytes, Session]) -> None:
        """Make what a draft changed the base of the next one."""
        for key, session in changed.items():
            known = self.all.get(key)
            self.active += (not session.completed) - (known is not None and not known.completed)
            self.all[key] = session
            self._gone.pop(key, None)
            self._look_at_ms = min(self._look_at_ms, session.last_ms + ACTIVE_MS)

    def expired(self, now_ms: int, most: int) -> list[bytes]:
        """Keys to delete by now, at most so many."""
        gone = list(self._gone)[:most]
        if now_ms < self._look_at_ms or len(gone) >= most:
            return gone
        oldest_ms = now_ms - ACTIVE_MS
        expired = [key for key, session in self.all.items() if session.last_ms <= oldest_ms]
        if not expired:
            self._look_at_ms = ACTIVE_MS + min(
                (session.last_ms for session in self.all.values()), default=now_ms
            )
        return (gone + expired)[:most]

    def active_without(self, keys: Iterable[bytes]) -> int:
        """How many are active when *keys* are gone."""
        return self.active - sum(1 for key in keys if key in self.all and not self.all[key].completed)

    def forget(self, keys: Iterable[bytes]) -> None:
        """Forget sessions that were deleted."""
        keys = list(keys)
        self.active = self.active_without(keys)
        for key in keys:
            self.all.pop(key, None)
            self._gone.pop(key, None)


class SessionsDraft:
    """What the events of one push change of *base*."""

    def __init__(self, base: Sessions, received_ms: int) -> None:
        self._base = base
        self._received_ms = received_ms
        self.changed: dict[bytes, Session] = {}

    def add(self, key: bytes, time_ms: int, *, completed: bool) -> None:
        """Count an event of a session, unless it is too old to make one active."""
        known = self.changed.get(key) or self._base.all.get(key)
        if known is not None:
            time_ms = max(time_ms, known.last_ms)
            completed = completed or known.completed
        elif (
            time_ms <= self._received_ms - ACTIVE_MS
            or len(self._base.all) + len(self.changed) >= MAX_SESSIONS
        ):
            return
        self.changed[key] = Session(
            min(time_ms, self._received_ms), completed, known.written_ms if known is not None else 0
        )

    def active(self) -> int:
        """How many are active then."""
        active = self._base.active
        for key, session in self.changed.items():
            known = self._base.all.get(key)
            active += (not session.completed) - (known is not None and not known.completed)
        return active

    def facts(self) -> Iterator[Fact]:
        """What is to be written: new sessions, completed ones, and others now and then."""
        for key, session in self.changed.items():
            known = self._base.all.get(key)
            if (
                known is None
                or known.completed != session.completed
                or session.last_ms - known.written_ms >= WRITTEN_MS
            ):
                self.changed[key] = session._replace(written_ms=session.last_ms)
                yield Fact(KIND, key, msgspec.msgpack.encode((session.last_ms, session.completed)))
