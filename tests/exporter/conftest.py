"""Hosts to read: small trees written for these tests, and file systems whose space is always the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from host_exporter.family import Value
from host_exporter.paths import HostPaths
from host_exporter.probe import MountProbe
from host_exporter.render import TEXT, Renderer

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


@pytest.fixture
def host(tmp_path: Path, open_host: Callable[..., HostPaths]) -> Callable[[Mapping[str, str]], HostPaths]:
    """Opens a host that has just these files, named as ``proc/stat`` or ``sys/class/net/lo/mtu``."""

    def open_files(files: Mapping[str, str]) -> HostPaths:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        return open_host(tmp_path, rootfs=str(tmp_path))

    return open_files


@pytest.fixture
def series() -> Callable[[Iterable[Value]], list[str]]:
    """The lines of an exposition, sorted, without help and type; fails on a series that occurs twice."""

    def render(values: Iterable[Value]) -> list[str]:
        lines = [line for line in Renderer(TEXT).render(values).splitlines() if not line.startswith("#")]
        names = [line.rpartition(" ")[0] for line in lines]
        assert len(names) == len(set(names))
        return sorted(lines)

    return render
