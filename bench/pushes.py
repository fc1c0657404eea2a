"""The pushes that are compared: what one of each kind says, as bodies and as whole HTTP requests. Pure.

Every value of a group differs between its two variants, so whoever sends them in turn changes all series.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

TEN_GAUGES = (
    "node_load1",
    "node_load5",
    "node_load15",
    "cpu_ratio",
    "memory_ratio",
    "swap_ratio",
    "disk_ratio",
    "disk_read_bytes",
    "net_receive_bytes",
    "net_transmit_bytes",
)
GAUGES_DIALECT = "benchmark"
GAUGES_PATH = "/api/benchmark"
VARIANTS = 2


class PushKind(NamedTuple):
    """One way to push a group."""

    name: str
    """As tables call it."""
    method: str
    path: Callable[[str], str]
    """Host name → path of its pushes."""
    content_type: str
    body: Callable[[str, int, float], bytes]
    """Host name, seed of its values, Unix time → body."""
    shown: str
    """How the line of one series of each group begins on /metrics."""


def host_name(group: int) -> str:
    """Name of the group as its host."""
    return f"host-{group:05d}"


def value(seed: int, index: int) -> float:
    """A number from 10.01 to 99.97, another one for the next seed."""
    return ((seed * 7919 + index * 104729) % 8997 + 1001) / 100


def digits(seed: int, index: int) -> str:
    """The same with two decimals: five characters always."""
    return f"{value(seed, index):.2f}"


def ten_gauges_json(host: str, seed: int, now: float) -> bytes:
    """A host's ten gauges as JSON, about 280 bytes."""
    gauges = ",".join(f'"{name}":{digits(seed, index)}' for index, name in enumerate(TEN_GAUGES))
    return f'{{"host":"{host}","timestamp":{now:.3f},"gauges":{{{gauges}}}}}'.encode()


def ten_gauges_text(host: str, seed: int, now: float) -> bytes:  # noqa: ARG001 - the group is in the path
    """The same in Prometheus' text format, about 460 bytes. The gateway refuses timestamps."""
    return "".join(
        f"# TYPE {name} gauge\n{name} {digits(seed, index)}\n" for index, name in enumerate(TEN_GAUGES)
    ).encode()


def pixeltracker_json(host: str, seed: int, now: float) -> bytes:
    """What a pixelTracker agent sends: six series."""
    time = dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="milliseconds")
    return (
        f'{{"source":{{"hostname":"{host}","platform":"linux","arch":"x64"}},'
        f'"cpu":{{"cores":{4 + seed % 2},"load1m":{digits(seed, 0)}}},'
        f'"memory":{{"totalMB":{7950 + seed % 2},"usedMB":{1000 + seed % 4000}}},'
        f'"disk":{{"freeMB":{50400 + seed % 2}}},"timestamp":"{time.removesuffix("+00:00")}Z"}}'
    ).encode()


JSON = "application/json"
PUSHGATEWAY = PushKind(
    "ten gauges as text",
    "PUT",
    lambda host: f"/metrics/job/{GAUGES_DIALECT}/instance/{host}",
    "text/plain; version=0.0.4; charset=utf-8",
    ten_gauges_text,
    "node_load1{",
)
GAUGES = PushKind("ten gauges", "POST", lambda _host: GAUGES_PATH, JSON, ten_gauges_json, "node_load1{")
PIXELTRACKER = PushKind(
    "pixelTracker", "POST", lambda _host: "/api/telemetry", JSON, pixeltracker_json, "node_load1{"
)
KINDS = {kind.name: kind for kind in (PUSHGATEWAY, GAUGES, PIXELTRACKER)}


def request(kind: PushKind, port: int, group: int, variant: int, now: float) -> bytes:
    """One push as HTTP/1.1, with the headers that clients' libraries send."""
    host = host_name(group)
    body = kind.body(host, group * VARIANTS + variant, now)
    head = (
        f"{kind.method} {kind.path(host)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: benchmark\r\n"
        f"Accept: */*\r\nContent-Type: {kind.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def shares(
    kind: PushKind, port: int, groups: int, connections: int, now: float
) -> Iterator[tuple[bytes, ...]]:
    """What each connection sends in turn: its part of the groups in one variant, then in the other.

    A group belongs to one connection, as a host's agent has one; where there are fewer groups than connections
    they share.
    """
    for connection in range(connections):
        mine = range(connection, groups, connections) or (connection % groups,)
        yield tuple(
            request(kind, port, group, variant, now)
            for variant, group in itertools.product(range(VARIANTS), mine)
        )
