"""Scrapes as Prometheus does, timed from the request to the last byte of the answer."""

from __future__ import annotations

import gzip
import re
import socket
import time
from typing import NamedTuple

from bench.http1 import Head, body_of, is_whole, parse_head
from bench.servers import ADDRESS, Server, ServerFailed

HEADERS = {
    "User-Agent": "Prometheus/3.5.3",
    # What Prometheus 3.5 sends unless it is configured otherwise.
    "Accept": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    ),
    "Accept-Encoding": "gzip",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
}


ANSWER_SECONDS = 60.0
READ_BYTES = 2**18


class Scrape(NamedTuple):
    """One answer as it came."""

    seconds: float
    cpu_seconds: float
    """The server's, of everything it did meanwhile."""
    body: bytes


class Scraper:
    """One kept connection to *server*.

    As bare as it can be: http.client takes half a millisecond of its own, which is as long as a small scrape.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = socket.create_connection((ADDRESS, server.port), timeout=ANSWER_SECONDS)
        headers = {"Host": f"{ADDRESS}:{server.port}", **HEADERS}
        lines = ["GET /metrics HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items()), "", ""]
        self._request = "\r\n".join(lines).encode()

    def close(self) -> None:
        self._connection.close()

    def scrape(self) -> Scrape:
        """Raises ServerFailed if it is not answered with 200 and gzip."""
        cpu = self._server.cpu_seconds()
        began = time.perf_counter()
        try:
            self._connection.sendall(self._request)
            head, received = self._receive()
            seconds = time.perf_counter() - began
            body = body_of(head, received)
        except (OSError, ValueError) as error:
            raise ServerFailed(f"{self._server.name}: a scrape was not answered: {error}") from error
        if head.status != 200 or head.headers.get(b"content-encoding") != b"gzip":
            raise ServerFailed(f"{self._server.name}: a scrape was answered {head.status}, {body[:200]!r}")
        return Scrape(seconds, self._server.cpu_seconds() - cpu, body)

    def _receive(self) -> tuple[Head, bytearray]:
        """A whole answer. Raises OSError or ValueError if there is none."""
        received = bytearray()
        head = None
        while head is None or not is_whole(head, received):
            read = self._connection.recv(READ_BYTES)
            if not read:
                raise ConnectionError("the connection was closed")
            received += read
            head = head or parse_head(received)
        return head, received


def check_groups(scrape: Scrape, shown: str, groups: int, name: str) -> None:
    """Raises ServerFailed if the answer has not *groups* lines that begin with *shown*.

    A quick answer with half of the series would be no achievement.
    """
    text = gzip.decompress(scrape.body)
    found = len(re.findall(b"^" + re.escape(shown.encode()), text, re.MULTILINE))
    if found != groups:
        raise ServerFailed(f"{name}: expected {groups} lines {shown}…, got {found}")
