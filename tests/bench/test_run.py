"""The load generator's process and a real bridge."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import generator
from bench.bridge.dialects import series_of, speaking
from bench.bridge.events import UNLIMITED, check_counted
from bench.bridge.replay import parse_ready
from bench.bridge.rounds import Contender, Settings, started
from bench.load import Plan
from bench.pushes import GAUGES, PIXELTRACKER, PushKind
from bench.scraper import Scraper, check_groups
from bench.servers import Bridge, Server
from bench.typical import EVENTS, HOSTS, Typical
from pushgateway_bridge.dialects import DIALECTS

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


def test_an_argument_of_a_bridge_may_hold_braces(tmp_path: Path) -> None:
    limited = Bridge(tmp_path, arguments=["--limits.rates={pixeltracker: 3/h}"])

    with limited as server, pytest.raises(generator.LoadFailed, match="429"):
        generator.run(plan(server, PIXELTRACKER, once=False))


@pytest.mark.parametrize("typical", EVENTS, ids=lambda typical: typical.name)
def test_every_event_that_is_answered_is_counted_as_accepted(typical: Typical, tmp_path: Path) -> None:
    name = typical.dialect.name
    if name not in DIALECTS:
        pytest.skip(f"the bridge does not speak {name}")
    settings = Settings(1, 0.5, 4, (), tmp_path, tmp_path, lambda _line: None)
    contender = Contender(Bridge(tmp_path, arguments=[UNLIMITED]), typical.kind, 9)
    with started(settings, contender, check=False):
        with contender.server.awake():
            result = generator.run(contender.plan(settings))
        check_counted(contender, [result], name, typical.items)


@pytest.mark.parametrize("typical", HOSTS, ids=lambda typical: typical.name)
def test_every_source_of_a_dialect_has_the_series_that_are_said(typical: Typical, tmp_path: Path) -> None:
    """Whatever the bridge adds about a source is named telemetry_, and push_ for Pushgateway's."""
    settings = Settings(1, 0.5, 4, (), tmp_path, tmp_path, lambda _line: None)
    contender = speaking(settings, typical, 9)
    with started(settings, contender), contender.server.awake() as server:
        result = generator.run(contender.plan(settings))
        lines = server.get("/metrics")[1].decode().splitlines()

    own = [line for line in lines if 'instance="host-00003"' in line and not line.startswith("telemetry_")]
    assert result.requests > 0
    assert len([line for line in own if not line.startswith("push_failure_time_seconds")]) == series_of(
        typical
    )
