"""bcachefs' file systems and devices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import bcachefs
from host_exporter.paths import HostPaths
from tests.exporter.collectors.storage import below, exposed, plant

COLLECTOR = bcachefs.COLLECTOR
UUID = "deadbeef-1234-5678-9012-abcdefabcdef"
TREE = {
    "btree_cache_size": "2.05G\n",
    "compression_stats": (
        "typetype          compressed    uncompressed     average extent size\n"
        "lz4                    48.9G           71.2G                   62.5k\n"
    ),
    "errors": "bset_bad_csum                 2       1767112063\n",
    "counters/data_read": "since mount:                   475G\nsince filesystem creation:     44.5T\n",
    "counters/fsync": "since mount:                   1\nsince filesystem creation:     30\n",
    "btree_write_stats": "                   nr        size\ninitial:           3298401   100k\n",
    "dev-6/label": "disk-6\n",
    "dev-6/state": "[rw] ro evacuating spare \n",
    "dev-6/bucket_size": "2.00M\n",
    "dev-6/nbuckets": "953864\n",
    "dev-6/durability": "1\n",
    "dev-6/io_done": "read:\nsb          :       86016\nwrite:\nsb          :      677376\n",
    "dev-6/io_errors": (
        "IO errors since filesystem creation\n  read:    18828\n  checksum:5\n"
        "IO errors since 8 y ago\n  read:    1\n"
    ),
}

EXPECTED = """node_bcachefs_btree_cache_size_bytes{uuid="UUID"} 2201170739
node_bcachefs_btree_write_average_size_bytes{type="initial",uuid="UUID"} 102400
node_bcachefs_btree_writes_total{type="initial",uuid="UUID"} 3298401
node_bcachefs_compression_compressed_bytes{algorithm="lz4",uuid="UUID"} 52505975193
node_bcachefs_compression_uncompressed_bytes{algorithm="lz4",uuid="UUID"} 76450417868
node_bcachefs_data_read_total{uuid="UUID"} 48928267436032
node_bcachefs_device_bucket_size_bytes{device="6",uuid="UUID"} 2097152
node_bcachefs_device_buckets{device="6",uuid="UUID"} 953864
node_bcachefs_device_durability{device="6",uuid="UUID"} 1
node_bcachefs_device_info{device="6",label="disk-6",state="[rw] ro evacuating spare",uuid="UUID"} 1
node_bcachefs_device_io_done_bytes_total{data_type="sb",device="6",operation="read",uuid="UUID"} 86016
node_bcachefs_device_io_done_bytes_total{data_type="sb",device="6",operation="write",uuid="UUID"} 677376
node_bcachefs_device_io_errors_total{device="6",type="checksum",uuid="UUID"} 5
node_bcachefs_device_io_errors_total{device="6",type="read",uuid="UUID"} 18828
node_bcachefs_errors_total{error_type="bset_bad_csum",uuid="UUID"} 2
node_bcachefs_fsync_total{uuid="UUID"} 30
node_bcachefs_info{uuid="UUID"} 1
""".replace("UUID", UUID)


def test_counters_count_since_the_file_system_was_made(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, below(f"sys/fs/bcachefs/{UUID}", TREE))

    assert exposed(COLLECTOR.made("bcachefs")(open_host(tmp_path))) == EXPECTED


def test_a_counter_keeps_its_family_and_says_what_it_counts(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, below(f"sys/fs/bcachefs/{UUID}/counters", {"a-b": "since filesystem creation: 1\n"}))
    paths, collect = open_host(tmp_path), COLLECTOR.made("bcachefs")

    first, second = ([family for family, _, _ in collect(paths)] for _ in range(2))

    assert first == second
    assert (first[-1].name, first[-1].kind, first[-1].help) == (
        "node_bcachefs_a_b_total",
        "counter",
        "Bcachefs counter a-b since filesystem creation.",
    )


def test_what_a_kernel_does_not_tell_is_left_out(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {f"sys/fs/bcachefs/{UUID}/dev-0/label": "a\n", "sys/fs/bcachefs/version": "1\n"})

    assert exposed(COLLECTOR.made("bcachefs")(open_host(tmp_path))) == (
        'node_bcachefs_btree_cache_size_bytes{uuid="UUID"} 0\n'
        'node_bcachefs_device_bucket_size_bytes{device="0",uuid="UUID"} 0\n'
        'node_bcachefs_device_buckets{device="0",uuid="UUID"} 0\n'
        'node_bcachefs_device_durability{device="0",uuid="UUID"} 0\n'
        'node_bcachefs_device_info{device="0",label="a",state="",uuid="UUID"} 1\n'
        'node_bcachefs_info{uuid="UUID"} 1\n'
    ).replace("UUID", UUID)


@pytest.mark.parametrize("files", [{}, {"sys/fs/bcachefs": ""}], ids=["no module", "nothing mounted"])
def test_a_host_without_bcachefs_has_no_data(
    tmp_path: Path, open_host: Callable[..., HostPaths], files: dict[str, str]
) -> None:
    plant(tmp_path, {})
    for name in files:
        (tmp_path / name).mkdir(parents=True)

    with pytest.raises(NoDataError):
        list(COLLECTOR.made("bcachefs")(open_host(tmp_path)))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("btree_cache_size", "much\n", "btree_cache_size: expected a number such as 12 or 1.5k, got 'much'"),
        ("errors", "bad one\n", "errors: expected a name and a number, got 'bad one'"),
        (
            "counters/fsync",
            "since mount: 1\n",
            "counters/fsync: expected a line 'since filesystem creation:'",
        ),
        ("dev-6/io_done", "read:\nsb: x\n", "dev-6/io_done: expected a name and a number, got 'sb: x'"),
    ],
    ids=["a size", "a table", "a counter", "a device"],
)
def test_a_broken_file_is_named(
    tmp_path: Path, open_host: Callable[..., HostPaths], file: str, text: str, message: str
) -> None:
    plant(tmp_path, below(f"sys/fs/bcachefs/{UUID}", TREE | {file: text}))

    with pytest.raises(ValueError, match=message):
        list(COLLECTOR.made("bcachefs")(open_host(tmp_path)))
