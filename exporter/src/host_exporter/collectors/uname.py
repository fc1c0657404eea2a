"""What the host and its kernel are called."""

from __future__ import annotations

import os
from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths

_FILES = {
    "domainname": "domainname",
    "nodename": "hostname",
    "release": "osrelease",
    "sysname": "ostype",
    "version": "version",
}
INFO = Family(
    "node_uname_info",
    "gauge",
    "Labeled system information as provided by the uname system call.",
    (*_FILES, "machine"),
)
FAMILIES = (INFO,)


def collect(paths: HostPaths) -> Iterator[Value]:
    """One series whose labels are the facts. Read from procfs, as Python's uname leaves the domain out."""
    names = [paths.read(f"sys/kernel/{file}").rstrip("\n") for file in _FILES.values()]
    yield INFO, (*names, _machine(paths)), 1


def _machine(paths: HostPaths) -> str:
    try:
        return paths.read("sys/kernel/arch").rstrip("\n")
    except FileNotFoundError:  # before Linux 6.1
        return os.uname().machine


COLLECTOR = Collector(FAMILIES, unset(collect))
