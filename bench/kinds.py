"""Every kind of push that the load generator knows, by name. Pure."""

from __future__ import annotations

from bench.bodies import statix_details, statusmonitor_headless, ten_samples
from bench.event_bodies import minigem_batch, minigem_single, proxmoxve_execution
from bench.pushes import GAUGES, JSON, MAX_GAUGES, PIXELTRACKER, PUSHGATEWAY, PushKind, core_kind

STATUSMONITOR = PushKind(
    "statusmonitor, headless agent",
    "POST",
    lambda _host: "/ingest",
    JSON,
    statusmonitor_headless,
    "node_load1{",
    token_header="X-Agent-Token",
)
STATIX = PushKind(
    "statix with details",
    "POST",
    lambda _host: "/metrics",
    JSON,
    statix_details,
    "node_memory_MemTotal_bytes{",
)
SAMPLES = PushKind(
    "samples, ten items",
    "POST",
    lambda _host: "/api/v1/samples",
    JSON,
    ten_samples,
    "telemetry_reports_total{",
)
MINIGEM_BATCH = PushKind("minigem, batches", "POST", lambda _host: "/t", JSON, minigem_batch, "")
MINIGEM_SINGLE = PushKind("minigem, single events", "POST", lambda _host: "/t", JSON, minigem_single, "")
PROXMOXVE = PushKind(
    "proxmoxve, installing then result",
    "POST",
    lambda _host: "/telemetry",
    JSON,
    proxmoxve_execution,
    "",
    fresh=True,
)
KINDS = {
    kind.name: kind
    for kind in (
        PUSHGATEWAY,
        GAUGES,
        PIXELTRACKER,
        STATUSMONITOR,
        STATIX,
        SAMPLES,
        MINIGEM_BATCH,
        MINIGEM_SINGLE,
        PROXMOXVE,
        *(core_kind(series) for series in range(1, MAX_GAUGES + 1)),
    )
}
