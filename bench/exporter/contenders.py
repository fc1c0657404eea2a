"""Who is compared: the two exporters with the same collectors, and as they ship."""

from __future__ import annotations

import contextlib
import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.scraper import Scrape, Scraper
from bench.servers import HostExporter, NodeExporter, Server, ServerFailed
from host_exporter.collectors import COLLECTORS

SHARED = ("cpu", "meminfo", "loadavg", "filesystem", "diskstats", "netdev", "stat", "vmstat", "uname", "time")
"""The collectors of the rows that say *same collectors*: what every host dashboard shows."""


class Settings(NamedTuple):
    """How long and how often, and where."""

    rounds: int
    seconds: float
    """Of each contender in each round, where scrapes follow each other without a pause."""
    paced_seconds: float
    """How long all are scraped now and then; each round is a part of it."""
    idle_seconds: float
    """How long nothing is asked; each round is a part of it."""
    folder: Path
    """For logs."""
    node_exporter: Path
    say: Callable[[str], None]


class Pair(NamedTuple):
    """Ours and the peer, told to show the same."""

    label: str
    ours: Server
    peer: Server
    collectors: tuple[str, ...] = ()
    """Those that must succeed; of the defaults many have nothing to read on most machines."""

    @property
    def servers(self) -> tuple[Server, Server]:
        """The peer first."""
        return self.peer, self.ours


def shared() -> tuple[str, ...]:
    """Those of SHARED that we have; the peer has them all."""
    return tuple(name for name in SHARED if name in COLLECTORS)


def same_collectors(settings: Settings) -> Pair:
    """Both with the collectors of `shared` and no others."""
    flags = ["--collector.disable-defaults", *(f"--collector.{name}" for name in shared())]
    return Pair(
        "same collectors",
        HostExporter(settings.folder, "same-collectors", flags),
        NodeExporter(settings.node_exporter, settings.folder, "same-collectors", flags),
        shared(),
    )


def all_defaults(settings: Settings) -> Pair:
    """Both with the collectors that are on unless one says otherwise."""
    return Pair(
        "all defaults",
        HostExporter(settings.folder, "defaults"),
        NodeExporter(settings.node_exporter, settings.folder, "defaults"),
    )


@contextlib.contextmanager
def connected(server: Server) -> Iterator[Scraper]:
    """A scraper of *server*, on the one connection that Prometheus too would keep."""
    with contextlib.closing(Scraper(server)) as scraper:
        yield scraper


def count_series(scrape: Scrape) -> int:
    """How many series of the host it shows; what an exporter says of itself is not counted."""
    return len(re.findall(rb"^node_(?!exporter_)", gzip.decompress(scrape.body), re.MULTILINE))


def check_collectors(scrape: Scrape, collectors: tuple[str, ...], name: str) -> None:
    """Raises ServerFailed if one of *collectors* did not succeed."""
    lines = gzip.decompress(scrape.body).decode().splitlines()
    for collector in collectors:
        if f'node_scrape_collector_success{{collector="{collector}"}} 1' not in lines:
            raise ServerFailed(f"{name}: the collector {collector} did not succeed")
