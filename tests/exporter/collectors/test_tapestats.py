"""What tape drives count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter.collector import NoDataError, SettingError
from host_exporter.collectors import tapestats
from host_exporter.paths import HostPaths
from tests.exporter.collectors.storage import below, exposed, plant

COLLECTOR = tapestats.COLLECTOR

STATS = {
    "in_flight": "1\n",
    "io_ns": "9247011087720\n",
    "other_cnt": "1409\n",
    "read_byte_cnt": "979383912\n",
    "read_cnt": "3741\n",
    "read_ns": "33788355744\n",
    "resid_cnt": "19\n",
    "write_byte_cnt": "1496246784000\n",
    "write_cnt": "53772916\n",
    "write_ns": "5233597394395\n",
}


def test_a_drive_is_shown_once_under_its_plain_name(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    for name in ("st0", "nst0", "st0a"):
        plant(tmp_path, below(f"sys/class/scsi_tape/{name}/stats", STATS))

    assert exposed(COLLECTOR.made("tapestats")(open_host(tmp_path))) == (
        'node_tape_io_now{device="st0"} 1\n'
        'node_tape_io_others_total{device="st0"} 1409\n'
        'node_tape_io_time_seconds_total{device="st0"} 9247.01108772\n'
        'node_tape_read_bytes_total{device="st0"} 979383912\n'
        'node_tape_read_time_seconds_total{device="st0"} 33.788355744\n'
        'node_tape_reads_completed_total{device="st0"} 3741\n'
        'node_tape_residual_total{device="st0"} 19\n'
        'node_tape_write_time_seconds_total{device="st0"} 5233.597394395\n'
        'node_tape_writes_completed_total{device="st0"} 53772916\n'
        'node_tape_written_bytes_total{device="st0"} 1496246784000\n'
    )


def test_what_is_not_counted_is_zero_and_a_drive_without_counts_is_gone(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, {"sys/class/scsi_tape/st0/stats/read_cnt": "7\n", "sys/class/scsi_tape/st1/dev": "9:1\n"})

    lines = exposed(COLLECTOR.made("tapestats")(open_host(tmp_path))).splitlines()

    assert len(lines) == len(STATS)
    assert [line for line in lines if not line.endswith(" 0")] == [
        'node_tape_reads_completed_total{device="st0"} 7'
    ]


def test_drives_can_be_ignored(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    for name in ("st0", "st1"):
        plant(tmp_path, below(f"sys/class/scsi_tape/{name}/stats", STATS))

    collect = COLLECTOR.made("tapestats", {"ignored-devices": "^st0$"})

    assert {labels for _, labels, _ in collect(open_host(tmp_path))} == {("st1",)}


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(SettingError, match=r"--collector\.tapestats\.ignored-devices: not a regular"):
        COLLECTOR.made("tapestats", {"ignored-devices": "("})


def test_a_host_without_drives_has_no_data(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {})

    with pytest.raises(NoDataError):
        list(COLLECTOR.made("tapestats")(open_host(tmp_path)))


def test_a_count_that_is_no_number_is_named(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, below("sys/class/scsi_tape/st0/stats", STATS | {"io_ns": "x\n"}))

    with pytest.raises(ValueError, match=r"scsi_tape/st0/stats/io_ns: expected a number, got 'x"):
        list(COLLECTOR.made("tapestats")(open_host(tmp_path)))
