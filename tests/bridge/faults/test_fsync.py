"""kill -9 does not test fsync, as the page cache survives it. strace looks on instead."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

from stack import tools
from tests.bridge.faults import trace
from tests.bridge.faults.served import PLANTED, Served
from tests.bridge.faults.wire import Wire, post
from tests.bridge.process import BridgeProcess

pytestmark = pytest.mark.stack

CONNECTIONS = 6
PUSHES = 15
"""Of each connection."""
TRACE_SECONDS = 30.0


@pytest.fixture(scope="module", autouse=True)
def strace() -> None:
    in_ci = os.environ.get("CI", "").lower() in ("true", "1")
    if not tools.provide_strace(install=in_ci):
        pytest.skip("no strace (Debian: apt-get install strace)")
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")


def push_traced(bridge: BridgeProcess, folder: Path, connections: int, pushes: int) -> list[trace.Call]:
    """What the bridge called while it took pushes over several connections, all of which it accepted."""
    file = folder / "trace"
    # -D: the bridge stays our own child, so that it gets our signals.
    bridge.program = ("strace", "-D", *trace.ARGUMENTS, "-o", str(file), *bridge.program)
    statuses: list[int] = []

    def pusher(number: int) -> None:
        with Wire(bridge.port) as wire:
            for push in range(pushes):
                name = f"push-{number * 1000 + push:06d}"
                # Every other one takes the ordinary route instead of the hot one.
                extra = [f"Idempotency-Key: {name}"] if push % 2 else []
                body = json.dumps({"name": name, "cpuL": push}).encode()
                statuses.append(wire.ask(post("/api/telemetry", body, *extra)).status)

    with bridge:
        pushers = [threading.Thread(target=pusher, args=(number,)) for number in range(connections)]
        for one in pushers:
            one.start()
        for one in pushers:
            one.join()
        assert bridge.terminate() == 0
    assert statuses == [200] * (connections * pushes)
    deadline = time.monotonic() + TRACE_SECONDS
    # strace pads a process number that is shorter than five digits.
    ended = re.compile(rf"^{bridge.process.pid} +\+\+\+ exited", re.MULTILINE)
    while not ended.search(file.read_text(errors="replace")):
        assert time.monotonic() < deadline, "strace does not end"
        time.sleep(0.1)
    return list(trace.read_trace(file.read_text(errors="replace").splitlines()))


def test_an_fsync_of_the_journal_stands_before_each_accepted_answer(tmp_path: Path) -> None:
    calls = push_traced(BridgeProcess(tmp_path / "journal"), tmp_path, CONNECTIONS, PUSHES)

    answered = [marker for marker, _ in trace.accepted(calls)]
    assert len(answered) == len(set(answered)) == CONNECTIONS * PUSHES
    assert trace.early_answers(calls) == []


def test_a_journal_that_does_not_fsync_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: the same pushes on a journal with ``PRAGMA synchronous=OFF``."""
    monkeypatch.setenv(PLANTED, "OFF")
    calls = push_traced(Served(tmp_path / "journal"), tmp_path, 2, 5)

    violations = trace.early_answers(calls)
    assert len(violations) == 10
    assert {violation.reason for violation in violations} == {"not synced"}
