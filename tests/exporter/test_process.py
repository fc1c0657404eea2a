"""The real process: started, scraped and stopped."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_port

START_SECONDS = 15

pytestmark = pytest.mark.stack


@contextmanager
def running(address: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "host_exporter", "serve", "--web.listen-address", address]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_ready(address: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            requests.get(f"http://{address}/-/ready", timeout=1).raise_for_status()
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"host-exporter did not start within {START_SECONDS} s")


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def online_cpus() -> set[str]:
    lines = Path("/proc/stat").read_text().splitlines()
    return {
        line.split()[0].removeprefix("cpu") for line in lines if line.startswith("cpu") and line[3] != " "
    }


def test_the_process_shows_this_host_is_still_when_idle_and_ends_on_sigterm() -> None:
    address = f"127.0.0.1:{free_port()}"
    with running(address) as process, requests.Session() as session:
        wait_until_ready(address, process)
        response = session.get(f"http://{address}/metrics", timeout=5)
        series = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }
        before = cpu_seconds(process)
        time.sleep(2)
        idle_seconds = cpu_seconds(process) - before
        stopped_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10)

        assert process.returncode == 0
        assert time.monotonic() - stopped_at < 1
        assert "msg=listening" in log
        assert "msg=stopped" in log
        assert idle_seconds < 0.002
        meminfo = Path("/proc/meminfo").read_text().split()
        assert series["node_memory_MemTotal_bytes",] == int(meminfo[1]) * 1024
        succeeded = {
            key[1]
            for key, value in series.items()
            if key[0] == "node_scrape_collector_success" and value == 1
        }
        assert succeeded >= {"cpu", "filesystem", "loadavg", "meminfo", "netdev", "stat", "time", "uname"}
        assert {key[1] for key in series if key[0] == "node_cpu_seconds_total"} == online_cpus()


def test_a_port_in_use_is_one_clear_line_and_status_3() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with running(address) as process:
            _, log = process.communicate(timeout=START_SECONDS)

    assert process.returncode == 3
    assert log == f"host-exporter: cannot listen on {address}: Address already in use\n"
