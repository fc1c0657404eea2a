"""What each block device read, wrote and discarded, and which device it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.diskstats import Disk, parse_diskstats
from host_exporter.procfs.udev import parse_udev

EXCLUDED_DEVICES = re.compile(r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$")
"""node_exporter's default: partitions, floppies and what is in memory or behind a file."""

SECTOR_BYTES = 512
"""The kernel counts sectors of this size, whatever the device's own."""

MILLISECONDS = 1000


class _Column(NamedTuple):
    family: Family
    multiplier: int = 1
    divisor: int = 1


def _counter(name: str, help_text: str) -> Family:
    return Family(f"node_disk_{name}", "counter", help_text, ("device",))


COLUMNS = (
    _Column(_counter("reads_completed_total", "The total number of reads completed successfully.")),
    _Column(_counter("reads_merged_total", "The total number of reads merged.")),
    _Column(_counter("read_bytes_total", "The total number of bytes read successfully."), SECTOR_BYTES),
    _Column(
        _counter("read_time_seconds_total", "The total number of seconds spent by all reads."),
        divisor=MILLISECONDS,
    ),
    _Column(_counter("writes_completed_total", "The total number of writes completed successfully.")),
    _Column(_counter("writes_merged_total", "The number of writes merged.")),
    _Column(_counter("written_bytes_total", "The total number of bytes written successfully."), SECTOR_BYTES),
    _Column(
        _counter("write_time_seconds_total", "This is the total number of seconds spent by all writes."),
        divisor=MILLISECONDS,
    ),
    _Column(
        Family("node_disk_io_now", "gauge", "The number of I/Os currently in progress.", ("device",)),
    ),
    _Column(_counter("io_time_seconds_total", "Total seconds spent doing I/Os."), divisor=MILLISECONDS),
    _Column(
        _counter("io_time_weighted_seconds_total", "The weighted # of seconds spent doing I/Os."),
        divisor=MILLISECONDS,
    ),
    _Column(_counter("discards_completed_total", "The total number of discards completed successfully.")),
    _Column(_counter("discards_merged_total", "The total number of discards merged.")),
    _Column(_counter("discarded_sectors_total", "The total number of sectors discarded successfully.")),
    _Column(
        _counter("discard_time_seconds_total", "This is the total number of seconds spent by all discards."),
        divisor=MILLISECONDS,
    ),
    _Column(_counter("flush_requests_total", "The total number of flush requests completed successfully")),
    _Column(
        _counter(
            "flush_requests_time_seconds_total",
            "This is the total number of seconds spent by all flush requests.",
        ),
        divisor=MILLISECONDS,
    ),
)
"""The kernel's columns in their order; older kernels end after 11 or 15 of them."""

INFO = Family(
    "node_disk_info",
    "gauge",
    "Info of /sys/block/<block_device>.",
    ("device", "major", "minor", "path", "model", "wwn", "revision", "serial", "rotational"),
)
FAMILIES = (INFO, *(column.family for column in COLUMNS))


def collect(paths: HostPaths) -> Iterator[Value]:
    """Counters of each whole disk, and one series whose labels say which disk it is."""
    for disk in parse_diskstats(paths.read("diskstats")):
        if EXCLUDED_DEVICES.match(disk.name):
            continue
        labels = (disk.name,)
        yield INFO, _identity(paths, disk), 1
        for (family, multiplier, divisor), count in zip(COLUMNS, disk.counts, strict=False):
            yield family, labels, count * multiplier if divisor == 1 else count / divisor


def _identity(paths: HostPaths, disk: Disk) -> tuple[str, ...]:
    """The labels of ``node_disk_info``; what neither udev nor sysfs knows is empty."""
    try:
        known = parse_udev(paths.read_replaced(f"run/udev/data/b{disk.major}:{disk.minor}"))
    except (FileNotFoundError, PermissionError):
        known = {}  # no udev, as in a container
    try:
        rotational = paths.read_sys(f"block/{disk.name}/queue/rotational").strip()
    except FileNotFoundError:
        rotational = "0"  # what node_exporter shows then
    serial = known.get("SCSI_IDENT_SERIAL") or known.get("ID_SERIAL_SHORT", "")
    names = (known.get(key, "") for key in ("ID_PATH", "ID_MODEL", "ID_WWN", "ID_REVISION"))
    return (disk.name, disk.major, disk.minor, *names, serial, rotational)


COLLECTOR = Collector(FAMILIES, unset(collect))
