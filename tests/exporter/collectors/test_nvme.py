"""NVMe controllers and namespaces, as ``/sys/class/nvme`` shows them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter.collector import NoDataError
from host_exporter.collectors import nvme
from host_exporter.paths import HostPaths
from tests.exporter.collectors.storage import below, exposed, plant

CONTROLLER = {
    "firmware_rev": "1B2QEXP7\n",
    "model": "Samsung SSD 970 PRO 512GB               \n",
    "serial": "S680HF8N190894I\n",
    "state": "live\n",
    "cntlid": "1997\n",
}
NAMESPACE = {"nuse": "1000\n", "size": "4000\n", "queue/logical_block_size": "4096\n"}

INFO = (
    'node_nvme_info{cntlid="1997",device="nvme0",firmware_revision="1B2QEXP7",'
    'model="Samsung SSD 970 PRO 512GB",serial="S680HF8N190894I",state="live"} 1\n'
)


def test_a_namespace_is_counted_in_its_logical_blocks(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    plant(tmp_path, below("sys/class/nvme/nvme0", CONTROLLER | below("nvme0n1", NAMESPACE)))

    assert exposed(nvme.collect(open_host(tmp_path))) == INFO + (
        'node_nvme_namespace_capacity_bytes{device="nvme0",nsid="1"} 16384000\n'
        'node_nvme_namespace_info{ana_state="unknown",device="nvme0",nsid="1"} 1\n'
        'node_nvme_namespace_logical_block_size_bytes{device="nvme0",nsid="1"} 4096\n'
        'node_nvme_namespace_size_bytes{device="nvme0",nsid="1"} 16384000\n'
        'node_nvme_namespace_used_bytes{device="nvme0",nsid="1"} 4096000\n'
    )


def test_the_state_of_a_shared_namespace_is_told_and_its_paths_are_none(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    files = below("nvme0n12", NAMESPACE | {"ana_state": "optimized\n"}) | {"nvme0c0n12/size": "4000\n"}
    plant(tmp_path, below("sys/class/nvme/nvme0", CONTROLLER | files))

    lines = exposed(nvme.collect(open_host(tmp_path))).splitlines()

    assert [line for line in lines if "namespace_info" in line] == [
        'node_nvme_namespace_info{ana_state="optimized",device="nvme0",nsid="12"} 1'
    ]


def test_a_host_without_nvme_has_no_data(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    plant(tmp_path, {})

    with pytest.raises(NoDataError):
        list(nvme.collect(open_host(tmp_path)))


def test_a_kernel_that_does_not_tell_the_use_of_a_namespace_shows_nothing(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    """As node_exporter; before Linux 6.8 there was no ``nuse``."""
    plant(tmp_path, below("sys/class/nvme/nvme0", CONTROLLER | {"nvme0n1/size": "4000\n"}))

    with pytest.raises(FileNotFoundError, match="nuse"):
        list(nvme.collect(open_host(tmp_path)))


def test_a_size_that_is_no_number_is_named(tmp_path: Path, open_host: Callable[..., HostPaths]) -> None:
    files = CONTROLLER | below("nvme0n1", NAMESPACE | {"size": "big\n"})
    plant(tmp_path, below("sys/class/nvme/nvme0", files))

    with pytest.raises(ValueError, match="class/nvme/nvme0/nvme0n1/size: expected a number, got 'big"):
        list(nvme.collect(open_host(tmp_path)))


def test_a_controller_that_is_removed_meanwhile_hides_no_other(
    tmp_path: Path, open_host: Callable[..., HostPaths]
) -> None:
    for name in ("nvme0", "nvme1"):
        plant(tmp_path, below(f"sys/class/nvme/{name}", CONTROLLER))
    values = nvme.collect(open_host(tmp_path))
    first = next(iter(values))
    shutil.rmtree(tmp_path / "sys/class/nvme/nvme1")

    assert exposed([first, *values]) == INFO
