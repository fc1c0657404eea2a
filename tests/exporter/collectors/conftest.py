"""What the tests of single collectors share: a host of a few files, and its exposition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from host_exporter.family import Value
from host_exporter.paths import HostPaths
from host_exporter.render import TEXT, Renderer


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
