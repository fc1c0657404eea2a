"""StatusMonitor's agents: what psutil measures every five seconds, under a token that says whose it is.

Paths, fields and answers: docs/dialects/statusmonitor.md. The token is checked before anything here is called; the
agents send no name of their own, so that its number is the instance.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Final, TypeVar

import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Pusher, Reply, TokenNeed
from pushgateway_bridge.dialects.host_families import (
    CORE_UTILIZATION,
    CPU_UTILIZATION,
    LOAD1,
    LOAD5,
    LOAD15,
    MEMORY_AVAILABLE,
    MEMORY_TOTAL,
    MEMORY_USED_RATIO,
)
from pushgateway_bridge.dialects.json_body import read_json
from pushgateway_bridge.dialects.layout import MAX_NESTING, Layouts
from pushgateway_bridge.dialects.psutil_host import (
    DISK_IO_SERIES,
    LOGICAL_CORES,
    NETWORK_IO_SERIES,
    PHYSICAL_CORES,
    UNSET,
    DiskIo,
    Field,
    Frequency,
    NetworkIo,
    Number,
    OneSeries,
    Percent,
    Readings,
    filesystem,
    fitted,
    put_counters,
    put_filesystem,
    put_frequency,
    too_long,
    unix_ms,
)
from pushgateway_bridge.dialects.psutil_known import (
    CONSTANTS,
    DISK_IO_FIELDS,
    MAX_VALUES,
    NETWORK_IO_FIELDS,
    AlikeBodies,
    Fields,
    make_alike,
)
from pushgateway_bridge.errors import MalformedBody, PushRejected
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import PushGroup, make_label_set, make_push_group
from pushgateway_bridge.model.report import GroupReport, Report, Shape

MAX_CORES: Final = 1024
MAX_PARTITIONS: Final = 500

AGENT: Final = Family(
    "statusmonitor_agent_info",
    "gauge",
    "Always 1; the labels are the agent's name and the owner of its token.",
)


class _Cpu(msgspec.Struct, gc=False):
    usage_percent: Percent | None = None
    per_core_usage: Annotated[list[Percent | None], msgspec.Meta(max_length=MAX_CORES)] | None = None
    freq: Frequency | None = None
    load_avg: Annotated[list[Number | None], msgspec.Meta(max_length=3)] | None = None
    frequency_mhz: Field = UNSET
    count: Field = UNSET
    count_logical: Field = UNSET


class _Memory(msgspec.Struct, gc=False):
    total: Field = UNSET
    available: Field = UNSET
    used_percent: Percent | None = None
    usage_percent: Percent | None = None
    percent: Percent | None = None


class _Partition(msgspec.Struct, gc=False):
    device: str | None = None
    mountpoint: str | None = None
    fstype: str | None = None
    total: Field = UNSET
    used: Field = UNSET
    free: Field = UNSET


class _Disk(msgspec.Struct, gc=False):
    partitions: Annotated[list[_Partition | None], msgspec.Meta(max_length=MAX_PARTITIONS)] | None = None
    io: DiskIo | None = None


class _Sample(msgspec.Struct, gc=False):
    timestamp: float | int | str | bool | msgspec.UnsetType | None = UNSET
    cpu: _Cpu | None = None
    memory: _Memory | None = None
    disk: _Disk | None = None
    network: NetworkIo | None = None


_decoder = msgspec.json.Decoder(_Sample)


class _Agent:
    """What is the same at every push of an agent: its push group, who it is, and the series that it sent last."""

    __slots__ = ("group", "info", "known", "shape", "unusual")

    def __init__(self, group: PushGroup, info: OneSeries) -> None:
        self.group = group
        self.info = info
        self.shape: Shape = ()
        self.known: AlikeBodies | None = None
        """What is known of bodies with that shape."""
        self.unusual: Shape = ()
        """The last of which nothing of use could be known."""


@lru_cache(maxsize=32_768)
def _agent(pusher: Pusher) -> _Agent:
    group = make_push_group("statusmonitor", pusher.instance or str(pusher.token_id))
    name = "other" if too_long(pusher.name) else pusher.name
    return _Agent(group, (AGENT, make_label_set({"agent_name": name, "user_id": str(pusher.owner)})))


def decode(body: bytes, context: PushContext) -> Report:
    """The report in *body*: an object with a ``timestamp``, of which whatever makes sense is taken.

    Raises MalformedBody, with the words that these agents know, for anything else.
    """
    assert context.pusher is not None, "token_need is ALWAYS"
    agent = _agent(context.pusher)
    if agent.known is not None and context.limits.max_nesting >= MAX_NESTING:
        read = agent.known.read(body)
        if read is not None and (timestamp_ms := unix_ms(read[0].timestamp)) is not None:
            agent.known.is_of_use = True
            return Report((GroupReport(agent.group, agent.shape, read[1], timestamp_ms),), accepted=1)
    sample, skipped = _read(body, context.limits.max_nesting)
    timestamp = None if sample.timestamp is UNSET else sample.timestamp
    timestamp_ms = unix_ms(timestamp)
    found = Readings(skipped)
    if sample.cpu is not None:
        _put_cpu(found, sample.cpu)
    if sample.memory is not None:
        _put_memory(found, sample.memory)
    if sample.disk is not None:
        _put_partitions(found, sample.disk.partitions or ())
        put_counters(found, sample.disk.io, DISK_IO_SERIES)
    put_counters(found, sample.network, NETWORK_IO_SERIES)
    found.put(agent.info, 1.0)
    if timestamp is not None and timestamp_ms is None:
        found.skipped += 1
    _note(agent, body, sample, found)
    group = GroupReport(agent.group, agent.shape, found.values, timestamp_ms)
    return Report((group,), accepted=1, skipped_values=found.skipped)


def _note(agent: _Agent, body: bytes, sample: _Sample, found: Readings) -> None:
    """Remember what was found in *body*, and how, for the next one of this *agent*."""
    last, agent.shape = agent.shape, found.shape_like(agent.shape)
    if agent.shape is not last:
        agent.known = None
    elif last is not agent.unusual and not found.skipped:
        is_new = agent.known is None or agent.known.is_of_use
        agent.known = _make_known(body, sample, found.values) if is_new else None
        if agent.known is None:  # it cannot be, or it was and the next one was not like it
            agent.unusual = last


def _read(body: bytes, max_nesting: int) -> tuple[_Sample, int]:
    """What *body* says, and how many values were left out because they do not fit."""
    # With fewer brackets than that it cannot be nested too deeply.
    if body.count(b"{") + body.count(b"[") <= max_nesting:
        try:
            if not body.isascii():
                body.decode()  # the decoder does not look into fields that it does not know
            sample = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # to be looked at more closely
        else:
            if sample.timestamp is UNSET:
                raise MalformedBody("Missing required fields")
            return sample, 0
    try:
        document = read_json(body, max_nesting)
    except MalformedBody as error:
        raise MalformedBody("Invalid JSON") from error
    if not isinstance(document, dict | list):
        raise MalformedBody("Invalid JSON")
    if isinstance(document, list) or "timestamp" not in document:
        raise MalformedBody("Missing required fields")
    return fitted(document, _Sample)


# Series

_CPU: Final[OneSeries] = (CPU_UTILIZATION, ())
_LOADS: Final[tuple[OneSeries, ...]] = ((LOAD1, ()), (LOAD5, ()), (LOAD15, ()))
_EACH_CORE: Final[tuple[OneSeries, ...]] = tuple(
    (CORE_UTILIZATION, (("cpu", str(number)),)) for number in range(MAX_CORES)
)
_MEMORY_TOTAL: Final[OneSeries] = (MEMORY_TOTAL, ())
_MEMORY_AVAILABLE: Final[OneSeries] = (MEMORY_AVAILABLE, ())
_MEMORY_USED: Final[OneSeries] = (MEMORY_USED_RATIO, ())


def _put_cpu(found: Readings, cpu: _Cpu) -> None:
    found.put_ratio(_CPU, cpu.usage_percent)
    for one, percent in zip(_EACH_CORE, cpu.per_core_usage or (), strict=False):
        found.put_ratio(one, percent)
    frequency = cpu.freq or _NO_FREQUENCY
    put_frequency(found, frequency.current or cpu.frequency_mhz, frequency.min, frequency.max)
    for one, load in zip(_LOADS, cpu.load_avg or (), strict=False):
        found.put(one, load)
    found.put(PHYSICAL_CORES, cpu.count)
    found.put(LOGICAL_CORES, cpu.count_logical)


_NO_FREQUENCY: Final = Frequency()


def _put_memory(found: Readings, memory: _Memory) -> None:
    """Total and available, from which rules make the used share; the share itself only where these are not sent."""
    found.put(_MEMORY_TOTAL, memory.total)
    found.put_part(_MEMORY_AVAILABLE, memory.available, memory.total)
    if _MEMORY_TOTAL not in found.series or _MEMORY_AVAILABLE not in found.series:
        found.put_ratio(_MEMORY_USED, _first(memory.used_percent, memory.usage_percent, memory.percent))


def _put_partitions(found: Readings, partitions: list[_Partition | None] | tuple[()]) -> None:
    seen = set()
    for partition in partitions:
        if partition is None:
            continue
        series = filesystem(partition.mountpoint or "", partition.device or "", partition.fstype or "")
        if series is None or series.size in seen:
            found.skipped += 1
            continue
        seen.add(series.size)
        put_filesystem(found, series, partition.total, partition.used, partition.free)


# Samples like an agent's last one; psutil_known.py says what for

_LAYOUTS: Final = Layouts(
    dict.fromkeys(
        (
            "cpu.usage_percent",
            "cpu.per_core_usage[]",
            "memory.used_percent",
            "memory.usage_percent",
            "memory.percent",
        ),
        Percent,
    )
)


def _make_known(body: bytes, sample: _Sample, values: list[float]) -> AlikeBodies | None:
    """What is known of *body*, which is a *sample* that gave *values*; ``None`` if it would not give them again."""
    if len(values) > MAX_VALUES:
        return None
    fields = Fields(sample)
    if fields.is_there("cpu"):
        _find_cpu(fields)
    if fields.is_there("memory"):
        fields.put_parts("memory", "available")
        if not (fields.is_sent("memory.total") and fields.is_sent("memory.available")):
            return None  # the share may be told instead
    if fields.is_there("disk"):
        for partition in fields.items("disk.partitions"):
            if not fields.is_sent(partition):  # null stands where a file system may
                return None
            fields.same += [f"{partition}.{name}" for name in ("device", "mountpoint", "fstype")]
            fields.put_filesystem(partition)
        fields.put_all("disk.io", DISK_IO_FIELDS)
    fields.put_all("network", NETWORK_IO_FIELDS)
    fields.values.append(CONSTANTS)
    return make_alike(_LAYOUTS, body, fields, values)


def _find_cpu(fields: Fields) -> None:
    fields.put_percent("cpu.usage_percent")
    for core in fields.items("cpu.per_core_usage"):
        fields.put_percent(core)
    other = fields.is_there("cpu.freq")
    fields.put_frequency(*(("cpu.freq.current",) if other else ()), "cpu.frequency_mhz")
    if other:
        fields.put_frequency("cpu.freq.min")
        fields.put_frequency("cpu.freq.max")
    for load in fields.items("cpu.load_avg"):
        fields.put(load)
    fields.put("cpu.count")
    fields.put("cpu.count_logical")


T = TypeVar("T")


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)


# Answers

_TEXTS: Final = {
    401: "Invalid agent token",
    403: "Invalid agent token",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Metrics broker unavailable",
}


def refuse(error: PushRejected) -> Reply:
    """``{"detail": …}``, in the words of the original where it has some. Any trouble with a token is a 401."""
    text = _TEXTS.get(error.status) or str(error)
    if error.reason == "missing_token":
        text = "Missing agent token"
    status = 401 if error.status == 403 else error.status
    return Reply(status, msgspec.json.encode({"detail": text}), "application/json")


DIALECT = Dialect(
    name="statusmonitor",
    paths=("/ingest", "/sm/ingest"),
    max_body_bytes=1024 * 1024,
    series_class=SeriesClass.POINT,
    default_interval_seconds=5.0,
    decode=decode,
    accepted=Reply(200, b'{"status":"received"}', "application/json"),
    refuse=refuse,
    token_need=TokenNeed.ALWAYS,
    token_header="x-agent-token",  # noqa: S106 - the name of a header
)
