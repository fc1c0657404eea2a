"""The hosts of the demo, and what each has to say at a moment of its simulated day. Pure."""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

DAY = 86_400.0
HOUR = 3_600.0
GIB = 2.0**30
MOST_HISTORY_SECONDS = DAY - 120.0
"""The bridge keeps a pusher's own time up to a day back; the rest is for what sending takes."""

FILLS_FOR = 3 * HOUR
SILENT_AFTER = 4 * HOUR
"""Simulated time after the start of the demo: the failing host's disk is full, and nobody hears of it again."""


class Host(NamedTuple):
    """One made-up machine."""

    name: str
    """Begins with ``demo-``; the ``instance`` of its series."""
    dialect: str
    """Which agent it pretends to have; the ``job`` of its series, but for samples (`SAMPLES_JOB`)."""
    cores: int
    memory_bytes: float
    disk_bytes: float
    busy: float
    """The share of its processors that is busy at the height of its day, from 0 to 1."""
    peak_hour: float
    """When that is, UTC."""
    fails: bool = False


SAMPLES_JOB = "demo"
BACKUP_JOB = "demo_backup"
FAILING = "demo-nas"

HOSTS = (
    Host("demo-pi-1", "pixeltracker", 4, 4 * GIB, 32e9, 0.45, 18),
    Host("demo-pi-2", "pixeltracker", 4, 4 * GIB, 32e9, 0.30, 20),
    Host("demo-pi-3", "pixeltracker", 4, 2 * GIB, 16e9, 0.25, 7),
    Host("demo-lab-1", "pixeltracker", 8, 16 * GIB, 256e9, 0.70, 14),
    Host("demo-web-1", "statusmonitor", 4, 8 * GIB, 80e9, 0.85, 13),
    Host("demo-web-2", "statusmonitor", 4, 8 * GIB, 80e9, 0.80, 13.5),
    Host("demo-web-3", "statusmonitor", 4, 8 * GIB, 80e9, 0.75, 14),
    Host("demo-db-1", "statusmonitor", 16, 64 * GIB, 1e12, 0.65, 14),
    Host("demo-cache-1", "statusmonitor", 2, 16 * GIB, 40e9, 0.40, 13),
    Host(FAILING, "statusmonitor", 2, 4 * GIB, 2e12, 0.35, 3, fails=True),
    Host("demo-app-1", "statix", 8, 16 * GIB, 160e9, 0.70, 12),
    Host("demo-app-2", "statix", 8, 16 * GIB, 160e9, 0.68, 12.5),
    Host("demo-app-3", "statix", 8, 16 * GIB, 160e9, 0.60, 13),
    Host("demo-build-1", "statix", 16, 32 * GIB, 500e9, 0.95, 16),
    Host("demo-mail-1", "statix", 2, 4 * GIB, 60e9, 0.30, 9),
    Host("demo-proxy-1", "statix", 2, 2 * GIB, 20e9, 0.50, 20),
    Host("demo-backup-1", "statix", 4, 8 * GIB, 4e12, 0.55, 2),
    Host("demo-edge-1", "samples", 2, 2 * GIB, 16e9, 0.40, 19),
    Host("demo-edge-2", "samples", 2, 2 * GIB, 16e9, 0.35, 21),
    Host("demo-edge-3", "samples", 2, 2 * GIB, 16e9, 0.45, 6),
)
BACKED_UP = ("demo-db-1", "demo-mail-1", "demo-nas")
"""Hosts whose nightly backup is told of through the pushgateway dialect."""

REPORT_SECONDS = {"pixeltracker": 10.0, "statusmonitor": 5.0, "statix": 30.0, "samples": 15.0}
"""How often a host of each dialect reports: as its real agents do."""


def job_of(host: Host) -> str:
    """The ``job`` under which the bridge stores what *host* reports."""
    return SAMPLES_JOB if host.dialect == "samples" else host.dialect


class Clock(NamedTuple):
    """How real time becomes the time of day on the hosts: as it was up to the start, *speed* times as fast since."""

    start: float
    """Unix seconds."""
    speed: float

    def day_time(self, at: float) -> float:
        """Simulated Unix seconds at the real moment *at*."""
        return at if at <= self.start else self.start + (at - self.start) * self.speed

    def since_start(self, at: float) -> float:
        """Simulated seconds since the start; 0 before it."""
        return max(0.0, at - self.start) * self.speed


class Reading(NamedTuple):
    """What one host measures at one moment. Ratios are from 0 to 1, totals rise."""

    at: float
    """Unix seconds, real."""
    cpu: float
    cores: tuple[float, ...]
    load: tuple[float, float, float]
    memory: float
    disk: float
    frequency_hertz: float
    read_bytes: float
    written_bytes: float
    received_bytes: float
    sent_bytes: float
    boot_time: float


def reading(host: Host, clock: Clock, at: float) -> Reading:
    """What *host* measures at *at*; the same for the same arguments."""
    day_time = clock.day_time(at)
    cpu = _busy(host, day_time)
    share = cpu / host.busy
    cores = tuple(
        _within(cpu * (0.7 + 0.6 * _noise(f"{host.name}/core{core}", day_time / 90)))
        for core in range(host.cores)
    )
    load = cpu * host.cores * 1.15
    boot_time = clock.start // DAY * DAY - (3 + _part(host.name) * 60) * DAY
    written = _total(host, "written", clock, at, 1.5e6 * host.cores)
    return Reading(
        at=at,
        cpu=cpu,
        cores=cores,
        load=(load, load * 0.9 + 0.05, load * 0.8 + 0.1),
        memory=_within(0.35 + 0.25 * _part(f"{host.name}/memory") + 0.25 * share),
        disk=_disk(host, clock, at),
        frequency_hertz=1.2e9 + 2.2e9 * share,
        read_bytes=_total(host, "read", clock, at, 2.5e6 * host.cores),
        written_bytes=written,
        received_bytes=_total(host, "received", clock, at, 0.8e6 * host.cores),
        sent_bytes=_total(host, "sent", clock, at, 1.1e6 * host.cores),
        boot_time=boot_time,
    )


def silent(host: Host, clock: Clock, at: float) -> bool:
    """Whether nothing is heard of *host* any more."""
    return host.fails and clock.since_start(at) >= SILENT_AFTER


def activity(day_time: float) -> float:
    """How much people do at this moment of the day, from 0.1 at night to 1 in the early afternoon."""
    return 0.1 + 0.9 * _hump(day_time, 14.0)


def _busy(host: Host, day_time: float) -> float:
    wave = 0.15 + 0.85 * _hump(day_time, host.peak_hour)
    spike = 0.15 * max(0.0, _noise(f"{host.name}/spike", day_time / 600) - 0.8) / 0.2
    return _within(host.busy * (wave * (0.8 + 0.3 * _noise(host.name, day_time / 240))) + spike)


def _hump(day_time: float, peak_hour: float) -> float:
    """From 0 to 1 and back once a day."""
    return math.pow(0.5 + 0.5 * math.cos(2 * math.pi * (day_time / HOUR - peak_hour) / 24), 1.5)


def _disk(host: Host, clock: Clock, at: float) -> float:
    if host.fails:
        return 0.72 + 0.275 * min(clock.since_start(at) / FILLS_FOR, 1.0)
    level = 0.25 + 0.45 * _part(f"{host.name}/disk")
    return _within(level + 0.02 * math.sin(2 * math.pi * clock.day_time(at) / DAY))


def _total(host: Host, what: str, clock: Clock, at: float, most_per_second: float) -> float:
    """A total that has risen since the day before the start, by more at the height of the day.

    The integral of ``most / 2 * (1 + 0.9 cos(2π (hours - peak) / 24))`` over real time, so that what is sent of the
    past and what is sent live make one curve.
    """
    mean = most_per_second * host.busy * (0.3 + 0.4 * _part(f"{host.name}/{what}"))

    def wave(day_time: float) -> float:
        angle = 2 * math.pi * (day_time / HOUR - host.peak_hour) / 24
        return 0.9 * DAY / (2 * math.pi) * math.sin(angle)

    origin = clock.start - 2 * DAY
    past = min(at, clock.start)
    total = past - origin + wave(past) - wave(origin)
    if at > clock.start:
        total += at - clock.start + (wave(clock.day_time(at)) - wave(clock.start)) / clock.speed
    return float(round(mean * total))


def _noise(name: str, position: float) -> float:
    """A smooth random curve from 0 to 1 with a new value at each whole *position*."""
    whole = math.floor(position)
    before, after = _part(f"{name}/{whole}"), _part(f"{name}/{whole + 1}")
    return before + (after - before) * (position - whole)


def _part(name: str) -> float:
    """A number from 0 to 1 that *name* always gives."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest()) / 2**32


def _within(ratio: float) -> float:
    return min(max(ratio, 0.0), 1.0)
