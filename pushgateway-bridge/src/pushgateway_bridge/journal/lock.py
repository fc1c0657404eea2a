"""One bridge a journal: a lock on a file of its folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from pushgateway_bridge.errors import StartFailed

NAME: Final = "lock"


class FolderLock:
    """Held until ``close`` or the end of the process, however it ends."""

    def __init__(self, directory: Path) -> None:
        """Raises StartFailed if another process holds it, OSError if the file cannot be made."""
        self._file = os.open(directory / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StartFailed(
                f"journal.directory {directory} is in use by another bridge (process {holder})"
            ) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def close(self) -> None:
        os.close(self._file)
