"""How many sockets of each protocol are in use, and the memory that they take."""

from __future__ import annotations

import resource
from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.sockstat import parse_sockstat

USED = Family("node_sockstat_sockets_used", "gauge", "Number of IPv4 sockets in use.")

_NAMES = {
    "TCP": ("inuse", "orphan", "tw", "alloc", "mem", "mem_bytes"),
    "UDP": ("inuse", "mem", "mem_bytes"),
    "UDPLITE": ("inuse",),
    "RAW": ("inuse",),
    "FRAG": ("inuse", "memory"),
    "TCP6": ("inuse",),
    "UDP6": ("inuse",),
    "UDPLITE6": ("inuse",),
    "RAW6": ("inuse",),
    "FRAG6": ("inuse", "memory"),
}
"""The counts of each protocol, of which older kernels have fewer; ``mem_bytes`` is ours, made of pages."""


def _family(protocol: str, name: str) -> Family:
    help_text = f"Number of {protocol} sockets in state {name}."
    return Family(f"node_sockstat_{protocol}_{name}", "gauge", help_text)


_FAMILIES_OF = {
    protocol: {name: _family(protocol, name) for name in names} for protocol, names in _NAMES.items()
}
FAMILIES = (USED, *(family for families in _FAMILIES_OF.values() for family in families.values()))


def collect(paths: HostPaths) -> Iterator[Value]:
    """The counts of both files, of which either may be missing; memory in pages and, as ``mem_bytes``, in bytes."""
    for file in ("sockstat", "sockstat6"):
        try:
            text = paths.read_network(file)
        except FileNotFoundError:
            continue
        try:
            protocols = parse_sockstat(text)
        except ValueError as error:
            raise ValueError(f"net/{file}: {error}") from error
        used = protocols.get("sockets", {}).get("used")
        if used is not None and file == "sockstat":
            yield USED, (), used
        for protocol, counts in protocols.items():
            families = _FAMILIES_OF.get(protocol, {})
            for name, count in counts.items():
                if name in families:
                    yield families[name], (), count
            if "mem" in counts and "mem_bytes" in families:
                yield families["mem_bytes"], (), counts["mem"] * resource.getpagesize()


COLLECTOR = Collector(FAMILIES, unset(collect))
