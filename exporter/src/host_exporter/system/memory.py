"""The groups ``memory`` and ``swap``, with psutil's names and meaning; sizes are in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host_exporter.paths import HostPaths
from host_exporter.procfs.meminfo import parse_meminfo

SWAP_UNIT_BYTES = 4096
"""psutil counts 4 KiB for each page that was swapped, whatever the size of a page."""


def percent(part: int, whole: int) -> float:
    """*part* of *whole* in percent, rounded to 0.1; 0.0 of nothing."""
    return round(part / whole * 100, 1) if whole else 0.0


def memory(paths: HostPaths) -> Mapping[str, Any]:
    """What programs can still get (``available``) and what they cannot (``used``), and what Linux does with it."""
    fields = parse_meminfo(paths.read("meminfo"))
    total, free = fields["MemTotal"], fields["MemFree"]
    cached = fields.get("Cached", 0) + fields.get("SReclaimable", 0)
    # Kernels before 3.14 make no estimate, and in some containers it is that of a larger machine.
    available = fields.get("MemAvailable") or free + fields.get("Buffers", 0) + cached
    available = free if available > total else available
    return {
        "total": total,
        "available": available,
        "percent": percent(total - available, total),
        "used": total - available,
        "free": free,
        "active": fields.get("Active", 0),
        "inactive": fields.get("Inactive", 0),
        "buffers": fields.get("Buffers", 0),
        "cached": cached,
        "shared": fields.get("Shmem", 0),
        "slab": fields.get("Slab", 0),
    }


def swap(paths: HostPaths) -> Mapping[str, Any]:
    """The space, and what came in (``sin``) and went out (``sout``) since the host started."""
    fields = parse_meminfo(paths.read("meminfo"))
    total, free = fields.get("SwapTotal", 0), fields.get("SwapFree", 0)
    came, went = _swapped(paths)
    return {
        "total": total,
        "used": total - free,
        "free": free,
        "percent": percent(total - free, total),
        "sin": came,
        "sout": went,
    }


def _swapped(paths: HostPaths) -> tuple[int, int]:
    """Bytes in and out; 0 where the kernel does not count them."""
    try:
        text = paths.read("vmstat")
    except OSError:
        return 0, 0
    counts = dict(line.split(" ", 1) for line in text.splitlines() if line.startswith("pswp"))
    came, went = (int(counts.get(name, 0)) * SWAP_UNIT_BYTES for name in ("pswpin", "pswpout"))
    return came, went
