"""HostPaths: where the host's procfs, sysfs and root are mounted, and all reading from there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from host_exporter.probe import MountProbe, Space

MAX_OPEN_FILES = 512
"""Files kept open for the next scrape. Where a host has more, all are closed and opened anew as needed."""

READ_BYTES = 32_768
"""More than most of these files hold, so that two calls read them: one for the text, one for its end."""


class HostPaths:
    """Reads the host's files, and keeps them open: reading again costs a fifth of opening again.

    For one thread, and one scrape at a time. Text that is not UTF-8 comes back with surrogate escapes,
    so that a path made of it still names its file. A missing file raises FileNotFoundError.
    """

    def __init__(
        self,
        procfs: str = "/proc",
        sysfs: str = "/sys",
        rootfs: str = "/",
        udev_data: str | None = None,
        probe: MountProbe | None = None,
    ) -> None:
        self._procfs = procfs.rstrip("/")
        self._sysfs = sysfs.rstrip("/")
        self._rootfs = rootfs.rstrip("/")
        self._udev_data = f"{self._rootfs}/run/udev/data" if udev_data is None else udev_data.rstrip("/")
        self._probe = probe or MountProbe()
        self._open_files: dict[str, int] = {}
        # In a container the mounted /proc/net is a link to the reader's own network: the container's.
        self._network = f"{self._procfs}/net" if self._procfs == "/proc" else f"{self._procfs}/1/net"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files. Reading afterwards opens them again."""
        for file in self._open_files.values():
            os.close(file)
        self._open_files.clear()
        self._probe.close()

    def read(self, name: str) -> str:
        """The text of a file below procfs."""
        return self._read(f"{self._procfs}/{name}")

    def read_network(self, name: str) -> str:
        """The text of a file below ``/proc/net`` of the host, whatever network this process is in."""
        try:
            return self._read(f"{self._network}/{name}")
        except FileNotFoundError:
            if self._network == f"{self._procfs}/net":
                raise
            return self._read(f"{self._procfs}/net/{name}")  # a copied tree without its processes

    def read_sys(self, name: str) -> str:
        """The text of a file below sysfs."""
        return self._read(f"{self._sysfs}/{name}")

    def names(self, name: str) -> list[str]:
        """What a folder below procfs holds, in order. A missing folder raises FileNotFoundError."""
        return _names(f"{self._procfs}/{name}")

    def names_sys(self, name: str) -> list[str]:
        """What a folder below sysfs holds, in order. A missing folder raises FileNotFoundError."""
        return _names(f"{self._sysfs}/{name}")

    def link_sys(self, name: str) -> str:
        """What a symbolic link below sysfs says, as it stands there. OSError if there is none or it is no link."""
        return str(Path(f"{self._sysfs}/{name}").readlink())

    def read_replaced(self, name: str) -> str:
        """The text of a file below the root that is replaced, not written to, so it is opened each time."""
        return Path(f"{self._rootfs}/{name}").read_text(encoding="utf-8", errors="surrogateescape")

    def read_udev(self, device: str) -> str:
        """What udev knows of the block device with these numbers, such as ``8:0``. It is replaced, not written to."""
        return Path(f"{self._udev_data}/b{device}").read_text(encoding="utf-8", errors="surrogateescape")

    def read_mountinfo(self) -> str:
        """The mounts as process 1 sees them, or, where that is forbidden, as this process sees them."""
        try:
            return self.read("1/mountinfo")
        except (PermissionError, FileNotFoundError):
            return self.read("self/mountinfo")

    @property
    def rootfs(self) -> str:
        """Where the host's root is mounted, without a slash at the end: empty for ``/``."""
        return self._rootfs

    def spaces(self, mountpoints: Sequence[str]) -> list[Space]:
        """The space of each of the host's *mountpoints*, or why there is none; never waits long."""
        return self._probe.ask([f"{self._rootfs}{mountpoint}" for mountpoint in mountpoints])

    def _read(self, path: str) -> str:
        file = self._open_files.get(path)
        if file is not None:
            try:
                return _read_all(file)
            except OSError:
                self._forget(path)  # the device went, and perhaps came back as another file of this name
        if len(self._open_files) >= MAX_OPEN_FILES:
            for opened in list(self._open_files):
                self._forget(opened)
        self._open_files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _read_all(self._open_files[path])
        except OSError:
            self._forget(path)
            raise

    def _forget(self, path: str) -> None:
        os.close(self._open_files.pop(path))


def _names(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted([entry.name for entry in entries])


def _read_all(file: int) -> str:
    """From the beginning to the end, which only an empty answer tells: procfs answers in pages."""
    content = chunk = os.pread(file, READ_BYTES, 0)
    while chunk:
        chunk = os.pread(file, READ_BYTES, len(content))
        content += chunk
    return content.decode("utf-8", "surrogateescape")
