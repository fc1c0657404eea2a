"""Each mounted bcachefs file system: its counters, its errors and its devices."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

from host_exporter.collector import Collect, Collector, NoDataError, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.bcachefs import (
    parse_counter,
    parse_errors,
    parse_io_done,
    parse_io_errors,
    parse_size,
    parse_table,
)
from host_exporter.sysfs import names_or_none, number_or_zero, word

FOLDER = "fs/bcachefs"

Parsed = TypeVar("Parsed")
Kind = Literal["counter", "gauge"]


def _family(name: str, help_text: str, *labels: str, kind: Kind = "gauge") -> Family:
    return Family(f"node_bcachefs_{name}", kind, help_text, ("uuid", *labels))


INFO = _family("info", "Filesystem information.")
BTREE_CACHE = _family("btree_cache_size_bytes", "Btree cache memory usage in bytes.")
COMPRESSED = _family("compression_compressed_bytes", "Compressed size by algorithm.", "algorithm")
UNCOMPRESSED = _family("compression_uncompressed_bytes", "Uncompressed size by algorithm.", "algorithm")
ERRORS = _family("errors_total", "Error count by error type.", "error_type", kind="counter")
BTREE_WRITES = _family("btree_writes_total", "Number of btree writes by type.", "type", kind="counter")
BTREE_WRITE_SIZE = _family("btree_write_average_size_bytes", "Average btree write size by type.", "type")
DEVICE_INFO = _family("device_info", "Device information.", "device", "label", "state")
BUCKET_SIZE = _family("device_bucket_size_bytes", "Bucket size in bytes.", "device")
BUCKETS = _family("device_buckets", "Total number of buckets.", "device")
DURABILITY = _family("device_durability", "Device durability setting.", "device")
IO_DONE = _family(
    "device_io_done_bytes_total",
    "IO bytes by operation type and data type.",
    "device",
    "operation",
    "data_type",
    kind="counter",
)
IO_ERRORS = _family("device_io_errors_total", "IO errors by error type.", "device", "type", kind="counter")
FAMILIES = (
    INFO,
    BTREE_CACHE,
    COMPRESSED,
    UNCOMPRESSED,
    ERRORS,
    BTREE_WRITES,
    BTREE_WRITE_SIZE,
    DEVICE_INFO,
    BUCKET_SIZE,
    BUCKETS,
    DURABILITY,
    IO_DONE,
    IO_ERRORS,
)
"""Those that are known before a file is read; ``counters`` has one more for each of its files."""

_NOT_IN_NAMES = re.compile("[^a-zA-Z0-9_]")


def make(_settings: Settings) -> Collect:
    """Knows the counters' families when it has met them once: the names are the kernel's."""
    return _Bcachefs().collect


class _Bcachefs:
    """Keeps the families that it has met: as many as the kernel has counters."""

    def __init__(self) -> None:
        self._counters: dict[str, Family] = {}

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """What this kernel does not tell is left out, or 0 if it is one number."""
        uuids = names_or_none(paths, FOLDER)
        if not uuids:
            raise NoDataError("no bcachefs is mounted")
        for uuid in uuids:
            folder = f"{FOLDER}/{uuid}"
            try:
                names = paths.names_sys(folder)
            except (FileNotFoundError, NotADirectoryError):
                continue  # just unmounted, or no file system's
            yield from self._filesystem(paths, folder, uuid)
            for name in names:
                if name.startswith("dev-"):
                    yield from _device(paths, f"{folder}/{name}", (uuid, name.removeprefix("dev-")))

    def _filesystem(self, paths: HostPaths, folder: str, uuid: str) -> Iterator[Value]:
        own = (uuid,)
        yield INFO, own, 1
        yield BTREE_CACHE, own, _read(paths, f"{folder}/btree_cache_size", parse_size) or 0
        for algorithm, compressed, uncompressed in (
            _read(paths, f"{folder}/compression_stats", parse_table) or ()
        ):
            yield COMPRESSED, (uuid, algorithm), compressed
            yield UNCOMPRESSED, (uuid, algorithm), uncompressed
        for error, count in (_read(paths, f"{folder}/errors", parse_errors) or {}).items():
            yield ERRORS, (uuid, error), count
        for counter in names_or_none(paths, f"{folder}/counters"):
            since_creation = _read(paths, f"{folder}/counters/{counter}", parse_counter)
            if since_creation is not None:
                yield self._counter(counter), own, since_creation
        for reason, count, size in _read(paths, f"{folder}/btree_write_stats", parse_table) or ():
            yield BTREE_WRITES, (uuid, reason), count
            yield BTREE_WRITE_SIZE, (uuid, reason), size

    def _counter(self, name: str) -> Family:
        family = self._counters.get(name)
        if family is None:
            help_text = f"Bcachefs counter {name} since filesystem creation."
            family = self._counters[name] = _family(
                f"{_NOT_IN_NAMES.sub('_', name)}_total", help_text, kind="counter"
            )
        return family


def _device(paths: HostPaths, folder: str, labels: tuple[str, str]) -> Iterator[Value]:
    label, state = (_word(paths, f"{folder}/{name}") for name in ("label", "state"))
    yield DEVICE_INFO, (*labels, label, state), 1
    yield BUCKET_SIZE, labels, _read(paths, f"{folder}/bucket_size", parse_size) or 0
    yield BUCKETS, labels, number_or_zero(paths, f"{folder}/nbuckets")
    yield DURABILITY, labels, number_or_zero(paths, f"{folder}/durability")
    done = _read(paths, f"{folder}/io_done", parse_io_done) or {}
    for (operation, data_type), size in done.items():
        yield IO_DONE, (*labels, operation, data_type), size
    for error, count in (_read(paths, f"{folder}/io_errors", parse_io_errors) or {}).items():
        yield IO_ERRORS, (*labels, error), count


def _word(paths: HostPaths, name: str) -> str:
    try:
        return word(paths, name)
    except OSError:
        return ""


def _read(paths: HostPaths, name: str, parse: Callable[[str], Parsed]) -> Parsed | None:
    """What a file says; ``None`` where there is none, or nothing in it."""
    text = word(paths, name)
    if not text:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


COLLECTOR = Collector(FAMILIES, make)
