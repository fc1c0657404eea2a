"""What a week's report says, as numbers: from PromQL over the proxmoxve families.

A counter's growth within the week is its value at the end less that at the begin, so that weeks side by side add up
and no second between them is missed. ``increase()`` is not that: it stretches what it sees to the ends of the range.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pushgateway_bridge.reports.week import Week

HOURS: Final = 168
TOP: Final = 5
LEAST_TRIED: Final = 15
"""An application that was tried less often in a week has no failure rate that means something."""


class Value(NamedTuple):
    """A series of an answer."""

    labels: Mapping[str, str]
    number: float


Ask = Callable[[str, datetime], Awaitable[Sequence[Value]]]
"""An instant query at a time → its vector."""


def growth(counter: str) -> str:
    """PromQL: by how much each series of *counter* grew in the seven days before the time it is asked at.

    What it began with is its last value of the day before; a new counter begins with its first value, which is 0 where
    Prometheus takes over creation times. A counter that fell within these eight days was begun anew, and its growth is
    the rounded ``increase()``.
    """
    return (
        f"(last_over_time({counter}[7d])"
        f" - (last_over_time({counter}[1d] offset 7d) or min_over_time({counter}[7d])))"
        f" unless (resets({counter}[8d]) > 0)"
        f" or round(increase({counter}[7d]))"
    )


RESULTS: Final = f"sum by (type, status) ({growth('proxmoxve_executions_total')})"
APPS: Final = f"sum by (app, status) ({growth('proxmoxve_app_executions_total')})"
SYSTEMS: Final = f"sum by (os_type) ({growth('proxmoxve_executions_by_os_total')})"
HOURS_SEEN: Final = 'count_over_time((max(up{job="bridge"}) > 0)[7d:1h])'


class Results(NamedTuple):
    """How many executions ended how."""

    succeeded: int = 0
    failed: int = 0
    aborted: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return sum(self)

    @property
    def failure_rate(self) -> float | None:
        """Of those that succeeded or failed; None if there are none."""
        tried = self.succeeded + self.failed
        return self.failed / tried if tried else None


class Share(NamedTuple):
    """One of several that a number is made up of."""

    name: str
    number: int


class FailureRate(NamedTuple):
    """How often an application failed of the times it succeeded or failed."""

    app: str
    failed: int
    tried: int


class Figures(NamedTuple):
    """All that a report says about *week*."""

    week: Week
    results: Results | None
    """None if there is no data of that week."""
    before: Results | None
    """Those of the week before; None if there is no data of it."""
    types: tuple[Share, ...]
    most_installed: tuple[Share, ...]
    most_failing: tuple[FailureRate, ...]
    systems: tuple[Share, ...]
    hours_seen: int | None
    """In how many of the week's 168 hours Prometheus saw the bridge; None if it does not say."""


async def gather(week: Week, ask: Ask) -> Figures:
    """The figures of *week*. Raises what *ask* does."""
    results = await ask(RESULTS, week.end)
    before = await ask(RESULTS, week.begin)
    apps = await ask(APPS, week.end)
    systems = await ask(SYSTEMS, week.end)
    # The hour's mark at the end is the next week's first.
    seen = await ask(HOURS_SEEN, week.end - timedelta(seconds=1))
    return Figures(
        week,
        results_of(results),
        results_of(before),
        top(shares(results, "type")),
        top(shares(apps, "app"), TOP),
        most_failing(apps),
        top(shares(systems, "os_type"), TOP),
        min(round(seen[0].number), HOURS) if seen else None,
    )


def results_of(values: Sequence[Value]) -> Results | None:
    """The sums by status; None if there is no series at all."""
    if not values:
        return None
    counts = shares(values, "status")
    return Results(counts["success"], counts["failed"], counts["aborted"], counts["unknown"])


def shares(values: Iterable[Value], label: str) -> Counter[str]:
    """The sums by *label*."""
    counts: Counter[str] = Counter()
    for value in values:
        counts[value.labels.get(label, "")] += round(value.number)
    return counts


def top(counts: Mapping[str, int], number: int | None = None) -> tuple[Share, ...]:
    """The largest, without those that are 0; equal ones by name."""
    ranked = sorted((Share(name, count) for name, count in counts.items() if count > 0), key=_by_count)
    return tuple(ranked[:number])


def _by_count(share: Share) -> tuple[int, str]:
    return (-share.number, share.name)


def most_failing(apps: Sequence[Value]) -> tuple[FailureRate, ...]:
    """The applications that failed at the highest rate, of those that were tried LEAST_TRIED times."""
    failed = shares((one for one in apps if one.labels.get("status") == "failed"), "app")
    tried = shares((one for one in apps if one.labels.get("status") in ("failed", "success")), "app")
    rates = [
        FailureRate(app, failed[app], count)
        for app, count in tried.items()
        if count >= LEAST_TRIED and failed[app] > 0
    ]
    return tuple(sorted(rates, key=lambda rate: (-rate.failed / rate.tried, -rate.failed, rate.app))[:TOP])
