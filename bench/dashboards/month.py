"""A month of samples as OpenMetrics text, a piece for each block that it shall become. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.dashboards import targets

BLOCK_SECONDS = 18 * 3600
"""Prometheus' largest block below a day; a piece that lies within one is read once."""
DAY = 86_400
HOUR = 3_600
ROLLUP = re.compile(r"instance:\w+:\w+_(?:avg|min|max)(1m|1h)")
_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_REASON = re.compile(r'reason="([^"]+)"')
_JOB = re.compile(r'(?:^|,)job="')


class Series(NamedTuple):
    """One series: a curve that repeats each day, on top of a line."""

    name: str
    labels: str
    base: float
    swing: float = 0.0
    """How far it goes up and down within a day."""
    per_second: float = 0.0
    """How fast it rises: of a counter."""
    phase: float = 0.0
    """Where in the day it is highest, from 0 to 1."""
    smooth_seconds: int = 0
    """The mean over that long is its value: of a roll-up."""
    hours: tuple[int, int] = (0, 24)
    """It is there from one hour of the day to the other."""

    def values(self, times: Sequence[int], shapes: Shapes) -> list[float]:
        """At each of *times*, Unix seconds; *shapes* are those of the same times."""
        if self.per_second:
            return [
                self.base + self.per_second * (at % (400 * DAY) + DAY / 16 * wave)
                for at, wave in zip(times, shapes.wave(self.phase, 0), strict=True)
            ]
        if not self.swing:
            return [self.base] * len(times)
        wave = shapes.wave(self.phase, self.smooth_seconds)
        return [
            self.base + self.swing * (0.45 * height + 0.1 * jitter)
            for height, jitter in zip(wave, shapes.jitter(len(self.labels)), strict=True)
        ]


class Shapes:
    """What the curves of many series have in common, at the same times: found once."""

    def __init__(self, times: Sequence[int]) -> None:
        self._times = times
        self._waves: dict[tuple[float, int], list[float]] = {}
        self._jitters: dict[int, list[float]] = {}

    def wave(self, phase: float, smooth_seconds: int) -> list[float]:
        """From -1 to 1 and back once a day; with *smooth_seconds* the mean of it over that long."""
        key = phase, smooth_seconds
        if key not in self._waves:
            width = math.pi * smooth_seconds / DAY
            flatter = math.sin(width) / width if width else 1.0
            self._waves[key] = [
                flatter * math.sin(2 * math.pi * (at / DAY - phase) - width) for at in self._times
            ]
        return self._waves[key]

    def jitter(self, seed: int) -> list[float]:
        """From -0.5 to 0.5, anew each minute."""
        if seed not in self._jitters:
            self._jitters[seed] = [
                ((at // 60 * 2_654_435_761 + seed) & 0xFFFF) / 0xFFFF - 0.5 for at in self._times
            ]
        return self._jitters[seed]


def host_series(hosts: int) -> list[Series]:
    """Twenty of each host: twelve as it is scraped, eight of the recorded vocabulary."""
    return [one for number in range(hosts) for one in _of_host(number)]


def _of_host(number: int) -> list[Series]:
    labels = f'job="node",instance="host-{number:03d}"'
    phase = number % 24 / 24
    disk = f'{labels},mountpoint="/",device="/dev/sda2",fstype="ext4"'

    def raw(name: str, base: float, swing: float = 0.0, per_second: float = 0.0, more: str = "") -> Series:
        return Series(name, f"{labels}{more}", base, swing, per_second, phase)

    return [
        raw("up", 1),
        raw("node_load1", 2, 3),
        raw("node_memory_MemTotal_bytes", 16e9),
        raw("node_memory_MemAvailable_bytes", 8e9, 6e9),
        raw("node_boot_time_seconds", 1.7e9),
        raw(
            "node_uname_info",
            1,
            more=f',nodename="host-{number:03d}",sysname="Linux",release="6",machine="x86_64"',
        ),
        Series("node_filesystem_size_bytes", disk, 100e9),
        Series("node_filesystem_avail_bytes", disk, 40e9, 10e9, phase=phase),
        raw("node_cpu_seconds_total", 1e6, per_second=0.7, more=',cpu="0",mode="idle"'),
        raw("node_cpu_seconds_total", 1e6, per_second=0.3, more=',cpu="0",mode="user"'),
        raw("node_network_receive_bytes_total", 1e9, per_second=2e5, more=',device="eth0"'),
        raw("node_network_transmit_bytes_total", 1e9, per_second=1e5, more=',device="eth0"'),
        *(raw(name, base, swing) for name, base, swing in _VOCABULARY),
        raw("instance:filesystem_utilisation:ratio", 0.6, 0.1, more=',mountpoint="/"'),
    ]


_VOCABULARY = (
    ("instance:cpu_utilisation:ratio", 0.4, 0.6),
    ("instance:load_per_core:ratio", 0.5, 0.8),
    ("instance:memory_utilisation:ratio", 0.5, 0.3),
    ("instance:network_receive:rate5m", 2e5, 3e5),
    ("instance:network_transmit:rate5m", 1e5, 1e5),
    ("instance:disk_read:rate5m", 3e6, 5e6),
    ("instance:disk_written:rate5m", 2e6, 3e6),
)


def rollups(series: Sequence[Series], expressions: Sequence[str]) -> list[Series]:
    """The roll-ups of *series* that any of *expressions* asks for, as prometheus/rules/rollups.yml names them.

    A mean is that of the curve; the least and the greatest of so short a time are near it, and cost the same to read.
    """
    asked = {found[0]: found[1] for text in expressions for found in ROLLUP.finditer(_unfolded(text))}
    smooth = {"1m": 60, "1h": HOUR}
    return [
        one._replace(name=name, smooth_seconds=smooth[window])
        for name, window in sorted(asked.items())
        for one in series
        if one.name == re.sub(r"_(?:avg|min|max)1[mh]$", "", name)
    ]


def _unfolded(text: str) -> str:
    """*text* with ``instance:(a|b):c`` written out as ``instance:a:c instance:b:c``, and each roll-up for any."""
    text += "".join(text.replace("$rollup", ending) for ending in ("_avg1m", "_avg1h") if "$rollup" in text)
    pattern = re.compile(r"(instance:)\(([\w|]+)\)(\w*:\w+)")
    return pattern.sub(
        lambda found: " ".join(f"{found[1]}{one}{found[3]}" for one in found[2].split("|")), text
    )


def alert_series(hosts: int) -> list[Series]:
    """An alert of each host that fires for an hour a day, and the one that always does."""
    watchdog = Series("ALERTS", 'alertname="Watchdog",alertstate="firing",severity="none"', 1)
    return [
        watchdog,
        *(
            Series(
                "ALERTS",
                f'alertname="HostCpuHigh",alertstate="firing",severity="warning",job="node",instance="host-{number:03d}"',
                1,
                hours=(number % 24, number % 24 + 1),
            )
            for number in range(hosts)
        ),
    ]


def alert_records(alerts: Sequence[Series]) -> list[Series]:
    """What else there is of *alerts* while they fire: Prometheus' own, and what prometheus/rules/history.yml records.

    When each began is the same on every day, which costs as much to read.
    """
    records = []
    for alert in alerts:
        labels = alert.labels.replace('alertstate="firing",', "")
        records.append(alert._replace(name="ALERTS_FOR_STATE", labels=labels, base=1.7e9))
        if 'severity="none"' not in labels:
            since = alert._replace(name="alert:firing:since", labels=labels, base=1.7e9)
            records += [since, since._replace(name="alert:firing:age", base=300, per_second=1)]
    return records


def target_records(hosts: int) -> list[Series]:
    """What prometheus/rules/targets.yml records of *hosts* and of a stack."""
    targets_of = {"node": hosts, "bridge": 1, "prometheus": 1, "alertmanager": 1}
    of_jobs = [
        Series(name, f'job="{job}"', value * number, value / 10)
        for job, number in targets_of.items()
        for name, value in _OF_JOBS
        if job != "node" or not name.startswith("job:process_")
    ]
    return [
        *of_jobs,
        *(Series(f"exporters:scrape_duration_seconds:{rank}", "", 0.01, 0.005) for rank in _RANKS),
    ]


_OF_JOBS = (
    ("job:up:sum", 1),
    ("job:up:count", 1),
    ("job:scrape_duration_seconds:max", 0.02),
    ("job:scrape_samples_scraped:sum", 500),
    ("job:process_cpu_seconds:rate5m", 0.05),
    ("job:process_resident_memory_bytes:sum", 1e8),
)
_RANKS = ("max", "quantile90", "quantile50")


def refusal_records(series: Sequence[Series]) -> list[Series]:
    """What prometheus/rules/bridge.yml records of those of *series* that count refused pushes."""
    reasons = {
        found[1]: one.per_second
        for one in series
        if one.name == "telemetry_pushes_rejected_total" and (found := _REASON.search(one.labels))
    }
    return [
        Series(
            "reason:telemetry_pushes_rejected:rate5m",
            f'job="bridge",instance="local",reason="{reason}"',
            rate,
        )
        for reason, rate in reasons.items()
    ]


def series_like(exposition: str, names: set[str], source: str) -> list[Series]:
    """A series for each of *exposition* whose metric is among *names*; labels *source* where it has no job.

    What was counted there since a start is what a day brings.
    """
    found = []
    for line in exposition.splitlines():
        match = _SAMPLE.match(line)
        if match is None or match[1] not in names:
            continue
        labels, value = match[2] or "", float(match[3])
        if not _JOB.search(labels):
            labels = f"{labels},{source}" if labels else source
        counts = match[1].endswith(("_total", "_count", "_sum", "_bucket"))
        rising = value / DAY if counts and math.isfinite(value) else 0.0
        found.append(Series(match[1], labels, 0.0 if counts else value, 0.0, rising))
    return found


def pieces(series: Sequence[Series], end: int, days: int) -> Iterator[str]:
    """The text of each block, the oldest first; the newest sample is at *end*."""
    start = end - days * DAY
    dense = end - targets.DENSE_SECONDS
    for block in range(start // BLOCK_SECONDS * BLOCK_SECONDS, end + 1, BLOCK_SECONDS):
        times = [
            *range(
                -(-max(block, start) // targets.STEP_SECONDS) * targets.STEP_SECONDS,
                min(block + BLOCK_SECONDS, dense),
                targets.STEP_SECONDS,
            ),
            *range(max(block, dense), min(block + BLOCK_SECONDS, end + 1), targets.DENSE_STEP_SECONDS),
        ]
        if times:
            yield _piece(series, times)


def _piece(series: Sequence[Series], times: Sequence[int]) -> str:
    shapes = Shapes(times)
    whole = [(str(at), at % DAY // HOUR) for at in times]
    lines = []
    for one in sorted(series, key=lambda each: each.name):
        prefix = f"{one.name}{{{one.labels}}}"
        first, last = one.hours
        lines += [
            f"{prefix} {value:.8g} {at}"
            for value, (at, hour) in zip(one.values(times, shapes), whole, strict=True)
            if first <= hour < last
        ]
    return "\n".join([*lines, "# EOF", ""])
