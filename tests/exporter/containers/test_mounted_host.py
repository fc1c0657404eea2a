"""The real program before the mounts of a container: a host's procfs, sysfs and root, somewhere else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.exporter.system.trees import write, write_host
from tests.ports import free_port

pytestmark = pytest.mark.stack

Samples: TypeAlias = dict[str, list[Sample]]

START_SECONDS = 15
PROGRAM = Path(sys.executable).with_name("host-exporter")
MOUNTINFO = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 8:1 / {prefix}/ rw,relatime - ext4 /dev/nvme0n1p1 rw
35 27 8:2 / {prefix}/srv/data ro,relatime - xfs /dev/nvme0n1p2 ro
36 27 8:3 / {prefix}/gone rw,relatime - xfs /dev/nvme0n1p3 rw
"""


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A folder that looks like the root of the container: ``host/proc``, ``host/sys`` and ``rootfs``."""
    write_host(tmp_path / "host")
    write(tmp_path / "host/proc/loadavg", "1.25 0.75 0.5 2/345 6789\n")
    write(tmp_path / "host/proc/1/mountinfo", MOUNTINFO.format(prefix=""))
    (tmp_path / "rootfs/srv/data").mkdir(parents=True)
    return tmp_path


def arguments(repository: Path, mounted: Path) -> list[str]:
    """The DaemonSet's, with *mounted* before each path."""
    documents = yaml.safe_load_all((repository / "docs/examples/kubernetes/daemonset.yaml").read_text())
    (daemonset,) = (document for document in documents if document["kind"] == "DaemonSet")
    (container,) = daemonset["spec"]["template"]["spec"]["containers"]
    flags: list[str] = [flag for flag in container["args"] if not flag.startswith("--web.listen-address")]
    return [
        flag.replace("=/host/", f"={mounted}/host/").replace("=/rootfs", f"={mounted}/rootfs")
        for flag in flags
    ]


@contextmanager
def serving(arguments: list[str]) -> Iterator[str]:
    """The address of the real program, running."""
    address = f"127.0.0.1:{free_port()}"
    command = [str(PROGRAM), *arguments, f"--web.listen-address={address}"]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("HOST_EXPORTER_")}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    requests.get(f"http://{address}/-/ready", timeout=1).raise_for_status()
                    break
                except requests.ConnectionError:
                    time.sleep(0.05)
            else:
                pytest.fail(f"{command} did not start within {START_SECONDS} s")
            yield address
        finally:
            process.kill()


def scraped(address: str) -> Samples:
    """All samples by their name."""
    samples: Samples = defaultdict(list)
    text = requests.get(f"http://{address}/metrics", timeout=10).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples[sample.name].append(sample)
    return samples


def by_label(samples: list[Sample], label: str) -> dict[str, float]:
    """The values, by what one label says."""
    return {sample.labels[label]: sample.value for sample in samples}


def test_what_is_mounted_is_shown_and_nothing_of_the_container(mounted: Path, repository: Path) -> None:
    with serving(arguments(repository, mounted)) as address:
        samples = scraped(address)

    space = os.statvfs(mounted / "rootfs/srv/data")
    size = space.f_blocks * space.f_frsize
    values = {name: found[0].value for name, found in samples.items() if not found[0].labels}
    idle = [sample for sample in samples["node_cpu_seconds_total"] if sample.labels["mode"] == "idle"]
    failed = [sample.labels for sample in samples["node_filesystem_device_error"] if sample.value]
    assert values["node_memory_MemTotal_bytes"] == 1000000 * 1024
    assert values["node_load1"] == 1.25
    assert values["node_boot_time_seconds"] == 1795302774
    assert by_label(idle, "cpu") == {"0": 40.0, "1": 40.0}
    assert by_label(samples["node_disk_read_bytes_total"], "device")["nvme0n1"] == 3000 * 512
    assert by_label(samples["node_network_receive_bytes_total"], "device") == {
        "lo": 100,
        "eth1": 0,
        "eth0": 2000,
    }
    assert by_label(samples["node_uname_info"], "nodename") == {"rack-7": 1}
    assert by_label(samples["node_filesystem_size_bytes"], "mountpoint") == {"/": size, "/srv/data": size}
    assert [(labels["mountpoint"], labels["device_error"]) for labels in failed] == [
        ("/gone", "no such file or directory")
    ]


def test_mounts_seen_from_inside_the_container_have_the_host_s_names(mounted: Path, repository: Path) -> None:
    """Where process 1 may not be looked at, the exporter's own mounts are read: there the root has a prefix."""
    (mounted / "host/proc/1/mountinfo").unlink()
    write(mounted / "host/proc/self/mountinfo", MOUNTINFO.format(prefix=f"{mounted}/rootfs"))

    with serving(arguments(repository, mounted)) as address:
        samples = scraped(address)

    assert by_label(samples["node_filesystem_size_bytes"], "mountpoint").keys() == {"/", "/srv/data"}


def test_the_sidecar_s_command_line_shows_this_network_and_no_other_collector(repository: Path) -> None:
    pod = yaml.safe_load((repository / "docs/examples/kubernetes/sidecar.yaml").read_text())
    (container,) = (found for found in pod["spec"]["containers"] if found["name"] == "host-exporter")
    flags = [flag for flag in container["args"] if not flag.startswith("--web.listen-address")]

    with serving(flags) as address:
        samples = scraped(address)

    devices = {line.partition(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]}
    assert by_label(samples["node_scrape_collector_success"], "collector").keys() == {
        "filesystem",
        "netdev",
        "netstat",
        "sockstat",
    }
    assert by_label(samples["node_network_receive_bytes_total"], "device").keys() == devices
    assert not any(name.startswith(("node_memory_", "node_cpu_", "node_disk_")) for name in samples)
