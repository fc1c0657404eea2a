"""HostPaths: where the host's procfs, sysfs and root are mounted, and all reading from there."""

from __future__ import annotations

import errno
import os
import resource
import select
from pathlib import Path
from types import TracebackType
from typing import Self

from host_exporter.probe import MountProbe

MAX_OPEN_FILES = 4096
"""Files kept open for the next scrape, as far as the process may: half of what it may have open. A machine with
many CPUs has a dozen for each. Where a host has more, all are closed and opened anew as needed.
"""

READ_BYTES = 32_768
"""More than most of these files hold, so that two calls read them: one for the text, one for its end."""

PAGE_BYTES = 4096
"""What the kernel writes its records into, at least, before it hands them over."""

NO_VALUE_NOW = frozenset({errno.EINVAL, errno.EOPNOTSUPP})
"""How a device says that it has no such value at the moment: the speed of a link that is down. The file stays good."""

ONE_RECORD = 0
"""The file has one record, and a page is enough for it."""


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
        self._max_open_files = min(MAX_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._devices: dict[str, dict[str, int]] = {}
        """By folder: what was in it, and the number that each has."""
        self._mounts: MountTable | None = None
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
        if self._mounts is not None:
            self._mounts.close()
            self._mounts = None
        self._probe.close()

    def read(self, name: str) -> str:
        """The text of a file below procfs."""
        return self._read(f"{self._procfs}/{name}")

    def read_network(self, name: str, record_bytes: int = PAGE_BYTES) -> str:
        """The text of a file below ``/proc/net`` of the host, whatever network this process is in.

        Where a line never has more than *record_bytes*, a short file needs no second look at its end: for a table
        that the kernel searches, that is half the time.
        """
        try:
            return self._read(f"{self._network}/{name}", record_bytes)
        except FileNotFoundError:
            if self._network == f"{self._procfs}/net":
                raise
            # A copied tree without its processes.
            return self._read(f"{self._procfs}/net/{name}", record_bytes)

    def read_sys(self, name: str) -> str:
        """The text of a file below sysfs. An attribute is one record, of a page at most."""
        return self._read(f"{self._sysfs}/{name}", ONE_RECORD)

    def names(self, name: str) -> list[str]:
        """What a folder below procfs holds, in order. A missing folder raises FileNotFoundError."""
        return _names(f"{self._procfs}/{name}")

    def names_sys(self, name: str) -> list[str]:
        """What a folder below sysfs holds, in order. A missing folder raises FileNotFoundError.

        A name that now is another device's, or nobody's, has its files closed: an open one follows its device
        when that is renamed.
        """
        folder = f"{self._sysfs}/{name}"
        with os.scandir(folder) as entries:
            devices = {entry.name: entry.inode() for entry in entries}
        known = self._devices.get(folder)
        if known != devices:
            self._devices[folder] = devices
            for gone in [entry for entry, inode in (known or {}).items() if devices.get(entry) != inode]:
                self._forget_below(f"{folder}/{gone}/")
        return sorted(devices)

    def link_sys(self, name: str) -> str:
        """What a symbolic link below sysfs says, as it stands there. OSError if there is none or it is no link."""
        return str(Path(f"{self._sysfs}/{name}").readlink())

    def read_replaced(self, name: str) -> str:
        """The text of a file below the root that is replaced, not written to, so it is opened each time."""
        return _read_once(f"{self._rootfs}/{name}")

    def read_udev(self, device: str) -> str:
        """What udev knows of the block device with these numbers, such as ``8:0``. It is replaced, not written to."""
        return _read_once(f"{self._udev_data}/b{device}")

    def read_mountinfo(self) -> str:
        """The mounts as process 1 sees them, or, where that is forbidden, as this process sees them.

        Read again only where the kernel says that they changed: the text of a host with containers is long.
        """
        if self._mounts is None:
            try:
                self._mounts = MountTable(f"{self._procfs}/1/mountinfo")
            except (PermissionError, FileNotFoundError):
                self._mounts = MountTable(f"{self._procfs}/self/mountinfo")
        try:
            return self._mounts.read()
        except OSError:
            self._mounts.close()
            self._mounts = None  # the process ended; the next scrape finds another
            raise

    @property
    def sysfs(self) -> str:
        """Where the host's sysfs is mounted, without a slash at the end."""
        return self._sysfs

    @property
    def rootfs(self) -> str:
        """Where the host's root is mounted, without a slash at the end: empty for ``/``."""
        return self._rootfs

    @property
    def probe(self) -> MountProbe:
        """Asks for the space of mounts, by where they are found from here, and never waits long."""
        return self._probe

    def _read(self, path: str, record_bytes: int = PAGE_BYTES) -> str:
        file = self._open_files.get(path)
        if file is not None:
            try:
                return _text_of(file, record_bytes)
            except OSError as error:
                if error.errno in NO_VALUE_NOW:
                    raise
                self._forget(path)  # the device went, and perhaps came back as another file of this name
        if len(self._open_files) >= self._max_open_files:
            for opened in list(self._open_files):
                self._forget(opened)
        self._open_files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _text_of(self._open_files[path], record_bytes)
        except OSError as error:
            if error.errno not in NO_VALUE_NOW:
                self._forget(path)
            raise

    def _forget_below(self, folder: str) -> None:
        for path in [path for path in self._open_files if path.startswith(folder)]:
            self._forget(path)

    def _forget(self, path: str) -> None:
        os.close(self._open_files.pop(path))


def _names(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted([entry.name for entry in entries])


class MountTable:
    """A ``mountinfo`` file, kept open; the kernel tells its reader when the mounts have changed.

    https://man7.org/linux/man-pages/man5/proc_pid_mounts.5.html
    """

    def __init__(self, path: str) -> None:
        """Raises OSError if the file is not there or must not be read."""
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._changes = select.poll()
        self._changes.register(self._file, select.POLLERR | select.POLLPRI)
        # One on a disk, a copy, has a size and tells nobody.
        self._tells = os.fstat(self._file).st_size == 0
        self._text: str | None = None

    def read(self) -> str:
        """The whole text, as it is now."""
        # Asked before it is read: what changes meanwhile is told the next time.
        changed = bool(self._changes.poll(0)) or not self._tells
        if changed or self._text is None:
            self._text = _text_of(self._file, PAGE_BYTES)
        return self._text

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _read_once(path: str) -> str:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _text_of(file, PAGE_BYTES)
    finally:
        os.close(file)


def _text_of(file: int, record_bytes: int) -> str:
    """From the beginning to the end.

    The kernel hands over as many whole records as its page holds, so that the end is where nothing more comes;
    or where another record of *record_bytes* would have found room.
    """
    content = chunk = os.pread(file, READ_BYTES, 0)
    while chunk and len(chunk) + record_bytes >= PAGE_BYTES:
        chunk = os.pread(file, READ_BYTES, len(content))
        content += chunk
    return content.decode("utf-8", "surrogateescape")
