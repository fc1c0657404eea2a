"""HTTP/1.1 over a plain socket: what is sent is bytes as they stand, what comes back is read as it stands."""

from __future__ import annotations

import socket
import struct
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import NamedTuple

ANSWER_SECONDS = 60.0
"""How long an answer may take on a busy machine before a test fails."""
JSON = "Content-Type: application/json"


class Answer(NamedTuple):
    """One response. Its Date stands apart, so that two answers can be compared."""

    status_line: str
    headers: tuple[tuple[str, str], ...]
    """Sorted, Date left out."""
    body: bytes
    date: str

    @property
    def status(self) -> int:
        return int(self.status_line.split()[1])

    @property
    def unix_seconds(self) -> float:
        """The time in its Date header."""
        return parsedate_to_datetime(self.date).timestamp()

    def without_date(self) -> Answer:
        return self._replace(date="")


class ClosedEarly(Exception):
    """The connection ended where an answer should stand."""


class Connection:
    """One connection to a server on this machine."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(ANSWER_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self._received = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def end_sending(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with an RST, as the system does for a client that was killed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def ask(self, data: bytes) -> Answer:
        """Send one request and read its answer."""
        self.send(data)
        return self.read_answer(to_head=data.startswith(b"HEAD "))

    def read_answer(self, *, to_head: bool = False) -> Answer:
        """The next answer; *to_head* says that it has no body. Raises ClosedEarly."""
        head = self._read_until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        fields = dict(pairs)
        assert len(fields) == len(pairs), f"a header stands twice in {pairs}"
        if to_head or status_line.startswith("HTTP/1.1 100 "):
            body = b""
        elif fields.get("transfer-encoding") == "chunked":
            body = self._read_chunks()
        else:
            body = self._read(int(fields["content-length"]))
        date = fields.pop("date", "")
        return Answer(status_line, tuple(sorted(fields.items())), body, date)

    def read_end(self) -> bytes:
        """Wait until the server closes the connection; what it sent before that."""
        while self._receive():
            pass
        rest, self._received = self._received, b""
        return rest

    def _read_chunks(self) -> bytes:
        chunks = []
        while size := int(self._read_until(b"\r\n"), 16):
            chunks.append(self._read(size))
            self._read(2)
        self._read(2)
        return b"".join(chunks)

    def _read_until(self, mark: bytes) -> bytes:
        while mark not in self._received:
            if not self._receive():
                raise ClosedEarly(f"after {self._received!r}")
        return self._read(self._received.index(mark) + len(mark))

    def _read(self, length: int) -> bytes:
        while len(self._received) < length:
            if not self._receive():
                raise ClosedEarly(f"after {self._received!r}")
        read, self._received = self._received[:length], self._received[length:]
        return read

    def _receive(self) -> bool:
        data = self.socket.recv(65536)
        self._received += data
        return bool(data)


def request(
    method: str,
    target: str,
    *headers: str,
    body: bytes = b"",
    version: str = "1.1",
    length: int | None = None,
) -> bytes:
    """A request; *length* is what Content-Length claims if that is not the truth."""
    lines = [f"{method} {target} HTTP/{version}", "Host: bridge", *headers]
    if body or length is not None:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n" + body


def push(
    body: bytes,
    *headers: str,
    target: str = "/api/telemetry",
    version: str = "1.1",
    length: int | None = None,
) -> bytes:
    """A push of JSON."""
    return request("POST", target, JSON, *headers, body=body, version=version, length=length)
