"""bcache's sets, backing devices and caches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter.collectors import bcache
from host_exporter.paths import HostPaths
from tests.exporter.collectors.storage import below, exposed, plant

COLLECTOR = bcache.COLLECTOR
SET = "sys/fs/bcache/deaddd54-c735-46d5-868e-f331c5fd7c74"
TREE = {
    "average_key_size": "3\n",
    "btree_cache_size": "1.5k\n",
    "cache_available_percent": "100\n",
    "tree_depth": "2\n",
    "internal/active_journal_entries": "1\n",
    "internal/btree_read_average_duration_us": "1305\n",
    "bdev0/dirty_data": "0.0k\n",
    "bdev0/writeback_rate_debug": (
        "rate:\t\t1.1M/sec\ndirty:\t\t20.4G\ntarget:\t\t20.4G\nproportional:\t427.5k\n"
        "integral:\t-790.0k\nchange:\t\t321.5k/sec\nnext io:\t17ms\n"
    ),
    "bdev0/stats_total/bypassed": "0\n",
    "bdev0/stats_total/cache_hits": "546\n",
    "cache0/io_errors": "0\n",
    "cache0/metadata_written": "512\n",
    "cache0/written": "0\n",
    "cache0/priority_stats": "Unused:\t\t99%\nClean:\t\t0%\nMetadata:\t5%\n",
    "cache_read_races": "7\n",
}

EXPECTED = """node_bcache_active_journal_entries{uuid="UUID"} 1
node_bcache_average_key_size_sectors{uuid="UUID"} 3
node_bcache_btree_cache_size_bytes{uuid="UUID"} 1524
node_bcache_btree_nodes{uuid="UUID"} 0
node_bcache_btree_read_average_duration_seconds{uuid="UUID"} 1.305e-06
node_bcache_bypassed_bytes_total{backing_device="bdev0",uuid="UUID"} 0
node_bcache_cache_available_percent{uuid="UUID"} 100
node_bcache_cache_bypass_hits_total{backing_device="bdev0",uuid="UUID"} 0
node_bcache_cache_bypass_misses_total{backing_device="bdev0",uuid="UUID"} 0
node_bcache_cache_hits_total{backing_device="bdev0",uuid="UUID"} 546
node_bcache_cache_miss_collisions_total{backing_device="bdev0",uuid="UUID"} 0
node_bcache_cache_misses_total{backing_device="bdev0",uuid="UUID"} 0
node_bcache_cache_read_races_total{uuid="UUID"} 0
node_bcache_congested{uuid="UUID"} 0
node_bcache_dirty_data_bytes{backing_device="bdev0",uuid="UUID"} 0
node_bcache_dirty_target_bytes{backing_device="bdev0",uuid="UUID"} 21894266880
node_bcache_io_errors{cache_device="cache0",uuid="UUID"} 0
node_bcache_metadata_written_bytes_total{cache_device="cache0",uuid="UUID"} 512
node_bcache_root_usage_percent{uuid="UUID"} 0
node_bcache_tree_depth{uuid="UUID"} 2
node_bcache_writeback_change{backing_device="bdev0",uuid="UUID"} 329204
node_bcache_writeback_rate_integral_term{backing_device="bdev0",uuid="UUID"} -808960
node_bcache_writeback_rate_proportional_term{backing_device="bdev0",uuid="UUID"} 437748
node_bcache_writeback_rate{backing_device="bdev0",uuid="UUID"} 1150976
node_bcache_written_bytes_total{cache_device="cache0",uuid="UUID"} 0
""".replace("UUID", SET.rpartition("/")[2])


def test_what_is_missing_is_zero_and_the_rest_is_shown(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, below(SET, TREE) | {"sys/fs/bcache/register": ""})

    assert exposed(COLLECTOR.made("bcache")(open_host(tmp_path))) == EXPECTED


def test_priorities_are_read_only_if_asked_for(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, below(SET, TREE))

    lines = exposed(COLLECTOR.made("bcache", {"priorityStats": True})(open_host(tmp_path))).splitlines()

    uuid = SET.rpartition("/")[2]
    assert sorted(set(lines) - set(EXPECTED.splitlines())) == [
        f'node_bcache_priority_stats_metadata_percent{{cache_device="cache0",uuid="{uuid}"}} 5',
        f'node_bcache_priority_stats_unused_percent{{cache_device="cache0",uuid="{uuid}"}} 99',
    ]


def test_readaheads_are_shown_where_a_kernel_counts_them(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, below(SET, TREE | {"bdev0/stats_total/cache_readaheads": "13\n"}))

    values = COLLECTOR.made("bcache")(open_host(tmp_path))

    assert [number for family, _, number in values if family is bcache.READAHEADS] == [13]


def test_a_host_without_bcache_shows_nothing(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {})

    assert list(COLLECTOR.made("bcache")(open_host(tmp_path))) == []


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("tree_depth", "deep\n", r"tree_depth: expected a number such as 12 or 1.5k, got 'deep\\n'"),
        (
            "bdev0/writeback_rate_debug",
            "rate: fast/sec\n",
            "bdev0/writeback_rate_debug: rate: expected a number such as 12 or 1.5k, got 'fast'",
        ),
    ],
    ids=["a number", "a line"],
)
def test_a_broken_file_is_named(
    tmp_path: Path, open_host: Callable[..., HostPaths], file: str, text: str, message: str
) -> None:
    plant(tmp_path, below(SET, TREE | {file: text}))

    with pytest.raises(ValueError, match=message):
        list(COLLECTOR.made("bcache")(open_host(tmp_path)))
