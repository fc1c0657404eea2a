"""The documents of minigem's ``/stats`` and ``/debug/counts``. Pure.

They are made of what is kept: counts by the hour and the day, sketches of visitors, and the newest entries. What the
original reads from its whole table, sessions and exceptions, comes from the entries alone. All days and hours are UTC.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple, TypeVar

from pushgateway_bridge.dialects.minigem_event import INSTALL, RUN_COMPLETED, RUN_STARTED
from pushgateway_bridge.model.timestamps import format_iso8601_ms
from pushgateway_bridge.tallies.continents import CONTINENT_OF
from pushgateway_bridge.tallies.minigem_counts import (
    DURATION_BOUNDS_MS,
    HOUR_MS,
    INTERACTIVE,
    KEPT_DAYS,
    TRUNCATED,
    WAIT_MS,
    WAITS,
    Counts,
)
from pushgateway_bridge.tallies.minigem_recent import MAX_TOP, Document, ranked_runs, recent_sessions
from pushgateway_bridge.tallies.minigem_rows import Row
from pushgateway_bridge.tallies.visitors import Union

EPOCH: Final = date(1970, 1, 1)
UNKNOWN: Final = "Unknown"
MAX_LISTED_DAYS: Final = 366
"""Of a longer range only the days that are kept are listed."""
MAX_EXCEPTIONS: Final = 50
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

K = TypeVar("K")


class Range(NamedTuple):
    """Days that a document covers, both included, counted from 1970."""

    first: int
    last: int

    def __contains__(self, day: object) -> bool:
        return isinstance(day, int) and self.first <= day <= self.last


def read_range(text_from: str, text_to: str, now_ms: int, window_days: int) -> Range:
    """The range between two dates if both are there, valid and in order; else the last *window_days* days."""
    first, last = _day_of(text_from), _day_of(text_to)
    if first is not None and last is not None and first <= last:
        return Range(first, last)
    today = now_ms // HOUR_MS // 24
    return Range(today - window_days + 1, today)


def _day_of(text: str) -> int | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return (date.fromisoformat(text) - EPOCH).days
    except ValueError:
        return None


def _date_text(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()


def stats_document(
    counts: Counts, rows: Sequence[Row], days: Range, now_ms: int, window_days: int, active_sessions: int
) -> Document:
    """``/stats`` with every key. *rows* are those of the newest entries, oldest first."""
    seen = _Seen(counts, days)
    named = _names_of(total for day, total in counts.days.items() if day in days)
    events, hits = _events_in(counts, days)
    total = events.total()
    shown = [row for row in rows if row.t // HOUR_MS // 24 in days]
    exceptions = Counter(row.exception for row in shown if row.exception)
    started, completed = events[RUN_STARTED], events[RUN_COMPLETED]
    exits = named.get("exit", Counter())
    listed = _listed_days(days, now_ms)
    weekdays = [0] * 7
    for day, number in hits.days.items():
        weekdays[(day + 4) % 7] += number  # the first of January 1970 was a Thursday
    return {
        "from": _date_text(days.first),
        "to": _date_text(days.last),
        "windowDays": window_days,
        "total": total,
        "uniques": seen.all.count(),
        "osTypes": len(named.get("os", ())),
        "extTypes": len(named.get("ext", ())),
        "vscodeTypes": len(named.get("vscode", ())),
        "daily": {
            "dates": [_date_text(day) for day in listed],
            "hits": [hits.days[day] for day in listed],
            "uniques": [seen.days[day].count() if day in seen.days else 0 for day in listed],
        },
        "dailyOs": _daily_os(counts, listed),
        "byEvent": _ordered(events),
        "byOs": _ordered(named.get("os")),
        "byExt": _ordered(named.get("ext")),
        "byVscode": _ordered(named.get("vscode")),
        "hourly": [hits.hours[hour] for hour in range(24)],
        "hourlyVisitors": [seen.hours[hour].count() if hour in seen.hours else 0 for hour in range(24)],
        "dow": weekdays,
        "runs": {"started": started, "completed": completed},
        "errors": _errors(named.get("phase", Counter()), started),
        "durations": _durations(named),
        "exitCodes": _ordered(exits),
        "outputBuckets": _ordered(named.get("bucket")),
        "interactiveRate": _rate(named.get(INTERACTIVE, Counter()).total(), completed),
        "truncationRate": _rate(named.get(TRUNCATED, Counter()).total(), completed),
        "topExceptions": _ordered(exceptions, MAX_EXCEPTIONS),
        "geo": _geo(named.get("country", Counter()), seen),
        "activeSessions": active_sessions,
        "installsTotal": counts.installs,
        "installsWindow": events[INSTALL],
        "sessionsRecent": recent_sessions(shown),
        "dailyLearningOutcomes": _outcomes(counts, listed),
        "sessions": ranked_runs(shown),
        "tables": {
            "eventsTop": _table(events, "event", total),
            "extTop": _table(named.get("ext"), "ext", total),
            "vscodeTop": _table(named.get("vscode"), "vscode", total),
            "exitTop": _table(exits, "exit", total),
            "exceptionsTop": _table(exceptions, "hash", total),
        },
    }


class _Hits(NamedTuple):
    """Events by day, and by hour of the day."""

    days: Counter[int]
    hours: Counter[int]


def _events_in(counts: Counts, days: Range) -> tuple[Counter[str], _Hits]:
    events: Counter[str] = Counter()
    hits = _Hits(Counter(), Counter())
    for hour, totals in counts.hours.items():
        day = hour // 24
        if day in days:
            events.update(totals)
            number = sum(totals.values())
            hits.days[day] += number
            hits.hours[hour % 24] += number
    return events, hits


def _names_of(days: Iterable[Mapping[str, int]]) -> dict[str, Counter[str]]:
    """Kind → value → how many in all of *days*. What has no values has the empty one."""
    named: dict[str, Counter[str]] = {}
    for totals in days:
        for name, number in totals.items():
            kind, _, value = name.partition(":")
            named.setdefault(kind, Counter())[value] += number
    return named


class _Seen:
    """Who was there in a range: in all of it, by day, by hour of the day, by country and continent."""

    def __init__(self, counts: Counts, days: Range) -> None:
        self.all = Union()
        self.days: dict[int, Union] = {}
        self.hours: dict[int, Union] = {}
        self.countries: dict[str, Union] = {}
        self.continents: dict[str, Union] = {}
        for hour, body in counts.visitors.items():
            if hour // 24 in days:
                self.all.add(body)
                _unite(self.days, hour // 24, body)
                _unite(self.hours, hour % 24, body)
        for (day, country), body in counts.country_visitors.items():
            if day in days:
                _unite(self.countries, country or UNKNOWN, body)
                _unite(self.continents, CONTINENT_OF.get(country, UNKNOWN), body)


def _unite(unions: dict[K, Union], key: K, body: bytes) -> None:
    if key not in unions:
        unions[key] = Union()
    unions[key].add(body)


def _listed_days(days: Range, now_ms: int) -> range:
    first, last = days
    if last - first >= MAX_LISTED_DAYS:
        today = now_ms // HOUR_MS // 24
        first, last = max(first, today - KEPT_DAYS), min(last, today + 1)
    return range(first, last + 1)


def _ordered(counts: Mapping[str, int] | None, most: int | None = None) -> dict[str, int]:
    """*counts*, the largest first."""
    return dict(sorted((counts or {}).items(), key=lambda item: (-item[1], item[0]))[:most])


def _rate(number: int, of: int) -> float:
    return number / of if of else 0.0


def _daily_os(counts: Counts, listed: Sequence[int]) -> Document:
    by_day = {day: _names_of([counts.days[day]]).get("os", Counter()) for day in listed if day in counts.days}
    keys = sorted({key for one in by_day.values() for key in one})
    none: Counter[str] = Counter()
    return {
        "labels": [_date_text(day) for day in listed],
        "series": [{"key": key, "data": [by_day.get(day, none)[key] for day in listed]} for key in keys],
    }


def _errors(phases: Mapping[str, int], started: int) -> Document:
    compile_errors, runtime_errors = phases.get("compile", 0), phases.get("runtime", 0)
    return {
        "compile": compile_errors,
        "runtime": runtime_errors,
        "compileRate": _rate(compile_errors, started),
        "runtimeRate": _rate(runtime_errors, started),
    }


def _durations(named: Mapping[str, Counter[str]]) -> Document:
    """How long runs took, in milliseconds. Quantiles are read from the bins: a bin's runs count as spread evenly."""
    bins = named.get("duration", Counter())
    values = [bins[str(number)] for number in range(len(DURATION_BOUNDS_MS) + 1)]
    lower = (0, *DURATION_BOUNDS_MS)
    labels = [f"{low}-{high}" for low, high in zip(lower, DURATION_BOUNDS_MS, strict=False)]
    waits = named.get(WAITS, Counter()).total()
    return {
        "count": sum(values),
        "median": quantile_ms(values, 0.5),
        "p90": quantile_ms(values, 0.9),
        "hist": {"labels": [*labels, f">={DURATION_BOUNDS_MS[-1]}"], "values": values},
        "avgWaitMs": round(_rate(named.get(WAIT_MS, Counter()).total(), waits)),
    }


def quantile_ms(values: Sequence[int], quantile: float) -> int:
    """The duration below which a share of runs is; 0 if there are none. Of the open bin its lower bound is taken."""
    rank = sum(values) * quantile
    if not rank:
        return 0
    for number, count in enumerate(values[:-1]):
        if rank <= count:
            low = DURATION_BOUNDS_MS[number - 1] if number else 0
            return round(low + (DURATION_BOUNDS_MS[number] - low) * rank / count)
        rank -= count
    return DURATION_BOUNDS_MS[-1]


def _geo(hits: Mapping[str, int], seen: _Seen) -> Document:
    countries: Counter[str] = Counter()
    continents: Counter[str] = Counter()
    for country, number in hits.items():
        countries[country or UNKNOWN] += number
        continents[CONTINENT_OF.get(country, UNKNOWN)] += number

    def both(numbers: Counter[str], visitors: Mapping[str, Union]) -> Document:
        return {
            key: {"hits": number, "visitors": visitors[key].count() if key in visitors else 0}
            for key, number in _ordered(numbers).items()
        }

    return {
        "byContinent": both(continents, seen.continents),
        "byCountry": both(countries, seen.countries),
    }


def _outcomes(counts: Counts, listed: Iterable[int]) -> Document:
    found = {}
    for day in listed:
        exits = _names_of([counts.days[day]]).get("exit") if day in counts.days else None
        if exits:
            found[_date_text(day)] = dict(exits)
    return found


def _table(counts: Mapping[str, int] | None, alias: str, total: int) -> list[Document]:
    return [
        {
            "key": key,
            alias: key,
            "count": count,
            "pct": _rate(count, total),
            "percent": round(100 * _rate(count, total), 1),
        }
        for key, count in _ordered(counts, MAX_TOP).items()
    ]


def counts_document(counts: Counts, hours: int, now_ms: int) -> Document:
    """``/debug/counts``: events of the last so many hours. The first is the whole hour that *hours* ago lies in."""
    since_ms = now_ms - hours * HOUR_MS
    first = since_ms // HOUR_MS
    events: Counter[str] = Counter()
    for hour, totals in counts.hours.items():
        if hour >= first:
            events.update(totals)
    return {
        "since": format_iso8601_ms(since_ms),
        "total": events.total(),
        "byEvent": _ordered(events),
    }
