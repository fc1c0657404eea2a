"""What agents built on psutil send alike: its counters, frequencies and file systems, and the series they become.

The dialects of such agents declare their bodies as structs of optional fields. ``fitted`` reads a document as one
of these structs and leaves out what does not fit, field by field.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec

from pushgateway_bridge.dialects.host_families import (
    ALL_CPUS,
    ALL_DEVICES,
    CORES,
    DISK_READ_BYTES,
    DISK_READ_TIME,
    DISK_READS,
    DISK_WRITE_TIME,
    DISK_WRITES,
    DISK_WRITTEN_BYTES,
    FILESYSTEM_AVAILABLE,
    FILESYSTEM_FREE,
    FILESYSTEM_SIZE,
    FILESYSTEM_USED_RATIO,
    FREQUENCY,
    FREQUENCY_MAX,
    FREQUENCY_MIN,
    LOGICAL,
    NETWORK_RECEIVE_DROPS,
    NETWORK_RECEIVE_ERRORS,
    NETWORK_RECEIVED_BYTES,
    NETWORK_RECEIVED_PACKETS,
    NETWORK_SEND_DROPS,
    NETWORK_SEND_ERRORS,
    NETWORK_SENT_BYTES,
    NETWORK_SENT_PACKETS,
    PHYSICAL,
)
from pushgateway_bridge.dialects.masking import mask_text
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet, make_label_set
from pushgateway_bridge.model.report import Shape

MAX_LABEL_BYTES: Final = 1024
MILLISECOND: Final = 1e-3
MEGAHERTZ: Final = 1e6
LATEST_SECONDS: Final = 1e11
"""A time above this is in milliseconds: as seconds it would lie in the year 5138."""
LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999: no calendar goes further."""

Number = Annotated[int, msgspec.Meta(ge=0, le=2**62)] | Annotated[float, msgspec.Meta(ge=0, le=1e300)]
"""A size, a count or a time: finite, also when it is turned into a base unit."""
Field = Number | msgspec.UnsetType | None
"""A number that need not be there. What is not sent and what is ``null`` are told apart to show it again as sent."""
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
UNSET: Final = msgspec.UNSET

OneSeries = tuple[Family, LabelSet]


class Readings:
    """The series and values of one report as they are found, and how many values made no sense."""

    __slots__ = ("series", "skipped", "values")

    def __init__(self, skipped: int = 0) -> None:
        self.series: list[OneSeries] = []
        self.values: list[float] = []
        self.skipped = skipped

    def put(self, one: OneSeries, value: Field, unit: float = 1.0) -> None:
        """Add *value*, given in *unit*, if there is one."""
        if value is not None and value is not UNSET:
            self.series.append(one)
            self.values.append(value * unit)

    def put_ratio(self, one: OneSeries, percent: float | None) -> None:
        """Add *percent* as a share from 0 to 1."""
        if percent is not None:
            self.series.append(one)
            self.values.append(percent / 100)

    def put_part(self, one: OneSeries, part: Field, total: Field) -> None:
        """Add *part* if there is one; leave it out and count it if it is more than *total*."""
        if part is not None and part is not UNSET:
            if total is not None and total is not UNSET and part > total:
                self.skipped += 1
            else:
                self.series.append(one)
                self.values.append(part * 1.0)

    def shape_like(self, last: Shape) -> Shape:
        """The series found: *last* itself if it has the same ones."""
        shape = tuple(self.series)
        return last if shape == last else shape


class DiskIo(msgspec.Struct, gc=False):
    """psutil.disk_io_counters(): sums over all disks since the host started. Times are in milliseconds."""

    read_bytes: Field = UNSET
    write_bytes: Field = UNSET
    read_count: Field = UNSET
    write_count: Field = UNSET
    read_time: Field = UNSET
    write_time: Field = UNSET


DISK_IO_SERIES: Final[Sequence[tuple[OneSeries, float]]] = (
    ((DISK_READ_BYTES, ALL_DEVICES), 1.0),
    ((DISK_WRITTEN_BYTES, ALL_DEVICES), 1.0),
    ((DISK_READS, ALL_DEVICES), 1.0),
    ((DISK_WRITES, ALL_DEVICES), 1.0),
    ((DISK_READ_TIME, ALL_DEVICES), MILLISECOND),
    ((DISK_WRITE_TIME, ALL_DEVICES), MILLISECOND),
)


class NetworkIo(msgspec.Struct, gc=False):
    """psutil.net_io_counters(): sums over all interfaces, loopback included, since the host started."""

    bytes_recv: Field = UNSET
    bytes_sent: Field = UNSET
    packets_recv: Field = UNSET
    packets_sent: Field = UNSET
    errin: Field = UNSET
    errout: Field = UNSET
    dropin: Field = UNSET
    dropout: Field = UNSET


NETWORK_IO_SERIES: Final[Sequence[tuple[OneSeries, float]]] = tuple(
    ((family, ALL_DEVICES), 1.0)
    for family in (
        NETWORK_RECEIVED_BYTES,
        NETWORK_SENT_BYTES,
        NETWORK_RECEIVED_PACKETS,
        NETWORK_SENT_PACKETS,
        NETWORK_RECEIVE_ERRORS,
        NETWORK_SEND_ERRORS,
        NETWORK_RECEIVE_DROPS,
        NETWORK_SEND_DROPS,
    )
)


class Frequency(msgspec.Struct, gc=False):
    """psutil.cpu_freq(), in MHz. 0.0 means that the system does not tell."""

    current: Field = UNSET
    min: Field = UNSET
    max: Field = UNSET


FREQUENCY_SERIES: Final[Sequence[OneSeries]] = (
    (FREQUENCY, ALL_CPUS),
    (FREQUENCY_MIN, ALL_CPUS),
    (FREQUENCY_MAX, ALL_CPUS),
)
LOGICAL_CORES: Final[OneSeries] = (CORES, LOGICAL)
PHYSICAL_CORES: Final[OneSeries] = (CORES, PHYSICAL)


def put_counters(
    found: Readings,
    counters: DiskIo | NetworkIo | msgspec.UnsetType | None,
    series: Sequence[tuple[OneSeries, float]],
) -> None:
    """Add the *counters* that are there, each as the one of *series* at its place."""
    if not counters:
        return
    add_series, add_value = found.series.append, found.values.append
    for value, (one, unit) in zip(msgspec.structs.astuple(counters), series, strict=False):
        if value is not None and value is not UNSET:
            add_series(one)
            add_value(value * unit)


def put_frequency(found: Readings, current: Field, lowest: Field, highest: Field) -> None:
    """Add the frequencies that are known, in MHz; 0 means that the system does not tell."""
    for one, value in zip(FREQUENCY_SERIES, (current, lowest, highest), strict=True):
        if value:
            found.put(one, value, MEGAHERTZ)


class Filesystem(msgspec.Struct, frozen=True, gc=False):
    """The series of one file system."""

    size: OneSeries
    available: OneSeries
    free: OneSeries
    used: OneSeries


def filesystem(mountpoint: str, device: str = "", fstype: str = "") -> Filesystem | None:
    """The series of a file system, the same object each time; ``None`` if it has no place or too long a label.

    Addresses are masked: network file systems have them in *device*, some in *mountpoint* too.
    """
    if not mountpoint or max(len(mountpoint), len(device)) > MAX_LABEL_BYTES:  # it would be remembered
        return None
    return _filesystem(mountpoint, device, fstype if len(fstype) <= MAX_FSTYPE else "other")


MAX_FSTYPE: Final = 32


@lru_cache(maxsize=16_384)
def _filesystem(mountpoint: str, device: str, fstype: str) -> Filesystem | None:
    labels = make_label_set(
        {
            "device": mask_text(device),
            "mountpoint": mask_text(mountpoint),
            "fstype": fstype if is_word(fstype) else "other",
        }
    )
    if any(too_long(value) for _, value in labels):
        return None
    return Filesystem(
        (FILESYSTEM_SIZE, labels),
        (FILESYSTEM_AVAILABLE, labels),
        (FILESYSTEM_FREE, labels),
        (FILESYSTEM_USED_RATIO, labels),
    )


def put_filesystem(found: Readings, series: Filesystem, total: Field, used: Field, free: Field) -> None:
    """Add size, available and free space.

    psutil's *free* is what users can still fill; ``total - used`` is what is free, root's reserve included. Either
    is left out and counted if it contradicts *total*.
    """
    found.put(series.size, total)
    found.put_part(series.available, free, total)
    if total is not None and total is not UNSET and used is not None and used is not UNSET:
        if used > total:
            found.skipped += 1
        else:
            found.put(series.free, total - used)


def is_word(text: str) -> bool:
    """Whether *text* is empty or made of ASCII letters, digits, dots, dashes and underscores."""
    return not text or (text.isascii() and text.translate(_NO_PUNCTUATION).isalnum())


_NO_PUNCTUATION: Final = str.maketrans("", "", "._-")


def too_long(text: str) -> bool:
    """Whether *text* has more bytes than a label value may have."""
    return len(text) > MAX_LABEL_BYTES or len(text.encode()) > MAX_LABEL_BYTES


def unix_ms(seconds: float | str | None) -> int | None:
    """Unix milliseconds of *seconds*, which may be a number in text or milliseconds already; ``None`` if no time."""
    if seconds is None or isinstance(seconds, bool):
        return None
    try:
        number = float(seconds) if isinstance(seconds, str) else seconds
        milliseconds = round(number if number > LATEST_SECONDS else number * 1000)
    except (ValueError, OverflowError):  # no number, or one that is not finite
        return None
    return milliseconds if abs(milliseconds) <= LATEST_MS else None


# Reading as a struct

S = TypeVar("S", bound=msgspec.Struct)


def fitted(document: dict[str, Any], kind: type[S]) -> tuple[S, int]:
    """*document* as *kind*, and how many values were left out because they do not fit. ``null`` is absent."""
    try:
        return msgspec.convert(document, kind), 0
    except msgspec.ValidationError:
        return _fitted_struct(document, kind)


def _fitted_struct(document: dict[str, Any], kind: type[S]) -> tuple[S, int]:
    fields: dict[str, Any] = {}
    skipped = 0
    for name, annotation in _fields(kind):
        value = document.get(name)
        if value is not None:
            fitting, left_out = _fitted_value(value, annotation)
            skipped += left_out
            if fitting is not None:
                fields[name] = fitting
    return kind(**fields), skipped


@cache
def _fields(kind: type[msgspec.Struct]) -> list[tuple[str, Any]]:
    return [(field.name, field.type) for field in msgspec.structs.fields(kind)]


def _fitted_value(value: object, annotation: Any) -> tuple[Any, int]:
    """*value* as *annotation*, ``None`` if nothing of it fits; and how many values were left out."""
    try:
        return msgspec.convert(value, annotation), 0
    except msgspec.ValidationError:
        pass
    struct, items, max_items = _parts(annotation)
    if struct is not None:
        return _fitted_struct(value, struct) if isinstance(value, dict) else (None, 1)
    if items is None or not isinstance(value, list):
        return None, 1
    skipped = max(0, len(value) - max_items)
    fitting = []
    for item in value[:max_items]:
        one, left_out = _fitted_value(item, items)
        fitting.append(one)
        skipped += left_out
    return fitting, skipped


@cache
def _parts(annotation: Any) -> tuple[type[msgspec.Struct] | None, Any, int]:
    """The struct in *annotation*, or what its list is of and how many these may be."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation, None, 0
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        (items,) = get_args(arguments[0]) if get_origin(arguments[0]) is list else (None,)
        return None, items, arguments[1].max_length or 0
    if origin in (Union, types.UnionType):
        for argument in arguments:
            parts = _parts(argument)
            if parts != _NO_PARTS:
                return parts
    return _NO_PARTS


_NO_PARTS: Final = (None, None, 0)
