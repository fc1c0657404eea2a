"""What each block device read, wrote and discarded, and which device it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from host_exporter.collector import Collect, Collector, NameFilter, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.diskstats import parse_diskstats
from host_exporter.procfs.udev import parse_udev

EXCLUDED_DEVICES = re.compile(r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$")
"""node_exporter's default: partitions, floppies and what is in memory or behind a file."""

DEFAULT_FILTER = NameFilter(exclude=EXCLUDED_DEVICES)

SETTINGS = (
    Setting(
        "device-exclude",
        EXCLUDED_DEVICES.pattern,
        "Devices to leave out; not together with device-include.",
    ),
    Setting("device-include", "", "Devices to show; not together with device-exclude."),
    Setting("ignored-devices", "", "The older name of device-exclude."),
)

FEWEST_COUNTS = 11
"""Before Linux 2.6.25 the lines of partitions had 4 counts, of other things."""

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
FILESYSTEM_INFO = Family(
    "node_disk_filesystem_info",
    "gauge",
    "Info about disk filesystem.",
    ("device", "type", "usage", "uuid", "version"),
)
DEVICE_MAPPER_INFO = Family(
    "node_disk_device_mapper_info",
    "gauge",
    "Info about disk device mapper.",
    ("device", "name", "uuid", "vg_name", "lv_name", "lv_layer"),
)
ATA = {
    "ID_ATA_WRITE_CACHE": Family(
        "node_disk_ata_write_cache", "gauge", "ATA disk has a write cache.", ("device",)
    ),
    "ID_ATA_WRITE_CACHE_ENABLED": Family(
        "node_disk_ata_write_cache_enabled", "gauge", "ATA disk has its write cache enabled.", ("device",)
    ),
    "ID_ATA_ROTATION_RATE_RPM": Family(
        "node_disk_ata_rotation_rate_rpm",
        "gauge",
        "ATA disk rotation rate in RPMs (0 for SSDs).",
        ("device",),
    ),
}
"""By udev's name for it."""

FAMILIES = (INFO, *(column.family for column in COLUMNS), FILESYSTEM_INFO, DEVICE_MAPPER_INFO, *ATA.values())


def make(settings: Settings) -> Collect:
    """Shows the devices that the settings let through."""
    return partial(
        collect,
        shown=settings.name_filter("device", older="ignored-devices"),
    )


def collect(paths: HostPaths, shown: NameFilter = DEFAULT_FILTER) -> Iterator[Value]:
    """Counters of each device that is *shown*, and series whose labels say what udev knows of it."""
    for disk in parse_diskstats(paths.read("diskstats"), shown.shows):
        if len(disk.counts) < FEWEST_COUNTS:
            continue
        device = disk.name
        try:
            known = _known(paths.read_udev(f"{disk.major}:{disk.minor}"))
        except OSError:
            known = NOTHING_KNOWN  # no udev, as in a container, or not for us
        yield INFO, (device, disk.major, disk.minor, *known.names, _rotational(paths, device)), 1
        labels = (device,)
        for (family, multiplier, divisor), count in zip(COLUMNS, disk.counts, strict=False):
            yield family, labels, count * multiplier if divisor == 1 else count / divisor
        for family, facts, number in known.series:
            yield family, (device, *facts), number


def _rotational(paths: HostPaths, device: str) -> str:
    try:
        return paths.read_sys(f"block/{device}/queue/rotational").strip()
    except OSError:
        return "0"  # what node_exporter shows then


class _Known(NamedTuple):
    """What udev knows of one device: labels of ``node_disk_info``, and the other series without the device."""

    names: tuple[str, ...]
    series: tuple[Value, ...]


@lru_cache(maxsize=256)
def _known(text: str) -> _Known:
    """Kept for so many devices while udev's text of them stays the same, which is until they are changed."""
    known = parse_udev(text)
    path, model, wwn, revision = (
        known.get(key, "") for key in ("ID_PATH", "ID_MODEL", "ID_WWN", "ID_REVISION")
    )
    serial = (
        known.get("SCSI_IDENT_SERIAL")  # what is printed on the disk
        or known.get("ID_SERIAL_SHORT")
        or known.get("ID_SERIAL", "")  # of a virtual disk
    )
    return _Known((path, model, wwn, revision, serial), tuple(_series(known)))


def _series(known: Mapping[str, str]) -> Iterator[Value]:
    """What is on the disk, and how an ATA disk is set; a number that is none is left out."""
    if fstype := known.get("ID_FS_TYPE"):
        facts = (known.get(f"ID_FS_{key}", "") for key in ("USAGE", "UUID", "VERSION"))
        yield FILESYSTEM_INFO, (fstype, *facts), 1
    if name := known.get("DM_NAME"):
        facts = (known.get(f"DM_{key}", "") for key in ("UUID", "VG_NAME", "LV_NAME", "LV_LAYER"))
        yield DEVICE_MAPPER_INFO, (name, *facts), 1
    if known.get("ID_ATA"):
        for key, family in ATA.items():
            try:
                yield family, (), float(known[key])
            except (KeyError, ValueError):
                continue


NOTHING_KNOWN = _known("")


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
