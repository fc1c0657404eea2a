"""One typical push of each dialect that speaks of hosts, by host, seed of its values and time. Pure."""

from __future__ import annotations

import json

from bench.pushes import value


def as_json(document: object) -> bytes:
    """*document* without blanks, as most clients send it."""
    return json.dumps(document, separators=(",", ":")).encode()


def _partition(seed: int, mountpoint: str) -> dict[str, object]:
    used = 60_000_000_000 + seed * 4096
    size = 100_000_000_000
    return {
        "device": "/dev/sda2",
        "mountpoint": mountpoint,
        "fstype": "ext4",
        "total": size,
        "used": used,
        "free": size - used - 5_000_000_000,
        "percent": round(100 * used / (size - 5_000_000_000), 1),
    }


def statusmonitor_headless(host: str, seed: int, now: float) -> bytes:  # noqa: ARG001 - the token is the host
    """A host with two cores and one filesystem."""
    return as_json(
        {
            "timestamp": now + 0.25,
            "cpu": {
                "usage_percent": value(seed, 1),
                "per_core_usage": [value(seed, 2), value(seed, 3)],
                "freq": {"current": 2400.0 + seed, "min": 800.0, "max": 3600.0},
                "load_avg": [value(seed, 4), value(seed, 5), value(seed, 6)],
            },
            "memory": {
                "total": 8589934592,
                "available": 5153960755 - seed * 4096,
                "used_percent": value(seed, 7),
            },
            "disk": {
                "partitions": [_partition(seed, "/")],
                "io": {
                    "read_count": 10 + seed,
                    "write_count": 20 + seed,
                    "read_bytes": 4096 * seed,
                    "write_bytes": 8192 * seed,
                    "read_time": 3 + seed,
                    "write_time": 4 + seed,
                },
            },
            "network": {
                "bytes_sent": 1000 + seed,
                "bytes_recv": 2000 + seed,
                "packets_sent": 10 + seed,
                "packets_recv": 20 + seed,
                "errin": 0,
                "errout": 0,
                "dropin": 0,
                "dropout": 0,
            },
        }
    )


def statix_details(host: str, seed: int, now: float) -> bytes:
    """A host that sends what its stats service knows."""
    total = 4_000_000_000
    return as_json(
        {
            "hostname": host,
            "cpu": value(seed, 1),
            "ram": value(seed, 2),
            "disk": value(seed, 3),
            "timestamp": int(now),
            "disk_read": value(seed, 4),
            "disk_write": value(seed, 5),
            "details": {
                "collected_at": "2026-02-01T08:00:00.100000+00:00",
                "cpu": {
                    "percent": value(seed, 1),
                    "logical_cores": 4,
                    "physical_cores": 4,
                    "frequency_mhz": 1500.0,
                    "min_frequency_mhz": 600.0,
                    "max_frequency_mhz": 1800.0,
                    "processor": "",
                },
                "memory": {
                    "total": total,
                    "available": total - seed * 4096,
                    "percent": value(seed, 2),
                    "used": seed * 4096,
                    "free": 300_000_000 + seed,
                },
                "swap": {"total": 0, "used": 0, "free": 0, "percent": 0.0, "sin": 0, "sout": 0},
                "disk": {
                    "total": 31_000_000_000,
                    "used": 18_000_000_000 + seed,
                    "free": 11_173_000_000 - seed,
                    "percent": value(seed, 3),
                    "mount": "/",
                },
                "disk_io": {"read_bytes": 52_428_800 + seed, "write_bytes": 104_857_600 + seed},
                "network": {
                    "io_counters": {
                        "bytes_sent": 9 + seed,
                        "bytes_recv": 8 + seed,
                        "packets_sent": 1 + seed,
                        "packets_recv": 1 + seed,
                        "errin": 0,
                        "errout": 0,
                        "dropin": 0,
                        "dropout": 0,
                    },
                    "primary_interface": None,
                },
                "uptime": {
                    "seconds": 93900 + seed,
                    "boot_time": "2026-01-31T06:55:00+01:00",
                    "human": "1d 2h 5m",
                },
                "system": {
                    "hostname": host,
                    "os": "Linux",
                    "os_release": "6.6",
                    "os_version": "#1",
                    "architecture": "aarch64",
                    "platform": "Linux-6.6-aarch64",
                    "model": None,
                },
            },
        }
    )


def ten_samples(host: str, seed: int, now: float) -> bytes:
    """Ten sensors of one room."""
    return as_json(
        [
            {
                "name": "room_temperature_celsius",
                "value": value(seed, sensor),
                "labels": {"job": "house", "instance": host, "sensor": f"s{sensor}"},
                "timestamp": now,
                "type": "gauge",
                "help": "Temperature of the air.",
            }
            for sensor in range(10)
        ]
    )
