"""What the host and its kernel are called."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import lru_cache, partial

from host_exporter.collector import Collect, Collector, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths

_NAMES = {"domainname": "domainname", "nodename": "hostname"}
_KERNEL = {"release": "osrelease", "sysname": "ostype", "version": "version"}
INFO = Family(
    "node_uname_info",
    "gauge",
    "Labeled system information as provided by the uname system call.",
    (*_NAMES, *_KERNEL, "machine"),
)
FAMILIES = (INFO,)


def kernel(paths: HostPaths) -> tuple[str, ...]:
    """What runs: its release, system, version and machine, which stay the same as long as it runs."""
    return (*_words(paths, _KERNEL), _machine(paths))


def collect(paths: HostPaths, kernel: Callable[[HostPaths], tuple[str, ...]] = kernel) -> Iterator[Value]:
    """One series whose labels are the facts. Read from procfs, as Python's uname leaves the domain out."""
    yield INFO, (*_words(paths, _NAMES), *kernel(paths)), 1


def _words(paths: HostPaths, files: dict[str, str]) -> list[str]:
    return [paths.read(f"sys/kernel/{file}").rstrip("\n") for file in files.values()]


def _machine(paths: HostPaths) -> str:
    try:
        return paths.read("sys/kernel/arch").rstrip("\n")
    except FileNotFoundError:  # before Linux 6.1
        return os.uname().machine


def make(_settings: Settings) -> Collect:
    """Reads the host's names at each scrape, and the kernel's once."""
    return partial(collect, kernel=lru_cache(maxsize=1)(kernel))


COLLECTOR = Collector(FAMILIES, make)
