"""Each collector on the odd host and in odd circumstances; the plain host is the golden file's affair."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import COLLECTORS, cpu, diskstats, filesystem, meminfo, netdev, stat, uname
from host_exporter.collectors import time as time_collector
from host_exporter.family import Value
from host_exporter.paths import HostPaths


def readable(values: Iterable[Value]) -> dict[tuple[str, ...], float]:
    """Numbers by the family's name and its label values; fails on a series that occurs twice."""
    series: dict[tuple[str, ...], float] = {}
    for family, labels, number in values:
        assert len(labels) == len(family.labels), family.name
        assert (family.name, *labels) not in series
        series[family.name, *labels] = number
    return series


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8", errors="surrogateescape")


NAMED_BY_THE_KERNEL = {"bcachefs": "node_bcachefs_", "hwmon": "node_hwmon_", "zfs": "node_zfs_"}
"""Collectors of which no list of metrics can be whole, and how the names of theirs begin."""


def _named_by_the_kernel(collector: str, metric: str) -> bool:
    return collector in NAMED_BY_THE_KERNEL and metric.startswith(NAMED_BY_THE_KERNEL[collector])


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_collector_yields_only_what_it_declares(
    name: str, hosts: Path, open_host: Callable[..., HostPaths]
) -> None:
    declared = {family.name for family in COLLECTORS[name].families}
    collect = COLLECTORS[name].made(name)

    for tree in sorted(hosts.iterdir()):
        with suppress(NoDataError, OSError):  # not every host has every source
            names = {family.name for family, _, _ in collect(open_host(tree))}
            assert {given for given in names - declared if not _named_by_the_kernel(name, given)} == set()


def test_each_metric_is_one_collectors() -> None:
    """Except the frequency that ``cpu`` has with ``--collector.cpu.info`` where ``cpufreq`` has none."""
    names = [name for collector in COLLECTORS.values() for name in {f.name for f in collector.families}]

    assert {name for name, count in Counter(names).items() if count > 1} == {"node_cpu_frequency_hertz"}


def test_counters_and_only_counters_end_in_total() -> None:
    families = [family for collector in COLLECTORS.values() for family in collector.families]

    assert [
        family.name for family in families if (family.kind == "counter") != family.name.endswith("_total")
    ] == []


def test_an_old_kernel_shows_the_cpu_modes_that_it_has(odd: HostPaths) -> None:
    assert readable(cpu.collect(odd)) == {
        ("node_cpu_seconds_total", "3", "user"): 5.0,
        ("node_cpu_seconds_total", "3", "nice"): 0.1,
        ("node_cpu_seconds_total", "3", "system"): 2.0,
        ("node_cpu_seconds_total", "3", "idle"): 90.0,
    }


def test_counts_that_the_kernel_does_not_tell_are_left_out(odd: HostPaths) -> None:
    assert readable(stat.collect(odd)) == {
        ("node_intr_total",): 77,
        ("node_context_switches_total",): 88,
        ("node_forks_total",): 99,
        ("node_boot_time_seconds",): 1000000000,
    }


def test_memory_fields_that_node_exporter_does_not_know_are_left_out(odd: HostPaths) -> None:
    assert readable(meminfo.collect(odd)) == {
        ("node_memory_MemTotal_bytes",): 65536 * 1024,
        ("node_memory_MemFree_bytes",): 1024 * 1024,
    }


def test_network_columns_are_found_by_name_and_unknown_ones_skipped(odd: HostPaths) -> None:
    assert readable(netdev.collect(odd)) == {
        ("node_network_receive_bytes_total", "wlan0"): 10,
        ("node_network_receive_packets_total", "wlan0"): 1,
        ("node_network_transmit_bytes_total", "wlan0"): 20,
        ("node_network_transmit_packets_total", "wlan0"): 2,
    }


def test_an_old_disk_has_eleven_columns_and_its_partitions_are_left_out(odd: HostPaths) -> None:
    series = readable(diskstats.collect(odd))

    assert {labels[0] for _, *labels in series} == {"mmcblk0", "mmcblk0p1"}
    assert series["node_disk_read_bytes_total", "mmcblk0"] == 2000 * 512
    assert series["node_disk_io_time_weighted_seconds_total", "mmcblk0"] == 0.08
    assert ("node_disk_discards_completed_total", "mmcblk0") not in series


@pytest.mark.parametrize(
    ("device", "excluded"),
    [
        ("sda", False),
        ("sda1", True),
        ("vdb", False),
        ("vdb12", True),
        ("nvme0n1", False),
        ("nvme0n1p3", True),
        ("mmcblk0p1", False),
        ("loop7", True),
        ("zram0", True),
        ("ram3", True),
        ("dm-0", False),
        ("md127", False),
    ],
)
def test_the_devices_left_out_are_those_of_node_exporter(device: str, excluded: bool) -> None:
    assert bool(diskstats.EXCLUDED_DEVICES.match(device)) is excluded


def test_what_udev_knows_of_a_disk_becomes_labels(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    """A SCSI disk tells its serial number itself, which is what is printed on it."""
    write(tmp_path, "proc/diskstats", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n")
    write(tmp_path, "sys/block/sda/queue/rotational", "1\n")
    udev = 'E:ID_MODEL=The "X"\nE:ID_PATH=pci-0\nE:ID_WWN=0x5\nE:ID_REVISION=1B\nE:ID_SERIAL_SHORT=S1\n'
    write(tmp_path, "root/run/udev/data/b8:0", udev + "E:SCSI_IDENT_SERIAL=S2\n")
    paths = open_host(tmp_path, rootfs=str(tmp_path / "root"))

    series = readable(diskstats.collect(paths))

    assert series["node_disk_info", "sda", "8", "0", "pci-0", 'The "X"', "0x5", "1B", "S2", "1"] == 1


def test_a_broken_mount_shows_its_error_and_harms_no_other(plain: HostPaths) -> None:
    series = readable(filesystem.collect(plain))

    broken = {name: number for (name, *labels), number in series.items() if "/srv/share" in labels}
    assert broken == {"node_filesystem_device_error": 1, "node_filesystem_readonly": 0}
    error_labels = ("nas:/export", "/srv/share", "nfs4", "stale file handle")
    assert series["node_filesystem_device_error", *error_labels] == 1
    assert series["node_filesystem_size_bytes", "/dev/sda1", "/", "ext4", ""] == 25_600_000 * 4096


def test_a_container_sees_the_hosts_mounts_under_the_hosts_names_and_once(odd: HostPaths) -> None:
    series = readable(filesystem.collect(odd))

    assert [labels for name, *labels in series if name == "node_filesystem_size_bytes"] == [
        ["/dev/root", "/", "ext4", ""],
        ["/dev/disk/by-label/data\\x", "/data", "btrfs", ""],
    ]


def test_only_a_whole_name_is_taken_for_the_mounted_root(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    write(tmp_path, "proc/1/mountinfo", "1 0 8:1 / /rootfs2 rw - ext4 /dev/sda1 rw\n")
    write(tmp_path, "sys/unused", "")

    series = readable(filesystem.collect(open_host(tmp_path)))

    assert series["node_filesystem_mount_info", "/dev/sda1", "8", "1", "/rootfs2"] == 1


def test_a_mount_whose_name_is_not_text_is_asked_for_by_its_bytes(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    name = os.fsdecode(b"/caf\xe9")
    write(tmp_path, "proc/1/mountinfo", f"1 0 8:1 / {name} rw - ext4 /dev/sda1 rw\n")
    write(tmp_path, "sys/unused", "")

    series = readable(filesystem.collect(open_host(tmp_path)))

    assert series["node_filesystem_mount_info", "/dev/sda1", "8", "1", name] == 1


def test_a_kernel_that_does_not_tell_its_machine_is_asked_by_uname(odd: HostPaths) -> None:
    assert readable(uname.collect(odd)) == {
        ("node_uname_info", "lan.example", "box", "2.6.32", "Linux", "#1", os.uname().machine): 1
    }


def test_without_clock_sources_the_time_is_still_told(odd: HostPaths) -> None:
    zone = time.struct_time((2026, 1, 1, 0, 0, 0, 3, 1, 0), {"tm_zone": "CET", "tm_gmtoff": 3600})

    values = time_collector.collect(odd, clock=lambda: 1.5e9, local_time=lambda _: zone)

    assert readable(values) == {("node_time_seconds",): 1.5e9, ("node_time_zone_offset_seconds", "CET"): 3600}
