"""Each mounted btrfs file system: its space by kind of data, its commits and its devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.kernel.btrfs_devices import ERROR_TYPES, Device, Filesystem, ask_btrfs
from host_exporter.paths import HostPaths
from host_exporter.procfs.btrfs import parse_commit_stats
from host_exporter.procfs.mountinfo import host_name, parse_mountinfo
from host_exporter.sysfs import names_or_none, number_or_zero, word

FOLDER = "fs/btrfs"

SECTOR_BYTES = 512
"""The kernel's sizes of block devices are counted in these."""

MILLISECONDS = 1000

Kind = Literal["counter", "gauge"]


def _family(name: str, help_text: str, *labels: str, kind: Kind = "gauge") -> Family:
    return Family(f"node_btrfs_{name}", kind, help_text, ("uuid", *labels))


INFO = _family("info", "Filesystem information", "label")
GLOBAL_RESERVE = _family("global_rsv_size_bytes", "Size of global reserve.")
COMMITS = _family("commits_total", "The total number of commits that have occurred.", kind="counter")
LAST_COMMIT = _family("last_commit_seconds", "Duration of the most recent commit, in seconds.")
MAX_COMMIT = _family("max_commit_seconds", "Duration of the slowest commit, in seconds.")
COMMIT_SECONDS = _family(
    "commit_seconds_total", "Sum of the duration of all commits, in seconds.", kind="counter"
)
RESERVED = _family("reserved_bytes", "Amount of space reserved for a data type", "block_group_type")
USED = _family("used_bytes", "Amount of used space by a layout/data type", "block_group_type", "mode")
SIZE = _family("size_bytes", "Amount of space allocated for a layout/data type", "block_group_type", "mode")
RATIO = _family(
    "allocation_ratio", "Data allocation ratio for a layout/data type", "block_group_type", "mode"
)
DEVICE_SIZE = Family(
    "node_btrfs_device_size_bytes",
    "gauge",
    "Size of a device that is part of the filesystem.",
    ("uuid", "device", "btrfs_dev_uuid"),
    sparse=True,
)
DEVICE_UNUSED = _family(
    "device_unused_bytes",
    "Unused bytes unused on a device that is part of the filesystem.",
    "device",
    "btrfs_dev_uuid",
)
DEVICE_ERRORS = _family(
    "device_errors_total",
    "Errors reported for the device",
    "type",
    "device",
    "btrfs_dev_uuid",
    kind="counter",
)
FAMILIES = (
    INFO,
    GLOBAL_RESERVE,
    COMMITS,
    LAST_COMMIT,
    MAX_COMMIT,
    COMMIT_SECONDS,
    RESERVED,
    USED,
    SIZE,
    RATIO,
    DEVICE_SIZE,
    DEVICE_UNUSED,
    DEVICE_ERRORS,
)

_COPIES = {"single": 1, "raid0": 1, "dup": 2, "raid1": 2, "raid10": 2, "raid1c3": 3, "raid1c4": 4}
_PARITIES = {"raid5": 1, "raid6": 2}
_LAYOUTS = _COPIES.keys() | _PARITIES.keys()
"""The folders among the files of a kind of data."""


def collect(paths: HostPaths, ask: Callable[[str], Filesystem] = ask_btrfs) -> Iterator[Value]:
    """Of devices that the file system does not tell of, only the size, without a ``btrfs_dev_uuid``."""
    folders = [name for name in names_or_none(paths, FOLDER) if "-" in name]
    if not folders:
        return
    known = _devices(paths, ask)
    for name in folders:
        folder = f"{FOLDER}/{name}"
        uuid = word(paths, f"{folder}/metadata_uuid") or name
        try:
            devices = paths.names_sys(f"{folder}/devices")
        except FileNotFoundError:
            continue  # just unmounted
        yield from _space(paths, folder, uuid, len(devices))
        asked = known.get(uuid.replace("-", ""))
        if asked is None:
            for device in devices:
                sectors = number_or_zero(paths, f"{folder}/devices/{device}/size")
                yield DEVICE_SIZE, (uuid, device, ""), sectors * SECTOR_BYTES
            continue
        for found in asked:
            labels = (found.name, found.uuid)
            yield DEVICE_SIZE, (uuid, *labels), found.size
            yield DEVICE_UNUSED, (uuid, *labels), found.size - found.used
            for error_type, count in zip(ERROR_TYPES, found.errors, strict=True):
                yield DEVICE_ERRORS, (uuid, error_type, *labels), count


def _devices(paths: HostPaths, ask: Callable[[str], Filesystem]) -> dict[str, list[Device]]:
    """The devices of each file system by its UUID, asked at the first of its mounts that answers."""
    found: dict[str, list[Device]] = {}
    done = set()
    lines = [line for line in paths.read_mountinfo().splitlines() if " btrfs " in line]
    for mount in parse_mountinfo("\n".join(lines)):
        if mount.fstype != "btrfs" or mount.device in done:
            continue
        try:
            filesystem = ask(f"{paths.rootfs}{host_name(mount.mountpoint, paths.rootfs)}")
        except OSError:
            continue  # forbidden, or this mount is a single file
        done.add(mount.device)
        found.setdefault(filesystem.uuid, filesystem.devices)
    return found


def _space(paths: HostPaths, folder: str, uuid: str, devices: int) -> Iterator[Value]:
    own = (uuid,)
    yield INFO, (uuid, word(paths, f"{folder}/label")), 1
    yield GLOBAL_RESERVE, own, number_or_zero(paths, f"{folder}/allocation/global_rsv_size")
    commits = _commit_stats(paths, f"{folder}/commit_stats")
    yield COMMITS, own, commits.get("commits", 0)
    yield LAST_COMMIT, own, commits.get("last_commit_ms", 0) / MILLISECONDS
    yield MAX_COMMIT, own, commits.get("max_commit_ms", 0) / MILLISECONDS
    yield COMMIT_SECONDS, own, commits.get("total_commit_ms", 0) / MILLISECONDS
    for kind in ("data", "metadata", "system"):
        allocation = f"{folder}/allocation/{kind}"
        yield RESERVED, (uuid, kind), number_or_zero(paths, f"{allocation}/bytes_reserved")
        for layout in names_or_none(paths, allocation):
            if layout in _LAYOUTS:
                labels = (uuid, kind, layout)
                yield USED, labels, number_or_zero(paths, f"{allocation}/{layout}/used_bytes")
                yield SIZE, labels, number_or_zero(paths, f"{allocation}/{layout}/total_bytes")
                yield RATIO, labels, _ratio(layout, devices)


def _commit_stats(paths: HostPaths, file: str) -> dict[str, int]:
    """Empty before Linux 6.0."""
    try:
        return parse_commit_stats(word(paths, file))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _ratio(layout: str, devices: int) -> float:
    """How many bytes on disk one byte of data takes."""
    if layout in _COPIES:
        return _COPIES[layout]
    with_data = devices - _PARITIES[layout]
    return devices / with_data if with_data else float("inf")


COLLECTOR = Collector(FAMILIES, unset(collect))
