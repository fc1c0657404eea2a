"""The arrays of ``/proc/mdstat`` and of sysfs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import mdadm
from host_exporter.paths import HostPaths
from tests.exporter.collectors.storage import below, exposed, plant

MDSTAT = """Personalities : [raid1]
md0 : active raid1 sda[0] sdb[1](F)
      1000 blocks super 1.2 [2/1] [U_]
      [=>...]  recovery =  8.5% (85/1000) finish=17.0min speed=259783K/sec

unused devices: <none>
"""

OF_MDSTAT = """node_md_blocks_synced{device="md0"} 85
node_md_blocks{device="md0"} 1000
node_md_disks_required{device="md0"} 2
node_md_disks{device="md0",state="active"} 1
node_md_disks{device="md0",state="failed"} 1
node_md_disks{device="md0",state="spare"} 0
node_md_state{device="md0",state="active"} 0
node_md_state{device="md0",state="check"} 0
node_md_state{device="md0",state="inactive"} 0
node_md_state{device="md0",state="recovering"} 1
node_md_state{device="md0",state="resync"} 0
"""


def test_an_array_is_in_one_state_and_has_its_disks_and_blocks(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, {"proc/mdstat": MDSTAT})

    assert exposed(mdadm.collect(open_host(tmp_path))) == OF_MDSTAT


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"level": "raid1\n", "raid_disks": "2\n", "degraded": "1\n"},
            'node_md_degraded{device="md0"} 1\nnode_md_raid_disks{device="md0"} 2\n',
        ),
        (
            {"level": "raid0\n", "raid_disks": "3\n"},
            'node_md_degraded{device="md0"} 0\nnode_md_raid_disks{device="md0"} 3\n',
        ),
        (
            {"level": "raid5\n", "raid_disks": "11 (10)\n", "degraded": "0\n"},
            'node_md_degraded{device="md0"} 0\nnode_md_raid_disks{device="md0"} 11\n',
        ),
        ({"level": "container\n", "raid_disks": "\n"}, 'node_md_degraded{device="md0"} 0\n'),
        ({"array_state": "clear\n"}, ""),
    ],
    ids=["degraded", "without redundancy", "growing", "container", "just stopped"],
)
def test_sysfs_tells_of_missing_disks(
    tmp_path: Path, open_host: Callable[..., HostPaths], files: dict[str, str], expected: str
) -> None:
    plant(tmp_path, {"proc/mdstat": "Personalities : \nunused devices: <none>\n"})
    plant(tmp_path, below("sys/block/md0/md", files) | {"sys/block/sda/size": "8\n"})

    assert exposed(mdadm.collect(open_host(tmp_path))) == expected


def test_a_kernel_without_md_has_no_data(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {})

    with pytest.raises(NoDataError):
        list(mdadm.collect(open_host(tmp_path)))


def test_a_number_of_disks_that_is_none_is_named(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {"proc/mdstat": ""})
    plant(tmp_path, below("sys/block/md0/md", {"level": "raid0\n", "raid_disks": "many\n"}))

    with pytest.raises(ValueError, match="block/md0/md/raid_disks: expected a number, got 'many'"):
        list(mdadm.collect(open_host(tmp_path)))
