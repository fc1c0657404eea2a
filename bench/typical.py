"""What is decoded and driven of each dialect: its typical push, and what decoding it must be told besides. Pure."""

from __future__ import annotations

from typing import NamedTuple

from bench.event_bodies import BATCH_EVENTS
from bench.kinds import MINIGEM_BATCH, MINIGEM_SINGLE, PROXMOXVE, SAMPLES, STATIX, STATUSMONITOR
from bench.pushes import PIXELTRACKER, PUSHGATEWAY, PushKind, digits, host_name
from pushgateway_bridge.dialects import (
    minigem,
    pixeltracker,
    proxmoxve,
    pushgateway,
    samples,
    statix,
    statusmonitor,
)
from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Pusher
from pushgateway_bridge.mappings.compiled import Mappings
from pushgateway_bridge.mappings.load import parse_mapping
from pushgateway_bridge.mappings.pushes import MappedPushes
from pushgateway_bridge.model.report import Report

NOW = 1_769_932_800
"""Seeds of bodies that are decoded are seconds after it, and samples may be 60 s ahead at most."""
_RECEIVED_MS = (NOW + 60) * 1000


class Typical(NamedTuple):
    """A dialect and its push."""

    name: str
    """As tables call it."""
    dialect: Dialect
    kind: PushKind
    pusher: Pusher | None = None
    items: int = 1
    """How many events stand in a body."""

    def body(self, seed: int) -> bytes:
        """One push of a host, with the values of *seed*."""
        return self.kind.body(host_name(7), seed, NOW + seed)

    @property
    def context(self) -> PushContext:
        return PushContext(
            _RECEIVED_MS,
            self.kind.content_type.partition(";")[0],
            self.pusher,
            path=self.kind.path(host_name(7)),
            method=self.kind.method,
        )

    def decode(self, seed: int) -> Report:
        """What the dialect makes of that push."""
        return self.dialect.decode(self.body(seed), self.context)


_GAUGES = "".join(f"  - {{name: host_value_{index}, path: $.value_{index}}}\n" for index in range(10))
_MAPPING = f"identity: {{job: host, instance: $.name}}\nmetrics:\n{_GAUGES}"


def _ten_values(host: str, seed: int, _now: float) -> bytes:
    values = ",".join(f'"value_{index}":{digits(seed, index)}' for index in range(10))
    return f'{{"name":"{host}",{values}}}'.encode()


MAPPED = Typical(
    "mapped, ten values",
    MappedPushes(Mappings({"host": parse_mapping(_MAPPING, "host")}), lambda: bytes(32)).dialect,
    PushKind("mapped", "POST", lambda _host: "/api/v1/push/host", "application/json", _ten_values, ""),
)
HOSTS = (
    Typical("pixeltracker", pixeltracker.DIALECT, PIXELTRACKER),
    Typical(
        "statusmonitor, headless agent",
        statusmonitor.DIALECT,
        STATUSMONITOR,
        Pusher(12, "nas", job="statusmonitor", instance="12"),
    ),
    Typical("statix with details", statix.DIALECT, STATIX),
    Typical("pushgateway, ten gauges as text", pushgateway.DIALECT, PUSHGATEWAY),
    Typical("samples, ten items", samples.DIALECT, SAMPLES),
)
EVENTS = (
    Typical("minigem, one event", minigem.DIALECT, MINIGEM_SINGLE),
    Typical("minigem, batch of 100", minigem.DIALECT, MINIGEM_BATCH, items=BATCH_EVENTS),
    Typical("proxmoxve", proxmoxve.DIALECT, PROXMOXVE),
)
