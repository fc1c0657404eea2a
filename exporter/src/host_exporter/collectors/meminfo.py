"""What memory is used for."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.meminfo import parse_meminfo

# The fields that node_exporter shows; it leaves out what newer kernels added.
_BYTES = (
    "MemTotal",
    "MemFree",
    "MemAvailable",
    "Buffers",
    "Cached",
    "SwapCached",
    "Active",
    "Inactive",
    "Active(anon)",
    "Inactive(anon)",
    "Active(file)",
    "Inactive(file)",
    "Unevictable",
    "Mlocked",
    "SwapTotal",
    "SwapFree",
    "Zswap",
    "Zswapped",
    "Dirty",
    "Writeback",
    "AnonPages",
    "Mapped",
    "Shmem",
    "Slab",
    "SReclaimable",
    "SUnreclaim",
    "KernelStack",
    "PageTables",
    "NFS_Unstable",
    "Bounce",
    "WritebackTmp",
    "CommitLimit",
    "Committed_AS",
    "VmallocTotal",
    "VmallocUsed",
    "VmallocChunk",
    "Percpu",
    "HardwareCorrupted",
    "AnonHugePages",
    "ShmemHugePages",
    "ShmemPmdMapped",
    "CmaTotal",
    "CmaFree",
    "Hugepagesize",
    "DirectMap4k",
    "DirectMap2M",
    "DirectMap1G",
)
_COUNTS = ("HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp")


def _family(field: str, unit: str) -> Family:
    name = field.replace("(", "_").removesuffix(")") + unit
    return Family(f"node_memory_{name}", "gauge", f"Memory information field {name}.")


_FAMILY_OF = {
    **{field: _family(field, "_bytes") for field in _BYTES},
    **{field: _family(field, "") for field in _COUNTS},
}
FAMILIES = tuple(_FAMILY_OF.values())


def collect(paths: HostPaths) -> Iterator[Value]:
    """One gauge for each field that the kernel tells: bytes, or pages for ``HugePages_*``."""
    for field, number in parse_meminfo(paths.read("meminfo")).items():
        family = _FAMILY_OF.get(field)
        if family is not None:
            yield family, (), number


COLLECTOR = Collector(FAMILIES, unset(collect))
