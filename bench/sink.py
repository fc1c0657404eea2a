"""A remote that takes whatever is written to it: ``python -m bench.sink --address 127.0.0.1:9999``.

It keeps the bodies and looks at them when it is asked (``GET /stats``), so that taking one costs next to nothing.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cramjam
import msgspec

from bench.servers import Server


class Stats(msgspec.Struct, frozen=True):
    """What was taken. *seconds* from the end of the first request to the end of the last."""

    requests: int
    samples: int
    samples_of_first: int
    seconds: float

    @property
    def samples_per_second(self) -> float:
        return (self.samples - self.samples_of_first) / self.seconds


LABEL, SAMPLE = 0x0A, 0x12
"""Tags of the fields of a ``TimeSeries``; the first is that of a ``WriteRequest``'s too."""


def count_samples(body: bytes) -> int:
    """Samples in a remote write request as it was sent. Raises ValueError if it is something else."""
    message = bytes(cramjam.snappy.decompress_raw(body))
    at = samples = 0
    while at < len(message):
        if message[at] != LABEL:
            raise ValueError(f"expected a series at {at}, got tag {message[at]}")
        length, at = read_varint(message, at + 1)
        end = at + length
        while at < end:
            tag = message[at]
            if tag not in (LABEL, SAMPLE):
                raise ValueError(f"expected a label or a sample at {at}, got tag {tag}")
            samples += tag == SAMPLE
            length, at = read_varint(message, at + 1)
            at += length
    return samples


def read_varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at *at*, and where the next thing begins."""
    number = message[at]
    if number < 0x80:
        return number, at + 1
    number, shift = number & 0x7F, 7
    while True:
        at += 1
        number |= (message[at] & 0x7F) << shift
        shift += 7
        if message[at] < 0x80:
            return number, at + 1


class Sink(Server):
    """The sink as a process."""

    def __init__(self, folder: Path, port: int) -> None:
        command = [sys.executable, "-m", "bench.sink", "--address", "{address}"]
        super().__init__("sink", command, folder / "sink.log", port=port)

    def stats(self) -> Stats:
        """What it took so far."""
        return msgspec.json.decode(self.get("/stats")[1], type=Stats)


def main() -> None:
    """Serve until killed."""
    host, _, port = sys.argv[sys.argv.index("--address") + 1].rpartition(":")
    bodies: list[bytes] = []
    times: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            times.append(time.perf_counter())
            bodies.append(body)

        def do_GET(self) -> None:
            counts = [count_samples(body) for body in bodies] if self.path == "/stats" else []
            stats = Stats(
                len(bodies), sum(counts), counts[0] if counts else 0, times[-1] - times[0] if times else 0.0
            )
            answer = msgspec.json.encode(stats)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class says so
            """Say nothing."""

    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
