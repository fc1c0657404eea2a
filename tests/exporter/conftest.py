"""Hosts to read: small trees written for these tests, and file systems whose space is always the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host_exporter.paths import HostPaths
from host_exporter.probe import MountProbe

collect_ignore = ["hosts"]  # links in these trees lead round in circles, as in a real sysfs

HERE = Path(__file__).resolve().parent
BLOCKS, FREE_BLOCKS, AVAILABLE_BLOCKS = 25_600_000, 7_000_000, 5_600_000
INODES, FREE_INODES = 6_553_600, 5_900_000


def fixed_space(path: str) -> os.statvfs_result:
    """The same 4 KiB blocks everywhere; ``/srv/share`` is broken and ``/boot`` is read-only."""
    if path.endswith("/srv/share"):
        raise OSError(116, "Stale file handle")
    flags = os.ST_RDONLY if "/boot" in path else 0
    blocks = (BLOCKS, FREE_BLOCKS, AVAILABLE_BLOCKS)
    return os.statvfs_result((4096, 4096, *blocks, INODES, FREE_INODES, FREE_INODES, flags, 255))


@pytest.fixture
def hosts() -> Path:
    """The folder that holds the host trees."""
    return HERE / "hosts"


@pytest.fixture
def open_host(hosts: Path) -> Iterator[Callable[..., HostPaths]]:
    """Opens the host tree of that name, or a folder, with its root mounted where it says; closes it at the end."""
    opened: list[HostPaths] = []

    def open_tree(tree: str | Path, rootfs: str = "/rootfs") -> HostPaths:
        folder = hosts / tree
        probe = MountProbe(statvfs=fixed_space)
        paths = HostPaths(str(folder / "proc"), str(folder / "sys"), rootfs, probe=probe)
        opened.append(paths)
        return paths

    yield open_tree
    for paths in opened:
        paths.close()


@pytest.fixture
def plain(open_host: Callable[..., HostPaths]) -> HostPaths:
    """An ordinary machine: two CPUs, two disks, one network card."""
    return open_host("plain")


@pytest.fixture
def odd(open_host: Callable[..., HostPaths]) -> HostPaths:
    """An old kernel in a container: columns and files are missing, and some are unknown."""
    return open_host("odd")
