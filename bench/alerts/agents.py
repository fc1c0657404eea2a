"""Hosts that are in trouble and well again, and what their agents send of it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final, NamedTuple

MEMORY_MB: Final = 8000
CORES: Final = 4

Body = Callable[[str, float, float], Any]
"""What an agent sends as JSON: of the host's name, how it is, and the time."""


class Agent(NamedTuple):
    """One host and the alert that it shall raise."""

    host: str
    alert: str
    path: str
    body: Body
    trouble: float
    """What it reports first."""
    well: float
    """What it reports once that was told."""
    seconds: float
    """Between two pushes."""
    critical: bool = False
    """The trouble is so great that the warning gives way to the critical alert of the same name."""

    def document(self, at: float, *, well: bool) -> Any:
        """The body to send at *at*, Unix seconds."""
        return self.body(self.host, self.well if well else self.trouble, at)


def agents() -> list[Agent]:
    """Each in a group of its own, by alert, job or severity: who joins a group later waits for its next turn."""
    return [
        Agent("cpu-0", "HostCpuHigh", "/sx/metrics", statix, 97.0, 10.0, 5.0),
        *(
            Agent(f"cpu-{number}", "HostCpuHigh", "/api/v1/samples", cpu_sample, 0.97, 0.1, 5.0)
            for number in range(1, 5)
        ),
        Agent("load-0", "HostLoadHigh", "/pt/api/telemetry", pixeltracker_load, 5.0 * CORES, 0.1, 10.0),
        Agent("memory-0", "HostMemoryHigh", "/pt/api/telemetry", pixeltracker_memory, 0.95, 0.2, 10.0),
        Agent(
            "memory-1",
            "HostMemoryHigh",
            "/pt/api/telemetry",
            pixeltracker_memory,
            0.99,
            0.2,
            10.0,
            critical=True,
        ),
    ]


def statix(host: str, percent: float, at: float) -> Any:
    """Of a host that does not tell details."""
    return {"hostname": host, "cpu": percent, "ram": 40.0, "disk": 40.0, "timestamp": int(at)}


def cpu_sample(host: str, ratio: float, at: float) -> Any:
    """Of an agent of one's own, under a job of the host's name."""
    labels = {"job": host, "instance": host}
    return [{"name": "host_cpu_utilization_ratio", "value": ratio, "labels": labels, "timestamp": at}]


def pixeltracker_load(host: str, load: float, at: float) -> Any:
    """Of a host with CORES cores."""
    return _pixeltracker(host, load, 0.4, at)


def pixeltracker_memory(host: str, ratio: float, at: float) -> Any:
    """Of a host that is not busy."""
    return _pixeltracker(host, 0.1, ratio, at)


def _pixeltracker(host: str, load: float, memory: float, at: float) -> Any:
    now = dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds")
    return {
        "source": {"hostname": host, "platform": "linux"},
        "cpu": {"cores": CORES, "load1m": load},
        "memory": {"totalMB": MEMORY_MB, "usedMB": round(memory * MEMORY_MB)},
        "timestamp": now.replace("+00:00", "Z"),
    }
