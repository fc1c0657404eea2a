"""The demo: a fleet that is plausible, told in every dialect, and taken away again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from demo.admin import command_line
from demo.bridge import Bridge, DemoFailed, values_in
from demo.cleaning import STAYS, clean
from demo.events import INSTALLATIONS_PATH, batch, installation
from demo.hosts import (
    BACKED_UP,
    BACKUP_JOB,
    DAY,
    FAILING,
    FILLS_FOR,
    HOSTS,
    REPORT_SECONDS,
    SILENT_AFTER,
    Clock,
    Host,
    activity,
    job_of,
    reading,
    silent,
)
from demo.reports import Report, backup, report
from pushgateway_bridge.dialects import minigem, pixeltracker, proxmoxve, samples, statix, statusmonitor
from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Pusher
from stack.folder import write_record
from stack.settings import Settings, load_settings
from tests.bridge.process import BridgeProcess

if TYPE_CHECKING:
    from tests.stack.conftest import Stack

REPOSITORY = Path(__file__).resolve().parents[2]
START = 1_770_000_000.0
CLOCK = Clock(START, 60.0)
DIALECTS: dict[str, Dialect] = {
    one.name: one
    for one in (
        minigem.DIALECT,
        pixeltracker.DIALECT,
        proxmoxve.DIALECT,
        samples.DIALECT,
        statix.DIALECT,
        statusmonitor.DIALECT,
    )
}
BY_NAME = {host.name: host for host in HOSTS}


def moments() -> Iterator[float]:
    """The day before the start, and the first hour of the demo."""
    yield from (START - DAY + step * 1_200 for step in range(72))
    yield from (START + step * 30.0 for step in range(120))


def decoded(dialect: str, sent: Report, at: float) -> Any:
    body = json.dumps(sent.body).encode()
    pusher = Pusher(1, "demo", job="statusmonitor", instance="demo") if dialect == "statusmonitor" else None
    context = PushContext(round(at * 1000), "application/json", pusher, sent.path)
    return DIALECTS[dialect].decode(body, context)


def test_twenty_hosts_are_plainly_of_the_demo() -> None:
    assert len(HOSTS) == len(BY_NAME) == 20
    assert all(name.startswith("demo-") for name in BY_NAME)
    assert {host.dialect for host in HOSTS} == REPORT_SECONDS.keys()
    assert [host.name for host in HOSTS if host.fails] == [FAILING]


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_a_host_measures_what_a_host_can(host: Host) -> None:
    readings = [reading(host, CLOCK, at) for at in moments()]

    for one in readings:
        assert all(0 <= ratio <= 1 for ratio in (one.cpu, one.memory, one.disk, *one.cores))
        assert len(one.cores) == host.cores
        assert one.boot_time < one.at
    for total in ("read_bytes", "written_bytes", "received_bytes", "sent_bytes"):
        values = [getattr(one, total) for one in readings]

        assert values[0] > 0
        assert values == sorted(values), f"{total} falls"


def test_days_have_a_quiet_and_a_busy_time() -> None:
    web = BY_NAME["demo-web-1"]
    by_hour = [reading(web, CLOCK, START // DAY * DAY - DAY + hour * 3600).cpu for hour in range(24)]

    assert by_hour[13] > 2 * by_hour[1]
    assert activity(14 * 3600) == pytest.approx(1.0)
    assert activity(2 * 3600) == pytest.approx(0.1)


def test_the_past_goes_over_into_the_present_without_a_jump() -> None:
    before, after = (reading(BY_NAME["demo-app-1"], CLOCK, START + seconds) for seconds in (-0.5, 0.5))

    assert after.cpu == pytest.approx(before.cpu, abs=0.1)
    assert after.written_bytes - before.written_bytes < 10 * 1.5e6 * 8


def test_the_failing_host_fills_and_falls_silent() -> None:
    nas = BY_NAME[FAILING]

    def disk(simulated: float) -> float:
        return reading(nas, CLOCK, START + simulated / CLOCK.speed).disk

    assert disk(0) < 0.75 < disk(FILLS_FOR / 2) < 0.95 < disk(FILLS_FOR)
    assert not silent(nas, CLOCK, START + (SILENT_AFTER - 60) / CLOCK.speed)
    assert silent(nas, CLOCK, START + (SILENT_AFTER + 60) / CLOCK.speed)
    assert not any(silent(host, CLOCK, START + DAY) for host in HOSTS if host is not nas)


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_the_bridge_reads_all_of_a_report(host: Host) -> None:
    now, before = reading(host, CLOCK, START), reading(host, CLOCK, START - 30)

    read = decoded(host.dialect, report(host, now, before, "token"), START)

    assert read.groups
    assert (read.skipped_values, read.timestamps_replaced) == (0, 0)


def test_the_bridge_reads_every_event_but_the_broken_ones() -> None:
    dice = random.Random(1)
    read = [decoded("minigem", batch(dice, START, 8), START) for _ in range(60)]

    assert all(one.accepted >= 8 for one in read)
    assert 0 < sum(one.skipped for one in read) < 20


def test_installations_end_in_every_way() -> None:
    dice = random.Random(1)
    told = [installation(dice) for _ in range(200)]
    results = [one.ends.body["status"] for one in told]

    for one in told:
        for sent in (one.begins, one.goes_on, one.ends):
            assert sent.path == INSTALLATIONS_PATH
            assert decoded("proxmoxve", sent, START).accepted == 1
    assert set(results) == {"success", "failed", "aborted"}
    assert 0.08 < results.count("failed") / len(results) < 0.25
    assert len({one.ends.body["execution_id"] for one in told}) == len(told)


def test_values_of_a_label_are_found_in_an_exposition() -> None:
    lines = [
        "# TYPE apps_total counter",
        'apps_total{job="x",app="demo-a",type="lxc"} 1',
        'apps_total{app="real"} 2',
        'other_apps_total{app="no"} 3',
        'apps_total{job="x",wrapp="no"} 1',
    ]

    assert list(values_in(lines, "apps_total", "app")) == ["demo-a", "real"]


def settings_in(directory: Path) -> Settings:
    directory.mkdir(exist_ok=True)
    return load_settings({"STACK_DIR": str(directory), "STACK_ENV_FILE": os.devnull})


def test_the_admin_token_is_made_where_the_bridge_keeps_its_own(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "stack")
    write_record(settings, "native")
    native = command_line(settings)
    write_record(settings, "docker")
    docker = command_line(settings)

    assert native[:5] == [sys.executable, "-m", "pushgateway_bridge", "token", "create"]
    assert native[-2:] == ["--journal.directory", str(tmp_path / "stack/data/bridge")]
    assert docker[:2] == ["docker", "compose"]
    assert docker[4:10] == ["exec", "-T", "bridge", "pushgateway-bridge", "token", "create"]


def test_without_a_stack_one_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DemoFailed, match="make up"):
        command_line(settings_in(tmp_path / "none"))


def run_demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "STACK_ENV_FILE": os.devnull, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_bridge_that_does_not_answer_is_told_in_one_line(tmp_path: Path) -> None:
    tried = run_demo("run", "--bridge.url", "http://127.0.0.1:9", "--token", "x", STACK_DIR=str(tmp_path))

    assert tried.returncode == 1
    assert tried.stderr.startswith("demo: nobody answers at http://127.0.0.1:9")
    assert len(tried.stderr.splitlines()) == 1


def test_help_teaches() -> None:
    shown = run_demo("run", "--help")

    assert shown.returncode == 0
    for said in ("make demo-clean", "--duration", "--speed", "--bridge.url", "--token", "--history", FAILING):
        assert said in shown.stdout


@pytest.mark.stack
def test_all_of_the_demos_hosts_is_taken_away_and_nothing_of_others(tmp_path: Path) -> None:
    with BridgeProcess(tmp_path / "journal", log=tmp_path / "log") as process:
        bridge = Bridge(f"http://127.0.0.1:{process.port}", process.create_token("--right=admin"))
        clock = Clock(time.time(), 60.0)

        def tell(host: Host) -> None:
            token = ""
            if host.dialect == "statusmonitor":
                token = bridge.make_token(host.name, host.dialect, host.name)
            now, before = (reading(host, clock, clock.start - seconds) for seconds in (0, 30))
            assert bridge.push(report(host, now, before, token), token) in (200, 201, 202)

        others = [BY_NAME[name]._replace(name="lab") for name in ("demo-pi-1", "demo-app-1", "demo-edge-1")]
        for host in others:
            tell(host)
        assert bridge.push(backup(others[0], clock.start, 60.0, 1e9)) == 200
        theirs = {name: value for name, value in process.series().items() if "instance=" in name}
        for host in HOSTS:
            tell(host)
        for name in BACKED_UP:
            assert bridge.push(backup(BY_NAME[name], clock.start, 60.0, 1e9)) == 200
        assert bridge.sources(BACKUP_JOB, [*BACKED_UP, "demo-db-2"]) == sorted(BACKED_UP)
        said: list[str] = []

        assert clean(bridge, said.append) == 0

        assert {name: value for name, value in process.series().items() if "instance=" in name} == theirs
        assert [host["hostname"] for host in json.loads(process.get("/sx/hosts"))["hosts"]] == ["lab"]
        assert said[0].startswith(f"deleted {len(HOSTS) + len(BACKED_UP)} sources with ")
        assert clean(bridge, said.append) == 0
        assert said[2] == "deleted 0 sources with 0 series, their entries and alert history, and 0 tokens"


def ask(stack: Stack, expr: str) -> list[Any]:
    answer = requests.get(f"{stack.prometheus}/api/v1/query", params={"query": expr}, timeout=10)
    result: list[Any] = answer.json()["data"]["result"]
    return result


def until_answered(stack: Stack, expr: str) -> list[Any]:
    """What *expr* gives as soon as it gives anything; nothing if that takes a minute."""
    end = time.monotonic() + 60
    while not (found := ask(stack, expr)) and time.monotonic() < end:
        time.sleep(0.5)
    return found


def active_tokens(text: str) -> list[str]:
    return [line for line in text.splitlines() if "demo-" in line and "active" in line]


@pytest.mark.stack
def test_the_demo_fills_a_stack_ends_at_an_interrupt_and_is_taken_away(running_stack: Stack) -> None:
    stack = running_stack
    log = stack.directory / "demo.log"
    tokens = [sys.executable, "-m", "pushgateway_bridge", "token", "list", "--journal.directory"]
    listed = [*tokens, str(stack.directory / "data/bridge")]
    with log.open("w") as output:
        demo = subprocess.Popen(
            [sys.executable, "-m", "demo", "run", "--history", "1h"],
            cwd=REPOSITORY,
            env=dict(stack.environment),
            stdout=output,
            stderr=output,
        )
        try:
            for host in HOSTS:
                of_host = f'job="{job_of(host)}",instance="{host.name}"'
                assert until_answered(stack, f"node_memory_MemTotal_bytes{{{of_host}}}"), log.read_text()
            for expr in (
                'node_memory_MemTotal_bytes{instance="demo-app-1"} offset 30m',
                'minigem_java_runs_completed_total{exit_code="0"} > 0',
                'proxmoxve_executions_total{status="failed"} > 0',
                'proxmoxve_app_executions_total{app=~"demo-.+"}',
                'backup_size_bytes{job="demo_backup"}',
                'instance:cpu_utilisation:ratio{instance="demo-web-1"}',
            ):
                assert until_answered(stack, expr), expr
        finally:
            demo.send_signal(signal.SIGINT)
            code = demo.wait(30)

    said = log.read_text()
    assert code == 0, said
    assert "refused" not in said
    assert "The demo has ended" in said
    assert not any("demo-admin" in line for line in active_tokens(_run(listed)))

    cleaned = run_demo("clean", **stack.environment)

    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    exposed = requests.get(f"{stack.bridge}/metrics", timeout=10).text
    assert 'instance="demo-' not in exposed
    assert active_tokens(_run(listed)) == []
    assert STAYS in cleaned.stdout
    listed_sources = requests.get(f"{stack.bridge}/api/v1/sources", timeout=10).json()["sources"]
    assert not [one for one in listed_sources if one["instance"].startswith("demo-")]


def _run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
