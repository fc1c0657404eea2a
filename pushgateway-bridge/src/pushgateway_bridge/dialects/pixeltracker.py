"""pixelTracker's agents: one JSON object every ten seconds, in four generations.

Paths, shapes and answers: the chapter "pixelTracker" of docs/dialects/pixeltracker.md. Nothing is validated
there, so whatever parses is accepted; what can be used of it becomes series of ``job="pixeltracker"``.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.dialects.host_families import (
    CORES,
    LOAD1,
    LOGICAL,
    MEMORY_AVAILABLE,
    MEMORY_TOTAL,
    UNAME,
)
from pushgateway_bridge.dialects.json_body import read_json
from pushgateway_bridge.dialects.pixeltracker_entry import Document, masked_entry, plain_entry
from pushgateway_bridge.errors import MalformedBody, PushRejected
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import PushGroup, make_label_set, make_push_group
from pushgateway_bridge.model.report import GroupReport, Report, Shape
from pushgateway_bridge.model.timestamps import parse_iso8601_ms

MEBIBYTE: Final = 2.0**20
LARGEST: Final = sys.float_info.max / MEBIBYTE
"""Largest number that is still finite when it is turned from mebibytes into bytes."""
MAX_HOST_BYTES: Final = 1024
"""Longest host name that becomes an instance label; DNS allows 253."""

DISK = Family(
    "pixeltracker_disk_reported_bytes",
    "gauge",
    "What disk.freeMB or disk says, in bytes. Every known agent sends a constant here: do not alert on it.",
    "bytes",
)


# Node.js names of platforms and architectures, as uname(1) and so node_exporter's dashboards name them.
Platform = Literal["aix", "android", "darwin", "freebsd", "linux", "openbsd", "sunos", "win32"]
Arch = Literal["arm", "arm64", "ia32", "loong64", "mips", "mipsel", "ppc64", "riscv64", "s390x", "x64"]
SYSNAMES: Final[Mapping[str, str]] = {
    "aix": "AIX",
    "android": "Android",
    "darwin": "Darwin",
    "freebsd": "FreeBSD",
    "linux": "Linux",
    "openbsd": "OpenBSD",
    "sunos": "SunOS",
    "win32": "Windows",
}
MACHINES: Final[Mapping[str, str]] = {
    "arm": "arm",
    "arm64": "aarch64",
    "ia32": "i686",
    "loong64": "loongarch64",
    "mips": "mips",
    "mipsel": "mipsel",
    "ppc64": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "x64": "x86_64",
}


def decode(body: bytes, context: PushContext) -> Report:
    """The report in *body*: an object in one of four shapes; an array or another media type holds nothing.

    Raises MalformedBody if a JSON body is broken, a scalar, or nested too deeply.
    """
    if not body or context.content_type != "application/json":
        return Report(skipped=1, entry=masked_entry({}, context.received_ms))
    try:
        agent = _agent_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        agent = None
    # What an agent sends is read in one go; whatever else there may be, piece by piece.
    report = None if agent is None else _read_agent(agent, context)
    return report or _read_anything(body, context)


# What known agents send, and nothing else: fields that anybody could fill with any text are not among them but for
# the host's name, so that such a document needs no masking.

_Number = Annotated[int, msgspec.Meta(ge=0, le=2**62)] | Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
_Field = _Number | None | msgspec.UnsetType


class _Agents(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Base of what is decoded strictly."""


class _Source(_Agents, forbid_unknown_fields=True, gc=False):
    hostname: str | msgspec.UnsetType = msgspec.UNSET
    platform: Platform | msgspec.UnsetType = msgspec.UNSET
    arch: Arch | msgspec.UnsetType = msgspec.UNSET


class _Cpu(_Agents, forbid_unknown_fields=True, gc=False):
    cores: _Field = msgspec.UNSET
    load1m: _Field = msgspec.UNSET


class _Memory(_Agents, forbid_unknown_fields=True, gc=False):
    totalMB: _Field = msgspec.UNSET  # noqa: N815 - as it is sent
    usedMB: _Field = msgspec.UNSET  # noqa: N815


class _Disk(_Agents, forbid_unknown_fields=True, gc=False):
    freeMB: _Field = msgspec.UNSET  # noqa: N815


class _Agent(_Agents, forbid_unknown_fields=True, gc=False):
    source: _Source | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    cpu: _Cpu | msgspec.UnsetType = msgspec.UNSET
    memory: _Memory | msgspec.UnsetType = msgspec.UNSET
    disk: _Number | _Disk | msgspec.UnsetType | None = msgspec.UNSET
    cpuC: _Field = msgspec.UNSET  # noqa: N815
    cpuL: _Field = msgspec.UNSET  # noqa: N815
    tRam: _Field = msgspec.UNSET  # noqa: N815
    uRam: _Field = msgspec.UNSET  # noqa: N815
    timestamp: str | msgspec.UnsetType = msgspec.UNSET


_agent_decoder = msgspec.json.Decoder(_Agent)
_NO_SOURCE: Final = _Source()
_NO_CPU: Final = _Cpu()
_NO_MEMORY: Final = _Memory()


def _read_agent(agent: _Agent, context: PushContext) -> Report | None:
    """The report of a known agent; ``None`` if it must be looked at more closely."""
    source = agent.source or _NO_SOURCE
    host = source.hostname or agent.name
    if not host:
        return None
    timestamp_ms = None
    if agent.timestamp:
        timestamp_ms = parse_iso8601_ms(agent.timestamp)
        if timestamp_ms is None:
            return None
    known = _host(host, source.platform or "", source.arch or "")
    if known is None:
        return None
    cpu, memory, disk = agent.cpu or _NO_CPU, agent.memory or _NO_MEMORY, agent.disk
    tenths = agent.cpuL  # ten times the load, rounded
    shape, values, skipped = _measurements(
        known,
        _first(cpu.load1m, tenths / 10 if type(tenths) in _NUMBERS else None),  # type: ignore[operator]
        _first(cpu.cores, agent.cpuC),
        _first(memory.totalMB, agent.tRam),
        _first(memory.usedMB, agent.uRam),
        _first(disk.freeMB, None) if type(disk) is _Disk else _first(disk, None),
    )
    return Report(
        (GroupReport(known.group, shape, values, timestamp_ms),),
        accepted=1,
        skipped_values=skipped,
        entry=plain_entry(agent, context.received_ms),
    )


_NUMBERS: Final = (int, float)


def _first(new: object, old: object) -> float | None:
    """The first that is a number: generations name the same thing differently."""
    if type(new) in _NUMBERS:
        return new  # type: ignore[return-value]
    return old if type(old) in _NUMBERS else None  # type: ignore[return-value]


def _read_anything(body: bytes, context: PushContext) -> Report:
    document = read_json(body, context.limits.max_nesting)
    if isinstance(document, list):
        numbered: Document = {str(i): item for i, item in enumerate(document)}
        return Report(skipped=1, entry=masked_entry(numbered, context.received_ms))
    if not isinstance(document, dict):
        raise MalformedBody(f"expected an object or an array, got {body[:20]!r}")
    source, cpu, memory = (_section(document, key) for key in ("source", "cpu", "memory"))
    host = _text(source.get("hostname")) or _text(document.get("name"))
    known = _host(host, _text(source.get("platform")), _text(source.get("arch")))
    number = _Numbers()
    disk = document.get("disk")
    tenths = number.at(document, "cpuL")
    shape, values, contradictions = _measurements(
        known or _NOBODY,
        _first(number.at(cpu, "load1m"), None if tenths is None else tenths / 10),
        _first(number.at(cpu, "cores"), number.at(document, "cpuC")),
        _first(number.at(memory, "totalMB"), number.at(document, "tRam")),
        _first(number.at(memory, "usedMB"), number.at(document, "uRam")),
        number.at(disk, "freeMB") if isinstance(disk, dict) else number.at(document, "disk"),
    )
    skipped = number.skipped + contradictions
    entry = masked_entry(document, context.received_ms)
    if known is None or (not host and not shape):
        return Report(skipped=1, skipped_values=skipped, entry=entry)
    timestamp = document.get("timestamp")
    timestamp_ms = parse_iso8601_ms(timestamp) if isinstance(timestamp, str) else None
    report = GroupReport(known.group, shape, values, timestamp_ms)
    return Report((report,), accepted=1, skipped_values=skipped, entry=entry)


class _Numbers:
    """Numbers out of a document; counts what is there but is none."""

    def __init__(self) -> None:
        self.skipped = 0

    def at(self, section: Document, key: str) -> float | None:
        """The value at *key*, ``None`` if it is absent, no number, negative or larger than LARGEST."""
        value = section.get(key)
        if value is None:
            return None
        # Compared before it is converted: JSON has integers that no float can hold.
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST:
            return float(value)
        self.skipped += 1
        return None


class _Host:
    """What is the same at every push of a host: its push group, and the series of each set of values it sends."""

    __slots__ = ("_identity", "_present", "_shape", "group")

    def __init__(self, group: PushGroup, identity: Shape) -> None:
        self.group = group
        self._identity = identity
        self._present = 0
        self._shape = identity

    @property
    def named(self) -> bool:
        """Whether it told its system, which is a series of its own with the value 1."""
        return bool(self._identity)

    def shape(self, present: int) -> Shape:
        """The series of the MEASUREMENTS whose bits are set in *present*; the same object while they stay the same."""
        if present != self._present:
            measured = tuple(one for bit, one in enumerate(MEASUREMENTS) if present >> bit & 1)
            self._present, self._shape = present, measured + self._identity
        return self._shape


MEASUREMENTS: Final[Shape] = (
    (LOAD1, ()),
    (CORES, LOGICAL),
    (MEMORY_TOTAL, ()),
    (MEMORY_AVAILABLE, ()),
    (DISK, ()),
)
_NOBODY: Final = _Host((), ())


def _measurements(
    host: _Host,
    load: float | None,
    cores: float | None,
    total: float | None,
    used: float | None,
    disk: float | None,
) -> tuple[Shape, list[float], int]:
    """The series and values of what is there, and how many contradict another. Memory and disk are in MiB."""
    values = []
    present = contradictions = 0
    if load is not None:
        values.append(float(load))
        present = 1
    if cores is not None:
        values.append(float(cores))
        present |= 2
    if total is not None:
        values.append(total * MEBIBYTE)
        present |= 4
        if used is not None and used <= total:
            values.append((total - used) * MEBIBYTE)
            present |= 8
        elif used is not None:
            contradictions = 1
    if disk is not None:
        values.append(disk * MEBIBYTE)
        present |= 16
    if host.named:
        values.append(1.0)
    return host.shape(present), values, contradictions


def _host(host: str, platform: str, arch: str) -> _Host | None:
    """What is known of *host*; ``None`` if its name is too long to be remembered or shown."""
    if len(host) * 4 > MAX_HOST_BYTES and len(host.encode()) > MAX_HOST_BYTES:
        return None
    return _known_host(host, _word(platform, SYSNAMES), _word(arch, MACHINES))


def _word(text: str, known: Mapping[str, str]) -> str:
    """*text* if it is one of *known*, which are few and short; else ``other``, unless it is empty."""
    return text if not text or text in known else "other"


@lru_cache(maxsize=32_768)
def _known_host(host: str, platform: str, arch: str) -> _Host:
    """What is known of *host*, remembered for some ten thousand of them."""
    group = make_push_group("pixeltracker", host or "unknown")
    if not platform and not arch:
        return _Host(group, ())
    labels = make_label_set(
        {
            "nodename": host,
            "sysname": SYSNAMES.get(platform, "other") if platform else "",
            "machine": MACHINES.get(arch, "other") if arch else "",
        }
    )
    return _Host(group, ((UNAME, labels),))


def _section(document: Document, key: str) -> Document:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def html_page(title: str, text: str) -> bytes:
    """The plain error page that these clients' server framework answers with."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n</head>\n'
        f"<body>\n<pre>{html.escape(text)}</pre>\n</body>\n</html>\n"
    ).encode()


def refuse(error: PushRejected) -> Reply:
    """An HTML page with the reason; a wrong method is a page that does not exist."""
    status = 404 if error.status == 405 else error.status
    return Reply(status, html_page("Error", str(error)), "text/html; charset=utf-8")


DIALECT = Dialect(
    name="pixeltracker",
    paths=("/api/telemetry", "/pt/api/telemetry"),
    max_body_bytes=102_400,
    series_class=SeriesClass.POINT,
    default_interval_seconds=10.0,
    decode=decode,
    accepted=Reply(200, b'{"status":"accepted"}', "application/json; charset=utf-8"),
    refuse=refuse,
)
