"""A bridge process with two dialects of the tests beside pixelTracker, and faults planted on request.

``python -m tests.bridge.faults.served --journal.directory=... --web.listen-address=...`` takes every flag of
``pushgateway-bridge serve``. With ``PLANTED_SYNCHRONOUS=OFF`` in its environment its journal does not fsync, so
that a test can prove that it would notice.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import msgspec

from pushgateway_bridge import app
from pushgateway_bridge.cli import configure_logging
from pushgateway_bridge.config import load
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.errors import MalformedBody, PushRejected
from pushgateway_bridge.journal.journal import Journal
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import make_push_group
from pushgateway_bridge.model.report import GroupReport, Report
from tests.bridge.events import EVENTS
from tests.bridge.process import BridgeProcess

PLANTED = "PLANTED_SYNCHRONOUS"


class Values(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 20 gauges of one host."""

    host: str
    values: list[float]


_decoder = msgspec.json.Decoder(Values)
FAMILIES = [Family(f"app_value_{number}", "gauge", "A number.") for number in range(20)]
SHAPES = [tuple((family, ()) for family in FAMILIES[:count]) for count in range(len(FAMILIES) + 1)]


def decode(body: bytes, _context: PushContext) -> Report:
    try:
        pushed = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise MalformedBody(str(error)) from error
    shape, values = SHAPES[len(pushed.values)], pushed.values
    return Report((GroupReport(make_push_group("wide", pushed.host), shape, values),), accepted=1)


def refuse(error: PushRejected) -> Reply:
    return Reply(error.status, str(error).encode(), "text/plain")


WIDE = Dialect(
    name="wide",
    paths=("/wide",),
    max_body_bytes=1_000_000,
    series_class=SeriesClass.POINT,
    default_interval_seconds=30.0,
    decode=decode,
    accepted=Reply(200, b"taken", "text/plain"),
    refuse=refuse,
)
SERVED = {**DIALECTS, EVENTS.name: EVENTS, WIDE.name: WIDE}


class Served(BridgeProcess):
    """This module as a process."""

    program = (sys.executable, "-m", "tests.bridge.faults.served")


def plant(synchronous: str) -> None:
    """Have every journal of this process set ``synchronous`` last."""
    open_journal = Journal.open

    def planted(self: Journal) -> None:
        open_journal(self)
        self._connection.pragma("synchronous", synchronous)

    Journal.open = planted  # type: ignore[method-assign]


def main(arguments: Sequence[str]) -> int:
    if PLANTED in os.environ:
        plant(os.environ[PLANTED])
    flags = (argument.removeprefix("--").split("=", 1) for argument in arguments)
    config = load(None, os.environ, {name.replace("-", "_"): value for name, value in flags})
    configure_logging(config)
    return app.serve(config, SERVED)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
