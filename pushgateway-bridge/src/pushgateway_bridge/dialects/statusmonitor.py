"""StatusMonitor's agents: what psutil measures every five seconds, under a token that says whose it is.

Paths, fields and answers: docs/dialects/statusmonitor.md. The token is checked before anything here is called; the
agents send no name of their own, so that its number is the instance.
"""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter
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
    DISK_IO_FIELDS,
    NETWORK_IO_FIELDS,
    AlikeNumbers,
    Fields,
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
        self.known: _Known | None = None
        self.unusual: Shape = ()
        """The last of which nothing could be known."""


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
    sample, skipped = _read(body, context.limits.max_nesting)
    agent = _agent(context.pusher)
    timestamp = None if sample.timestamp is UNSET else sample.timestamp
    timestamp_ms = unix_ms(timestamp)
    if agent.known is not None and not skipped and timestamp_ms is not None:
        values = agent.known.values_of(sample)
        if values is not None:
            group = GroupReport(agent.group, agent.known.shape, values, timestamp_ms)
            return Report((group,), accepted=1)
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
    last, agent.shape = agent.shape, found.shape_like(agent.shape)
    if agent.shape is last and last is not agent.unusual and not found.skipped:
        agent.known = _make_known(sample, last, found.values)
        if agent.known is None:
            agent.unusual = last
    group = GroupReport(agent.group, agent.shape, found.values, timestamp_ms)
    return Report((group,), accepted=1, skipped_values=found.skipped)


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


# Samples like an agent's last one

_PARTITION: Final = attrgetter("device", "mountpoint", "fstype")


class _Known:
    """What was found in a sample of which nothing was left out; psutil_known.py says what for."""

    __slots__ = (
        "_before_disk",
        "_before_loads",
        "_cores",
        "_has_usage",
        "_loads",
        "_numbers",
        "_partitions",
        "shape",
    )

    def __init__(
        self, sample: _Sample, shape: Shape, fields: Fields, before_loads: int, before_disk: int
    ) -> None:
        """So many of the numbers of *fields* come before the load, and before the file systems."""
        self.shape = shape
        self._numbers = AlikeNumbers(fields)
        self._before_loads = before_loads
        self._before_disk = before_disk
        cpu, disk = sample.cpu, sample.disk
        self._has_usage = cpu is not None and cpu.usage_percent is not None
        self._cores = 0 if cpu is None else len(cpu.per_core_usage or ())
        self._loads = 0 if cpu is None else len(cpu.load_avg or ())
        partitions = (None if disk is None else disk.partitions) or ()
        self._partitions = tuple([_PARTITION(one) for one in partitions])

    def values_of(self, sample: _Sample) -> list[float] | None:
        """The values of the series of *sample*; ``None`` if it is not alike."""
        numbers = self._numbers.fetch(sample)
        if numbers is None:
            return None
        values: list[float] = []
        cpu, disk = sample.cpu, sample.disk
        try:
            if cpu is not None:
                cores, loads = cpu.per_core_usage or (), cpu.load_avg or ()
                if (
                    len(cores) != self._cores
                    or len(loads) != self._loads
                    or (cpu.usage_percent is not None) != self._has_usage
                ):
                    return None
                if cpu.usage_percent is not None:
                    values.append(cpu.usage_percent / 100)
                values += [percent / 100 for percent in cores]  # type: ignore[operator]
                values += numbers[: self._before_loads]
                values += [load * 1.0 for load in loads]  # type: ignore[operator]
            values += numbers[self._before_loads : self._before_disk]
            partitions = (None if disk is None else disk.partitions) or ()
            if len(partitions) != len(self._partitions):
                return None
            for one, alike in zip(partitions, self._partitions, strict=True):
                if _PARTITION(one) != alike:
                    return None
                total, used, free = one.total, one.used, one.free  # type: ignore[union-attr]
                if free > total or used > total:  # type: ignore[operator]
                    return None
                values += (total * 1.0, free * 1.0, (total - used) * 1.0)  # type: ignore[operator]
        except (AttributeError, TypeError):  # something is not there
            return None
        values += numbers[self._before_disk :]
        values.append(1.0)
        return values


def _make_known(sample: _Sample, shape: Shape, values: list[float]) -> _Known | None:
    """What is known of a *sample* that gave *values* for *shape*; ``None`` if it would not give them again."""
    fields = Fields(sample)
    before_loads = 0
    if fields.is_there("cpu"):
        other = fields.is_there("cpu.freq")
        fields.put_frequency(*(("cpu.freq.current",) if other else ()), "cpu.frequency_mhz")
        if other:
            fields.put_frequency("cpu.freq.min")
            fields.put_frequency("cpu.freq.max")
        before_loads = len(fields.numbers)
        fields.put("cpu.count")
        fields.put("cpu.count_logical")
    if fields.is_there("memory"):
        total = fields.put_parts("memory", "available")
        if total < 0 or len(fields.numbers) != total + 2:
            return None  # the share may be told instead
    before_disk = len(fields.numbers)
    if fields.is_there("disk"):
        fields.put_all("disk.io", DISK_IO_FIELDS)
    fields.put_all("network", NETWORK_IO_FIELDS)
    try:
        known = _Known(sample, shape, fields, before_loads, before_disk)
    except AttributeError:  # null stands where a file system may
        return None
    return known if known.values_of(sample) == values else None


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
