"""Which mounts are shown, and whether they are read-only."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter.collector import SettingError
from host_exporter.collectors import filesystem
from host_exporter.paths import HostPaths
from tests.exporter.collectors.storage import plant

COLLECTOR = filesystem.COLLECTOR
MOUNTS = """1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw
2 1 8:2 / /srv ro,relatime - xfs /dev/sda2 rw
3 1 8:3 / /old rw,relatime - ext4 /dev/sda3 ro
4 1 0:5 / /dev rw - devtmpfs devtmpfs rw
5 1 0:6 / /run rw - tmpfs tmpfs rw
6 1 0:7 / /tmp rw - tmpfs tmpfs rw
"""


@pytest.fixture
def host(tmp_path: Path, open_host: Callable[..., HostPaths]) -> HostPaths:
    """Disks and what is in memory."""
    plant(tmp_path, {"proc/1/mountinfo": MOUNTS})
    return open_host(tmp_path)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, {"/", "/srv", "/old", "/run", "/tmp"}),
        ({"mount-points-exclude": "^/(srv|old)"}, {"/", "/run", "/tmp"}),
        ({"mount-points-include": "^/(srv|run)$"}, {"/srv", "/run"}),
        ({"ignored-mount-points": "^/[a-t]"}, {"/"}),
        ({"fs-types-exclude": "ext"}, {"/srv", "/run", "/tmp"}),
        ({"fs-types-include": "tmpfs", "mount-points-exclude": ""}, {"/dev", "/run", "/tmp"}),
        ({"ignored-fs-types": "tmpfs"}, {"/", "/srv", "/old"}),
    ],
    ids=["by default", "exclude", "include", "older name", "types", "included types", "older name of types"],
)
def test_the_mounts_shown_can_be_told(
    told: dict[str, str | bool], expected: set[str], host: HostPaths
) -> None:
    values = COLLECTOR.made("filesystem", told)(host)

    assert {labels[1] for family, labels, _ in values if family is filesystem.SIZE} == expected


@pytest.mark.parametrize(
    "told",
    [
        {"mount-points-include": "a", "mount-points-exclude": "b"},
        {"ignored-mount-points": "a", "mount-points-exclude": "b"},
        {"fs-types-include": "a", "fs-types-exclude": "b"},
        {"ignored-fs-types": "a", "fs-types-exclude": "b"},
    ],
    ids=" and ".join,
)
def test_settings_that_contradict_each_other_are_refused(told: dict[str, str | bool]) -> None:
    with pytest.raises(SettingError, match=r"--collector\.filesystem\..* exclude each other"):
        COLLECTOR.made("filesystem", told)


def test_a_mount_is_read_only_by_itself_or_by_its_file_system(host: HostPaths) -> None:
    values = filesystem.collect(host)

    assert {labels[1]: number for family, labels, number in values if family is filesystem.READONLY} == {
        "/": 0,
        "/srv": 1,
        "/old": 1,
        "/run": 0,
        "/tmp": 0,
    }


def test_with_a_timeout_of_its_own_the_mounts_are_still_asked_below_the_root(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, {"proc/1/mountinfo": MOUNTS, "root/srv/file": ""})
    paths = open_host(tmp_path, rootfs=str(tmp_path / "root"))

    values = list(COLLECTOR.made("filesystem", {"mount-timeout": "20s"})(paths))

    space = os.statvfs(tmp_path)
    assert [(labels[1], number) for family, labels, number in values if family is filesystem.SIZE] == [
        (name, space.f_blocks * space.f_frsize) for name in ("/", "/srv")
    ]
    assert {
        labels[1:] for family, labels, number in values if family is filesystem.DEVICE_ERROR and number
    } == {
        ("/old", "ext4", "no such file or directory"),
        ("/run", "tmpfs", "no such file or directory"),
        ("/tmp", "tmpfs", "no such file or directory"),
    }


def test_a_timeout_that_is_none_is_refused() -> None:
    with pytest.raises(SettingError, match=r"--collector\.filesystem\.mount-timeout: expected a duration"):
        COLLECTOR.made("filesystem", {"mount-timeout": "soon"})


def test_a_mount_that_covers_another_of_its_name_is_one_with_two_numbers(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    twins = "".join(f"{n} 1 0:{n} / /tmp rw - tmpfs tmpfs rw\n" for n in (23, 27))
    plant(tmp_path, {"proc/1/mountinfo": twins})

    values = list(filesystem.collect(open_host(tmp_path)))

    assert [labels for family, labels, _ in values if family is filesystem.SIZE] == [
        ("tmpfs", "/tmp", "tmpfs", "")
    ]
    assert [labels for family, labels, _ in values if family is filesystem.MOUNT_INFO] == [
        ("tmpfs", "0", "23", "/tmp"),
        ("tmpfs", "0", "27", "/tmp"),
    ]
