"""The space of each mounted file system. One that does not answer is told so and harms no other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.mountinfo import Mount, parse_mountinfo

EXCLUDED_MOUNTPOINTS = re.compile(
    r"^/(dev|proc|run|sys|mnt|media|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"
)
EXCLUDED_FSTYPES = re.compile(
    r"^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs"
    r"|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$"
)
"""Both are node_exporter's defaults."""


def _gauge(name: str, help_text: str) -> Family:
    return Family(
        f"node_filesystem_{name}", "gauge", help_text, ("device", "mountpoint", "fstype", "device_error")
    )


DEVICE_ERROR = _gauge(
    "device_error", "Whether an error occurred while getting statistics for the given device."
)
READONLY = _gauge("readonly", "Filesystem read-only status.")
SIZE = _gauge("size_bytes", "Filesystem size in bytes.")
FREE = _gauge("free_bytes", "Filesystem free space in bytes.")
AVAIL = _gauge("avail_bytes", "Filesystem space available to non-root users in bytes.")
FILES = _gauge("files", "Filesystem total file nodes.")
FILES_FREE = _gauge("files_free", "Filesystem total free file nodes.")
PURGEABLE = _gauge(
    "purgeable_bytes", "Filesystem space available including purgeable space (MacOS specific)."
)
MOUNT_INFO = Family(
    "node_filesystem_mount_info",
    "gauge",
    "Filesystem mount information.",
    ("device", "major", "minor", "mountpoint"),
)
FAMILIES = (DEVICE_ERROR, READONLY, SIZE, FREE, AVAIL, FILES, FILES_FREE, PURGEABLE, MOUNT_INFO)


def collect(paths: HostPaths) -> Iterator[Value]:
    """Bytes and inodes of each mount. Of a mount that fails, only ``device_error`` and ``readonly``.

    ``device_error`` is a label as well: the error's text, empty where there was none.
    """
    mounts = _shown_mounts(paths.read_mountinfo(), paths.rootfs)
    for mount, space in zip(mounts, paths.spaces([mount.mountpoint for mount in mounts]), strict=True):
        if isinstance(space, OSError):
            labels = (mount.device, mount.mountpoint, mount.fstype, (space.strerror or str(space)).lower())
            yield DEVICE_ERROR, labels, 1
            yield READONLY, labels, int(mount.read_only)
            continue
        labels = (mount.device, mount.mountpoint, mount.fstype, "")
        yield DEVICE_ERROR, labels, 0
        yield READONLY, labels, int(bool(space.f_flag & os.ST_RDONLY))
        yield SIZE, labels, space.f_blocks * space.f_frsize
        yield FREE, labels, space.f_bfree * space.f_frsize
        yield AVAIL, labels, space.f_bavail * space.f_frsize
        yield FILES, labels, space.f_files
        yield FILES_FREE, labels, space.f_ffree
        yield PURGEABLE, labels, 0
        yield MOUNT_INFO, (mount.device, mount.major, mount.minor, mount.mountpoint), 1


@lru_cache(maxsize=1)
def _shown_mounts(mountinfo: str, rootfs: str) -> tuple[Mount, ...]:
    """The mounts that are not excluded, each once, under the names that the host has for them.

    Kept while the kernel's text stays the same: a container host has hundreds of lines, which rarely change.
    """
    shown: dict[tuple[str, str, str], Mount] = {}
    for mount in parse_mountinfo(mountinfo):
        mountpoint = _host_name(mount.mountpoint, rootfs)
        if not (EXCLUDED_FSTYPES.match(mount.fstype) or EXCLUDED_MOUNTPOINTS.match(mountpoint)):
            renamed = mount._replace(mountpoint=mountpoint)
            shown.setdefault((mount.device, mountpoint, mount.fstype), renamed)
    return tuple(shown.values())


def _host_name(mountpoint: str, rootfs: str) -> str:
    """As the host calls it, where this process has the host's root mounted below *rootfs*."""
    inside = mountpoint == rootfs or mountpoint.startswith(f"{rootfs}/")
    return (mountpoint[len(rootfs) :] or "/") if inside else mountpoint


COLLECTOR = Collector(FAMILIES, unset(collect))
