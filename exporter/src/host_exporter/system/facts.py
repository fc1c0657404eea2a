"""The groups ``uptime`` and ``system``: since when the host runs, and what it is called."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from host_exporter.paths import HostPaths
from host_exporter.procfs.stat import parse_counts

MODEL_FILES = ("firmware/devicetree/base/model", "devices/virtual/dmi/id/product_name")
"""Of boards such as the Raspberry Pi, and of machines with a firmware that tells."""


def uptime(paths: HostPaths, clock: Callable[[], float]) -> Mapping[str, Any]:
    """Whole seconds, the time the host started in this process' time zone, and both in words."""
    boot_seconds = parse_counts(paths.read("stat"))["btime"]
    seconds = max(0, int(clock() - boot_seconds))  # a clock that was set back
    return {
        "seconds": seconds,
        "boot_time": datetime.fromtimestamp(boot_seconds, UTC).astimezone().isoformat(),
        "human": in_words(seconds),
    }


def in_words(seconds: int) -> str:
    """``1d 2h 5m`` without what is 0; ``0m`` below a minute."""
    minutes = seconds // 60
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m"))
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "0m"


def names(paths: HostPaths, procfs: str) -> Mapping[str, Any]:
    """What the host and its kernel are called, and Python's short text for both."""
    host, system, release, version = (
        paths.read(f"sys/kernel/{file}").rstrip("\n")
        for file in ("hostname", "ostype", "osrelease", "version")
    )
    machine = _machine(paths)
    library = f"-with-{_library()}" if procfs.rstrip("/") == "/proc" and _library() else ""
    return {
        "hostname": host,
        "os": system,
        "os_release": release,
        "os_version": version,
        "architecture": machine,
        "platform": f"{system}-{release}-{machine}{library}",
    }


def model(paths: HostPaths) -> Mapping[str, Any]:
    """``model``: what the firmware calls the machine; null where it does not."""
    for file in MODEL_FILES:
        try:
            text = paths.read_sys(file).strip("\0\n ")
        except (FileNotFoundError, PermissionError):
            continue
        if text:
            return {"model": text}
    return {"model": None}


def _machine(paths: HostPaths) -> str:
    try:
        return paths.read("sys/kernel/arch").rstrip("\n")
    except FileNotFoundError:  # before Linux 6.1
        return platform.machine()


@cache
def _library() -> str:
    """The C library that this Python runs with: in a container it is not the host's."""
    return "".join(platform.libc_ver())
