"""The hardware that starts the host again when it hangs."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.number import parse_number


def _family(name: str, file: str) -> Family:
    return Family(
        f"node_watchdog_{name}", "gauge", f"Value of /sys/class/watchdog/<watchdog>/{file}", ("name",)
    )


_FAMILY_OF = {
    "bootstatus": _family("bootstatus", "bootstatus"),
    "fw_version": _family("fw_version", "fw_version"),
    "nowayout": _family("nowayout", "nowayout"),
    "timeleft": _family("timeleft_seconds", "timeleft"),
    "timeout": _family("timeout_seconds", "timeout"),
    "pretimeout": _family("pretimeout_seconds", "pretimeout"),
    "access_cs0": _family("access_cs0", "access_cs0"),
}
_FACTS = ("options", "identity", "state", "status", "pretimeout_governor")
INFO = Family("node_watchdog_info", "gauge", "Info of /sys/class/watchdog/<watchdog>", ("name", *_FACTS))
FAMILIES = (*_FAMILY_OF.values(), INFO)

_FOLDER = "class/watchdog"


def collect(paths: HostPaths) -> Iterator[Value]:
    """The numbers of each watchdog that it has, and one series whose labels say what it is."""
    try:
        for watchdog in paths.names_sys(_FOLDER):
            yield from _watchdog(paths, watchdog)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EINVAL):
            raise NoDataError(f"{_FOLDER} cannot be read: {error}") from error
        raise


def _watchdog(paths: HostPaths, watchdog: str) -> Iterator[Value]:
    files = _names(paths, f"{_FOLDER}/{watchdog}")
    for file, family in _FAMILY_OF.items():
        text = _text(paths, watchdog, file, files)
        if text is not None:
            yield family, (watchdog,), parse_number(text, f"{_FOLDER}/{watchdog}/{file}", base=0)
    facts = (_text(paths, watchdog, file, files) or "" for file in _FACTS)
    yield INFO, (watchdog, *facts), 1


def _names(paths: HostPaths, name: str) -> frozenset[str]:
    try:
        return frozenset(paths.names_sys(name))
    except FileNotFoundError:  # it went since its name was read
        return frozenset()


def _text(paths: HostPaths, watchdog: str, file: str, files: frozenset[str]) -> str | None:
    if file not in files:
        return None
    try:
        return paths.read_sys(f"{_FOLDER}/{watchdog}/{file}").strip()
    except FileNotFoundError:
        return None


COLLECTOR = Collector(FAMILIES, unset(collect))
