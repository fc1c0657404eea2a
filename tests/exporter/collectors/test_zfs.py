"""ZFS' kernel module, its pools and datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import zfs
from host_exporter.paths import HostPaths
from tests.exporter.collectors.storage import below, exposed, plant

HEAD = "6 1 0x01 91 4368 5266997922 97951858082072\nname                            type data\n"
TREE = {
    "arcstats": HEAD + "hits                 4    8772612\nmemory_available_bytes 3 -9223\nname 7 text\n",
    "zil": HEAD + "zil-commit-count     4    10\n",
    "dbgmsg": "timestamp message\n",
    "tank/io": (
        "12 3 0x00 1 80 79205351707403 395818011156865\n"
        "nread nwritten reads writes wtime wlentime wupdate rtime rlentime rupdate wcnt rcnt\n"
        "1884160 3206144 22 132 7155162 104112268 79210489694949 24168078 104112268 79210489849220 0 1\n"
    ),
    "tank/objset-36": HEAD + "dataset_name 7 tank/my data\nwrites 4 4\nnread 4 28\n",
    "tank/state": "DEGRADED\n",
    "tank/txgs": "1 2 3\n",
}

EXPECTED = """node_zfs_arc_hits 8772612
node_zfs_arc_memory_available_bytes -9223
node_zfs_zil_zil_commit_count 10
node_zfs_zpool_dataset_nread{dataset="tank/my data",zpool="tank"} 28
node_zfs_zpool_dataset_writes{dataset="tank/my data",zpool="tank"} 4
node_zfs_zpool_nread{zpool="tank"} 1884160
node_zfs_zpool_nwritten{zpool="tank"} 3206144
node_zfs_zpool_rcnt{zpool="tank"} 1
node_zfs_zpool_reads{zpool="tank"} 22
node_zfs_zpool_rlentime{zpool="tank"} 104112268
node_zfs_zpool_rtime{zpool="tank"} 24168078
node_zfs_zpool_rupdate{zpool="tank"} 79210489849220
node_zfs_zpool_state{state="degraded",zpool="tank"} 1
node_zfs_zpool_state{state="faulted",zpool="tank"} 0
node_zfs_zpool_state{state="offline",zpool="tank"} 0
node_zfs_zpool_state{state="online",zpool="tank"} 0
node_zfs_zpool_state{state="removed",zpool="tank"} 0
node_zfs_zpool_state{state="suspended",zpool="tank"} 0
node_zfs_zpool_state{state="unavail",zpool="tank"} 0
node_zfs_zpool_wcnt{zpool="tank"} 0
node_zfs_zpool_wlentime{zpool="tank"} 104112268
node_zfs_zpool_writes{zpool="tank"} 132
node_zfs_zpool_wtime{zpool="tank"} 7155162
node_zfs_zpool_wupdate{zpool="tank"} 79210489694949
"""


def test_all_files_of_the_module_and_its_pools_are_shown(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, below("proc/spl/kstat/zfs", TREE))

    assert exposed(zfs.COLLECTOR.made("zfs")(open_host(tmp_path))) == EXPECTED


def test_a_family_stays_the_same_from_scrape_to_scrape(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    """What is kept about it, while rendering, is found by the family itself."""
    plant(tmp_path, below("proc/spl/kstat/zfs", TREE))
    paths, collect = open_host(tmp_path), zfs.COLLECTOR.made("zfs")

    assert [family for family, _, _ in collect(paths)] == [family for family, _, _ in collect(paths)]


def test_the_numbers_are_of_no_known_kind_and_named_as_on_other_systems(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, below("proc/spl/kstat/zfs", {"zil": TREE["zil"]}))

    [(family, _, _)] = zfs.COLLECTOR.made("zfs")(open_host(tmp_path))

    assert (family.kind, family.help) == ("untyped", "kstat.zfs.misc.zil.zil-commit-count")


def test_a_host_without_zfs_has_no_data(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {})

    with pytest.raises(NoDataError):
        list(zfs.COLLECTOR.made("zfs")(open_host(tmp_path)))


def test_a_broken_file_is_named(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, below("proc/spl/kstat/zfs", {"tank/objset-36": HEAD + "writes 4 many\n"}))

    with pytest.raises(ValueError, match="zfs/tank/objset-36: writes: expected a number, got 'many'"):
        list(zfs.COLLECTOR.made("zfs")(open_host(tmp_path)))
