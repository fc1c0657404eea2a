"""The bridge with one dialect more: ten gauges of a host, or any number, as flat JSON.

The dialects that real agents speak have six series a push, or far more. This one says what the peer's push says, so
that both do the same work, and it can say as many series as another dialect does: it is the cheapest way in, beside
which one sees what the others cost. ``python -m bench.gauges serve …`` is ``pushgateway-bridge serve …`` with it.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import Any

import msgspec

from bench.pushes import GAUGE_NAMES, GAUGES_DIALECT, GAUGES_PATH
from pushgateway_bridge import app
from pushgateway_bridge.cli import main
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.errors import MalformedBody, PushRejected
from pushgateway_bridge.journal.journal import Journal
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import PushGroup, make_push_group
from pushgateway_bridge.model.report import GroupReport, Report, Shape

DELAY_VARIABLE = "BENCH_COMMIT_DELAY_SECONDS"
RECEIVED_TIMES_VARIABLE = "BENCH_RECEIVED_TIMES"
"""If it is set, the time received stands in for the one in the push."""
RECEIVED_TIMES = RECEIVED_TIMES_VARIABLE in os.environ
FAMILIES = {name: Family(name, "gauge", f"{name} of the benchmark.") for name in GAUGE_NAMES}


class Gauges(msgspec.Struct, frozen=True):
    """``{"host": "a", "timestamp": 1769932800.25, "gauges": {"node_load1": 0.5, …}}``, Unix seconds."""

    host: str
    timestamp: float
    gauges: dict[str, float]


_decoder = msgspec.json.Decoder(Gauges)


def decode(body: bytes, context: PushContext) -> Report:  # noqa: ARG001 - the time is in the body
    """Raises MalformedBody if *body* is anything else, or names a gauge that is not among GAUGE_NAMES."""
    try:
        push = _decoder.decode(body)
        shape = shape_of(tuple(push.gauges))
    except (msgspec.DecodeError, KeyError) as error:
        raise MalformedBody(str(error)) from error
    timestamp_ms = None if RECEIVED_TIMES else round(push.timestamp * 1000)
    group = GroupReport(group_of(push.host), shape, list(push.gauges.values()), timestamp_ms)
    return Report((group,), accepted=1)


@lru_cache
def shape_of(names: tuple[str, ...]) -> Shape:
    """The series of these gauges: the same object each time, as a dialect that wants to be quick gives."""
    return tuple((FAMILIES[name], ()) for name in names)


@lru_cache(maxsize=32_768)
def group_of(host: str) -> PushGroup:
    """The push group of *host*."""
    return make_push_group(GAUGES_DIALECT, host)


def refuse(error: PushRejected) -> Reply:
    """The reason as text."""
    return Reply(error.status, str(error).encode(), "text/plain; charset=utf-8")


DIALECT = Dialect(
    name=GAUGES_DIALECT,
    paths=(GAUGES_PATH,),
    max_body_bytes=102_400,
    series_class=SeriesClass.POINT,
    default_interval_seconds=30.0,
    decode=decode,
    accepted=Reply(200, b'{"status":"accepted"}', "application/json"),
    refuse=refuse,
)


class DelayedJournal(Journal):
    """A journal on a disk that takes DELAY_VARIABLE's seconds longer for each commit."""

    def _transact(self, *arguments: Any) -> float:
        time.sleep(float(os.environ[DELAY_VARIABLE]))
        return super()._transact(*arguments)


if __name__ == "__main__":
    DIALECTS[DIALECT.name] = DIALECT
    if os.environ.get(DELAY_VARIABLE):
        setattr(app, "Journal", DelayedJournal)  # noqa: B010 - no setting of the bridge should slow it down
    main()
