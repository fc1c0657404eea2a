"""What the pushes of a statix host have in common with its last ones: nearly always all but the numbers. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final

import msgspec

from pushgateway_bridge.dialects.layout import Layouts
from pushgateway_bridge.dialects.psutil_host import LATEST_SECONDS, Percent
from pushgateway_bridge.dialects.psutil_known import (
    CONSTANTS,
    DISK_IO_FIELDS,
    NETWORK_IO_FIELDS,
    AlikeBodies,
    Fields,
    Formula,
    make_alike,
)
from pushgateway_bridge.dialects.statix_details import Details
from pushgateway_bridge.dialects.statix_entry import is_shown_as_sent, masked_interface, masked_system
from pushgateway_bridge.model.labels import PushGroup
from pushgateway_bridge.model.report import GroupReport, Report, Shape
from pushgateway_bridge.model.timestamps import believed_time_ms

MEBIBYTE: Final = 2.0**20
MAX_KNOWN: Final = 32_768
"""Hosts of which something is known at most."""

_HOSTNAME: Final = b'"hostname":'
_OPENING: Final = ord("{")
_CLOSING: Final = ord("}")
_BEFORE_NAME: Final = len(_HOSTNAME) + len(b' "')
_LAYOUTS: Final = Layouts(
    {
        "cpu": Percent,
        "ram": Percent,
        "disk": Percent,
        "timestamp": Annotated[int, msgspec.Meta(ge=0, le=int(LATEST_SECONDS))],
        # No address is in what is a time.
        "details.collected_at": dt.datetime,
        # Whether these are the same is told by how they are written.
        "details.network.primary_interface": msgspec.Raw,
        "details.system": msgspec.Raw,
    }
)


class KnownPush:
    """What was found in a push of which nothing was left out."""

    __slots__ = ("_alike", "_group", "_more", "_quotes", "_replaced", "_uptime", "shape")

    def __init__(
        self,
        alike: AlikeBodies,
        group: PushGroup,
        shape: Shape,
        *,
        quotes: int,
        uptime: str | None,
        replaced: tuple[tuple[bytes, bytes], ...],
        more: bytes,
    ) -> None:
        self._alike = alike
        self._group = group
        self.shape = shape
        self._quotes = quotes
        """How many the body has: two for each name and each text."""
        self._uptime = uptime
        """The last text that said how long the host is up: it is the same for a minute or longer."""
        self._replaced = replaced
        """Objects with addresses, as they are written and as they are shown."""
        self._more = more
        """Fields that an entry has and the push has not."""

    @property
    def is_of_use(self) -> bool:
        """Whether there was a push like it."""
        return self._alike.is_of_use

    def report_of(self, body: bytes, received_ms: int) -> Report | None:
        """The report in *body*; ``None`` if it is not alike, or cannot be shown as it is sent."""
        read = self._alike.read(body)
        # If each field is there once, the decoder has seen all texts that are there.
        if read is None or body.count(b'"') != self._quotes:
            return None
        push, values = read
        timestamp_ms = push.timestamp * 1000
        if believed_time_ms(timestamp_ms, received_ms) != timestamp_ms:
            return None
        if self._uptime is not None and self._uptime != (uptime := push.details.uptime.human):
            if not is_shown_as_sent(uptime):
                return None
            self._uptime = uptime
        if body[0] != _OPENING or body[-1] != _CLOSING or b"\n" in body:  # an entry is one line
            return None
        for sent, shown in self._replaced:
            body = body.replace(sent, shown)
        if self._more:
            body = b"{%b%b" % (self._more, body[1:])
        self._alike.is_of_use = True
        return Report((GroupReport(self._group, self.shape, values, timestamp_ms),), accepted=1, entry=body)


class KnownPushes:
    """By the names of hosts as they are written."""

    def __init__(self) -> None:
        self._known: dict[bytes, KnownPush] = {}

    def find(self, body: bytes) -> KnownPush | None:
        """What is known of the host whose name is the first in *body*."""
        return self._known.get(_written_name(body))

    def keep(self, body: bytes, known: KnownPush) -> None:
        """Keep what is *known* of the host of *body*, and no longer what is known of the first if there are many."""
        name = _written_name(body)
        self._known.pop(name, None)
        self._known[name] = known
        if len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]

    def forget(self) -> None:
        """Know nothing."""
        self._known.clear()


def _written_name(body: bytes) -> bytes:
    """The first host name in *body* as it is written, with what stands around it."""
    start = body.find(_HOSTNAME)
    return body[start : body.find(b'"', start + _BEFORE_NAME)]


def make_known(
    body: bytes,
    push: Any,
    group: PushGroup,
    shape: Shape,
    values: list[float],
    rates: tuple[bool, bool],
) -> KnownPush | None:
    """What is known of *body*, which was read as *push* and gave *values* for *shape*; ``None`` if that is too little.

    *push* has no field that its structs do not name; *rates* says which of the two disk rates are the last series.
    """
    fields = Fields(push)
    if not _find(fields, push.details, rates):
        return None
    alike = make_alike(_LAYOUTS, body, fields, values)
    read = None if alike is None else alike.read(body)
    if alike is None or read is None:
        return None
    written, details = read[0].details, push.details
    replaced = _replaced(details, written)
    quotes = body.count(b'"')
    if replaced is None or quotes != _quotes(msgspec.json.decode(body)):
        return None
    uptime = details.uptime.human if details.uptime else None
    more = [b'"%b":0.0,' % name.encode() for name in ("disk_read", "disk_write") if not fields.is_sent(name)]
    return KnownPush(
        alike,
        group,
        shape,
        quotes=quotes,
        uptime=uptime if isinstance(uptime, str) else None,
        replaced=replaced,
        more=b"".join(more),
    )


def _quotes(value: object) -> int:
    """How many stand around the names and texts in *value*."""
    if isinstance(value, dict):
        return 2 * len(value) + sum([_quotes(field) for field in value.values()])
    return 2 * isinstance(value, str)  # no field that is known is a list


def _replaced(details: Details, written: Any) -> tuple[tuple[bytes, bytes], ...] | None:
    """The objects in *details* that have addresses, as they are *written* and as they are shown.

    ``None`` if there are or may be addresses elsewhere.
    """
    found = []
    if isinstance(details.collected_at, str) and isinstance(written.collected_at, str):
        return None  # it is no time, and is another text at every report
    if details.network and details.network.primary_interface:
        interface = details.network.primary_interface
        if (shown := masked_interface(interface)) != interface:
            found.append((bytes(written.network.primary_interface), msgspec.json.encode(shown)))
    if details.system and (system := masked_system(details.system)) != details.system:
        found.append((bytes(written.system), msgspec.json.encode(system)))
    others = (
        details.cpu.processor if details.cpu else None,
        details.disk.mount if details.disk else None,
        details.uptime.boot_time if details.uptime else None,
        details.uptime.human if details.uptime else None,
    )
    has_others = any(isinstance(text, str) and not is_shown_as_sent(text) for text in others)
    return None if has_others else tuple(found)


def _find(fields: Fields, details: Details, rates: tuple[bool, bool]) -> bool:
    """Find the *fields* in the order of their series; ``False`` if a value comes of more than one report's fields."""
    fields.same.append("hostname")
    for name in ("cpu", "ram", "disk"):
        fields.put_percent(name)
    if fields.is_there("details.cpu"):
        _find_cpu(fields)
    if fields.is_there("details.memory"):
        fields.put_parts("details.memory", "available", "free")
    if fields.is_there("details.swap"):
        fields.put_parts("details.swap", "free")
    elif details.memory and fields.is_there("details.memory.swap"):
        fields.put_parts("details.memory.swap", "free")
    if fields.is_there("details.disk"):
        fields.same.append("details.disk.mount")
        fields.put_filesystem("details.disk")
    fields.put_all("details.disk_io", DISK_IO_FIELDS)
    if fields.is_there("details.network"):
        fields.put_all("details.network.io_counters", NETWORK_IO_FIELDS)
        fields.same.append("details.network.primary_interface")
    fields.same.append("details.system")
    has_boot_time = _find_uptime(fields) if fields.is_there("details.uptime") else True
    fields.values.append(CONSTANTS)
    for name, is_series in zip(("disk_read", "disk_write"), rates, strict=True):
        if is_series:  # -0.0 is 0.0 there
            fields.values.append(Formula(f"({{}} or 0.0) * {MEBIBYTE!r}", (name,)))
    return has_boot_time


def _find_cpu(fields: Fields) -> None:
    fields.same.append("details.cpu.processor")
    fields.put("details.cpu.logical_cores")
    fields.put("details.cpu.physical_cores")
    other = fields.is_there("details.cpu.frequency")
    for name, other_name in (
        ("frequency_mhz", "current"),
        ("min_frequency_mhz", "min"),
        ("max_frequency_mhz", "max"),
    ):
        others = (f"details.cpu.frequency.{other_name}",) if other else ()
        fields.put_frequency(f"details.cpu.{name}", *others)


def _find_uptime(fields: Fields) -> bool:
    fields.same.append("details.uptime.boot_time")
    # Of the seconds it would be another time at each report.
    return bool(fields.get("details.uptime.boot_time")) or not fields.is_there("details.uptime.seconds")
