"""Scrapes as Prometheus does, timed from the request to the last byte of the answer."""

from __future__ import annotations

import gzip
import http.client
import re
import time
from typing import NamedTuple

from bench.servers import Server, ServerFailed

HEADERS = {
    "User-Agent": "Prometheus/3.5.3",
    # What Prometheus 3.5 sends unless it is configured otherwise.
    "Accept": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    ),
    "Accept-Encoding": "gzip",
}


class Scrape(NamedTuple):
    """One answer as it came."""

    seconds: float
    cpu_seconds: float
    """The server's, of everything it did meanwhile."""
    body: bytes


class Scraper:
    """One kept connection to *server*."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def close(self) -> None:
        self._connection.close()

    def scrape(self) -> Scrape:
        """Raises ServerFailed if it is not answered with 200 and gzip."""
        cpu = self._server.cpu_seconds()
        began = time.perf_counter()
        self._connection.request("GET", "/metrics", headers=HEADERS)
        answer = self._connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - began
        if answer.status != 200 or answer.headers["Content-Encoding"] != "gzip":
            raise ServerFailed(f"{self._server.name}: a scrape was answered {answer.status}, {body[:200]!r}")
        return Scrape(seconds, self._server.cpu_seconds() - cpu, body)


def check_groups(scrape: Scrape, shown: str, groups: int, name: str) -> None:
    """Raises ServerFailed if the answer has not *groups* lines that begin with *shown*.

    A quick answer with half of the series would be no achievement.
    """
    text = gzip.decompress(scrape.body)
    found = len(re.findall(b"^" + re.escape(shown.encode()), text, re.MULTILINE))
    if found != groups:
        raise ServerFailed(f"{name}: expected {groups} lines {shown}…, got {found}")
