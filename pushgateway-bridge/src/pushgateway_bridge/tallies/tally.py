"""What a tally is: the state of one event dialect beyond its series, and what a push changes of it.

A dialect's decoder is pure, and says only what happened. Its tally knows what happened before: which executions run,
who opted out, which values a label has had. It plans what a push changes; the plan is journalled in one transaction
with the push, and becomes the base of the next one as soon as it is queued. If the journal refuses, all tallies begin
again with what is on disk.

A tally knows no clock, no file and no HTTP. It is used in the event loop only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from pushgateway_bridge.model.fact import Fact as Fact  # noqa: PLC0414 - tallies need nothing but this module
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet
from pushgateway_bridge.model.report import Report


def nothing() -> None:
    """What to do for a plan that changes no state of its tally."""


class Plan(NamedTuple):
    """What a push, or time alone, changes."""

    report: Report
    """With its groups. ``accepted`` is 0 if no client sent it."""
    facts: Sequence[Fact] = ()
    take: Callable[[], None] = nothing
    """Makes the plan the base of the next one: called once when it is queued, and never if it is refused."""


class Tally(Protocol):
    """The state of one event dialect."""

    def restore(self, facts: Iterable[Fact], series: Iterable[tuple[Family, LabelSet]], now_ms: int) -> None:
        """Begin anew with what is on disk: *facts*, and all *series* that the dialect has.

        Called at the start and after a journal that refused. A fact that cannot be read is left out.
        """
        ...

    def plan(self, report: Report, received_ms: int) -> Plan:
        """What the events of a decoded *report* change. Changes nothing itself; raises nothing."""
        ...

    def plan_time(self, now_ms: int) -> Plan | None:
        """What the time *now_ms* (Unix) changes without any push; ``None`` if nothing. Asked every few seconds.

        It may leave a part for the next time, so that no plan is large.
        """
        ...
