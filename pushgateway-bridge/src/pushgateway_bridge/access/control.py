"""The socket in the access folder: whoever may open it owns the bridge, and needs no token."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pushgateway_bridge.errors import StartFailed

SOCKET_NAME: Final = "control.sock"


@contextlib.contextmanager
def short_path(directory: Path) -> Iterator[str]:
    """A path of the socket that is short enough for the system (108 bytes), however long that of *directory* is."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        through = f"/proc/self/fd/{descriptor}"
        yield f"{through if Path(through).exists() else directory}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def control_socket(directory: Path) -> Iterator[socket.socket]:
    """A listening socket that only the owner of *directory* can open; gone at the end. Raises StartFailed.

    Call it with the folder's lock, since it takes away what an earlier bridge may have left.
    """
    file = directory / SOCKET_NAME
    try:
        file.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise StartFailed(f"access.directory {directory}: {error.strerror}") from error
    with listener:
        try:
            before = os.umask(0o177)
            try:
                with short_path(directory) as path:
                    listener.bind(path)
            finally:
                os.umask(before)
            listener.listen(16)
        except OSError as error:
            raise StartFailed(f"access.directory {directory}: {error.strerror}") from error
        try:
            yield listener
        finally:
            file.unlink(missing_ok=True)
