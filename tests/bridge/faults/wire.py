"""One HTTP/1.1 request at a time on one socket, written and read by hand: nothing a library would repair."""

from __future__ import annotations

import socket
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

TIMEOUT_SECONDS = 60.0


class Answer(NamedTuple):
    """What came back; status 0 if the connection was closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes


NOTHING = Answer(0, {}, b"")


class Wire:
    """A connection to a bridge on this machine; connects anew when the other side closed the last one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, request: bytes) -> None:
        """Send all of *request*, or what the other side takes of it."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)

    def finish(self) -> None:
        """Say that no more is coming."""
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_WR)

    def ask(self, request: bytes) -> Answer:
        """Send *request* and read its answer. Raises OSError if the connection breaks."""
        self.send(request)
        return self.read()

    def read(self) -> Answer:
        """The next answer. Raises OSError if the connection breaks inside of it."""
        assert self._socket is not None
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = self._socket.recv(65536)
            if not chunk:
                self.close()
                if received:
                    raise ConnectionResetError(f"closed inside the head: {received!r}")
                return NOTHING
            received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers.get("content-length", "0"))
        while len(body) < length:
            chunk = self._socket.recv(65536)
            if not chunk:
                self.close()
                raise ConnectionResetError("closed inside the body")
            body += chunk
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(first.split(" ", 2)[1]), headers, body)


def post(path: str, body: bytes, *headers: str, content_type: str = "application/json") -> bytes:
    """A request as an ordinary client writes it."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def resident_bytes(pid: int) -> int:
    """Physical memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
