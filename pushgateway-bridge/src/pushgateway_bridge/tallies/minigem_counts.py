"""The counts that minigem's statistics are made of: events by the hour, all else by the day, both UTC, for 35 days.

Beside them stand sketches of who was there, by the hour and by day and country. Facts hold totals of a whole hour or
day, so that a push changes two or three of them, and writing one again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from pushgateway_bridge.dialects.minigem_event import (
    INSTALL,
    OTHER,
    PHASES,
    RUN_COMPLETED,
    RUN_ERROR,
    MinigemEvent,
)
from pushgateway_bridge.tallies.minigem_families import EXIT_CODES
from pushgateway_bridge.tallies.tally import Fact
from pushgateway_bridge.tallies.visitors import add_visitors, check_visitors

HOUR_MS: Final = 3_600_000
KEPT_DAYS: Final = 35
HOUR: Final = "hour"
DAY: Final = "day"
VISITORS: Final = "visitors"
COUNTRY_VISITORS: Final = "country_visitors"
INSTALLS: Final = "installs"
KINDS: Final = frozenset({HOUR, DAY, VISITORS, COUNTRY_VISITORS, INSTALLS})

DURATION_BOUNDS_MS: Final = (500, 1000, 3000, 10_000, 30_000, 60_000, 120_000)
"""Of the bins of durations; each bin has its lower bound."""
NAME_CAPS: Final = {"ext": 100, "vscode": 100, "bucket": 30, "country": 300}
"""How many values of each a day may have, OTHER not among them; the others are bounded by what they count."""

WAITS: Final = "waits"
WAIT_MS: Final = "wait_ms"
INTERACTIVE: Final = "interactive"
TRUNCATED: Final = "truncated"
NO_BUCKET: Final = "-"

Totals = Mapping[str, int]
"""Name → total. The name of a value begins with what it is a value of: ``os:linux``."""

_decode_totals = msgspec.msgpack.Decoder(dict[str, int]).decode
_decode_number = msgspec.msgpack.Decoder(int).decode
_KEY_BYTES: Final = 4


class Counts(NamedTuple):
    """What is kept. Hours and days are counted from 1970; the mappings in it are never changed, only replaced."""

    hours: Mapping[int, Totals]
    """Hour → event → how many."""
    days: Mapping[int, Totals]
    """Day → everything else."""
    visitors: Mapping[int, bytes]
    """Hour → who was there, as visitors.py has it."""
    country_visitors: Mapping[tuple[int, str], bytes]
    """Day and country → who was there."""
    installs: int
    """Since the beginning."""


class KeptCounts:
    """The counts on disk, and what is to be deleted of them."""

    def __init__(self) -> None:
        self.hours: dict[int, Totals] = {}
        self.days: dict[int, Totals] = {}
        self.visitors: dict[int, bytes] = {}
        self.country_visitors: dict[tuple[int, str], bytes] = {}
        self.installs = 0
        self._swept_day = -1
        """Nothing of before KEPT_DAYS is left as of this day."""

    def snapshot(self) -> Counts:
        """What is kept now, for a reader in another thread."""
        return Counts(
            dict(self.hours),
            dict(self.days),
            dict(self.visitors),
            dict(self.country_visitors),
            self.installs,
        )

    def restore(self, fact: Fact) -> None:
        """Put back one fact of KINDS. Raises ValueError if it cannot be read."""
        body, number = fact.body or b"", int.from_bytes(fact.key[:_KEY_BYTES], "big")
        if len(fact.key) < _KEY_BYTES and fact.kind != INSTALLS:
            raise ValueError(f"the key of a fact of kind {fact.kind} has {len(fact.key)} bytes")
        match fact.kind:
            case "hour":
                self.hours[number] = _decode_totals(body)
            case "day":
                self.days[number] = _decode_totals(body)
            case "visitors":
                check_visitors(body)
                self.visitors[number] = body
            case "country_visitors":
                check_visitors(body)
                self.country_visitors[number, fact.key[_KEY_BYTES:].decode()] = body
            case _:
                self.installs = _decode_number(body)

    def outdated(self, now_ms: int, most: int) -> list[Fact]:
        """Facts to delete by now, at most so many."""
        today = now_ms // HOUR_MS // 24
        if today == self._swept_day:
            return []
        oldest = today - KEPT_DAYS
        found = [Fact(HOUR, _key(hour), None) for hour in self.hours if hour // 24 < oldest]
        found += [Fact(VISITORS, _key(hour), None) for hour in self.visitors if hour // 24 < oldest]
        found += [Fact(DAY, _key(day), None) for day in self.days if day < oldest]
        found += [
            Fact(COUNTRY_VISITORS, _key(day) + country.encode(), None)
            for day, country in self.country_visitors
            if day < oldest
        ]
        if not found:
            self._swept_day = today
        return found[:most]

    def forget(self, fact: Fact) -> None:
        """Forget what was deleted."""
        number = int.from_bytes(fact.key[:_KEY_BYTES], "big")
        match fact.kind:
            case "hour":
                self.hours.pop(number, None)
            case "visitors":
                self.visitors.pop(number, None)
            case "day":
                self.days.pop(number, None)
            case _:
                self.country_visitors.pop((number, fact.key[_KEY_BYTES:].decode()), None)


class CountsDraft:
    """What the events of one push change of *base*."""

    def __init__(self, base: KeptCounts) -> None:
        self._base = base
        self._hours: dict[int, dict[str, int]] = {}
        """What is added, not totals, until ``facts`` is asked; the same below."""
        self._days: dict[int, dict[str, int]] = {}
        self._visitors: dict[int, set[int]] = {}
        self._country_visitors: dict[tuple[int, str], set[int]] = {}
        self._installs = 0
        self._new = Counts({}, {}, {}, {}, base.installs)

    def add(self, event: MinigemEvent, hash64: int | None) -> None:
        """Count *event*; *hash64* is a keyed hash of whose it is, ``None`` if that shall not be counted."""
        hour = max(event.time_ms, 0) // HOUR_MS
        day = hour // 24
        names = self._hours.get(hour)
        if names is None:
            names = self._hours[hour] = {}
        evt = event.evt
        names[evt] = names.get(evt, 0) + 1
        names = self._days.get(day)
        if names is None:
            names = self._days[day] = {}
        for name in (
            f"os:{event.os}",
            f"ext:{event.ext}",
            f"vscode:{event.vscode}",
            f"country:{event.country}",
        ):
            names[name] = names.get(name, 0) + 1
        if hash64 is not None:
            self._visitors.setdefault(hour, set()).add(hash64)
            self._country_visitors.setdefault((day, event.country), set()).add(hash64)
        if evt == RUN_COMPLETED:
            _add_completed(names, event)
        elif evt == RUN_ERROR:
            if event.phase in PHASES:
                _add(names, f"phase:{event.phase}", 1)
        elif evt == INSTALL:
            self._installs += 1

    def facts(self) -> Iterator[Fact]:
        """What is to be written: the new totals of all that changed."""
        base, new = self._base, self._new
        hours: dict[int, Totals] = new.hours  # type: ignore[assignment]  # they are this draft's own
        days: dict[int, Totals] = new.days  # type: ignore[assignment]
        visitors: dict[int, bytes] = new.visitors  # type: ignore[assignment]
        countries: dict[tuple[int, str], bytes] = new.country_visitors  # type: ignore[assignment]
        for hour, added in self._hours.items():
            totals = hours[hour] = _with(base.hours.get(hour, {}), added)
            yield Fact(HOUR, _key(hour), msgspec.msgpack.encode(totals))
        for day, added in self._days.items():
            totals = days[day] = _with(base.days.get(day, {}), added)
            yield Fact(DAY, _key(day), msgspec.msgpack.encode(totals))
        for hour, hashes in self._visitors.items():
            body = add_visitors(base.visitors.get(hour), hashes)
            if body is not None:
                visitors[hour] = body
                yield Fact(VISITORS, _key(hour), body)
        for (day, country), hashes in self._country_visitors.items():
            if f"country:{country}" not in days[day]:
                continue  # the day has as many countries as it may
            body = add_visitors(base.country_visitors.get((day, country)), hashes)
            if body is not None:
                countries[day, country] = body
                yield Fact(COUNTRY_VISITORS, _key(day) + country.encode(), body)
        if self._installs:
            self._new = new._replace(installs=base.installs + self._installs)
            yield Fact(INSTALLS, b"", msgspec.msgpack.encode(self._new.installs))

    def take(self) -> None:
        """Make what ``facts`` gave the base of the next draft."""
        base, new = self._base, self._new
        base.hours.update(new.hours)
        base.days.update(new.days)
        base.visitors.update(new.visitors)
        base.country_visitors.update(new.country_visitors)
        base.installs = new.installs


def _add(names: dict[str, int], name: str, number: int) -> None:
    names[name] = names.get(name, 0) + number


def _add_completed(names: dict[str, int], event: MinigemEvent) -> None:
    _add(names, f"exit:{EXIT_CODES.get(event.exit, OTHER)}", 1)
    _add(names, f"bucket:{event.bucket or NO_BUCKET}", 1)
    if event.duration_ms is not None:
        _add(names, f"duration:{duration_bin(event.duration_ms)}", 1)
    if event.wait_ms is not None:
        _add(names, WAITS, 1)
        _add(names, WAIT_MS, event.wait_ms)
    if event.interactive:
        _add(names, INTERACTIVE, 1)
    if event.truncated:
        _add(names, TRUNCATED, 1)


def duration_bin(duration_ms: int) -> int:
    """The number of the bin that a duration is in."""
    return sum(1 for bound in DURATION_BOUNDS_MS if duration_ms >= bound)


def _with(totals: Totals, added: Mapping[str, int]) -> Totals:
    """*totals* with what is added; of a name over its cap's the value is OTHER."""
    new = dict(totals)
    for name, number in added.items():
        if name not in new:
            kind = name.partition(":")[0]
            most = NAME_CAPS.get(kind)
            if most is not None and sum(1 for known in new if known.startswith(f"{kind}:")) >= most:
                name = f"{kind}:{OTHER}"  # noqa: PLW2901 - the value that stands for all others
        new[name] = new.get(name, 0) + number
    return new


def _key(number: int) -> bytes:
    return number.to_bytes(_KEY_BYTES, "big")
