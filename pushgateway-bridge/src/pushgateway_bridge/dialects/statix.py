"""statix, the "Monitoring Stack": a forwarder's report every thirty seconds, with the whole system document in it.

Paths, fields and answers: docs/dialects/statix.md. The structs of ``details`` stand in statix_details.py, the series
that they make in statix_series.py, what is read back in statix_entry.py and statix_reads.py.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.dialects.host_families import CPU_UTILIZATION, MEMORY_USED_RATIO
from pushgateway_bridge.dialects.json_body import read_json
from pushgateway_bridge.dialects.layout import MAX_NESTING
from pushgateway_bridge.dialects.psutil_host import (
    UNSET,
    DiskIo,
    Field,
    OneSeries,
    Readings,
    filesystem,
    fitted,
    too_long,
    unix_ms,
)
from pushgateway_bridge.dialects.statix_details import Details
from pushgateway_bridge.dialects.statix_entry import (
    Document,
    Entry,
    encode_entry,
    mask_details,
    mask_document,
)
from pushgateway_bridge.dialects.statix_known import MEBIBYTE, KnownPushes, make_known
from pushgateway_bridge.dialects.statix_series import put_details
from pushgateway_bridge.errors import MalformedBody, PushRejected
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import PushGroup, make_push_group
from pushgateway_bridge.model.report import GroupReport, Report, Shape
from pushgateway_bridge.model.timestamps import believed_time_ms

LARGEST_INTEGER: Final = 2**63
MAX_SHOWN_BYTES: Final = 65_536
"""Longest body whose details are kept to be shown: agents send two thousand bytes, and masking takes its time."""
REQUIRED: Final = ("cpu", "disk", "hostname", "ram", "timestamp")

DISK_READ: Final = Family(
    "host_disk_read_bytes_per_second",
    "gauge",
    "Bytes read from disks per second, as the host measured it. Only of hosts that send no counter.",
)
DISK_WRITTEN: Final = Family(
    "host_disk_written_bytes_per_second",
    "gauge",
    "Bytes written to disks per second, as the host measured it. Only of hosts that send no counter.",
)

_CPU: Final[OneSeries] = (CPU_UTILIZATION, ())
_MEMORY: Final[OneSeries] = (MEMORY_USED_RATIO, ())
_DISK_READ: Final[OneSeries] = (DISK_READ, ())
_DISK_WRITTEN: Final[OneSeries] = (DISK_WRITTEN, ())
_NO_COUNTERS: Final = DiskIo()


class _Host:
    """What is the same at every push of a host: its push group, the series that it sent last, and how."""

    __slots__ = ("group", "shape", "unusual")

    def __init__(self, group: PushGroup) -> None:
        self.group = group
        self.shape: Shape = ()
        self.unusual: Shape = ()
        """The last of which nothing of use could be known."""


@lru_cache(maxsize=32_768)
def _host(hostname: str) -> _Host:
    return _Host(make_push_group("statix", hostname))


class _Push(msgspec.Struct, gc=False):
    """What the known forwarder sends. Anything else needs a closer look."""

    hostname: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    cpu: float
    ram: float
    disk: float
    timestamp: Annotated[int, msgspec.Meta(ge=0, le=2**62)]
    disk_read: float | msgspec.UnsetType = UNSET
    disk_write: float | msgspec.UnsetType = UNSET
    details: Details | msgspec.UnsetType = UNSET


class _KnownPush(_Push, forbid_unknown_fields=True, gc=False):
    """The same and nothing else: each text in it is looked at, and it is as deep as its structs."""


_known = KnownPushes()
_known_decoder = msgspec.json.Decoder(_KnownPush)
_decoder = msgspec.json.Decoder(_Push)


def decode(body: bytes, context: PushContext) -> Report:
    """The report in *body*. Raises MalformedBody, in the words of the original, for what it would refuse."""
    content_type = context.content_type
    if content_type != "application/json" and not (
        content_type.startswith("application/") and content_type.endswith("+json")
    ):
        raise MalformedBody("Invalid JSON payload")
    if context.limits.max_nesting >= MAX_NESTING:
        known = _known.find(body)
        if known is not None and len(body) <= MAX_SHOWN_BYTES:
            report = known.report_of(body, context.received_ms)
            if report is not None:
                return report
        try:
            return _report_of(_known_decoder.decode(body), body, context)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    # With fewer brackets than that it cannot be nested too deeply.
    lists = body.count(b"[") if b"[" in body else 0  # to look for one is quicker than to count
    if body.count(b"{") + lists <= context.limits.max_nesting:
        try:
            if not body.isascii():
                body.decode()  # the decoder does not look into fields that it does not know
            push = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        else:
            return _report_of(push, body, context)
    return _report_of_document(
        _read(body, context.limits.max_nesting), context.received_ms, len(body) <= MAX_SHOWN_BYTES
    )


def _report_of(push: _Push, body: bytes, context: PushContext) -> Report:
    timestamp_ms = unix_ms(push.timestamp)
    details = push.details
    entry = Entry(
        believed_time_ms(timestamp_ms, context.received_ms) // 1000,
        push.hostname,
        push.cpu,
        push.ram,
        push.disk,
        push.disk_read or 0.0,
        push.disk_write or 0.0,
    )
    found = Readings()
    sent = push.disk_read is not UNSET, push.disk_write is not UNSET
    rates = _put_all(found, entry, None if details is UNSET else details, sent)
    host = _host(push.hostname)
    last, host.shape = host.shape, found.shape_like(host.shape)
    if details is not UNSET and len(body) <= MAX_SHOWN_BYTES:
        if (
            host.shape is last
            and last is not host.unusual
            and not found.skipped
            and timestamp_ms is not None
            and isinstance(push, _KnownPush)
        ):
            _note(host, body, push, found.values, rates)
        entry.details = mask_details(details)
    return _finished(host, found, entry, timestamp_ms)


def _note(host: _Host, body: bytes, push: _KnownPush, values: list[float], rates: tuple[bool, bool]) -> None:
    """Remember how *body* was read, for the next one of this *host*."""
    last = _known.find(body)
    known = None
    if last is None or last.is_of_use or last.shape is not host.shape:
        known = make_known(body, push, host.group, host.shape, values, rates)
    if known is None:  # it cannot be, or it was and the next one was not like it
        host.unusual = host.shape
    else:
        _known.keep(body, known)


def _report_of_document(document: Document, received_ms: int, shown: bool) -> Report:
    entry, timestamp_ms = _converted(document, received_ms)
    details, raw = None, document.get("details")
    found = Readings()
    if isinstance(raw, dict):
        details, found.skipped = fitted(raw, Details)
        if shown:
            entry.details = mask_document(raw)
    _put_all(found, entry, details, ("disk_read" in document, "disk_write" in document))
    return _finished(_host(entry.hostname), found, entry, timestamp_ms)


def _put_all(
    found: Readings, entry: Entry, details: Details | None, sent: tuple[bool, bool]
) -> tuple[bool, bool]:
    """Add all series of a push. *sent* says which of the two disk rates were; return which of them are series."""
    _put_percent(found, _CPU, entry.cpu)
    _put_percent(found, _MEMORY, entry.ram)
    series = filesystem("/" if details is None else details.mountpoint)
    if series is None:  # a path that is too long for a label
        found.skipped += 1
    else:
        _put_percent(found, series.used, entry.disk)
    if details is not None:
        put_details(found, details, entry.hostname, series, entry.timestamp * 1000)
    # Where there is a counter, rates are made from it.
    counters = (details.disk_io if details is not None else None) or _NO_COUNTERS
    read, written = (
        sent[0] and not _is_number(counters.read_bytes),
        sent[1] and not _is_number(counters.write_bytes),
    )
    if read:
        _put_rate(found, _DISK_READ, entry.disk_read)
    if written:
        _put_rate(found, _DISK_WRITTEN, entry.disk_write)
    return read, written


def _finished(host: _Host, found: Readings, entry: Entry, timestamp_ms: int | None) -> Report:
    found.skipped += timestamp_ms is None
    host.shape = found.shape_like(host.shape)
    group = GroupReport(host.group, host.shape, found.values, timestamp_ms)
    return Report((group,), accepted=1, skipped_values=found.skipped, entry=encode_entry(entry))


def _read(body: bytes, max_nesting: int) -> Document:
    """The object in *body*, with all fields that must be there."""
    try:
        document = read_json(body, max_nesting)
    except MalformedBody as error:
        raise MalformedBody("Invalid JSON payload") from error
    if not isinstance(document, dict) or not document:
        raise MalformedBody("Invalid JSON payload")
    if missing := [name for name in REQUIRED if name not in document]:
        raise MalformedBody(f"Missing fields: {', '.join(missing)}")
    return document


def _converted(document: Document, received_ms: int) -> tuple[Entry, int | None]:
    """What is shown of a push, converted as the original does, and its time as sent (Unix ms), if it is one.

    The entry's own time is the one that the sample is stored with.
    """
    try:
        hostname = str(document["hostname"]) or "unknown"
        timestamp_ms = unix_ms(_integer(document["timestamp"]))
        entry = Entry(
            believed_time_ms(timestamp_ms, received_ms) // 1000,
            hostname,
            _float(document["cpu"]),
            _float(document["ram"]),
            _float(document["disk"]),
            _float(document.get("disk_read", 0.0)),
            _float(document.get("disk_write", 0.0)),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise MalformedBody("Invalid field types") from error
    if too_long(hostname):
        raise MalformedBody("Invalid field types")
    return entry, timestamp_ms


def _float(value: object) -> float:
    """*value* as Python's float() takes it: booleans are 0 and 1, texts may hold a number. Raises as it does."""
    number = float(value)  # type: ignore[arg-type]  # it says so itself
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def _integer(value: object) -> int:
    """*value* as Python's int() takes it: fractions are cut off, but not in texts. Raises as it does."""
    number = int(value)  # type: ignore[call-overload]
    if not -LARGEST_INTEGER <= number < LARGEST_INTEGER:
        raise ValueError(number)
    return number  # type: ignore[no-any-return]


def _is_number(value: Field) -> bool:
    return value is not None and value is not UNSET


def _put_percent(found: Readings, one: OneSeries, percent: float) -> None:
    """Add *percent* as a ratio; leave it out and count it if it is none. Its range is not a reason to refuse."""
    if 0 <= percent <= 100:
        found.put_ratio(one, percent)
    else:
        found.skipped += 1


def _put_rate(found: Readings, one: OneSeries, mebibytes: float) -> None:
    """Add a rate that was sent in MiB/s; leave it out and count it if it is negative or no number in bytes."""
    if mebibytes >= 0 and math.isfinite(mebibytes * MEBIBYTE):
        found.put(one, mebibytes, MEBIBYTE)
    else:
        found.skipped += 1


# Answers

_PAGES: Final = {
    405: ("Method Not Allowed", "The method is not allowed for the requested URL."),
    413: ("Request Entity Too Large", "The data value transmitted exceeds the capacity limit."),
}


def html_page(status: int, title: str, text: str) -> bytes:
    """The plain error page that these clients' server framework answers with."""
    return (
        f"<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
    ).encode()


def refuse(error: PushRejected) -> Reply:
    """``{"error": …}``; an HTML page where the original's framework answers before it does."""
    if page := _PAGES.get(error.status):
        return Reply(error.status, html_page(error.status, *page), "text/html; charset=utf-8")
    return Reply(error.status, msgspec.json.encode({"error": str(error)}), "application/json")


DIALECT = Dialect(
    name="statix",
    paths=("/metrics", "/sx/metrics"),
    max_body_bytes=1024 * 1024,
    series_class=SeriesClass.POINT,
    default_interval_seconds=30.0,
    decode=decode,
    accepted=Reply(200, b'{"status":"ok"}', "application/json"),
    refuse=refuse,
)
