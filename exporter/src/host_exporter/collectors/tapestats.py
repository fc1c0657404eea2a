"""What each tape drive read and wrote: https://docs.kernel.org/scsi/st.html#sysfs-and-statistics-for-tape-devices."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import partial
from typing import Literal

from host_exporter.collector import Collect, Collector, NameFilter, NoDataError, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.sysfs import names_or_none, number

CLASS = "class/scsi_tape"

SETTINGS = (Setting("ignored-devices", "^$", "Tape drives to leave out."),)

NANOSECONDS = 1e-9


def _family(name: str, help_text: str, kind: Literal["counter", "gauge"] = "counter") -> Family:
    return Family(f"node_tape_{name}", kind, help_text, ("device",))


_ATTRIBUTES: dict[str, tuple[Family, float]] = {
    "in_flight": (
        _family("io_now", "The number of I/Os currently outstanding to this device.", "gauge"),
        1,
    ),
    "io_ns": (
        _family(
            "io_time_seconds_total",
            "The amount of time spent waiting for all I/O to complete (including read and write)."
            " This includes tape movement commands such as seeking between file or set marks"
            " and implicit tape movement such as when rewind on close tape devices are used.",
        ),
        NANOSECONDS,
    ),
    "other_cnt": (
        _family(
            "io_others_total",
            "The number of I/Os issued to the tape drive other than read or write commands."
            " The time taken to complete these commands uses the following calculation"
            " io_time_seconds_total-read_time_seconds_total-write_time_seconds_total",
        ),
        1,
    ),
    "read_byte_cnt": (_family("read_bytes_total", "The number of bytes read from the tape drive."), 1),
    "read_cnt": (
        _family("reads_completed_total", "The number of read requests issued to the tape drive."),
        1,
    ),
    "read_ns": (
        _family("read_time_seconds_total", "The amount of time spent waiting for read requests to complete."),
        NANOSECONDS,
    ),
    "resid_cnt": (
        _family(
            "residual_total",
            "The number of times during a read or write we found the residual amount to be non-zero."
            " This should mean that a program is issuing a read larger thean the block size on tape."
            " For write not all data made it to tape.",
        ),
        1,
    ),
    "write_byte_cnt": (_family("written_bytes_total", "The number of bytes written to the tape drive."), 1),
    "write_cnt": (
        _family("writes_completed_total", "The number of write requests issued to the tape drive."),
        1,
    ),
    "write_ns": (
        _family(
            "write_time_seconds_total", "The amount of time spent waiting for write requests to complete."
        ),
        NANOSECONDS,
    ),
}
"""By the file that has it: the family, and what its number is multiplied by."""

FAMILIES = tuple(family for family, _ in _ATTRIBUTES.values())

_DRIVE = re.compile(r"st\d+")
"""The other names (``nst0``, ``st0a``) are further ways to use the same drive."""


def make(settings: Settings) -> Collect:
    """Shows the drives that are not to be ignored."""
    return partial(collect, shown=NameFilter(exclude=settings.pattern("ignored-devices")))


def collect(paths: HostPaths, shown: NameFilter) -> Iterator[Value]:
    """Counters of each drive since it was attached. What this kernel does not count is 0."""
    try:
        devices = paths.names_sys(CLASS)
    except FileNotFoundError:
        raise NoDataError(f"there is no {CLASS}") from None
    for device in devices:
        if _DRIVE.fullmatch(device) and shown.shows(device):
            folder = f"{CLASS}/{device}/stats"
            counted = names_or_none(paths, folder)
            if counted:  # else it was just removed
                yield from _counts(paths, folder, device, counted)


def _counts(paths: HostPaths, folder: str, device: str, counted: Collection[str]) -> Iterator[Value]:
    labels = (device,)
    for name, (family, factor) in _ATTRIBUTES.items():
        yield family, labels, number(paths, f"{folder}/{name}") * factor if name in counted else 0


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
