"""bcache: each set of caches, its backing devices and its cache devices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Literal

from host_exporter.collector import Collect, Collector, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.bcache import parse_fields, parse_size
from host_exporter.sysfs import names_or_none

FOLDER = "fs/bcache"

SETTINGS = (Setting("priorityStats", False, "Show priority_stats too, which are expensive to read."),)

NANOSECONDS = 1e-9

Kind = Literal["counter", "gauge"]


def _family(name: str, help_text: str, *labels: str, kind: Kind = "gauge") -> Family:
    return Family(f"node_bcache_{name}", kind, help_text, ("uuid", *labels))


def _of_backing(name: str, help_text: str) -> Family:
    kind: Kind = "counter" if name.endswith("_total") else "gauge"
    return _family(name, help_text, "backing_device", kind=kind)


def _of_cache(name: str, help_text: str) -> Family:
    kind: Kind = "counter" if name.endswith("_total") else "gauge"
    return _family(name, help_text, "cache_device", kind=kind)


_OF_SET: dict[str, tuple[Family, float]] = {
    "average_key_size": (
        _family("average_key_size_sectors", "Average data per key in the btree (sectors)."),
        1,
    ),
    "btree_cache_size": (
        _family("btree_cache_size_bytes", "Amount of memory currently used by the btree cache."),
        1,
    ),
    "cache_available_percent": (
        _family(
            "cache_available_percent",
            "Percentage of cache device without dirty data, usable for writeback"
            " (may contain clean cached data).",
        ),
        1,
    ),
    "congested": (_family("congested", "Congestion."), 1),
    "root_usage_percent": (
        _family(
            "root_usage_percent",
            "Percentage of the root btree node in use (tree depth increases if too high).",
        ),
        1,
    ),
    "tree_depth": (_family("tree_depth", "Depth of the btree."), 1),
    "internal/active_journal_entries": (
        _family("active_journal_entries", "Number of journal entries that are newer than the index."),
        1,
    ),
    "internal/btree_nodes": (_family("btree_nodes", "Total nodes in the btree."), 1),
    # Microseconds by its name; node_exporter takes it for nanoseconds.
    "internal/btree_read_average_duration_us": (
        _family("btree_read_average_duration_seconds", "Average btree read duration."),
        NANOSECONDS,
    ),
    "internal/cache_read_races": (
        _family(
            "cache_read_races_total",
            "Counts instances where while data was being read from the cache, the bucket was reused and"
            " invalidated - i.e. where the pointer was stale after the read completed.",
            kind="counter",
        ),
        1,
    ),
}
"""By the file that has it: the family, and what its number is multiplied by."""

DIRTY_DATA = _of_backing("dirty_data_bytes", "Amount of dirty data for this backing device in the cache.")
_WRITEBACK = {
    "target": _of_backing(
        "dirty_target_bytes", "Current dirty data target threshold for this backing device in bytes."
    ),
    "rate": _of_backing("writeback_rate", "Current writeback rate for this backing device in bytes."),
    "proportional": _of_backing(
        "writeback_rate_proportional_term",
        "Current result of proportional controller, part of writeback rate",
    ),
    "integral": _of_backing(
        "writeback_rate_integral_term", "Current result of integral controller, part of writeback rate"
    ),
    "change": _of_backing("writeback_change", "Last writeback rate change step for this backing device."),
}
"""By the line of ``writeback_rate_debug``."""

_TOTALS = {
    "bypassed": _of_backing(
        "bypassed_bytes_total", "Amount of IO (both reads and writes) that has bypassed the cache."
    ),
    "cache_hits": _of_backing("cache_hits_total", "Hits counted per individual IO as bcache sees them."),
    "cache_misses": _of_backing(
        "cache_misses_total", "Misses counted per individual IO as bcache sees them."
    ),
    "cache_bypass_hits": _of_backing("cache_bypass_hits_total", "Hits for IO intended to skip the cache."),
    "cache_bypass_misses": _of_backing(
        "cache_bypass_misses_total", "Misses for IO intended to skip the cache."
    ),
    "cache_miss_collisions": _of_backing(
        "cache_miss_collisions_total",
        "Instances where data insertion from cache miss raced with write (data already present).",
    ),
}
"""By the file in ``stats_total``."""

READAHEADS = _of_backing("cache_readaheads_total", "Count of times readahead occurred.")

_OF_CACHE = {
    "io_errors": _of_cache("io_errors", "Number of errors that have occurred, decayed by io_error_halflife."),
    "metadata_written": _of_cache(
        "metadata_written_bytes_total", "Sum of all non data writes (btree writes and all other metadata)."
    ),
    "written": _of_cache("written_bytes_total", "Sum of all data that has been written to the cache."),
}
_PRIORITY = {
    "Unused": _of_cache(
        "priority_stats_unused_percent", "The percentage of the cache that doesn't contain any data."
    ),
    "Metadata": _of_cache("priority_stats_metadata_percent", "Bcache's metadata overhead."),
}
"""By the line of ``priority_stats``."""

FAMILIES = (
    *(family for family, _ in _OF_SET.values()),
    DIRTY_DATA,
    *_WRITEBACK.values(),
    *_TOTALS.values(),
    READAHEADS,
    *_OF_CACHE.values(),
    *_PRIORITY.values(),
)

_BACKING = re.compile(r"bdev\d")
_CACHE = re.compile(r"cache\d")


def make(settings: Settings) -> Collect:
    """Reads ``priority_stats`` only if told so: the kernel sorts all buckets for it."""
    return partial(collect, priority_stats=settings.switch("priorityStats"))


def collect(paths: HostPaths, *, priority_stats: bool = False) -> Iterator[Value]:
    """What this kernel does not count is 0."""
    for uuid in names_or_none(paths, FOLDER):
        if "-" not in uuid:
            continue
        folder = f"{FOLDER}/{uuid}"
        for name, (family, factor) in _OF_SET.items():
            yield family, (uuid,), _size(paths, f"{folder}/{name}") * factor
        for name in names_or_none(paths, folder):
            labels = (uuid, name)
            if _BACKING.match(name):
                yield from _backing_device(paths, f"{folder}/{name}", labels)
            elif _CACHE.match(name):
                yield from _cache_device(paths, f"{folder}/{name}", labels, priority_stats=priority_stats)


def _backing_device(paths: HostPaths, folder: str, labels: tuple[str, str]) -> Iterator[Value]:
    yield DIRTY_DATA, labels, _size(paths, f"{folder}/dirty_data")
    writeback = _fields(paths, f"{folder}/writeback_rate_debug", _WRITEBACK)
    for name, family in _WRITEBACK.items():
        yield family, labels, writeback.get(name, 0)
    for name, family in _TOTALS.items():
        yield family, labels, _size(paths, f"{folder}/stats_total/{name}")
    readaheads = _size(paths, f"{folder}/stats_total/cache_readaheads")
    if readaheads:  # the kernel no longer counts them
        yield READAHEADS, labels, readaheads


def _cache_device(
    paths: HostPaths, folder: str, labels: tuple[str, str], *, priority_stats: bool
) -> Iterator[Value]:
    for name, family in _OF_CACHE.items():
        yield family, labels, _size(paths, f"{folder}/{name}")
    if priority_stats:
        percentages = _fields(paths, f"{folder}/priority_stats", _PRIORITY)
        for name, family in _PRIORITY.items():
            yield family, labels, percentages.get(name, 0)


def _size(paths: HostPaths, name: str) -> int:
    try:
        text = paths.read_sys(name)
    except FileNotFoundError:
        return 0
    try:
        return parse_size(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _fields(paths: HostPaths, name: str, wanted: dict[str, Family]) -> dict[str, int]:
    text = paths.read_sys(name)
    try:
        return parse_fields(text, wanted)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
