"""What only btrfs itself tells of a file system's devices, by ioctl(2)."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias
from uuid import UUID

# linux/btrfs.h
_FS_INFO, _FS_INFO_BYTES = 0x8400941F, 1024
_DEVICE_INFO, _DEVICE_INFO_BYTES = 0xD000941E, 4096
_DEVICE_STATS, _DEVICE_STATS_BYTES = 0xC4089434, 1032
_FS_INFO_HEAD = struct.Struct("=QQ16s")
_DEVICE_INFO_HEAD = struct.Struct("=Q16sQQ")
_DEVICE_STATS_HEAD = struct.Struct("=QQQ5Q")
_PATH_OFFSET = 3072

Ioctl: TypeAlias = Callable[[int, int, bytearray], object]
"""Puts the answer in the place of the question."""

ERROR_TYPES = ("write", "read", "flush", "corruption", "generation")
"""In the order in which the kernel counts them."""


class Device(NamedTuple):
    """One device of a file system; sizes in bytes, errors in the order of ``ERROR_TYPES``."""

    name: str
    uuid: str
    size: int
    used: int
    errors: tuple[int, ...]


class Filesystem(NamedTuple):
    """A file system's UUID without dashes, and its devices."""

    uuid: str
    devices: list[Device]


def ask_btrfs(folder: str, ioctl: Ioctl = fcntl.ioctl) -> Filesystem:
    """The file system that *folder* is in. Raises OSError if it is none of btrfs, or does not tell."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        answer = _ask(ioctl, file, _FS_INFO, b"", _FS_INFO_BYTES)
        highest_id, count, uuid = _FS_INFO_HEAD.unpack_from(answer)
        devices: list[Device] = []
        for device in _devices(ioctl, file, highest_id):
            devices.append(device)
            if len(devices) == count:
                break
        return Filesystem(uuid.hex(), devices)
    finally:
        os.close(file)


def _devices(ioctl: Ioctl, file: int, highest_id: int) -> Iterator[Device]:
    """Ids have gaps, and begin at 0 only while a device is replaced."""
    for device_id in range(highest_id + 1):
        try:
            answer = _ask(ioctl, file, _DEVICE_INFO, struct.pack("=Q", device_id), _DEVICE_INFO_BYTES)
        except OSError as error:
            if error.errno == errno.ENODEV:
                continue
            raise
        _, uuid, used, size = _DEVICE_INFO_HEAD.unpack_from(answer)
        path = answer[_PATH_OFFSET:].partition(b"\0")[0].decode("utf-8", "surrogateescape")
        question = struct.pack("=QQ", device_id, len(ERROR_TYPES))
        answer = _ask(ioctl, file, _DEVICE_STATS, question, _DEVICE_STATS_BYTES)
        _, _, _, *errors = _DEVICE_STATS_HEAD.unpack_from(answer)
        yield Device(path.rpartition("/")[2], str(UUID(bytes=uuid)), size, used, tuple(errors))


def _ask(ioctl: Ioctl, file: int, request: int, question: bytes, size: int) -> bytes:
    answer = bytearray(question.ljust(size, b"\0"))
    ioctl(file, request, answer)
    return bytes(answer)
