"""Readings as the agents of each dialect put them. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from demo.hosts import BACKUP_JOB, SAMPLES_JOB, Host, Reading

MIB = 2.0**20
PACKET_BYTES = 700.0
"""What the made-up packets hold on average."""


class Report(NamedTuple):
    """One push: where it goes, and its body."""

    path: str
    body: Any
    """As JSON, unless it is text."""
    headers: tuple[tuple[str, str], ...] = ()


def report(host: Host, now: Reading, before: Reading, token: str = "") -> Report:
    """The push that the agent of *host* makes of *now*; *before* is its reading of the report before.

    *token* is the host's own, where its dialect wants one.
    """
    if host.dialect == "pixeltracker":
        return Report("/pt/api/telemetry", _pixeltracker(host, now))
    if host.dialect == "statusmonitor":
        return Report("/sm/ingest", _statusmonitor(host, now), (("X-Agent-Token", token),))
    if host.dialect == "statix":
        return Report("/sx/metrics", _statix(host, now, before))
    return Report("/api/v1/samples", _samples(host, now))


def backup(host: Host, at: float, seconds: float, size_bytes: float) -> Report:
    """What a nightly job tells when it is done, to a Pushgateway as it believes."""
    text = (
        "# TYPE backup_last_success_timestamp_seconds gauge\n"
        f"backup_last_success_timestamp_seconds {at:.0f}\n"
        "# TYPE backup_duration_seconds gauge\n"
        f"backup_duration_seconds {seconds:.1f}\n"
        "# TYPE backup_size_bytes gauge\n"
        f"backup_size_bytes {size_bytes:.0f}\n"
    )
    return Report(backup_path(host.name), text)


def backup_path(name: str) -> str:
    """The group in which the backup of the host *name* is told of."""
    return f"/metrics/job/{BACKUP_JOB}/instance/{name}"


def _pixeltracker(host: Host, now: Reading) -> dict[str, Any]:
    total = round(host.memory_bytes / MIB)
    return {
        "source": {"hostname": host.name, "platform": "linux", "arch": "arm64"},
        "cpu": {"cores": host.cores, "load1m": round(now.load[0], 2)},
        "memory": {"totalMB": total, "usedMB": round(total * now.memory)},
        "timestamp": _iso(now.at),
    }


def _statusmonitor(host: Host, now: Reading) -> dict[str, Any]:
    used = host.disk_bytes * now.disk
    return {
        "timestamp": round(now.at, 3),
        "cpu": {
            "usage_percent": _percent(now.cpu),
            "per_core_usage": [_percent(core) for core in now.cores],
            "freq": {"current": round(now.frequency_hertz / 1e6), "min": 800.0, "max": 3600.0},
            "load_avg": [round(load, 2) for load in now.load],
            "count_logical": host.cores,
        },
        "memory": {
            "total": round(host.memory_bytes),
            "available": round(host.memory_bytes * (1 - now.memory)),
            "used_percent": _percent(now.memory),
        },
        "disk": {
            "partitions": [
                _partition("/dev/sda2", "/", host.disk_bytes, used),
                _partition("/dev/sda1", "/boot", 1e9, 2.1e8),
            ],
            "io": _disk_io(now),
        },
        "network": _network(now),
    }


def _partition(device: str, mountpoint: str, size: float, used: float) -> dict[str, Any]:
    return {
        "device": device,
        "mountpoint": mountpoint,
        "fstype": "ext4",
        "total": round(size),
        "used": round(used),
        "free": round(size - used),
        "percent": round(100 * used / size, 1),
    }


def _statix(host: Host, now: Reading, before: Reading) -> dict[str, Any]:
    used, memory = host.disk_bytes * now.disk, host.memory_bytes
    elapsed = max(now.at - before.at, 1.0)
    read, written = (
        max(after - earlier, 0.0) / elapsed
        for after, earlier in (
            (now.read_bytes, before.read_bytes),
            (now.written_bytes, before.written_bytes),
        )
    )
    return {
        "hostname": host.name,
        "cpu": _percent(now.cpu),
        "ram": _percent(now.memory),
        "disk": _percent(now.disk),
        "timestamp": int(now.at),
        "disk_read": round(read / MIB, 3),
        "disk_write": round(written / MIB, 3),
        "details": {
            "collected_at": _iso(now.at),
            "cpu": {
                "percent": _percent(now.cpu),
                "logical_cores": host.cores,
                "physical_cores": max(host.cores // 2, 1),
                "frequency_mhz": round(now.frequency_hertz / 1e6),
                "min_frequency_mhz": 800.0,
                "max_frequency_mhz": 3600.0,
                "processor": "Demo CPU",
            },
            "memory": {
                "total": round(memory),
                "available": round(memory * (1 - now.memory)),
                "percent": _percent(now.memory),
                "used": round(memory * now.memory),
                "free": round(memory * (1 - now.memory) / 2),
            },
            "swap": {
                "total": 2**31,
                "used": 2**27,
                "free": 2**31 - 2**27,
                "percent": 6.2,
                "sin": 0,
                "sout": 0,
            },
            "disk": {
                "total": round(host.disk_bytes),
                "used": round(used),
                "free": round(host.disk_bytes - used),
                "percent": _percent(now.disk),
                "mount": "/",
            },
            "disk_io": _disk_io(now),
            "network": {"io_counters": _network(now), "primary_interface": None},
            "uptime": {
                "seconds": round(now.at - now.boot_time),
                "boot_time": _iso(now.boot_time),
                "human": "",
            },
            "system": {
                "hostname": host.name,
                "os": "Linux",
                "os_release": "6.12.0-demo",
                "os_version": "#1 SMP",
                "architecture": "x86_64",
                "platform": "Linux-6.12.0-demo-x86_64",
                "model": "Demo machine",
            },
            "throughput": {
                "disk_read_bytes_per_sec": round(read, 1),
                "disk_write_bytes_per_sec": round(written, 1),
                "disk_read_mb_per_sec": round(read / MIB, 3),
                "disk_write_mb_per_sec": round(written / MIB, 3),
            },
        },
    }


def _disk_io(now: Reading) -> dict[str, int]:
    reads, writes = now.read_bytes / 24_000, now.written_bytes / 16_000
    return {
        "read_count": int(reads),
        "write_count": int(writes),
        "read_bytes": int(now.read_bytes),
        "write_bytes": int(now.written_bytes),
        "read_time": int(reads * 0.8),
        "write_time": int(writes * 2.1),
    }


def _network(now: Reading) -> dict[str, int]:
    return {
        "bytes_sent": int(now.sent_bytes),
        "bytes_recv": int(now.received_bytes),
        "packets_sent": int(now.sent_bytes / PACKET_BYTES),
        "packets_recv": int(now.received_bytes / PACKET_BYTES),
        "errin": int(now.received_bytes / 5e10),
        "errout": 0,
        "dropin": int(now.received_bytes / 2e10),
        "dropout": 0,
    }


def _samples(host: Host, now: Reading) -> list[dict[str, Any]]:
    """What a script of one's own sends: node_exporter's names, so that the dashboards know them."""
    disk = {"mountpoint": "/", "device": "/dev/mmcblk0p2", "fstype": "ext4"}
    free = round(host.disk_bytes * (1 - now.disk))
    values: list[tuple[str, float, dict[str, str], str]] = [
        ("host_cpu_utilization_ratio", now.cpu, {}, "gauge"),
        ("host_cpu_cores", host.cores, {"kind": "logical"}, "gauge"),
        *(
            (f"node_load{minutes}", load, {}, "gauge")
            for minutes, load in zip((1, 5, 15), now.load, strict=True)
        ),
        ("node_memory_MemTotal_bytes", host.memory_bytes, {}, "gauge"),
        ("node_memory_MemAvailable_bytes", round(host.memory_bytes * (1 - now.memory)), {}, "gauge"),
        ("node_filesystem_size_bytes", host.disk_bytes, disk, "gauge"),
        ("node_filesystem_free_bytes", free, disk, "gauge"),
        ("node_filesystem_avail_bytes", free, disk, "gauge"),
        ("node_disk_read_bytes_total", now.read_bytes, {"device": "mmcblk0"}, "counter"),
        ("node_disk_written_bytes_total", now.written_bytes, {"device": "mmcblk0"}, "counter"),
        ("node_network_receive_bytes_total", now.received_bytes, {"device": "eth0"}, "counter"),
        ("node_network_transmit_bytes_total", now.sent_bytes, {"device": "eth0"}, "counter"),
        ("node_boot_time_seconds", now.boot_time, {}, "gauge"),
        (
            "node_uname_info",
            1,
            {"nodename": host.name, "sysname": "Linux", "release": "6.12.0-demo", "machine": "aarch64"},
            "gauge",
        ),
    ]
    source = {"job": SAMPLES_JOB, "instance": host.name}
    return [
        {
            "name": name,
            "value": value,
            "labels": {**source, **labels},
            "timestamp": round(now.at, 3),
            "type": kind,
            "help": "Made up by the demo.",
        }
        for name, value, labels, kind in values
    ]


def _percent(ratio: float) -> float:
    return round(100 * ratio, 1)


def _iso(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
