"""XFS' counters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter.collectors import xfs
from host_exporter.paths import HostPaths
from tests.exporter.collectors.storage import exposed, plant

STATS = """extent_alloc 1 97 3 4
abt 5 6 7 8
blk_map 61 29 9 10 11 12 13
bmbt 14 15 16 17
dir 3 2 18 52
trans 4 40 0
ig 19 20 21 22 23 24 25
rw 28 26
vnodes 4 27 30 31 1 32 33 34
xpc 399724544 92823103 86219234
"""


def test_each_number_has_its_family(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {"sys/fs/xfs/sda1/stats/stats": STATS, "sys/fs/xfs/stats/stats": STATS})

    lines = exposed(xfs.collect(open_host(tmp_path))).splitlines()

    assert len(lines) == len(xfs.FAMILIES) == 39
    assert {line.partition("{")[0]: line.rpartition(" ")[2] for line in lines} == {
        "node_xfs_allocation_btree_compares_total": "6",
        "node_xfs_allocation_btree_lookups_total": "5",
        "node_xfs_allocation_btree_records_deleted_total": "8",
        "node_xfs_allocation_btree_records_inserted_total": "7",
        "node_xfs_block_map_btree_compares_total": "15",
        "node_xfs_block_map_btree_lookups_total": "14",
        "node_xfs_block_map_btree_records_deleted_total": "17",
        "node_xfs_block_map_btree_records_inserted_total": "16",
        "node_xfs_block_mapping_extent_list_compares_total": "13",
        "node_xfs_block_mapping_extent_list_deletions_total": "11",
        "node_xfs_block_mapping_extent_list_insertions_total": "10",
        "node_xfs_block_mapping_extent_list_lookups_total": "12",
        "node_xfs_block_mapping_reads_total": "61",
        "node_xfs_block_mapping_unmaps_total": "9",
        "node_xfs_block_mapping_writes_total": "29",
        "node_xfs_directory_operation_create_total": "2",
        "node_xfs_directory_operation_getdents_total": "52",
        "node_xfs_directory_operation_lookup_total": "3",
        "node_xfs_directory_operation_remove_total": "18",
        "node_xfs_extent_allocation_blocks_allocated_total": "97",
        "node_xfs_extent_allocation_blocks_freed_total": "4",
        "node_xfs_extent_allocation_extents_allocated_total": "1",
        "node_xfs_extent_allocation_extents_freed_total": "3",
        "node_xfs_inode_operation_attempts_total": "19",
        "node_xfs_inode_operation_attribute_changes_total": "25",
        "node_xfs_inode_operation_duplicates_total": "23",
        "node_xfs_inode_operation_found_total": "20",
        "node_xfs_inode_operation_missed_total": "22",
        "node_xfs_inode_operation_reclaims_total": "24",
        "node_xfs_inode_operation_recycled_total": "21",
        "node_xfs_read_calls_total": "26",
        "node_xfs_vnode_active_total": "4",
        "node_xfs_vnode_allocate_total": "27",
        "node_xfs_vnode_get_total": "30",
        "node_xfs_vnode_hold_total": "31",
        "node_xfs_vnode_reclaim_total": "32",
        "node_xfs_vnode_release_total": "1",
        "node_xfs_vnode_remove_total": "33",
        "node_xfs_write_calls_total": "28",
    }
    assert all('{device="sda1"}' in line for line in lines)


def test_what_the_kernel_does_not_count_is_zero(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {"sys/fs/xfs/sda1/stats/stats": "rw 28 26\n"})

    numbers = {family.name: number for family, _, number in xfs.collect(open_host(tmp_path))}

    assert len(numbers) == len(xfs.FAMILIES)
    assert {name for name, number in numbers.items() if number} == {
        "node_xfs_read_calls_total",
        "node_xfs_write_calls_total",
    }


def test_a_host_without_xfs_shows_nothing(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {})

    assert list(xfs.collect(open_host(tmp_path))) == []


def test_a_line_cut_short_is_an_error(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {"sys/fs/xfs/sda1/stats/stats": "abt 1 2 3\n"})

    with pytest.raises(
        ValueError, match="fs/xfs/sda1/stats/stats: expected 4 numbers after abt, got 'abt 1 2 3'"
    ):
        list(xfs.collect(open_host(tmp_path)))
