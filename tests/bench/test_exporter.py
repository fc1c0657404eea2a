"""The comparison with node_exporter: what it checks of an answer, and a short run of all parts."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from bench.exporter.comparison import PARTS, compare
from bench.exporter.contenders import (
    SHARED,
    Settings,
    all_defaults,
    check_collectors,
    connected,
    count_series,
    same_collectors,
)
from bench.noise import Noise
from bench.scraper import Scrape
from bench.servers import HostExporter, ServerFailed
from bench.table import Verdict
from tests.stack import programs

EXPOSITION = b"""\
# HELP node_load1 1m load average.
node_load1 0.2
node_cpu_seconds_total{cpu="0",mode="idle"} 3
node_exporter_build_info{version="1.11.1"} 1
node_scrape_collector_success{collector="cpu"} 1
node_scrape_collector_success{collector="zfs"} 0
process_open_fds 9
"""
ANSWERED = Scrape(0.1, 0.1, gzip.compress(EXPOSITION))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """As short as can be."""
    return Settings(1, 0.5, 2.0, 1.0, tmp_path, programs.find("node_exporter"), lambda _line: None)


def test_series_about_an_exporter_itself_are_not_counted() -> None:
    assert count_series(ANSWERED) == 4


def test_an_answer_without_a_collector_that_must_succeed_is_refused() -> None:
    check_collectors(ANSWERED, ("cpu",), "ours")
    for missing in ("zfs", "loadavg"):
        with pytest.raises(ServerFailed, match=f"ours: the collector {missing} did not succeed"):
            check_collectors(ANSWERED, ("cpu", missing), "ours")


@pytest.mark.stack
def test_a_server_that_is_asked_to_end_has_ended(tmp_path: Path) -> None:
    with HostExporter(tmp_path, "ending") as server:
        seconds = server.end()

        assert seconds > 0
        with pytest.raises(ProcessLookupError):
            os.kill(server.pid, 0)


@pytest.mark.stack
def test_ours_shows_at_least_the_series_of_the_same_collectors(settings: Settings) -> None:
    pair = same_collectors(settings)
    counts: list[int] = []
    for server in pair.servers:
        with server, connected(server) as scraper:
            scrape = scraper.scrape()
            check_collectors(scrape, pair.collectors, server.name)
            counts.append(count_series(scrape))

    peer, ours = counts
    assert ours >= peer > len(SHARED)


@pytest.mark.stack
def test_an_unknown_collector_fails_the_run(settings: Settings) -> None:
    [peer, _ours] = all_defaults(settings).servers
    with peer, connected(peer) as scraper:
        scrape = scraper.scrape()

    with pytest.raises(ServerFailed, match="nonsense"):
        check_collectors(scrape, ("nonsense",), peer.name)


@pytest.mark.stack
def test_every_row_is_measured_and_has_its_peer(settings: Settings) -> None:
    noise = Noise()
    rows = compare(settings, noise, PARTS)

    by_name = {row.what: row for row in rows}
    assert len(by_name) == len(rows)
    for row in rows:
        assert row.ours is not None
        assert len(row.ours.rounds) == settings.rounds
        assert row.verdict is not Verdict.SKIPPED
    assert [row.what for row in rows if row.peer is None] == [
        "resident memory after 200 scrapes, all defaults, by itself"
    ]
    # Where the peer's figure is nothing or does not matter, ours is judged by itself.
    assert [row.what for row in rows if row.peer is not None and row.ratio is None] == [
        "CPU while idle, all defaults",
        "from SIGTERM to the end, a connection open",
    ]
    assert len(noise.loop_seconds) == len(PARTS)
    assert (
        len(noise.other_cores) == len(noise.generator_cpu_us) == 4
    )  # two servers, with two sets of collectors


@pytest.mark.stack
def test_only_the_parts_that_are_asked_for_are_measured(settings: Settings) -> None:
    rows = compare(settings, Noise(), ["idle"])

    assert [row.what for row in rows] == ["CPU while idle, all defaults"]
