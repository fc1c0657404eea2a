"""A dialect of the tests: events that are counted, timed and told apart, and one gauge."""

from __future__ import annotations

import hashlib

import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.model.additions import Distinct, Increment, Observation
from pushgateway_bridge.model.family import Family, MetricType, SeriesClass
from pushgateway_bridge.model.labels import make_push_group
from pushgateway_bridge.model.report import GroupReport, Report

RUNS = Family("app_runs_total", "counter", "Runs.")
DURATION = Family("app_duration_seconds", "histogram", "How long a run took.", "seconds", (0.5, 1.0, 5.0))
USERS = Family("app_users", "gauge", "Different users.")


class Event(msgspec.Struct, forbid_unknown_fields=True):
    """``gauge`` sets a family of any name and type, so that tests can make conflicts."""

    app: str = "shop"
    runs: float = 0.0
    kind: str = "web"
    seconds: list[float] = []
    users: list[str] = []
    gauge: tuple[str, MetricType, float] | None = None
    job: str = "events"


_decoder = msgspec.json.Decoder(Event)


def decode(body: bytes, _context: PushContext) -> Report:
    event = _decoder.decode(body)
    labels = (("kind", event.kind),)
    group = GroupReport(
        make_push_group(event.job, event.app),
        shape=((Family(*event.gauge[:2], "A gauge."), ()),) if event.gauge else (),
        values=[event.gauge[2]] if event.gauge else [],
        increments=[Increment(RUNS, labels, event.runs)] if event.runs else [],
        observations=[Observation(DURATION, (), seconds) for seconds in event.seconds],
        distinct=[Distinct(USERS, (), hash_of(user)) for user in event.users],
    )
    return Report((group,), accepted=1)


def hash_of(user: str) -> int:
    """64 bits of a hash, unsigned."""
    return int.from_bytes(hashlib.blake2b(user.encode(), digest_size=8).digest(), "big")


def refuse(error: PushRejected) -> Reply:
    return Reply(error.status, str(error).encode(), "text/plain")


EVENTS = Dialect(
    name="events",
    paths=("/events",),
    max_body_bytes=1_000_000,
    series_class=SeriesClass.HELD,
    default_interval_seconds=None,
    decode=decode,
    accepted=Reply(202, b"taken", "text/plain"),
    refuse=refuse,
)
