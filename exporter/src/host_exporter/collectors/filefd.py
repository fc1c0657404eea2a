"""How many files are open on the host, and how many may be."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths

ALLOCATED, MAXIMUM = FAMILIES = tuple(
    Family(f"node_filefd_{name}", "gauge", f"File descriptor statistics: {name}.")
    for name in ("allocated", "maximum")
)


def collect(paths: HostPaths) -> Iterator[Value]:
    """Two series without labels. Raises ValueError if the file does not hold three numbers."""
    text = paths.read("sys/fs/file-nr")
    fields = text.split()
    if len(fields) < 3 or not all(field.isdecimal() for field in fields):
        raise ValueError(f"expected three numbers in file-nr, got {text!r}")
    yield ALLOCATED, (), int(fields[0])
    yield MAXIMUM, (), int(fields[2])  # between them stands a 0 since Linux 2.6


COLLECTOR = Collector(FAMILIES, unset(collect))
