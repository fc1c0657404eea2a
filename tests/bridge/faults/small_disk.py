"""A file system of a few megabytes in memory, which root can mount anywhere."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MEBIBYTE = 2**20


class SmallDisk:
    """A mounted tmpfs of *size_bytes*."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        """Raises OSError if it cannot be mounted here."""
        self.folder = folder
        self._ballast = folder / "ballast"
        folder.mkdir(exist_ok=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode != 0:
            raise OSError(mounted.stderr.strip())

    def resize(self, size_bytes: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size_bytes}", str(self.folder)], check=True)

    @property
    def free_bytes(self) -> int:
        numbers = os.statvfs(self.folder)
        return numbers.f_bavail * numbers.f_frsize

    def fill(self, left_bytes: int = 0) -> None:
        """Take all room but *left_bytes* with a file that has nothing to do with the bridge."""
        with self._ballast.open("ab", buffering=0) as file:
            while (room := self.free_bytes - left_bytes) > 0:
                if file.write(b"\0" * min(room, MEBIBYTE)) == 0:
                    return

    def free(self) -> None:
        """Delete that file."""
        self._ballast.unlink()

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Twelve mebibytes."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    try:
        disk = SmallDisk(tmp_path / "disk", 12 * MEBIBYTE)
    except OSError as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    yield disk
    disk.close()
