"""`make up` and its sisters with the real programs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from stack import tools
from stack.supervision import MARK
from tests.stack.conftest import Stack

pytestmark = pytest.mark.stack

STATUS_LINE = re.compile(
    r"^  (?P<part>\w+) +ready +(?P<address>\S+) +up \S+, pid (?P<pid>\d+)$", re.MULTILINE
)


def pids(stack: Stack) -> dict[str, int]:
    """By part, as `make status` tells."""
    return {match["part"]: int(match["pid"]) for match in STATUS_LINE.finditer(stack.run("status").stdout)}


def processes(stack: Stack) -> set[int]:
    """Of every process that belongs to the stack, found without the launcher's help."""
    found = set()
    for folder in Path("/proc").iterdir():
        try:
            environment = (folder / "environ").read_bytes() if folder.name.isdigit() else b""
        except OSError:
            continue
        if f"{MARK}={stack.directory}".encode() in environment.split(b"\0"):
            found.add(int(folder.name))
    return found


def wait_for(what: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


def query(stack: Stack, expression: str) -> dict[str, float]:
    """Values by job, as Prometheus answers."""
    url = f"{stack.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(url, timeout=5) as reply:
        result = json.load(reply)["data"]["result"]
    return {series["metric"]["job"]: float(series["value"][1]) for series in result}


def alertmanagers(stack: Stack) -> list[str]:
    """Where Prometheus sends alerts."""
    with urllib.request.urlopen(f"{stack.prometheus}/api/v1/alertmanagers", timeout=5) as reply:
        return [one["url"] for one in json.load(reply)["data"]["activeAlertmanagers"]]


def test_one_command_starts_a_stack_that_scrapes_itself(running_stack: Stack) -> None:
    expected = {"node": 1.0, "bridge": 1.0, "prometheus": 1.0, "alertmanager": 1.0}

    wait_for(lambda: query(running_stack, "up") == expected)
    # Prometheus finds whom to notify by itself, a few seconds after it finds whom to scrape.
    wait_for(lambda: alertmanagers(running_stack) == [f"{running_stack.alertmanager}/api/v2/alerts"])


def test_a_push_is_found_in_prometheus_and_this_machine_beside_it(running_stack: Stack) -> None:
    body = b'{"name":"launcher-test","cpuC":8,"cpuL":63,"tRam":31387,"uRam":16382,"disk":50400}'
    request = urllib.request.Request(
        f"{running_stack.bridge}/api/telemetry", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as reply:
        assert json.load(reply) == {"status": "accepted"}

    expression = 'node_memory_MemTotal_bytes{instance=~"launcher-test|local"}'
    here = float(psutil.virtual_memory().total)
    wait_for(lambda: query(running_stack, expression) == {"pixeltracker": 31387 * 2.0**20, "node": here})


def test_a_late_push_is_found_at_its_own_time(running_stack: Stack) -> None:
    """With Prometheus 3, to which the stack's bridge writes."""
    version = tools.version_number(tools.version(tools.fetch(["prometheus"])["prometheus"]))
    if version < (3,):
        pytest.skip("the samples of an older Prometheus are scraped")
    time_ms = round(time.time() * 1000) - 3_600_000
    moment = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    body = json.dumps({"name": "late-test", "cpuL": 63, "timestamp": moment}).encode()
    request = urllib.request.Request(
        f"{running_stack.bridge}/api/telemetry", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as reply:
        assert json.load(reply) == {"status": "accepted"}

    def held() -> list[tuple[int, str]]:
        selector = urllib.parse.urlencode({"query": 'node_load1{instance="late-test"}[2h]'})
        with urllib.request.urlopen(
            f"{running_stack.prometheus}/api/v1/query?{selector}", timeout=5
        ) as reply:
            result = json.load(reply)["data"]["result"]
        return [(round(time * 1000), value) for series in result for time, value in series["values"]]

    wait_for(lambda: held() == [(time_ms, "6.3")])


def test_up_tells_where_to_look_and_the_folders_are_private(running_stack: Stack) -> None:
    again = running_stack.run("up")

    assert again.returncode == 0
    assert again.stdout.startswith(
        f"the stack in {running_stack.directory} is running; nothing was changed\n"
    )
    for folder in ("data", "config"):
        assert stat.S_IMODE((running_stack.directory / folder).stat().st_mode) == 0o700


def test_a_second_up_changes_nothing_and_says_that_the_stack_runs(running_stack: Stack) -> None:
    before = pids(running_stack)
    again = running_stack.run("up")

    assert (again.returncode, again.stderr) == (0, "")
    assert "is running; nothing was changed" in again.stdout
    assert list(before) == ["exporter", "bridge", "prometheus", "alertmanager"]
    assert pids(running_stack) == before


@pytest.mark.parametrize("part", ["exporter", "bridge", "prometheus", "alertmanager"])
def test_a_killed_part_comes_back(part: str, running_stack: Stack) -> None:
    before = pids(running_stack)
    os.kill(before[part], signal.SIGKILL)
    wait_for(lambda: running_stack.run("status").returncode == 0 and pids(running_stack) != before)

    after = pids(running_stack)
    assert after.pop(part) != before.pop(part)
    assert after == before


def test_two_stacks_run_beside_each_other_and_down_ends_one_of_them(
    running_stack: Stack, new_stack: Callable[[str], Stack]
) -> None:
    other = new_stack("other")
    first = pids(running_stack)
    started = other.run("up")
    assert started.returncode == 0, started.stdout + started.stderr
    second = pids(other)
    for name, url in (
        ("exporter", other.exporter),
        ("bridge", other.bridge),
        ("prometheus", other.prometheus),
    ):
        assert f"  {name:<13} {url}/" in started.stdout

    ended = other.run("down")
    assert (ended.returncode, ended.stdout) == (0, f"ended the stack in {other.directory}\n")
    assert [pid for pid in second.values() if psutil.pid_exists(pid)] == []
    assert processes(other) == set()
    assert pids(running_stack) == first
    again = other.run("down")
    assert (again.returncode, again.stdout) == (0, "nothing is running\n")
    assert other.run("status").returncode == 1

    assert any((other.directory / "data/bridge").iterdir())
    assert other.run("reset").returncode == 0
    assert not other.directory.exists()


def test_down_ends_everything_also_when_supervisor_is_gone(new_stack: Callable[[str], Stack]) -> None:
    stack = new_stack("orphans")
    assert stack.run("up").returncode == 0
    parts = set(pids(stack).values())
    os.kill(int((stack.directory / "supervisor.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: stack.run("status").returncode == 1)
    orphans = processes(stack)
    refused = stack.run("up")
    assert len(parts) == 4
    assert parts <= orphans  # and the process with which the bridge writes to Prometheus
    assert refused.returncode == 1
    assert "of an earlier run is left: end it with 'make down'" in refused.stderr

    assert stack.run("down").returncode == 0
    assert processes(stack) == set()


@pytest.mark.parametrize("part", ["exporter", "bridge", "prometheus", "alertmanager"])
def test_a_taken_port_is_named_and_nothing_is_left_running(
    part: str, new_stack: Callable[[str], Stack]
) -> None:
    stack = new_stack("taken")
    address = str(urlsplit(getattr(stack, part)).netloc)
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))):
        started = stack.run("up")

    assert started.returncode == 1
    assert started.stderr == (
        f"stack: {part}: {address} is taken by another program; set {part.upper()}_ADDRESS to another host:port\n"
    )
    assert processes(stack) == set()


def test_a_part_that_dies_at_start_is_named_with_its_last_words(new_stack: Callable[[str], Stack]) -> None:
    stack = new_stack("broken")
    (stack.directory / "data").mkdir(parents=True)
    (stack.directory / "stack.json").write_text('{"mode": "native", "addresses": {}}')
    (stack.directory / "data/bridge").mkdir()
    # A folder in its place: not even root can open it as a database.
    (stack.directory / "data/bridge/journal.db").mkdir()
    started = stack.run("up")

    assert started.returncode == 1
    first = started.stderr.splitlines()[0]
    assert first.startswith("stack: bridge ended while it was starting: ")
    assert f"(see {stack.directory}/logs/bridge.log)" in first
    assert processes(stack) == set()


def test_a_bad_environment_of_a_part_is_told_in_its_own_words(new_stack: Callable[[str], Stack]) -> None:
    stack = new_stack("configured")
    started = stack.run("up", PUSHGATEWAY_BRIDGE_LOG_LEVEL="nonsense")

    assert started.returncode == 1
    assert started.stderr.startswith("stack: bridge ended while it was starting: ")
    assert processes(stack) == set()


def test_an_interrupt_while_starting_leaves_nothing(new_stack: Callable[[str], Stack]) -> None:
    stack = new_stack("interrupted")
    starting = subprocess.Popen(
        [sys.executable, "-m", "stack", "up"],
        cwd=Path(__file__).resolve().parents[2],
        env=dict(stack.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with starting:
        wait_for(lambda: len(processes(stack)) > 1)
        starting.send_signal(signal.SIGTERM)

    assert starting.returncode == 130
    assert processes(stack) == set()


GRAFANA_STAND_IN = """\
#!{python}
# Not Grafana: it checks how it is started, and serves the health path.
import http.server, os, pathlib, sys
assert sys.argv[1] == "server" and pathlib.Path(sys.argv[3].removeprefix("--config=")).is_file(), sys.argv
assert pathlib.Path(os.environ["GF_PATHS_PROVISIONING"], "datasources/prometheus.yml").is_file()
assert pathlib.Path(os.environ["GRAFANA_DASHBOARDS_DIR"], "host.json").is_file()
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()
address = (os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"]))
http.server.HTTPServer(address, Health).serve_forever()
"""


def test_grafana_on_path_joins_the_stack(new_stack: Callable[[str], Stack], tmp_path: Path) -> None:
    """Shown with a stand-in, for package registries have no Grafana."""
    home = tmp_path / "grafana"
    (home / "bin").mkdir(parents=True)
    (home / "conf").mkdir()
    (home / "conf/defaults.ini").touch()
    (home / "bin/grafana").write_text(GRAFANA_STAND_IN.format(python=sys.executable))
    (home / "bin/grafana").chmod(0o755)
    stack = new_stack("with-grafana")
    path = f"{home}/bin:{stack.environment['PATH']}"
    started = stack.run("up", PATH=path)
    address = stack.environment["GRAFANA_ADDRESS"]
    targets = json.loads((stack.directory / "config/prometheus/targets/grafana.yml").read_text())

    assert started.returncode == 0, started.stdout + started.stderr
    assert f"  grafana       http://{address}/dashboards\n" in started.stdout
    assert f"See this machine at http://{address}/dashboards\n" in started.stdout
    assert targets == [{"targets": [address]}]
    assert list(pids(stack)) == ["exporter", "bridge", "prometheus", "alertmanager", "grafana"]
