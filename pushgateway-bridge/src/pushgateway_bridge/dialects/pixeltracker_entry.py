"""What pixelTracker's GET shows of a push: the document as sent, but for addresses, and when it was received. Pure.

And which of these entries it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from pushgateway_bridge.dialects.masking import mask_addresses, mask_text
from pushgateway_bridge.dialects.psutil_host import unix_ms
from pushgateway_bridge.model.timestamps import format_iso8601_ms, parse_iso8601_ms

Document = dict[str, object]

_encoder = msgspec.json.Encoder()


def masked_entry(document: Document, received_ms: int) -> bytes:
    """*document* as one line of JSON: host names as sent, addresses masked, our time received set last."""
    return _encoder.encode({**_masked(document), "receivedAt": format_iso8601_ms(received_ms)})


def plain_entry(agent: msgspec.Struct, received_ms: int) -> bytes:
    """*agent* as one line of JSON with our time received. It must have a field, and no room for free text."""
    return _encoder.encode(agent)[:-1] + _received(received_ms)


@lru_cache(maxsize=16)
def _received(received_ms: int) -> bytes:
    return f',"receivedAt":"{format_iso8601_ms(received_ms)}"}}'.encode()


def _masked(document: Document) -> Document:
    shown = {mask_text(key): mask_addresses(value) for key, value in document.items()}
    if isinstance(name := document.get("name"), str):
        shown["name"] = name
    source, masked = document.get("source"), shown.get("source")
    if isinstance(source, dict) and isinstance(masked, dict) and isinstance(source.get("hostname"), str):
        masked["hostname"] = source["hostname"]
    return shown


# Reading back

MAX_ENTRIES: Final = 10_000_000
"""More are never kept: the largest journal.recent_entries."""


class EntryFilter(NamedTuple):
    """Which entries are wanted. Times are Unix milliseconds, both inclusive."""

    hostname: str = ""
    """Empty: of any host."""
    since_ms: int | None = None
    until_ms: int | None = None
    limit: int = MAX_ENTRIES
    """How many of the newest."""


class _Entry(msgspec.Struct, gc=False):
    receivedAt: str  # noqa: N815 - as it stands in the entry
    source: object = None
    name: object = None


_entries = msgspec.json.Decoder(_Entry)


def read_filter(hostname: str = "", since: str = "", until: str = "", limit: str = "") -> EntryFilter:
    """The filter that a query asks for; an empty text asks for nothing. Raises ValueError that says what is wrong."""
    return EntryFilter(
        hostname,
        _read_time(since, "since") if since else None,
        _read_time(until, "until") if until else None,
        _read_limit(limit) if limit else MAX_ENTRIES,
    )


def select_entries(entries: Sequence[bytes], wanted: EntryFilter) -> Sequence[bytes]:
    """Those of *entries*, oldest first, that are *wanted*, in the same order."""
    if wanted == EntryFilter(limit=wanted.limit):
        return entries[-wanted.limit :]
    newest = islice(_matching(reversed(entries), wanted), wanted.limit)
    return list(newest)[::-1]


def _matching(entries: Iterable[bytes], wanted: EntryFilter) -> Iterable[bytes]:
    for line in entries:
        entry = _entries.decode(line)
        if wanted.hostname and _host_of(entry) != wanted.hostname:
            continue
        received_ms = parse_iso8601_ms(entry.receivedAt) or 0
        if wanted.since_ms is not None and received_ms < wanted.since_ms:
            continue
        if wanted.until_ms is not None and received_ms > wanted.until_ms:
            continue
        yield line


def _host_of(entry: _Entry) -> object:
    """The host as the series' instance has it, but for hosts without a name."""
    hostname = entry.source.get("hostname") if isinstance(entry.source, dict) else None
    return hostname if hostname and isinstance(hostname, str) else entry.name


def _read_time(text: str, name: str) -> int:
    number = re.fullmatch(r"-?[0-9]+(\.[0-9]*)?", text)
    time_ms = unix_ms(text) if number else parse_iso8601_ms(text)
    if time_ms is None:
        raise ValueError(
            f"{name} must be an ISO-8601 time (its + written as %2B) or Unix seconds or milliseconds"
        )
    return time_ms


def _read_limit(text: str) -> int:
    if re.fullmatch("[0-9]{1,8}", text) and 1 <= int(text) <= MAX_ENTRIES:
        return int(text)
    raise ValueError(f"limit must be a whole number from 1 to {MAX_ENTRIES}")
