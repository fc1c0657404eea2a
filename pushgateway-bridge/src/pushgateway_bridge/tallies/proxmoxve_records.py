"""The rows of ProxmoxVE's ``/api/records``: how they are kept, and how they are found, sorted and paged. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from pushgateway_bridge.dialects.proxmoxve_event import MAINLINE, ProxmoxveEvent
from pushgateway_bridge.model.timestamps import format_iso8601_ms
from pushgateway_bridge.tallies.executions import Execution

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 100


class Record(msgspec.Struct, omit_defaults=True, gc=False):
    """One row: fields under the names that clients send them by; what is empty or 0 is left out."""

    id: str
    """The keyed hash of the execution's id."""
    created: str
    type: str = ""
    nsapp: str = ""
    status: str = ""
    ct_type: int = 0
    disk_size: int = 0
    core_count: int = 0
    ram_size: int = 0
    os_type: str = ""
    os_version: str = ""
    pve_version: str = ""
    method: str = ""
    exit_code: int = 0
    error: str = ""
    error_category: str = ""
    install_duration: int = 0
    gpu_vendor: str = ""
    gpu_model: str = ""
    gpu_passthrough: str = ""
    cpu_vendor: str = ""
    cpu_model: str = ""
    ram_speed: str = ""
    repo_source: str = ""
    repo_slug: str = ""
    has_arm: bool = False
    arch: str = ""
    platform: str = ""
    kernel_version: str = ""
    app_version: str = ""
    failed_command: str = ""
    failed_line: int = 0
    pipeline: str = ""


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Record)


def make_entry(key: bytes, event: ProxmoxveEvent, execution: Execution, received_ms: int) -> bytes:
    """One line of JSON for *event*; what it does not say of its *execution* is taken from there."""
    return _encoder.encode(
        Record(
            id=key.hex(),
            created=format_iso8601_ms(received_ms)[:-1].replace("T", " "),
            type=execution.type,
            nsapp=execution.app,
            status=event.status,
            ct_type=event.ct_type,
            disk_size=execution.disk_gigabytes,
            core_count=execution.cores,
            ram_size=execution.memory_megabytes,
            os_type=execution.os_type,
            os_version=execution.os_version,
            pve_version=execution.pve_version,
            method=execution.method,
            exit_code=event.exit_code or 0,
            error=event.error,
            error_category=event.error_category,
            install_duration=event.duration_seconds,
            gpu_vendor=execution.gpu_vendor,
            gpu_model=event.gpu_model,
            gpu_passthrough=execution.gpu_passthrough,
            cpu_vendor=execution.cpu_vendor,
            cpu_model=event.cpu_model,
            ram_speed=event.ram_speed,
            repo_source=execution.repo_source,
            repo_slug=execution.repo_slug,
            has_arm=event.has_arm,
            arch=execution.arch,
            platform=event.platform,
            kernel_version=event.kernel_version,
            app_version=event.app_version,
            failed_command=event.failed_command,
            failed_line=event.failed_line,
        )
    )


class RecordQuery(msgspec.Struct, frozen=True):
    """What is asked for; an empty text asks for all."""

    page: int = 1
    limit: int = DEFAULT_LIMIT
    status: str = ""
    app: str = ""
    """A part of the name, in any case."""
    os: str = ""
    type: str = ""
    sort: str = ""
    """A field of SORTED_BY, with ``-`` before it: descending. Anything else: the newest first."""
    repo: str = MAINLINE
    """Whose scripts; empty: all."""
    slug: str = ""
    since: str = ""
    """Only rows whose ``created`` is this or later."""


_SORTED_BY: Final[dict[str, Callable[[Record], str | int]]] = {
    "created": lambda row: row.created,
    "nsapp": lambda row: row.nsapp,
    "status": lambda row: row.status,
    "os_type": lambda row: row.os_type,
    "type": lambda row: row.type,
    "method": lambda row: row.method,
    "exit_code": lambda row: row.exit_code,
}
SORTED_BY: Final = tuple(_SORTED_BY)


class _Page(msgspec.Struct):
    records: Sequence[Record]
    page: int
    limit: int
    total: int
    total_pages: int


def read_records(entries: Iterable[bytes], query: RecordQuery) -> bytes:
    """The JSON document that answers *query*, from *entries*, oldest first."""
    limit = min(query.limit, MAX_LIMIT) if query.limit > 0 else DEFAULT_LIMIT
    page = max(query.page, 1)
    rows = [row for row in _one_per_execution(entries) if _is_wanted(row, query)]
    rows.sort(key=lambda row: row.created, reverse=True)
    field = query.sort.removeprefix("-")
    if field in _SORTED_BY:
        rows.sort(key=_SORTED_BY[field], reverse=query.sort.startswith("-"))
    first = (page - 1) * limit
    return _encoder.encode(_Page(rows[first : first + limit], page, limit, len(rows), -(-len(rows) // limit)))


def _one_per_execution(entries: Iterable[bytes]) -> Iterable[Record]:
    """The result of each execution if it has one, else its start; with all its steps in ``pipeline``."""
    rows: dict[str, Record] = {}
    steps: dict[str, list[dict[str, str]]] = {}
    for entry in entries:
        row = _decoder.decode(entry)
        steps.setdefault(row.id, []).append({"s": row.status, "t": row.created})
        known = rows.get(row.id)
        if known is None or known.status == "installing":
            rows[row.id] = row
    for row in rows.values():
        row.pipeline = _encoder.encode(steps[row.id]).decode()
    return rows.values()


def _is_wanted(row: Record, query: RecordQuery) -> bool:
    return (
        (not query.status or row.status == query.status)
        and query.app.lower() in row.nsapp.lower()
        and (not query.os or row.os_type == query.os)
        and (not query.type or row.type == query.type)
        and (not query.repo or (row.repo_source or MAINLINE) == query.repo)
        and (not query.slug or row.repo_slug == query.slug)
        and row.created >= query.since
    )
