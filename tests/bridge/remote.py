"""A remote that tests start: a real HTTP server that reads remote write 1.0 with a decoder of its own.

Nothing here is taken from the code under test: neither snappy nor the protobuf messages are read by what wrote them.
https://github.com/google/snappy/blob/main/format_description.txt
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

STALE_BITS = 0x7FF0000000000002
LONGEST_WAIT_SECONDS = 60.0
"""How long something may take on a busy machine before a test fails."""

Labels = tuple[tuple[str, str], ...]
"""As they stand in the message: in its order, repeated ones and empty ones too."""


class Series(NamedTuple):
    """One ``TimeSeries`` as it stands in a message."""

    labels: Labels
    samples: tuple[tuple[int, int], ...]
    """Unix milliseconds, and the 64 bits of the value."""

    @property
    def name(self) -> str:
        """``up{job="a"}``"""
        own = ",".join(f'{name}="{value}"' for name, value in self.labels if name != "__name__")
        return f"{dict(self.labels).get('__name__', '')}{{{own}}}"


class Malformed(Exception):
    """The bytes are not what the format says."""


# Decoding


def unsnappy(block: bytes) -> bytes:
    """What the snappy block format holds. Raises Malformed."""
    length, at = _varint(block, 0)
    out = bytearray()
    while at < len(block):
        tag = block[at]
        at += 1
        kind, size = tag & 3, (tag >> 2) + 1
        if kind == 0:
            if size > 60:
                width = size - 60
                size = int.from_bytes(block[at : at + width], "little") + 1
                at += width
            out += block[at : at + size]
            at += size
            continue
        if kind == 1:
            size, offset = ((tag >> 2) & 7) + 4, (tag >> 5) << 8 | block[at]
            at += 1
        else:
            width = 2 if kind == 2 else 4
            offset = int.from_bytes(block[at : at + width], "little")
            at += width
        if not 0 < offset <= len(out):
            raise Malformed(f"snappy: an offset of {offset} with {len(out)} bytes before it")
        for _ in range(size):  # a copy may overlap what it writes
            out.append(out[-offset])
    if len(out) != length:
        raise Malformed(f"snappy: {length} bytes were promised, {len(out)} came")
    return bytes(out)


def decode(message: bytes) -> list[Series]:
    """The series of a ``WriteRequest``. Raises Malformed, also for fields that the specification does not have."""
    return [_series(_bytes(field, 1)) for field in _fields(message)]


def _series(message: bytes) -> Series:
    labels, samples = [], []
    for field in _fields(message):
        if field[0] == 1:
            label = dict(_fields_once(_bytes(field, 1)))
            labels.append((_text(label.get(1)), _text(label.get(2))))
        else:
            sample = dict(_fields_once(_bytes(field, 2)))
            if not sample.keys() <= {1, 2}:
                raise Malformed(f"fields of a sample: {sorted(sample)}")
            value, moment = sample.get(1, b"\0" * 8), sample.get(2, 0)
            if not isinstance(value, bytes) or len(value) != 8 or not isinstance(moment, int):
                raise Malformed(f"a sample of {value!r} at {moment!r}")
            samples.append((moment, int.from_bytes(value, "little")))
    return Series(tuple(labels), tuple(samples))


Field = tuple[int, "int | bytes"]


def _fields(message: bytes) -> Iterator[Field]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire_type == 1:
            size = 8
        elif wire_type == 2:
            size, at = _varint(message, at)
        else:
            raise Malformed(f"wire type {wire_type}")
        if at + size > len(message):
            raise Malformed(f"field {number} ends behind the message")
        yield number, message[at : at + size]
        at += size


def _fields_once(message: bytes) -> list[Field]:
    found = list(_fields(message))
    if len({number for number, _ in found}) != len(found):
        raise Malformed("a field stands twice")
    return found


def _bytes(field: Field, number: int) -> bytes:
    if field[0] != number or not isinstance(field[1], bytes):
        raise Malformed(f"expected a message in field {number}, got field {field[0]}")
    return field[1]


def _text(value: int | bytes | None) -> str:
    if not isinstance(value, bytes):
        raise Malformed(f"expected text, got {value!r}")
    return value.decode()


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("a varint has no end")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return number, at


def faults_of(found: Iterable[Series]) -> list[str]:
    """What the specification forbids: labels unsorted, repeated or empty, no name, samples not in time order."""
    faults = []
    names: set[Labels] = set()
    for one in found:
        keys = [name for name, _ in one.labels]
        if keys != sorted(set(keys)):
            faults.append(f"labels not sorted or not unique: {one.labels}")
        if "__name__" not in keys or not all(name and value for name, value in one.labels):
            faults.append(f"an empty label or no name: {one.labels}")
        times = [timestamp_ms for timestamp_ms, _ in one.samples]
        if not times or times != sorted(set(times)):
            faults.append(f"no samples, or not in order: {one.labels} {times}")
        if one.labels in names:
            faults.append(f"twice in one request: {one.labels}")
        names.add(one.labels)
    return faults


def value_of(bits: int) -> float | str:
    """A number; ``"stale"`` for the stale marker, ``"nan"`` for what else is none."""
    if bits == STALE_BITS:
        return "stale"
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    return "nan" if math.isnan(value) else float(value)


# The server


class Request(NamedTuple):
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    peer: str
    """The common name of the client's certificate, empty without one."""
    connection: int
    """The client's port: tells connections apart."""
    series: list[Series]

    @property
    def samples(self) -> list[tuple[str, int, float | str]]:
        """Series, Unix milliseconds, value."""
        return [
            (one.name, timestamp_ms, value_of(bits))
            for one in self.series
            for timestamp_ms, bits in one.samples
        ]


class Reply(NamedTuple):
    """What the remote says, *delay_seconds* after it read the request."""

    status: int = 204
    headers: Mapping[str, str] = {}
    body: bytes = b""
    delay_seconds: float = 0.0


TAKEN = Reply()
Script = Callable[[Request], Reply]


def in_turn(*replies: Reply) -> Script:
    """These, one a request; the last one from then on."""
    waiting = list(replies)
    return lambda _request: waiting.pop(0) if len(waiting) > 1 else waiting[0]


class FakeRemote:
    """Listens while entered; ``stop`` and ``start`` make it go away and come back on the same port.

    *script* says what is answered to each request. What it answers with 2xx counts as taken.
    """

    def __init__(self, script: Script = lambda _request: TAKEN, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.tls = tls
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        self.faults: list[str] = []
        """What in the requests the specification forbids."""
        self._server: _Server | None = None
        self._held: socket.socket | None = _bound(0)
        self.port: int = self._held.getsockname()[1]

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}/api/v1/write"

    def __enter__(self) -> FakeRemote:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if self._held is not None:
            self._held.close()

    def start(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        """Connections end, new ones are refused; nobody else gets the port."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            self._thread.join()
            server.server_close()
            server.hang_up()
            self._held = _bound(self.port)

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        self.faults += faults_of(request.series)
        reply = self.script(request)
        if 200 <= reply.status < 300:
            self.taken.append(request)
        return reply

    def samples(self) -> list[tuple[str, int, float | str]]:
        """All that was taken, in the order in which it came."""
        return [sample for request in list(self.taken) for sample in request.samples]

    def values(self, name: str) -> list[float | str]:
        """The values of the series of this metric, by time; each time once."""
        found = {
            timestamp_ms: value
            for series, timestamp_ms, value in self.samples()
            if series.startswith(name + "{")
        }
        return [value for _, value in sorted(found.items())]


def wait_until(done: Callable[[], object], what: str) -> None:
    """Wait until *done* says so; fail with *what* was waited for."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"waited too long: {what}"
        time.sleep(0.02)


def _bound(port: int) -> socket.socket:
    """Holds the port without listening: who connects is refused."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, remote: FakeRemote) -> None:
        self.remote = remote
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", remote.port), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.remote.tls is not None:
            connection = self.remote.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._open.discard(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up, or does not trust us, is what some tests want."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        remote = self.server.remote
        try:
            series = decode(unsnappy(body))
        except (Malformed, IndexError, UnicodeDecodeError) as error:
            series = []
            remote.faults.append(f"unreadable: {error!r}")
        reply = remote.answer(Request(self.path, headers, body, self._peer(), self.client_address[1], series))
        time.sleep(reply.delay_seconds)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.status != 204:
            self.wfile.write(reply.body)

    def do_GET(self) -> None:
        """Where a redirect was followed, which turns a POST into a GET."""
        self.server.remote.faults.append(f"GET {self.path}")
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _peer(self) -> str:
        certificate = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        subject: Any = (certificate or {}).get("subject", ())
        return next((value for ((name, value),) in subject if name == "commonName"), "")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server has
        """Nothing: the test asserts what came."""
