"""What udev knows of disks, and which disks are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter.collector import SettingError
from host_exporter.collectors import diskstats
from host_exporter.paths import HostPaths
from tests.exporter.collectors.storage import exposed, plant

COLLECTOR = diskstats.COLLECTOR
DISKS = "".join(
    f"8 {minor} {name} 1 2 3 4 5 6 7 8 9 10 11\n" for minor, name in enumerate(("sda", "sda1", "sdb"))
)

UDEV = """S:disk/by-id/dm-name-nvme0n1_crypt
E:DM_NAME=nvme0n1_crypt
E:DM_UUID=CRYPT-LUKS2-jolaulot80fy9zsiobkxyxo7y2dqeho2
E:DM_VG_NAME=system
E:DM_LV_NAME=root
E:ID_FS_TYPE=ext4
E:ID_FS_USAGE=filesystem
E:ID_FS_UUID=3deafd0d-faff-4695-8d15-51061ae1f51b
E:ID_FS_VERSION=1.0
E:ID_ATA=1
E:ID_ATA_WRITE_CACHE=1
E:ID_ATA_WRITE_CACHE_ENABLED=0
E:ID_ATA_ROTATION_RATE_RPM=7200
E:ID_SERIAL=vd-serial
"""


def shown(told: dict[str, str | bool], paths: HostPaths) -> set[str]:
    """The devices that are shown."""
    return {labels[0] for _, labels, _ in COLLECTOR.made("diskstats", told)(paths)}


@pytest.fixture
def host(tmp_path: Path, open_host: Callable[..., HostPaths]) -> HostPaths:
    """Two disks and a partition; nothing is known of them."""
    plant(tmp_path, {"proc/diskstats": DISKS})
    return open_host(tmp_path)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, {"sda", "sdb"}),
        ({"device-exclude": "^sdb$"}, {"sda", "sda1"}),
        ({"device-exclude": ""}, {"sda", "sda1", "sdb"}),
        ({"device-include": "^sda"}, {"sda", "sda1"}),
        ({"ignored-devices": "a"}, {"sdb"}),
        ({"ignored-devices": "a", "device-include": "1"}, {"sda1"}),
    ],
    ids=["by default", "exclude", "all", "include", "older name", "include beside older name"],
)
def test_the_devices_shown_can_be_told(
    told: dict[str, str | bool], expected: set[str], host: HostPaths
) -> None:
    assert shown(told, host) == expected


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"device-include": "a", "device-exclude": "b"}, "device-exclude and .*device-include exclude each"),
        (
            {"ignored-devices": "a", "device-exclude": "b"},
            "device-exclude and .*ignored-devices exclude each",
        ),
        ({"device-include": "("}, "device-include: not a regular expression"),
        ({"ignored-devices": "("}, "ignored-devices: not a regular expression"),
    ],
    ids=["both", "both names", "no pattern", "no pattern by the older name"],
)
def test_settings_that_contradict_each_other_are_refused(told: dict[str, str | bool], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        COLLECTOR.made("diskstats", told)


def test_udev_tells_of_file_system_device_mapper_and_ata(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, {"proc/diskstats": DISKS.partition("\n")[0], "root/run/udev/data/b8:0": UDEV})
    paths = open_host(tmp_path, rootfs=str(tmp_path / "root"))

    lines = exposed(diskstats.collect(paths)).splitlines()

    assert [line for line in lines if "_info{" in line or "_ata_" in line] == [
        'node_disk_ata_rotation_rate_rpm{device="sda"} 7200.0',
        'node_disk_ata_write_cache_enabled{device="sda"} 0.0',
        'node_disk_ata_write_cache{device="sda"} 1.0',
        'node_disk_device_mapper_info{device="sda",lv_layer="",lv_name="root",name="nvme0n1_crypt",'
        'uuid="CRYPT-LUKS2-jolaulot80fy9zsiobkxyxo7y2dqeho2",vg_name="system"} 1',
        'node_disk_filesystem_info{device="sda",type="ext4",usage="filesystem",'
        'uuid="3deafd0d-faff-4695-8d15-51061ae1f51b",version="1.0"} 1',
        'node_disk_info{device="sda",major="8",minor="0",model="",path="",revision="",rotational="0",'
        'serial="vd-serial",wwn=""} 1',
    ]


def test_an_ata_number_that_is_missing_or_none_hides_no_other(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    udev = "E:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=yes\nE:ID_ATA_ROTATION_RATE_RPM=0\n"
    plant(tmp_path, {"proc/diskstats": DISKS.partition("\n")[0], "root/run/udev/data/b8:0": udev})
    paths = open_host(tmp_path, rootfs=str(tmp_path / "root"))

    lines = exposed(diskstats.collect(paths)).splitlines()

    assert [line for line in lines if "_ata_" in line] == [
        'node_disk_ata_rotation_rate_rpm{device="sda"} 0.0'
    ]


def test_lines_of_a_very_old_kernels_partitions_are_left_out(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, {"proc/diskstats": "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n8 1 part 1 2 3 4\n"})

    assert shown({}, open_host(tmp_path)) == {"sda"}
