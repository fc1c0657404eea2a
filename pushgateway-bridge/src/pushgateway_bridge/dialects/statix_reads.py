"""The bodies of statix's GET /data, /hosts and /details, made from the recent entries. Pure.

*entries* are always those of statix, oldest first, as statix_entry.py writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pushgateway_bridge.dialects.dialect import Reply
from pushgateway_bridge.dialects.statix_entry import Row

JSON: Final = "application/json"
TIMEFRAMES: Final = {"1h": 3600, "24h": 24 * 3600, "7d": 7 * 24 * 3600}
"""Seconds that GET /data looks back."""


class _Named(msgspec.Struct, gc=False):
    """What GET /hosts needs of an entry; ``details`` are not looked into."""

    timestamp: int
    hostname: str
    details: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    cleaned: bool = False


class _Summary(msgspec.Struct, gc=False):
    hostname: str
    metric_count: int = 0
    last_seen: int = 0
    details_updated_at: int | None = None


class _Stored(Row, omit_defaults=True, gc=False):
    """An entry without its ``details``."""

    cleaned: bool = False
    """Whether its numbers were cleaned away, and it stands for its ``details`` only."""


_rows = msgspec.json.Decoder(_Stored)
_named = msgspec.json.Decoder(_Named)


def read_rows(entries: Iterable[bytes], hostname: str, timeframe: str, now_seconds: int) -> Reply:
    """GET /data: the rows of *hostname* in the last *timeframe*, oldest first; an empty text stands for all."""
    window = TIMEFRAMES.get(timeframe)
    if timeframe and window is None:
        return _error(400, "Unsupported timeframe")
    rows = [
        row
        for row in map(_rows.decode, entries)
        if not row.cleaned
        and (not hostname or row.hostname == hostname)
        and (window is None or row.timestamp >= now_seconds - window)
    ]
    rows.sort(key=lambda row: row.timestamp)  # late ones came later; rows of one second stay as they came
    return _reply({"count": len(rows), "data": rows})


def read_hosts(entries: Iterable[bytes]) -> Reply:
    """GET /hosts: how many entries each host has and when it was last heard of, sorted without regard to case."""
    hosts: dict[str, _Summary] = {}
    for entry in map(_named.decode, entries):
        host = hosts.setdefault(entry.hostname, _Summary(entry.hostname))
        host.metric_count += not entry.cleaned
        host.last_seen = max(host.last_seen, entry.timestamp)
        if entry.details is not msgspec.UNSET:
            host.details_updated_at = entry.timestamp
    names = sorted(hosts, key=lambda name: (name.casefold(), name))
    return _reply({"hosts": [hosts[name] for name in names]})


def read_details(entries: Sequence[bytes], hostname: str) -> Reply:
    """GET /details: what *hostname* sent last as ``details``."""
    if not hostname:
        return _error(400, "hostname query parameter required")
    for entry in map(_named.decode, reversed(entries)):
        if entry.hostname == hostname and entry.details is not msgspec.UNSET:
            return _reply({"hostname": hostname, "details": entry.details, "updated_at": entry.timestamp})
    return _error(404, "hostname not found")


class Forgetting:
    """Says of each entry, newest first, what is left of it when *hostname* is forgotten; counts what was there.

    With *keep_details* its newest ``details`` stay.
    """

    def __init__(self, hostname: str, *, keep_details: bool) -> None:
        self._hostname = hostname
        self._keep_details = keep_details
        self.metrics = 0
        self.details = 0
        """1 if there were some."""

    def __call__(self, entry: bytes) -> bytes | None:
        try:
            named = _named.decode(entry)
        except msgspec.MsgspecError:
            return entry  # whose it is cannot be told; and the journal's writer must not end over it
        if named.hostname != self._hostname:
            return entry
        self.metrics += not named.cleaned
        if named.details is msgspec.UNSET or self.details:
            return None
        self.details = 1
        if not self._keep_details:
            return None
        return entry if named.cleaned else entry[:-1] + b',"cleaned":true}'


def _reply(document: object) -> Reply:
    return Reply(200, msgspec.json.encode(document), JSON)


def _error(status: int, text: str) -> Reply:
    return Reply(status, msgspec.json.encode({"error": text}), JSON)
