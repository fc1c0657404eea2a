"""A written host, and the document about it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host_exporter.paths import HostPaths
from host_exporter.probe import MountProbe
from host_exporter.system.cpu import CpuUsage
from host_exporter.system.document import SystemDocument
from tests.exporter.system.trees import write_host

NOW = 1795302774 + 93_900.75
DISK_PATH = "/srv"


def space(path: str) -> os.statvfs_result:
    """1 000 blocks of 4 KiB of which 300 are free and users may take 200, at the disk's path only."""
    if not path.endswith(f"/rootfs{DISK_PATH}"):
        raise FileNotFoundError(2, "No such file or directory")
    return os.statvfs_result((4096, 4096, 1000, 300, 200, 10, 10, 10, 0, 255))


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The folder with the host's ``proc`` and ``sys``, which a test may change."""
    write_host(tmp_path)
    return tmp_path


@pytest.fixture
def document_of(host: Path) -> Callable[..., SystemDocument]:
    """Makes documents about the host; the clock stands still, and nothing waits."""

    def make(disk_path: str = DISK_PATH, usage: CpuUsage | None = None) -> SystemDocument:
        procfs = str(host / "proc")
        paths = HostPaths(procfs, str(host / "sys"), "/rootfs", probe=MountProbe(statvfs=space))
        usage = usage or CpuUsage(sleep=lambda _seconds: None)
        return SystemDocument(paths, procfs, disk_path, clock=lambda: NOW, usage=usage)

    return make


@pytest.fixture
def document(document_of: Callable[..., SystemDocument]) -> SystemDocument:
    """The document about the host."""
    return document_of()


@pytest.fixture
def read(document: SystemDocument) -> Callable[[], dict[str, Any]]:
    """Reads the document anew, strictly: NaN is no JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return lambda: json.loads(document.json(), parse_constant=refuse)
