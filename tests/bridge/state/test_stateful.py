"""Push, delete, time, expiry, checkpoint, crash and full disk in any order, against a plain model."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from statistics import median

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pushgateway_bridge.errors import JournalFull
from tests.bridge.harness import Harness
from tests.bridge.padding import incompressible

HOSTS = st.sampled_from(["a", "b", 'c"\\\n'])
FIELDS = st.sets(st.sampled_from(["cpuL", "cpuC", "tRam"]))
NAMES = {"cpuL": "node_load1", "cpuC": "host_cpu_cores", "tRam": "node_memory_MemTotal_bytes"}
FACTORS = {"cpuL": 0.1, "cpuC": 1.0, "tRam": 2.0**20}


class ModelHost:
    """What one host sent, kept without any cleverness."""

    def __init__(self) -> None:
        self.received: list[float] = []
        self.values: dict[str, tuple[float, float, float]] = {}
        """Field → (value, time of the sample, when it was received)."""

    @property
    def interval(self) -> float:
        gaps = [b - a for a, b in zip(self.received, self.received[1:], strict=False) if b > a]
        return median(gaps[-8:]) if gaps else 10.0


class Machine(RuleBasedStateMachine):
    """Each rule does one thing to the bridge and to the model; the invariant compares what a scrape shows."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.bridge = Harness(self.directory)
        self.model: dict[str, ModelHost] = {}

    def teardown(self) -> None:
        self.bridge.close()
        shutil.rmtree(self.directory)

    @rule(host=HOSTS, fields=FIELDS, value=st.integers(0, 1000), age=st.integers(0, 120))
    def push(self, host: str, fields: set[str], value: int, age: int) -> None:
        now = self.bridge.clock.unix_ms
        stamp = now - age * 1000
        seconds = stamp // 1000
        text = f"{_iso(seconds)}.{stamp % 1000:03d}Z"
        self.bridge.push({"name": host, **dict.fromkeys(fields, value), "timestamp": text})
        known = self.model.setdefault(host, ModelHost())
        known.received.append(now / 1000)
        for field in fields:
            old = known.values.get(field)
            newest = old is None or stamp >= old[1]
            known.values[field] = (value, stamp, now) if newest or old is None else (old[0], old[1], now)

    @rule(host=HOSTS)
    def push_while_the_disk_is_full(self, host: str) -> None:
        connection = self.bridge.journal._connection
        connection.pragma("max_page_count", connection.pragma("page_count"))
        try:
            self.bridge.push({"name": host, "cpuL": 5, "new": incompressible(90_000)})
        except JournalFull:
            pass
        else:  # room was left in freed pages: then it counts
            known = self.model.setdefault(host, ModelHost())
            known.received.append(self.bridge.clock.unix_ms / 1000)
            now = self.bridge.clock.unix_ms
            old = known.values.get("cpuL")
            if old is None or now >= old[1]:
                known.values["cpuL"] = (5, now, now)
        finally:
            connection.pragma("max_page_count", 1_000_000)

    @rule(seconds=st.integers(0, 200))
    def pass_time(self, seconds: int) -> None:
        self.bridge.clock.pass_seconds(seconds)

    @rule()
    def expire(self) -> None:
        self.bridge.expire()
        now = self.bridge.clock.unix_ms
        for known in self.model.values():
            time_to_live = min(max(3 * known.interval, 60), 240) * 1000
            for field, (_, _, received) in list(known.values.items()):
                if now - received >= time_to_live:
                    del known.values[field]

    @rule(host=HOSTS)
    def delete(self, host: str) -> None:
        assert self.bridge.delete(host) == int(host in self.model)
        self.model.pop(host, None)

    @rule()
    def checkpoint(self) -> None:
        self.bridge.checkpoint()

    @rule()
    def crash(self) -> None:
        self.bridge.crash()

    @invariant()
    def a_scrape_shows_the_model(self) -> None:
        shown = self.bridge.series()
        expected = {}
        for host, known in self.model.items():
            rendered = host.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
            group = f'job="pixeltracker",instance="{rendered}"'
            expected[f"telemetry_reports_total{{{group}}}"] = float(len(known.received))
            expected[f"telemetry_last_report_timestamp_seconds{{{group}}}"] = known.received[-1]
            expected[f"telemetry_report_interval_seconds{{{group}}}"] = known.interval
            for field, (value, _, _) in known.values.items():
                kind = ',kind="logical"' if field == "cpuC" else ""
                number = value / 10 if field == "cpuL" else value * FACTORS[field]
                expected[f"{NAMES[field]}{{{group}{kind}}}"] = number
        assert shown == expected


def _iso(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


TestState = Machine.TestCase
TestState.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
