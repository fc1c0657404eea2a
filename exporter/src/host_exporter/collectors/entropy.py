"""How full the kernel's pool of randomness is."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.number import parse_number

_FAMILY_OF = {
    "entropy_avail": Family("node_entropy_available_bits", "gauge", "Bits of available entropy."),
    "poolsize": Family("node_entropy_pool_size_bits", "gauge", "Bits of entropy pool."),
}
FAMILIES = tuple(_FAMILY_OF.values())


def collect(paths: HostPaths) -> Iterator[Value]:
    """Two series without labels; since Linux 5.18 both are always 256."""
    for file, family in _FAMILY_OF.items():
        yield family, (), parse_number(paths.read(f"sys/kernel/random/{file}"), file)


COLLECTOR = Collector(FAMILIES, unset(collect))
