"""The load generator's process and a real bridge."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import generator
from bench.bridge.replay import parse_ready
from bench.load import Plan
from bench.pushes import GAUGES, PIXELTRACKER, PushKind
from bench.scraper import Scraper, check_groups
from bench.servers import Bridge, Server

pytestmark = pytest.mark.stack
GROUPS = 100


def plan(server: Server, kind: PushKind, *, once: bool) -> Plan:
    return Plan(
        port=server.port,
        pid=server.pid,
        kind=kind.name,
        groups=GROUPS,
        once=once,
        warm_up_seconds=0.1,
        seconds=0.5,
    )


def test_every_push_is_counted_shown_and_replayed(tmp_path: Path) -> None:
    with Bridge(tmp_path, "gauges", "bench.gauges") as server:
        filled = generator.run(plan(server, GAUGES, once=True))
        scraper = Scraper(server)
        check_groups(scraper.scrape(), GAUGES.shown, GROUPS, server.name)
        scraper.close()
        server.kill()
        server.start()

        assert filled.requests == GROUPS
        assert parse_ready(server.log()) == (GROUPS, 10 * GROUPS)


def test_a_measured_run_reports_latency_and_cpu(tmp_path: Path) -> None:
    with Bridge(tmp_path) as server:
        result = generator.run(plan(server, PIXELTRACKER, once=False))

    assert result.requests > 0
    assert 0 < result.p50_ms <= result.p99_ms
    assert result.server_cpu_seconds > 0


def test_a_refused_push_fails_the_run(tmp_path: Path) -> None:
    """The bridge as it ships does not know the benchmark's dialect."""
    with Bridge(tmp_path) as server, pytest.raises(generator.LoadFailed, match="404"):
        generator.run(plan(server, GAUGES, once=False))
