"""A stack of real programs for the tests marked `stack` and `browser`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
import yaml

from tests.ports import free_port

PARTS = ("exporter", "bridge", "prometheus", "alertmanager", "grafana")
COMMAND_SECONDS = 600
HURRY_SECONDS = 30


class Stack(NamedTuple):
    """One stack: its folder, its addresses, and the commands that `make` would run for it."""

    directory: Path
    environment: Mapping[str, str]
    exporter: str
    """Address as a link without a slash at the end, as those of the other parts."""
    bridge: str
    prometheus: str
    alertmanager: str

    def run(self, command: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """`make COMMAND`, without make, in this stack's environment with *changes*."""
        return subprocess.run(
            [sys.executable, "-m", "stack", command],
            cwd=Path(__file__).resolve().parents[2],
            env={**self.environment, **changes},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )


def make_stack(directory: Path) -> Stack:
    """A stack that is not started, on free ports, which reads no `.env`: that may hold real receivers."""
    ports: dict[str, int] = {}
    while len(set(ports.values())) < len(PARTS):
        ports = {part: free_port() for part in PARTS}
    addresses = {part: f"127.0.0.1:{port}" for part, port in ports.items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STACK_")}
    environment = {
        **inherited,
        **{f"{part.upper()}_ADDRESS": address for part, address in addresses.items()},
        "STACK_DIR": str(directory),
        "STACK_MODE": "native",
        "STACK_ENV_FILE": os.devnull,
    }
    urls = {part: f"http://{address}" for part, address in addresses.items() if part != "grafana"}
    return Stack(directory, environment, **urls)


@pytest.fixture
def new_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Stack]]:
    """Stacks of a test's own, by name; each is ended after the test.

    Not in the folder of the test, whose path is too long for a socket.
    """
    stacks: list[Stack] = []

    def make(name: str) -> Stack:
        stacks.append(make_stack(tmp_path_factory.mktemp(name) / name))
        return stacks[-1]

    yield make
    for stack in stacks:
        ended = stack.run("down")
        assert ended.returncode == 0, ended.stdout + ended.stderr


def hurry(stack: Stack) -> None:
    """Let the rules that name no interval of their own be evaluated each second: many tests wait for them."""
    path = stack.directory / "config/prometheus/prometheus.yml"
    config = yaml.safe_load(path.read_text())
    config["global"]["evaluation_interval"] = "1s"
    path.write_text(yaml.safe_dump(config))
    found = re.search(r"^ +prometheus +ready .*pid (\d+)$", stack.run("status").stdout, re.MULTILINE)
    assert found is not None
    os.kill(int(found[1]), signal.SIGHUP)
    end = time.monotonic() + HURRY_SECONDS
    while (
        "evaluation_interval: 1s"
        not in requests.get(f"{stack.prometheus}/api/v1/status/config", timeout=10).text
    ):
        assert time.monotonic() < end, "Prometheus did not read its configuration again"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One native stack for the whole session: exporter, bridge, Prometheus and Alertmanager, all ready."""
    stack = make_stack(tmp_path_factory.mktemp("stack"))
    try:
        started = stack.run("up")
        assert started.returncode == 0, started.stdout + started.stderr
        hurry(stack)
        yield stack
    finally:
        ended = stack.run("down")
        assert ended.returncode == 0, ended.stdout + ended.stderr
