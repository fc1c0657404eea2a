"""Follows log files as they grow, through rotation."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

LAST_LINES = 20
POLL_SECONDS = 0.3


class Follower:
    """The lines of one growing log file, from its last few on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0
        self._rest = b""
        self._skipped = False

    def new_lines(self) -> list[str]:
        """Whole lines since the last call; the first call gives the last few. None while there is no file."""
        try:
            with self._path.open("rb") as file:
                self._notice_rotation(file.fileno())
                file.seek(self._offset)
                added = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(added)
        *lines, self._rest = (self._rest + added).split(b"\n")
        if not self._skipped:
            self._skipped = True
            lines = lines[-LAST_LINES:]
        return [line.decode(errors="replace") for line in lines]

    def _notice_rotation(self, descriptor: int) -> None:
        stat = os.fstat(descriptor)
        if stat.st_ino != self._inode or stat.st_size < self._offset:
            self._inode, self._offset, self._rest = stat.st_ino, 0, b""


def follow(folder: Path) -> Iterator[str]:
    """Lines of all logs in *folder*, each behind the name of its part, without end."""
    followers: dict[str, Follower] = {}
    while True:
        for path in sorted(folder.glob("*.log")):
            followers.setdefault(path.stem, Follower(path))
        for name, follower in followers.items():
            for line in follower.new_lines():
                yield f"{name:<13} | {line}"
        time.sleep(POLL_SECONDS)
