"""The groups ``disk``, the space of one file system, and ``disk_io``, the sums over all disks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host_exporter.paths import HostPaths
from host_exporter.procfs.diskstats import parse_diskstats
from host_exporter.system.memory import percent

SECTOR_BYTES = 512
"""What the kernel counts in, whatever the disk's own sectors."""

COLUMNS = {
    "read_count": (0, 1),
    "write_count": (4, 1),
    "read_bytes": (2, SECTOR_BYTES),
    "write_bytes": (6, SECTOR_BYTES),
    "read_time": (3, 1),
    "write_time": (7, 1),
    "read_merged_count": (1, 1),
    "write_merged_count": (5, 1),
    "busy_time": (9, 1),
}
"""The kernel's column of each field, and the factor to bytes; times are in milliseconds."""


def space(paths: HostPaths, disk_path: str) -> Mapping[str, Any]:
    """Bytes of the file system at the host's *disk_path*; ``free`` is what users may still take.

    ``percent`` is of what users may take at all. Raises LookupError if the file system does not answer.
    """
    answer = paths.probe.ask([f"{paths.rootfs}{disk_path}"])[0]
    if isinstance(answer, OSError):
        raise LookupError(f"{disk_path}: {answer.strerror or answer}") from answer
    total = answer.f_blocks * answer.f_frsize
    used = total - answer.f_bfree * answer.f_frsize
    free = answer.f_bavail * answer.f_frsize
    return {
        "total": total,
        "used": used,
        "free": free,
        "percent": percent(used, used + free),
        "mount": disk_path,
    }


def disk_io(paths: HostPaths) -> Mapping[str, Any]:
    """Sums over the disks since the host started; empty on a host without disks.

    Partitions are left out, since their disk counts them; devices made of disks are counted too, as psutil does.
    """
    whole = {name.replace("!", "/") for name in paths.names_sys("block")}
    disks = [disk.counts for disk in parse_diskstats(paths.read("diskstats")) if disk.name in whole]
    if not disks:
        return {}
    return {
        field: sum(counts[column] for counts in disks) * factor for field, (column, factor) in COLUMNS.items()
    }
