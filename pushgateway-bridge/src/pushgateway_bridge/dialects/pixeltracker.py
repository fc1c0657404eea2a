"""pixelTracker's agents: one JSON object every ten seconds, in four generations.

Paths, shapes and answers: the chapter "pixelTracker" of docs/dialects/pixeltracker.md. Nothing is validated
there, so whatever parses is accepted; what can be used of it becomes series of ``job="pixeltracker"``.
"""

from __future__ import annotations

import html
import sys
from typing import Final

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.dialects.json_body import read_json
from pushgateway_bridge.dialects.pixeltracker_entry import MACHINES, SYSNAMES, Document, make_entry
from pushgateway_bridge.errors import MalformedBody, PushRejected
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import LabelSet, make_label_set, make_push_group
from pushgateway_bridge.model.report import GroupReport, Report
from pushgateway_bridge.model.sample import Sample
from pushgateway_bridge.model.timestamps import parse_iso8601_ms

MEBIBYTE: Final = 2**20
LARGEST: Final = sys.float_info.max / MEBIBYTE
"""Largest number that is still finite when it is turned from mebibytes into bytes."""
MAX_HOST_BYTES: Final = 1024
"""Longest host name that becomes an instance label; DNS allows 253."""

LOAD = Family("node_load1", "gauge", "1m load average, from cpu.load1m, or a tenth of cpuL.")
CORES = Family("host_cpu_cores", "gauge", "Number of CPUs, from cpu.cores or cpuC.")
MEMORY_TOTAL = Family(
    "node_memory_MemTotal_bytes", "gauge", "Memory in bytes, from memory.totalMB or tRam.", "bytes"
)
MEMORY_AVAILABLE = Family(
    "node_memory_MemAvailable_bytes",
    "gauge",
    "Memory not in use in bytes: memory.totalMB - memory.usedMB, or tRam - uRam.",
    "bytes",
)
DISK = Family(
    "pixeltracker_disk_reported_bytes",
    "gauge",
    "What disk.freeMB or disk says, in bytes. Every known agent sends a constant here: do not alert on it.",
    "bytes",
)
UNAME = Family(
    "node_uname_info", "gauge", "Always 1; the labels say source.hostname, source.platform, source.arch."
)

LOGICAL: Final[LabelSet] = (("kind", "logical"),)


def decode(body: bytes, context: PushContext) -> Report:
    """The report in *body*: an object in one of four shapes; an array or another media type holds nothing.

    Raises MalformedBody if a JSON body is broken, a scalar, or nested too deeply.
    """
    if not body or context.content_type != "application/json":
        return Report(skipped=1, entry=make_entry(b"", {}, context.received_ms))
    document = read_json(body)
    if isinstance(document, list):
        numbered: Document = {str(i): item for i, item in enumerate(document)}
        return Report(skipped=1, entry=make_entry(body, numbered, context.received_ms))
    if not isinstance(document, dict):
        raise MalformedBody(f"expected an object or an array, got {body[:20]!r}")
    return _read_object(body, document, context)


def _read_object(body: bytes, document: Document, context: PushContext) -> Report:
    source = _section(document, "source")
    host = _text(source.get("hostname")) or _text(document.get("name"))
    values = _Values()
    samples = [*_measurements(document, values), *_identity(source, host)]
    entry = make_entry(body, document, context.received_ms)
    if (not host and not samples) or len(host.encode()) > MAX_HOST_BYTES:
        return Report(skipped=1, skipped_values=values.skipped, entry=entry)
    timestamp = document.get("timestamp")
    group = GroupReport(
        make_push_group("pixeltracker", host or "unknown"),
        samples,
        parse_iso8601_ms(timestamp) if isinstance(timestamp, str) else None,
    )
    return Report((group,), accepted=1, skipped_values=values.skipped, entry=entry)


class _Values:
    """Numbers out of a document; counts what is there but is none."""

    def __init__(self) -> None:
        self.skipped = 0

    def number(self, section: Document, key: str) -> float | None:
        """The value at *key*, ``None`` if it is absent, no number, negative or larger than LARGEST."""
        value = section.get(key)
        if value is None:
            return None
        # Compared before it is converted: JSON has integers that no float can hold.
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST:
            return float(value)
        self.skipped += 1
        return None


def _measurements(document: Document, values: _Values) -> list[Sample]:
    cpu, memory, disk = (_section(document, key) for key in ("cpu", "memory", "disk"))
    number = values.number
    cores = number(cpu, "cores") if "cores" in cpu else number(document, "cpuC")
    if "load1m" in cpu:
        load = number(cpu, "load1m")
    else:
        tenths = number(document, "cpuL")  # ten times the load, rounded
        load = None if tenths is None else tenths / 10
    total = number(memory, "totalMB") if "totalMB" in memory else number(document, "tRam")
    used = number(memory, "usedMB") if "usedMB" in memory else number(document, "uRam")
    # "disk" is an object in one generation and a number in another.
    placeholder = (
        number(disk, "freeMB") if isinstance(document.get("disk"), dict) else number(document, "disk")
    )

    samples = []
    if load is not None:
        samples.append(Sample(LOAD, (), load))
    if cores is not None:
        samples.append(Sample(CORES, LOGICAL, cores))
    if total is not None:
        samples.append(Sample(MEMORY_TOTAL, (), total * MEBIBYTE))
        if used is not None and used <= total:
            samples.append(Sample(MEMORY_AVAILABLE, (), (total - used) * MEBIBYTE))
        elif used is not None:
            values.skipped += 1
    if placeholder is not None:
        samples.append(Sample(DISK, (), placeholder * MEBIBYTE))
    return samples


def _identity(source: Document, host: str) -> list[Sample]:
    platform, arch = _text(source.get("platform")), _text(source.get("arch"))
    if not platform and not arch:
        return []
    labels = make_label_set(
        {
            "nodename": host,
            "sysname": SYSNAMES.get(platform, "other") if platform else "",
            "machine": MACHINES.get(arch, "other") if arch else "",
        }
    )
    return [Sample(UNAME, labels, 1.0)]


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
