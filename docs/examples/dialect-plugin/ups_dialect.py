"""Reports of a daemon that watches uninterruptible power supplies (UPS): one body, one supply.

``{"host": "rack-3", "ups": "apc-1500", "status": "OB", "charge_percent": 83, "outages": [{"cause": "line", …}]}``
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from pushgateway_bridge.plugin_api import (
    Dialect,
    Family,
    GroupReport,
    Increment,
    MalformedBody,
    Observation,
    PushContext,
    PushRejected,
    Reply,
    Report,
    SeriesClass,
    TokenNeed,
    make_label_set,
    make_push_group,
)

PLUGIN_API_VERSION = 1
"""For which version of the bridge's plugin API this is written: a number of our own, not the bridge's."""

CHARGE = Family("ups_battery_charge_ratio", "gauge", "Charge of the battery (charge_percent).", "ratio")
RUNTIME = Family(
    "ups_battery_runtime_seconds", "gauge", "Time until it is empty (runtime_seconds).", "seconds"
)
LOAD = Family("ups_load_ratio", "gauge", "Load, of what it can carry (load_percent).", "ratio")
VOLTS = Family("ups_input_volts", "gauge", "Voltage of the line (input_volts).", "volts")
ON_BATTERY = Family("ups_on_battery", "gauge", "1 while it runs on its battery (status OB or LB).")
OUTAGES = Family("ups_outages_total", "counter", "Times that it had to take over, by cause (outages).")
OUTAGE_SECONDS = Family(
    "ups_outage_duration_seconds",
    "histogram",
    "How long it had to (outages).",
    "seconds",
    (1.0, 10.0, 60.0, 600.0, 3600.0),
)

CAUSES = frozenset({"line", "voltage", "frequency", "test"})
"""What may be a label: anything else that is sent becomes ``other``."""
NO_LABELS = make_label_set()


class Outage(msgspec.Struct):
    """One that is over, told once."""

    cause: str
    seconds: float


class Status(msgspec.Struct):
    """What the daemon sends every ten seconds. Fields that it may add later are ignored."""

    host: str
    ups: str
    status: Literal["OL", "OB", "LB"]
    """On line, on battery, battery low."""
    charge_percent: float | None = None
    runtime_seconds: float | None = None
    load_percent: float | None = None
    input_volts: float | None = None
    time: float | None = None
    """Unix seconds."""
    outages: list[Outage] = []


_decoder = msgspec.json.Decoder(Status)


def decode(body: bytes, _context: PushContext) -> Report:
    """Pure: no clock, no file, no state. What it cannot read it refuses with a PushRejected."""
    try:
        status = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(str(error)) from error
    if not status.host or not status.ups:
        raise MalformedBody("host and ups must not be empty")
    measured = {
        CHARGE: _share(status.charge_percent),
        RUNTIME: status.runtime_seconds,
        LOAD: _share(status.load_percent),
        VOLTS: status.input_volts,
        ON_BATTERY: float(status.status != "OL"),
    }
    known = {family: value for family, value in measured.items() if value is not None}
    group = GroupReport(
        make_push_group("ups", status.host, make_label_set({"ups": status.ups})),
        shape=tuple((family, NO_LABELS) for family in known),
        values=list(known.values()),
        timestamp_ms=_milliseconds(status.time),
        increments=[Increment(OUTAGES, _cause(outage), 1.0) for outage in status.outages],
        observations=[Observation(OUTAGE_SECONDS, NO_LABELS, outage.seconds) for outage in status.outages],
    )
    return Report((group,), accepted=1)


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _milliseconds(seconds: float | None) -> int | None:
    if seconds is None:
        return None
    if not math.isfinite(seconds * 1000):
        raise MalformedBody("time is out of range")
    return round(seconds * 1000)


def _cause(outage: Outage) -> tuple[tuple[str, str], ...]:
    return make_label_set({"cause": outage.cause if outage.cause in CAUSES else "other"})


def refuse(error: PushRejected) -> Reply:
    """How the daemon is told: its log shows the text."""
    return Reply(error.status, msgspec.json.encode({"error": str(error)}), "application/json")


DIALECT = Dialect(
    name="ups",
    paths=("/ups/report",),
    max_body_bytes=65_536,
    series_class=SeriesClass.POINT,
    default_interval_seconds=10.0,
    decode=decode,
    accepted=Reply(200, b'{"ok":true}', "application/json"),
    refuse=refuse,
    token_need=TokenNeed.BEYOND_LOOPBACK,
    example=(
        "application/json",
        '{"host": "rack-3", "ups": "apc-1500", "status": "OB", "charge_percent": 83, "runtime_seconds": 1260,'
        ' "load_percent": 41, "input_volts": 0, "outages": [{"cause": "line", "seconds": 12.5}]}',
    ),
)
