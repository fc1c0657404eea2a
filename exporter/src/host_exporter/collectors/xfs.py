"""What each mounted XFS file system did since it was mounted."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.xfs_stats import parse_xfs_stats
from host_exporter.sysfs import names_or_none

FOLDER = "fs/xfs"


def _counter(name: str, help_text: str) -> Family:
    return Family(f"node_xfs_{name}_total", "counter", help_text, ("device",))


_LINES: dict[str, tuple[Family, ...]] = {
    "extent_alloc": (
        _counter("extent_allocation_extents_allocated", "Number of extents allocated for a filesystem."),
        _counter("extent_allocation_blocks_allocated", "Number of blocks allocated for a filesystem."),
        _counter("extent_allocation_extents_freed", "Number of extents freed for a filesystem."),
        _counter("extent_allocation_blocks_freed", "Number of blocks freed for a filesystem."),
    ),
    "abt": (
        _counter("allocation_btree_lookups", "Number of allocation B-tree lookups for a filesystem."),
        _counter("allocation_btree_compares", "Number of allocation B-tree compares for a filesystem."),
        _counter(
            "allocation_btree_records_inserted",
            "Number of allocation B-tree records inserted for a filesystem.",
        ),
        _counter(
            "allocation_btree_records_deleted",
            "Number of allocation B-tree records deleted for a filesystem.",
        ),
    ),
    "blk_map": (
        _counter("block_mapping_reads", "Number of block map for read operations for a filesystem."),
        _counter("block_mapping_writes", "Number of block map for write operations for a filesystem."),
        _counter("block_mapping_unmaps", "Number of block unmaps (deletes) for a filesystem."),
        _counter(
            "block_mapping_extent_list_insertions", "Number of extent list insertions for a filesystem."
        ),
        _counter("block_mapping_extent_list_deletions", "Number of extent list deletions for a filesystem."),
        _counter("block_mapping_extent_list_lookups", "Number of extent list lookups for a filesystem."),
        _counter("block_mapping_extent_list_compares", "Number of extent list compares for a filesystem."),
    ),
    "bmbt": (
        _counter("block_map_btree_lookups", "Number of block map B-tree lookups for a filesystem."),
        _counter("block_map_btree_compares", "Number of block map B-tree compares for a filesystem."),
        _counter(
            "block_map_btree_records_inserted",
            "Number of block map B-tree records inserted for a filesystem.",
        ),
        _counter(
            "block_map_btree_records_deleted", "Number of block map B-tree records deleted for a filesystem."
        ),
    ),
    "dir": (
        _counter(
            "directory_operation_lookup",
            "Number of file name directory lookups which miss the operating systems directory name lookup cache.",
        ),
        _counter(
            "directory_operation_create",
            "Number of times a new directory entry was created for a filesystem.",
        ),
        _counter(
            "directory_operation_remove",
            "Number of times an existing directory entry was created for a filesystem.",
        ),
        _counter(
            "directory_operation_getdents",
            "Number of times the directory getdents operation was performed for a filesystem.",
        ),
    ),
    "ig": (
        _counter(
            "inode_operation_attempts", "Number of times the OS looked for an XFS inode in the inode cache."
        ),
        _counter(
            "inode_operation_found",
            "Number of times the OS looked for and found an XFS inode in the inode cache.",
        ),
        _counter(
            "inode_operation_recycled",
            "Number of times the OS found an XFS inode in the cache, but could not use it as it was being recycled.",
        ),
        _counter(
            "inode_operation_missed",
            "Number of times the OS looked for an XFS inode in the cache, but did not find it.",
        ),
        _counter(
            "inode_operation_duplicates",
            "Number of times the OS tried to add a missing XFS inode to the inode cache,"
            " but found it had already been added by another process.",
        ),
        _counter(
            "inode_operation_reclaims",
            "Number of times the OS reclaimed an XFS inode from the inode cache to free memory for another purpose.",
        ),
        _counter(
            "inode_operation_attribute_changes",
            "Number of times the OS explicitly changed the attributes of an XFS inode.",
        ),
    ),
    "rw": (
        _counter("write_calls", "Number of write(2) system calls made to files in a filesystem."),
        _counter("read_calls", "Number of read(2) system calls made to files in a filesystem."),
    ),
    "vnodes": (
        _counter("vnode_active", "Number of vnodes not on free lists for a filesystem."),
        _counter("vnode_allocate", "Number of times vn_alloc called for a filesystem."),
        _counter("vnode_get", "Number of times vn_get called for a filesystem."),
        _counter("vnode_hold", "Number of times vn_hold called for a filesystem."),
        _counter("vnode_release", "Number of times vn_rele called for a filesystem."),
        _counter("vnode_reclaim", "Number of times vn_reclaim called for a filesystem."),
        _counter("vnode_remove", "Number of times vn_remove called for a filesystem."),
    ),
}
"""By the beginning of a line: what its numbers are."""

_FEWEST = {label: len(families) for label, families in _LINES.items()}

FAMILIES = tuple(family for families in _LINES.values() for family in families)


def collect(paths: HostPaths) -> Iterator[Value]:
    """Counters of each file system, 0 where this kernel does not count; nothing before Linux 4.4."""
    for device in names_or_none(paths, FOLDER):
        file = f"{FOLDER}/{device}/stats/stats"
        try:
            text = paths.read_sys(file)
        except (FileNotFoundError, NotADirectoryError):
            continue  # a folder of something else, as of all file systems together, or just unmounted
        labels = (device,)
        try:
            numbers = parse_xfs_stats(text, _FEWEST)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        for label, families in _LINES.items():
            for family, number in zip(families, numbers.get(label) or (0,) * len(families), strict=False):
                yield family, labels, number


COLLECTOR = Collector(FAMILIES, unset(collect))
