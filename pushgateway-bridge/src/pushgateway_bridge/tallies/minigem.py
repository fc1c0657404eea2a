"""What becomes of minigem's events: metrics of one push group, counts by the hour and day, sessions, opt-outs.

Ids are keyed hashes as soon as they come in, and nothing else of them is kept. Somebody who opted out is counted once
for that, and not again before opting in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Final

import msgspec

from pushgateway_bridge.dialects.minigem_event import (
    OPT_IN,
    OPT_OUT,
    OTHER,
    RUN_COMPLETED,
    RUN_ERROR,
    RUN_STARTED,
    UNKNOWN,
    MinigemEvent,
    MinigemSkips,
)
from pushgateway_bridge.model.additions import Distinct, Increment, Observation
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet
from pushgateway_bridge.model.report import GroupReport, Report
from pushgateway_bridge.tallies.caps import Caps
from pushgateway_bridge.tallies.minigem_counts import KINDS, NO_BUCKET, Counts, CountsDraft, KeptCounts
from pushgateway_bridge.tallies.minigem_families import (
    ACTIVE_SESSIONS,
    BY_COUNTRY,
    BY_EDITOR,
    BY_EXTENSION,
    BY_OS,
    CAPS,
    EVENTS,
    EXCEPTIONS,
    EXIT_CODES,
    GROUP,
    RUN_DURATION,
    RUN_ERRORS,
    RUN_OUTPUT,
    RUN_WAIT,
    RUNS_COMPLETED,
    RUNS_INTERACTIVE,
    RUNS_STARTED,
    RUNS_TRUNCATED,
    SHAPE,
    SKIPPED,
    USERS,
)
from pushgateway_bridge.tallies.minigem_rows import MAX_ROWS, Row, encode_rows, row_of
from pushgateway_bridge.tallies.minigem_sessions import KIND as SESSION
from pushgateway_bridge.tallies.minigem_sessions import Sessions, SessionsDraft
from pushgateway_bridge.tallies.tally import Fact, Plan

OPTED_OUT: Final = "opted_out"
"""Why an event is skipped, and the kind of the fact that says so."""
OPTOUT: Final = "optout"
MAX_OPTED_OUT: Final = 200_000
"""Who opts out when there are so many is not remembered."""
MAX_DELETED: Final = 500
"""Facts that one plan deletes."""
HASH_BYTES: Final = 16
_REMEMBERED: Final = b"\x01"


class MinigemTally:
    """The state of minigem beyond its series. *secret* gives the key of all hashes, of 16 to 64 bytes."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret
        self._caps = Caps(CAPS)
        self._counts = KeptCounts()
        self._sessions = Sessions()
        self._opted_out: set[bytes] = set()
        self._shown = 0.0
        """Active sessions as the series has them; not a number if that is not known."""

    def restore(self, facts: Iterable[Fact], series: Iterable[tuple[Family, LabelSet]], now_ms: int) -> None:
        """Begin anew with what is on disk. A fact that cannot be read is left out."""
        self._counts = KeptCounts()
        self._opted_out = set()
        sessions = []
        for fact in facts:
            if fact.kind == SESSION:
                sessions.append(fact)
            elif fact.kind == OPTOUT:
                self._opted_out.add(fact.key)
            elif fact.kind in KINDS:
                try:
                    self._counts.restore(fact)
                except (ValueError, msgspec.DecodeError):
                    continue
        self._sessions = Sessions(sessions, now_ms)
        held = list(series)
        self._caps.restore(held)
        self._shown = math.nan if any(family.name == ACTIVE_SESSIONS.name for family, _ in held) else 0.0

    def counts(self) -> Counts:
        """What is kept now; another thread may read it."""
        return self._counts.snapshot()

    def active_sessions(self, now_ms: int) -> int:
        """How many sessions are active at *now_ms* (Unix)."""
        return self._sessions.active_at(now_ms)

    # Plans

    def plan(self, report: Report, received_ms: int) -> Plan:
        """What the events of *report* change."""
        draft = _Draft(
            self._secret(),
            self._opted_out,
            CountsDraft(self._counts),
            SessionsDraft(self._sessions, received_ms),
        )
        for one in report.events:
            if isinstance(one, MinigemEvent):
                draft.add(one)
            elif isinstance(one, MinigemSkips):
                _count(draft.skipped, one.reason, one.items)
        dropped = draft.skipped.get(OPTED_OUT, 0)
        group = draft.group(self._caps)
        planned = msgspec.structs.replace(
            report,
            groups=() if group is None else (group,),
            accepted=report.accepted - dropped,
            skipped=report.skipped + dropped,
            entry=draft.entry(),
            events=(),
        )
        return Plan(planned, list(draft.facts()), partial(self._take, draft))

    def _take(self, draft: _Draft) -> None:
        draft.counts.take()
        self._sessions.take(draft.sessions.changed)
        for key, out in draft.opted.items():
            (self._opted_out.add if out else self._opted_out.discard)(key)
        if draft.active is not None:
            self._shown = draft.active

    def plan_time(self, now_ms: int) -> Plan | None:
        """Sessions that are not active any more, and facts that are too old."""
        expired = self._sessions.expired(now_ms, MAX_DELETED)
        outdated = self._counts.outdated(now_ms, MAX_DELETED - len(expired))
        active = float(self._sessions.active_without(expired))
        if not expired and not outdated and active == self._shown:
            return None
        changed = () if active == self._shown else (GroupReport(GROUP, SHAPE, [active]),)
        facts = [*(Fact(SESSION, key, None) for key in expired), *outdated]
        return Plan(Report(changed), facts, partial(self._take_time, expired, outdated, active))

    def _take_time(self, expired: Sequence[bytes], outdated: Sequence[Fact], active: float) -> None:
        self._sessions.forget(expired)
        for fact in outdated:
            self._counts.forget(fact)
        self._shown = active


def _count(counts: dict[str, int], value: str, number: int = 1) -> None:
    counts[value] = counts.get(value, 0) + number


class _Draft:
    """What the events of one push change, summed up."""

    def __init__(
        self, secret: bytes, opted_out: set[bytes], counts: CountsDraft, sessions: SessionsDraft
    ) -> None:
        self._secret = secret
        self._opted_out = opted_out
        self.counts = counts
        self.sessions = sessions
        self.opted: dict[bytes, bool] = {}
        """Who opted out (true) or in."""
        self.active: float | None = None
        self.skipped: dict[str, int] = {}
        self._events: dict[str, int] = {}
        self._os: dict[str, int] = {}
        self._ext: dict[str, int] = {}
        self._vscode: dict[str, int] = {}
        self._country: dict[str, int] = {}
        self._exit: dict[str, int] = {}
        self._bucket: dict[str, int] = {}
        self._phase: dict[str, int] = {}
        self._started = self._interactive = self._truncated = 0
        self._observations: list[Observation] = []
        self._anons: dict[str, bytes] = {}
        self._users: dict[bytes, int] = {}
        """Who is counted as a user: keyed hash → the 64 bits of it that are counted."""
        self._exceptions: dict[str, bytes] = {}
        self._shown: list[tuple[MinigemEvent, bytes, bytes | None]] = []

    def _hash(self, what: bytes, text: str) -> bytes:
        """A keyed hash of *text*, which is a *what*: equal ids of different kinds have different hashes."""
        data = text.encode(errors="surrogatepass")
        return blake2b(data, key=self._secret, digest_size=HASH_BYTES, person=what).digest()

    def add(self, event: MinigemEvent) -> None:
        """Count *event*, unless whose it is opted out."""
        text, evt = event.anon, event.evt
        anon = self._anons.get(text)
        if anon is None:
            anon = self._anons[text] = self._hash(b"anon", text)
        if evt == OPT_IN:
            if self._is_out(anon):
                self.opted[anon] = False
        elif self._is_out(anon):
            _count(self.skipped, OPTED_OUT)
            return
        _count(self._events, evt)
        _count(self._os, event.os)
        _count(self._ext, event.ext)
        _count(self._vscode, event.vscode)
        _count(self._country, event.country or UNKNOWN)
        if evt == OPT_OUT:
            self.counts.add(event, None)
            if len(self._opted_out) + len(self.opted) < MAX_OPTED_OUT:
                self.opted[anon] = True
            return
        hash64 = self._users.get(anon)
        if hash64 is None:
            hash64 = self._users[anon] = int.from_bytes(anon[:8], "big")
        self.counts.add(event, hash64)
        session = None
        if event.session:
            session = self._hash(b"session", event.session)
            self.sessions.add(session, event.time_ms, completed=evt == RUN_COMPLETED)
        if event.exception and event.exception not in self._exceptions:
            self._exceptions[event.exception] = self._hash(b"exception", event.exception)
        if evt == RUN_COMPLETED:
            self._add_completed(event)
        elif evt == RUN_STARTED:
            self._started += 1
        elif evt == RUN_ERROR:
            _count(self._phase, event.phase)
        self._shown.append((event, anon, session))

    def _is_out(self, anon: bytes) -> bool:
        out = self.opted.get(anon)
        return anon in self._opted_out if out is None else out

    def _add_completed(self, event: MinigemEvent) -> None:
        _count(self._exit, EXIT_CODES.get(event.exit, OTHER))
        _count(self._bucket, event.bucket or NO_BUCKET)
        if event.duration_ms is not None:
            self._observations.append(Observation(RUN_DURATION, (), event.duration_ms / 1000))
        if event.wait_ms is not None:
            self._observations.append(Observation(RUN_WAIT, (), event.wait_ms / 1000))
        self._interactive += event.interactive
        self._truncated += event.truncated

    # What comes out

    def group(self, caps: Caps) -> GroupReport | None:
        """What is set and counted; ``None`` if there were no items."""
        if not self._events and not self.skipped:
            return None
        self.active = float(self.sessions.active())
        return GroupReport(
            GROUP,
            SHAPE,
            [self.active],
            increments=self._increments(caps),
            observations=self._observations,
            distinct=[
                *(Distinct(USERS, (), hash64) for hash64 in self._users.values()),
                *(
                    Distinct(EXCEPTIONS, (), int.from_bytes(exception[:8], "big"))
                    for exception in self._exceptions.values()
                ),
            ],
        )

    def _increments(self, caps: Caps) -> list[Increment]:
        found = []
        for family, label, counts in (
            (EVENTS, "event", self._events),
            (SKIPPED, "reason", self.skipped),
            (BY_OS, "os", self._os),
            (BY_EXTENSION, "version", self._ext),
            (BY_EDITOR, "version", self._vscode),
            (BY_COUNTRY, "country", self._country),
            (RUNS_COMPLETED, "exit_code", self._exit),
            (RUN_OUTPUT, "bucket", self._bucket),
            (RUN_ERRORS, "phase", self._phase),
        ):
            if counts:
                admitted = (
                    _admitted(caps, family.name, label, counts) if (family.name, label) in CAPS else counts
                )
                for value, number in admitted.items():
                    found.append(Increment(family, ((label, value),), float(number)))
        for family, number in (
            (RUNS_STARTED, self._started),
            (RUNS_INTERACTIVE, self._interactive),
            (RUNS_TRUNCATED, self._truncated),
        ):
            if number:
                found.append(Increment(family, (), float(number)))
        return found

    def entry(self) -> bytes | None:
        """The recent entry: the newest of the events; ``None`` if there is none to show."""
        if not self._shown:
            return None
        return encode_rows([self._row(*shown) for shown in self._shown[-MAX_ROWS:]])

    def _row(self, event: MinigemEvent, anon: bytes, session: bytes | None) -> Row:
        return row_of(event, anon, session, self._exceptions.get(event.exception))

    def facts(self) -> Iterator[Fact]:
        """What is remembered of them."""
        yield from self.counts.facts()
        yield from self.sessions.facts()
        for key, out in self.opted.items():
            if out or key in self._opted_out:
                yield Fact(OPTOUT, key, _REMEMBERED if out else None)


def _admitted(caps: Caps, family: str, label: str, counts: Mapping[str, int]) -> dict[str, int]:
    """*counts* with values over the cap together as one."""
    admitted: dict[str, int] = {}
    for value, number in counts.items():
        _count(admitted, caps.admit(family, label, value), number)
    return admitted
