from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

import pytest

from pushgateway_bridge.access.control import SOCKET_NAME, control_socket, short_path
from pushgateway_bridge.errors import StartFailed


def ask(directory: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client, short_path(directory) as path:
        client.settimeout(10)
        client.connect(path)
        return client.recv(10)


def answer(listener: socket.socket) -> None:
    client, _ = listener.accept()
    with client:
        client.send(b"hello")


def descriptors() -> set[str]:
    """Numbers of this process' open files."""
    return {file.name for file in Path("/proc/self/fd").iterdir()}


def deep(tmp_path: Path) -> Path:
    """A folder whose path is longer than any address of a socket may be."""
    directory = tmp_path.joinpath(*["d" * 200] * 5)
    directory.mkdir(parents=True)
    return directory


@pytest.mark.parametrize("length", ["usual", "very long"])
def test_the_socket_is_reached_however_long_the_path_of_its_folder_is(tmp_path: Path, length: str) -> None:
    directory = tmp_path if length == "usual" else deep(tmp_path)
    with control_socket(directory) as listener:
        client = socket.socket(socket.AF_UNIX)
        with client, short_path(directory) as path:
            assert len(path) < 108
            client.connect(path)
            answer(listener)
            assert client.recv(10) == b"hello"


def test_only_the_owner_can_open_the_socket(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with control_socket(tmp_path):
            assert stat.S_IMODE((tmp_path / SOCKET_NAME).stat().st_mode) == 0o600
            assert os.umask(0) == 0
    finally:
        os.umask(before)


def test_the_socket_is_gone_at_the_end(tmp_path: Path) -> None:
    with control_socket(tmp_path):
        assert (tmp_path / SOCKET_NAME).is_socket()

    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        ask(tmp_path)


def test_what_a_killed_bridge_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / SOCKET_NAME))
    with pytest.raises(ConnectionRefusedError):
        ask(tmp_path)

    with control_socket(tmp_path), socket.socket(socket.AF_UNIX) as client, short_path(tmp_path) as path:
        client.connect(path)


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = descriptors()
    for _ in range(3):
        with control_socket(tmp_path), short_path(tmp_path):
            pass
        with contextlib.suppress(FileNotFoundError):
            ask(tmp_path)

    assert descriptors() == before


def test_a_place_that_is_taken_is_named(tmp_path: Path) -> None:
    (tmp_path / SOCKET_NAME).mkdir()

    with pytest.raises(StartFailed, match=rf"access\.directory {tmp_path}: Is a directory"):
        control_socket(tmp_path).__enter__()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=rf"access\.directory {tmp_path}/none: No such file"):
        control_socket(tmp_path / "none").__enter__()
