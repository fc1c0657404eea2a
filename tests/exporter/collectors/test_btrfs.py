"""btrfs, from sysfs and from what a file system answers itself."""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter.collectors import btrfs
from host_exporter.kernel.btrfs_devices import Device, Filesystem, ask_btrfs
from host_exporter.paths import HostPaths
from tests.exporter.collectors.storage import below, exposed, plant

UUID = "0abb23a9-579b-43e6-ad30-227ef47fcb9d"
MOUNT = "30 1 0:40 / /pool rw - btrfs /dev/sda rw\n31 1 8:1 / / rw - ext4 /dev/btrfs rw\n"
TREE = {
    "label": "my pool\n",
    "metadata_uuid": f"{UUID}\n",
    "commit_stats": "commits 3\ncur_commit_ms 0\nlast_commit_ms 2\nmax_commit_ms 1500\ntotal_commit_ms 4000\n",
    "allocation/global_rsv_size": "16777216\n",
    "allocation/data/bytes_reserved": "1\n",
    "allocation/data/flags": "1\n",
    "allocation/data/raid5/used_bytes": "808189952\n",
    "allocation/data/raid5/total_bytes": "2147483648\n",
    "allocation/metadata/bytes_reserved": "2\n",
    "allocation/metadata/raid1/used_bytes": "933888\n",
    "allocation/metadata/raid1/total_bytes": "1073741824\n",
    "allocation/system/bytes_reserved": "3\n",
    "devices/sda/size": "20971520\n",
    "devices/sdb/size": "20971520\n",
    "devices/sdc/size": "20971520\n",
}
SPACE = """node_btrfs_allocation_ratio{block_group_type="data",mode="raid5",uuid="UUID"} 1.5
node_btrfs_allocation_ratio{block_group_type="metadata",mode="raid1",uuid="UUID"} 2
node_btrfs_commit_seconds_total{uuid="UUID"} 4.0
node_btrfs_commits_total{uuid="UUID"} 3
node_btrfs_global_rsv_size_bytes{uuid="UUID"} 16777216
node_btrfs_info{label="my pool",uuid="UUID"} 1
node_btrfs_last_commit_seconds{uuid="UUID"} 0.002
node_btrfs_max_commit_seconds{uuid="UUID"} 1.5
node_btrfs_reserved_bytes{block_group_type="data",uuid="UUID"} 1
node_btrfs_reserved_bytes{block_group_type="metadata",uuid="UUID"} 2
node_btrfs_reserved_bytes{block_group_type="system",uuid="UUID"} 3
node_btrfs_size_bytes{block_group_type="data",mode="raid5",uuid="UUID"} 2147483648
node_btrfs_size_bytes{block_group_type="metadata",mode="raid1",uuid="UUID"} 1073741824
node_btrfs_used_bytes{block_group_type="data",mode="raid5",uuid="UUID"} 808189952
node_btrfs_used_bytes{block_group_type="metadata",mode="raid1",uuid="UUID"} 933888
""".replace("UUID", UUID)


def refuse(folder: str) -> Filesystem:
    raise PermissionError(errno.EPERM, "Operation not permitted", folder)


@pytest.fixture
def host(tmp_path: Path, open_host: Callable[..., HostPaths]) -> HostPaths:
    """One file system on three devices, mounted at /pool."""
    plant(tmp_path, below(f"sys/fs/btrfs/{UUID}", TREE) | {"sys/fs/btrfs/features/raid56": "0\n"})
    plant(tmp_path, {"proc/1/mountinfo": MOUNT})
    return open_host(tmp_path)


def test_without_the_file_systems_answer_sysfs_tells_the_devices_sizes(host: HostPaths) -> None:
    sizes = "".join(
        f'node_btrfs_device_size_bytes{{device="{name}",uuid="{UUID}"}} 10737418240\n'
        for name in ("sda", "sdb", "sdc")
    )

    assert exposed(btrfs.collect(host, refuse)) == "".join(sorted((SPACE + sizes).splitlines(keepends=True)))


def test_a_file_system_tells_of_its_devices(host: HostPaths) -> None:
    asked = []

    def answer(folder: str) -> Filesystem:
        asked.append(folder)
        return Filesystem(UUID.replace("-", ""), [Device("sda", "d-1", 1000, 400, (1, 2, 3, 4, 5))])

    lines = exposed(btrfs.collect(host, answer)).splitlines()

    place = f'btrfs_dev_uuid="d-1",device="sda",uuid="{UUID}"'
    errors = {"corruption": 4, "flush": 3, "generation": 5, "read": 2, "write": 1}
    assert [line for line in lines if "device=" in line] == [
        *(
            f'node_btrfs_device_errors_total{{btrfs_dev_uuid="d-1",device="sda",type="{name}",uuid="{UUID}"}} {count}'
            for name, count in errors.items()
        ),
        f"node_btrfs_device_size_bytes{{{place}}} 1000",
        f"node_btrfs_device_unused_bytes{{{place}}} 600",
    ]
    assert asked == ["/rootfs/pool"]


def test_one_silent_file_system_beside_another_has_devices_without_a_uuid(
    tmp_path: Path, host: HostPaths
) -> None:
    other = UUID.replace("0abb", "1abb")
    plant(tmp_path, below(f"sys/fs/btrfs/{other}", TREE | {"metadata_uuid": f"{other}\n"}))

    def answer(_folder: str) -> Filesystem:
        return Filesystem(other.replace("-", ""), [Device("sdx", "d-1", 1, 1, (0, 0, 0, 0, 0))])

    sizes = [labels for family, labels, _ in btrfs.collect(host, answer) if family is btrfs.DEVICE_SIZE]

    assert sizes == [(UUID, "sda", ""), (UUID, "sdb", ""), (UUID, "sdc", ""), (other, "sdx", "d-1")]


def test_an_old_kernel_tells_less(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {f"sys/fs/btrfs/{UUID}/devices/sda/size": "2\n", "proc/1/mountinfo": ""})

    numbers = {(family.name, labels): number for family, labels, number in btrfs.collect(open_host(tmp_path))}

    assert {key for key, number in numbers.items() if number} == {
        ("node_btrfs_info", (UUID, "")),
        ("node_btrfs_device_size_bytes", (UUID, "sda", "")),
    }


def test_a_host_without_btrfs_shows_nothing(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {"sys/fs/btrfs/features/raid56": "0\n"})

    assert list(btrfs.collect(open_host(tmp_path))) == []


def test_broken_commit_stats_are_named(tmp_path: Path, host: HostPaths) -> None:
    plant(tmp_path, {f"sys/fs/btrfs/{UUID}/commit_stats": "commits three\n"})

    with pytest.raises(ValueError, match="commit_stats: expected a name and a number, got 'commits three'"):
        list(btrfs.collect(host, refuse))


def kernel(file: int, request: int, question: bytearray) -> None:
    """A file system whose devices 1 and 4 are left of five; what it answers is laid out as in linux/btrfs.h."""
    assert file > 2
    device = int.from_bytes(question[:8], sys.byteorder)
    if request == 0x8400941F:
        answer = struct.pack("=QQ16s", 5, 2, bytes.fromhex(UUID.replace("-", "")))
    elif device not in {1, 4}:
        raise OSError(errno.ENODEV, "No such device")
    elif request == 0xD000941E:
        own_uuid = bytes([device] * 16)
        head = struct.pack("=Q16sQQ", device, own_uuid, 400, 1000)
        answer = head.ljust(3072, b"\0") + f"/dev/sd{device}".encode()
    else:
        assert (request, int.from_bytes(question[8:16], sys.byteorder)) == (0xC4089434, 5)
        answer = struct.pack("=QQQ5Q", device, 5, 0, 1, 2, 3, 4, device)
    question[: len(answer)] = answer


def test_the_answers_of_a_file_system_are_read_device_by_device(tmp_path: Path) -> None:
    assert ask_btrfs(str(tmp_path), kernel) == Filesystem(
        UUID.replace("-", ""),
        [
            Device("sd1", "01010101-0101-0101-0101-010101010101", 1000, 400, (1, 2, 3, 4, 1)),
            Device("sd4", "04040404-0404-0404-0404-040404040404", 1000, 400, (1, 2, 3, 4, 4)),
        ],
    )


def test_a_device_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    def forbid(file: int, request: int, question: bytearray) -> None:
        if request != 0x8400941F:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        kernel(file, request, question)

    with pytest.raises(PermissionError):
        ask_btrfs(str(tmp_path), forbid)


def test_what_is_no_btrfs_does_not_answer_and_leaves_no_file_open(tmp_path: Path) -> None:
    before = {file.name for file in Path("/proc/self/fd").iterdir()}
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match=r".") as of_a_folder:
        ask_btrfs("/proc")
    with pytest.raises(NotADirectoryError):
        ask_btrfs(str(tmp_path / "file"))

    assert of_a_folder.value.errno in {errno.ENOTTY, errno.EOPNOTSUPP}
    assert {file.name for file in Path("/proc/self/fd").iterdir()} <= before
