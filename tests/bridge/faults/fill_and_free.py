"""Pushes to a bridge whose disk fills up, and what of them must be there afterwards."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.bridge.faults.small_disk import SmallDisk
from tests.bridge.faults.wire import Answer, Wire, post
from tests.bridge.padding import incompressible
from tests.bridge.process import BridgeProcess

RECOVERY_SECONDS = 30.0


class Hosts:
    """Pushes counts of a few hosts and remembers what was accepted."""

    def __init__(self, bridge: BridgeProcess) -> None:
        self.bridge = bridge
        self.accepted: dict[str, list[int]] = {}
        self._count = 0

    def push(self, wire: Wire, padding: int = 0) -> Answer:
        self._count += 1
        host = f"host-{self._count % 5}"
        body = {"name": host, "cpuC": self._count, "padding": incompressible(padding)}
        answer = wire.ask(post("/api/telemetry", json.dumps(body).encode()))
        if answer.status == 200:
            self.accepted.setdefault(host, []).append(self._count)
        return answer

    def check(self) -> None:
        """Exactly what was accepted is there."""
        series = self.bridge.series()
        for host, counts in self.accepted.items():
            group = f'job="pixeltracker",instance="{host}"'
            assert series[f'host_cpu_cores{{{group},kind="logical"}}'] == counts[-1]
            assert series[f"telemetry_reports_total{{{group}}}"] == len(counts)
        assert series["telemetry_sources"] == len(self.accepted)

    def push_until_full(self, wire: Wire, padding: int) -> Answer:
        for _ in range(2000):
            answer = self.push(wire, padding)
            if answer.status != 200:
                return answer
        raise AssertionError("the disk does not fill up")

    def push_until_accepted(self, wire: Wire) -> None:
        deadline = time.monotonic() + RECOVERY_SECONDS
        while self.push(wire).status != 200:
            assert time.monotonic() < deadline, "it does not recover by itself"
            time.sleep(0.1)


def fill_and_free(small_disk: SmallDisk, log: Path, rounds: int) -> None:
    """Fill the disk and free it again *rounds* times under one bridge; what should not happen fails an assertion."""
    with BridgeProcess(small_disk.folder / "journal", log=log) as bridge, Wire(bridge.port) as wire:
        hosts = Hosts(bridge)
        for _ in range(20):
            assert hosts.push(wire).status == 200
        for _ in range(rounds):
            small_disk.fill()
            refused = hosts.push_until_full(wire, padding=5000)
            assert refused.status == 503
            assert refused.headers["retry-after"] == "1"
            assert [hosts.push(wire, 5000).status for _ in range(20)] == [503] * 20
            hosts.check()
            assert "ready" in bridge.get("/-/ready")
            assert bridge.get("/api/telemetry").startswith("[")
            small_disk.free()
            hosts.push_until_accepted(wire)
            hosts.check()
        assert bridge.process.poll() is None, "it goes on by itself: this is the first process still"
        name = 'telemetry_pushes_rejected_total{dialect="pixeltracker",reason="journal_full"}'
        assert bridge.series()[name] >= 21 * rounds
        assert bridge.terminate() == 0
        bridge.start()
        hosts.check()
    assert "Traceback" not in log.read_text()
