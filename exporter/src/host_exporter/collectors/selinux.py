"""Whether SELinux guards the host, and how strictly."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths

ENABLED = Family("node_selinux_enabled", "gauge", "SELinux is enabled, 1 is true, 0 is false")
CONFIG_MODE = Family("node_selinux_config_mode", "gauge", "Configured SELinux enforcement mode")
CURRENT_MODE = Family("node_selinux_current_mode", "gauge", "Current SELinux enforcement mode")
FAMILIES = (ENABLED, CONFIG_MODE, CURRENT_MODE)

_MODES = {"enforcing": 1, "permissive": 0}
DISABLED = -1


def collect(paths: HostPaths) -> Iterator[Value]:
    """Up to three series without labels. A mode is 1 if it enforces, 0 if it only warns, -1 if there is none."""
    mode = _current_mode(paths)
    if mode is None:
        yield ENABLED, (), 0
        return
    yield ENABLED, (), 1
    yield CONFIG_MODE, (), _config_mode(paths)
    yield CURRENT_MODE, (), mode


def _current_mode(paths: HostPaths) -> int | None:
    """None without its file system, and as long as no policy is loaded: then all that runs is ``kernel``."""
    try:
        enforce = paths.read_sys("fs/selinux/enforce").strip()
    except OSError:
        return None
    try:
        context = paths.read("self/attr/current").rstrip("\n\0")
    except OSError:
        context = ""
    if context == "kernel":
        return None
    return int(enforce) if enforce.isdecimal() else DISABLED


def _config_mode(paths: HostPaths) -> int:
    try:
        text = paths.read_replaced("etc/selinux/config")
    except OSError:
        return DISABLED
    for line in text.splitlines():
        name, _, mode = line.strip().partition("=")
        if name.strip() == "SELINUX":
            return _MODES.get(mode.strip().strip('"'), DISABLED)
    return DISABLED


COLLECTOR = Collector(FAMILIES, unset(collect))
