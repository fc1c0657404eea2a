"""The space of each mounted file system. One that does not answer is told so and harms no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from host_exporter.collector import Collect, Collector, NameFilter, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.probe import CALL_LIMIT_SECONDS, MountProbe
from host_exporter.procfs.mountinfo import Mount, host_name, parse_mountinfo

EXCLUDED_MOUNTPOINTS = re.compile(
    r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"
)
EXCLUDED_FSTYPES = re.compile(
    r"^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs"
    r"|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$"
)
"""Both are node_exporter's defaults as it is released. Debian's build hides /run, /mnt and /media as well."""

SHOWN_MOUNTPOINTS = NameFilter(exclude=EXCLUDED_MOUNTPOINTS)
SHOWN_FSTYPES = NameFilter(exclude=EXCLUDED_FSTYPES)

DEFAULT_TIMEOUT = f"{CALL_LIMIT_SECONDS}s"
"""node_exporter's 5 s is as long as a scrape often may take at all."""

SETTINGS = (
    Setting(
        "mount-points-exclude",
        EXCLUDED_MOUNTPOINTS.pattern,
        "Mount points to leave out; not together with mount-points-include.",
    ),
    Setting("mount-points-include", "", "Mount points to show; not together with mount-points-exclude."),
    Setting("ignored-mount-points", "", "The older name of mount-points-exclude."),
    Setting(
        "fs-types-exclude",
        EXCLUDED_FSTYPES.pattern,
        "File system types to leave out; not together with fs-types-include.",
    ),
    Setting("fs-types-include", "", "File system types to show; not together with fs-types-exclude."),
    Setting("ignored-fs-types", "", "The older name of fs-types-exclude."),
    Setting(
        "mount-timeout",
        DEFAULT_TIMEOUT,
        "How long a mount may take to answer before it counts as hanging and is left alone until it does.",
        metavar="DURATION",
    ),
)


LOCAL_FSTYPES = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "ramfs", "tmpfs", "vfat", "xfs"})
"""They answer from memory. Others may wait for a machine elsewhere, or for a program, and get a thread."""


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


def make(settings: Settings) -> Collect:
    """Shows the mounts that the settings let through. They have a thread of their own where a timeout was told."""
    limit = settings.seconds("mount-timeout")
    return partial(
        collect,
        mountpoints=settings.name_filter("mount-points", older="ignored-mount-points"),
        fstypes=settings.name_filter("fs-types", older="ignored-fs-types"),
        probe=None if limit == CALL_LIMIT_SECONDS else MountProbe(call_limit_seconds=limit),
    )


def collect(
    paths: HostPaths,
    mountpoints: NameFilter = SHOWN_MOUNTPOINTS,
    fstypes: NameFilter = SHOWN_FSTYPES,
    probe: MountProbe | None = None,
) -> Iterator[Value]:
    """Bytes and inodes of each mount. Of a mount that fails, only ``device_error`` and ``readonly``.

    ``device_error`` is a label as well: the error's text, empty where there was none.
    """
    mounts, places, local = _shown_mounts(paths.read_mountinfo(), paths.rootfs, mountpoints, fstypes)
    spaces = (probe or paths.probe).ask(places, local)
    for (mount, numbers), space in zip(mounts, spaces, strict=True):
        if isinstance(space, OSError):
            labels = (mount.device, mount.mountpoint, mount.fstype, (space.strerror or str(space)).lower())
            yield DEVICE_ERROR, labels, 1
            yield READONLY, labels, int(mount.read_only)
            continue
        labels = (mount.device, mount.mountpoint, mount.fstype, "")
        yield DEVICE_ERROR, labels, 0
        yield READONLY, labels, int(mount.read_only)
        yield SIZE, labels, space.f_blocks * space.f_frsize
        yield FREE, labels, space.f_bfree * space.f_frsize
        yield AVAIL, labels, space.f_bavail * space.f_frsize
        yield FILES, labels, space.f_files
        yield FILES_FREE, labels, space.f_ffree
        yield PURGEABLE, labels, 0
        for major, minor in numbers:
            yield MOUNT_INFO, (mount.device, major, minor, mount.mountpoint), 1


class _Shown(NamedTuple):
    """Mounts under the names that the host has for them, and where they are found from here.

    With each the major and minor numbers of all that are mounted there under its name: one covers the other.
    """

    mounts: tuple[tuple[Mount, tuple[tuple[str, str], ...]], ...]
    places: tuple[str, ...]
    local: frozenset[str]


@lru_cache(maxsize=1)
def _shown_mounts(mountinfo: str, rootfs: str, mountpoints: NameFilter, fstypes: NameFilter) -> _Shown:
    """The mounts that are not excluded, each once.

    Kept while the kernel's text stays the same: a container host has hundreds of lines, which rarely change.
    """
    shown: dict[tuple[str, str, str], tuple[Mount, dict[tuple[str, str], None]]] = {}
    for mount in parse_mountinfo(mountinfo):
        mountpoint = host_name(mount.mountpoint, rootfs)
        if fstypes.shows(mount.fstype) and mountpoints.shows(mountpoint):
            renamed = mount._replace(mountpoint=mountpoint)
            _, numbers = shown.setdefault((mount.device, mountpoint, mount.fstype), (renamed, {}))
            numbers[mount.major, mount.minor] = None
    mounts = tuple((mount, tuple(numbers)) for mount, numbers in shown.values())
    kinds = [(f"{rootfs}{mount.mountpoint}", mount.fstype) for mount, _ in mounts]
    local = {place for place, fstype in kinds if fstype in LOCAL_FSTYPES}
    # Where one covers another, both are asked by the same name.
    local -= {place for place, fstype in kinds if fstype not in LOCAL_FSTYPES}
    return _Shown(mounts, tuple(place for place, _ in kinds), frozenset(local))


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
