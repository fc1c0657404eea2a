"""A dialect of the tests that has a tally: visits, each visitor counted once, until an hour without a visit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.errors import MalformedBody, PushRejected
from pushgateway_bridge.model.additions import Increment
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import LabelSet, make_push_group
from pushgateway_bridge.model.report import GroupReport, Report, Shape
from pushgateway_bridge.tallies.caps import Caps
from pushgateway_bridge.tallies.tally import Fact, Plan

VISITS = Family("visits_total", "counter", "Visits.")
VISITORS = Family("visitors_total", "counter", "Visitors.")
PRESENT = Family("visitors_present", "gauge", "Visitors of the last hour.")
SHAPE: Shape = ((PRESENT, ()),)
GROUP = make_push_group("visits", "")
HOUR_MS = 3_600_000
CAPPED = 3


class Visit(msgspec.Struct, frozen=True):
    """*who* came, through which *door*."""

    who: str
    door: str = "front"


_decoder = msgspec.json.Decoder(list[Visit])


def decode(body: bytes, _context: PushContext) -> Report:
    try:
        visits = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise MalformedBody(str(error)) from error
    return Report(events=visits, accepted=len(visits))


def reply(report: Report, _rejections: object) -> Reply:
    return Reply(200, msgspec.json.encode({"new": report.accepted}), "application/json")


class VisitTally:
    """Who came, and when last."""

    def __init__(self, _secret: Callable[[], bytes]) -> None:
        self.last: dict[str, int] = {}
        self.caps = Caps({(VISITS.name, "door"): CAPPED})

    def restore(self, facts: Iterable[Fact], series: Iterable[tuple[Family, LabelSet]], now_ms: int) -> None:
        self.last = {
            fact.key.decode(): int.from_bytes(fact.body, "big") for fact in facts if fact.body is not None
        }
        self.caps.restore(series)

    def plan(self, report: Report, received_ms: int) -> Plan:
        came: dict[str, int] = {}
        increments = []
        new = 0
        for visit in report.events:
            assert isinstance(visit, Visit)
            new += visit.who not in self.last and visit.who not in came
            came[visit.who] = received_ms
            door = self.caps.admit(VISITS.name, "door", visit.door)
            increments.append(Increment(VISITS, (("door", door),), 1.0))
        if new:
            increments.append(Increment(VISITORS, (), float(new)))
        group = GroupReport(GROUP, SHAPE, [float(len({**self.last, **came}))], increments=increments)
        facts = [Fact("who", who.encode(), at.to_bytes(8, "big")) for who, at in came.items()]
        report = msgspec.structs.replace(
            report, groups=(group,), accepted=new, deduplicated=len(report.events) - new
        )
        return Plan(report, facts, lambda: self.last.update(came))

    def plan_time(self, now_ms: int) -> Plan | None:
        gone = [who for who, at in self.last.items() if at <= now_ms - HOUR_MS]
        if not gone:
            return None
        group = GroupReport(GROUP, SHAPE, [float(len(self.last) - len(gone))])

        def take() -> None:
            for who in gone:
                del self.last[who]

        return Plan(Report((group,)), [Fact("who", who.encode(), None) for who in gone], take)


def refuse(error: PushRejected) -> Reply:
    return Reply(error.status, str(error).encode(), "text/plain")


VISIT_DIALECT = Dialect(
    name="visits",
    paths=("/visits",),
    max_body_bytes=1_000_000,
    series_class=SeriesClass.AGGREGATE,
    default_interval_seconds=None,
    decode=decode,
    accepted=Reply(200, b"", "application/json"),
    refuse=refuse,
    reply=reply,
)
