"""The pushes that are compared: what one of each kind says, as bodies and as whole HTTP requests. Pure.

Every value of a group differs between its two variants, so whoever sends them in turn changes all series.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Sequence
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
MAX_GAUGES = 64
GAUGE_NAMES = (*TEN_GAUGES, *(f"gauge_{number:02d}" for number in range(len(TEN_GAUGES), MAX_GAUGES)))
"""What the benchmark's own dialect knows."""
GAUGES_DIALECT = "benchmark"
GAUGES_PATH = "/api/benchmark"
VARIANTS = 2
FRESH_DIGITS = 12
FRESH = b"f" * FRESH_DIGITS
"""Stands in a request where each sending has a number of its own, in hexadecimal digits."""


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
    """How the line of one series of each group begins on /metrics; empty if there is none."""
    token_header: str = ""
    """Where the token of each group stands; empty if its pushes need none."""
    fresh: bool = False
    """Whether FRESH in its bodies is another number each time that a connection begins anew with its share."""


def host_name(group: int) -> str:
    """Name of the group as its host."""
    return f"host-{group:05d}"


def value(seed: int, index: int) -> float:
    """A number from 10.01 to 99.97, another one for the next seed."""
    return ((seed * 7919 + index * 104729) % 8997 + 1001) / 100


def digits(seed: int, index: int) -> str:
    """The same with two decimals: five characters always."""
    return f"{value(seed, index):.2f}"


def gauges_json(number: int) -> Callable[[str, int, float], bytes]:
    """How a host sends its first *number* gauges as JSON; ten of them are about 280 bytes."""

    def body(host: str, seed: int, now: float) -> bytes:
        gauges = ",".join(
            f'"{name}":{digits(seed, index)}' for index, name in enumerate(GAUGE_NAMES[:number])
        )
        return f'{{"host":"{host}","timestamp":{now:.3f},"gauges":{{{gauges}}}}}'.encode()

    return body


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
GAUGES = PushKind(
    "ten gauges", "POST", lambda _host: GAUGES_PATH, JSON, gauges_json(len(TEN_GAUGES)), "node_load1{"
)
PIXELTRACKER = PushKind(
    "pixelTracker", "POST", lambda _host: "/api/telemetry", JSON, pixeltracker_json, "node_load1{"
)


def core_kind(series: int) -> PushKind:
    """The cheapest way in, for as many series: gauges in the benchmark's own dialect."""
    return GAUGES._replace(name=f"core, {series} gauges", body=gauges_json(series))


def request(kind: PushKind, port: int, group: int, variant: int, now: float, token: str = "") -> bytes:
    """One push as HTTP/1.1, with the headers that clients' libraries send."""
    host = host_name(group)
    body = kind.body(host, group * VARIANTS + variant, now)
    authentic = f"{kind.token_header}: {token}\r\n" if kind.token_header else ""
    head = (
        f"{kind.method} {kind.path(host)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: benchmark\r\n"
        f"Accept: */*\r\n{authentic}Content-Type: {kind.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def shares(
    kind: PushKind, port: int, groups: int, connections: int, now: float, tokens: Sequence[str] = ()
) -> Iterator[tuple[bytes, ...]]:
    """What each connection sends in turn: its part of the groups in one variant, then in the other.

    A group belongs to one connection, as a host's agent has one; where there are fewer groups than connections
    they share. *tokens* are the groups' own, where the kind needs them.
    """
    for connection in range(connections):
        mine = range(connection, groups, connections) or (connection % groups,)
        yield tuple(
            request(kind, port, group, variant, now, tokens[group] if kind.token_header else "")
            for variant, group in itertools.product(range(VARIANTS), mine)
        )


def refreshed(share: Sequence[bytes], now: float) -> Iterator[bytes]:
    """*share* again and again, with a number instead of FRESH that no other round of it has, nor another run's."""
    run = round(now * 100) & 0xFFFFFF  # runs are further apart than a hundredth of a second
    for count in itertools.count():
        number = f"{run:06x}{count:06x}".encode()
        for one in share:
            yield one.replace(FRESH, number)
