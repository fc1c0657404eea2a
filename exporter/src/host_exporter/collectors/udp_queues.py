"""How many bytes wait in the queues of all UDP sockets."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.sockets import sum_queues

QUEUES = Family(
    "node_udp_queues",
    "gauge",
    "Number of allocated memory in the kernel for UDP datagrams in bytes.",
    ("queue", "ip"),
)
FAMILIES = (QUEUES,)

LONGEST_LINE_BYTES = 1024
"""More than a line of these tables has, so that the end of a short one is not searched for."""


def collect(paths: HostPaths) -> Iterator[Value]:
    """Two series for each IP version that the kernel has."""
    found = False
    for file, version in (("udp", "v4"), ("udp6", "v6")):
        try:
            text = paths.read_network(file, LONGEST_LINE_BYTES)
        except FileNotFoundError:
            continue
        found = True
        try:
            sent, received = sum_queues(text)
        except ValueError as error:
            raise ValueError(f"net/{file}: {error}") from error
        yield QUEUES, ("tx", version), sent
        yield QUEUES, ("rx", version), received
    if not found:
        raise NoDataError("neither net/udp nor net/udp6")


COLLECTOR = Collector(FAMILIES, unset(collect))
