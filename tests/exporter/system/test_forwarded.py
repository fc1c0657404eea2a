"""The document, as a forwarder of statix sends it on, is what the bridge understands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from host_exporter.paths import HostPaths
from host_exporter.system.document import SystemDocument
from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.statix import DIALECT
from pushgateway_bridge.dialects.statix_details import Details
from pushgateway_bridge.model.report import Report
from tests.exporter.system.conftest import NOW
from tests.exporter.system.test_document import DOCUMENT, KIB, without

CONTEXT = PushContext(round(NOW * 1000), "application/json")


def forwarded(stats: dict[str, Any], hostname: str = "rack-7") -> Report:
    """What the bridge makes of *stats*, sent as the forwarder does after it has asked a second time."""
    rates = {"read_mb_s": 0.25, "write_mb_s": 1.5}
    details = stats | {
        "throughput": {
            "disk_read_bytes_per_sec": 262144.0,
            "disk_write_bytes_per_sec": 1572864.0,
            "disk_read_mb_per_sec": rates["read_mb_s"],
            "disk_write_mb_per_sec": rates["write_mb_s"],
        }
    }
    body = {
        "hostname": hostname,
        "cpu": float(stats.get("cpu", {}).get("percent", 0.0)),
        "ram": float(stats.get("memory", {}).get("percent", 0.0)),
        "disk": float(stats.get("disk", {}).get("percent", 0.0)),
        "timestamp": int(NOW),
        "disk_read": rates["read_mb_s"],
        "disk_write": rates["write_mb_s"],
        "details": details,
    }
    return DIALECT.decode(json.dumps(body).encode(), CONTEXT)


def series(report: Report) -> dict[tuple[str, ...], float]:
    """The values by name and label values, the labels in the order of their names."""
    (group,) = report.groups
    return {
        (family.name, *(value for _, value in labels)): value
        for (family, labels), value in zip(group.shape, group.values, strict=True)
    }


SERIES = {
    ("host_cpu_utilization_ratio",): 0.0,
    ("host_memory_used_ratio",): 0.25,
    ("host_filesystem_used_ratio", "/srv"): 0.778,
    ("host_cpu_cores", "logical"): 2,
    ("host_cpu_cores", "physical"): 1,
    ("node_cpu_scaling_frequency_hertz", "all"): 2000e6,
    ("node_cpu_scaling_frequency_min_hertz", "all"): 800e6,
    ("node_cpu_scaling_frequency_max_hertz", "all"): 2500e6,
    ("node_memory_MemTotal_bytes",): 1000000 * KIB,
    ("node_memory_MemAvailable_bytes",): 750000 * KIB,
    ("node_memory_MemFree_bytes",): 100000 * KIB,
    ("node_memory_SwapTotal_bytes",): 200000 * KIB,
    ("node_memory_SwapFree_bytes",): 150000 * KIB,
    ("node_filesystem_size_bytes", "", "", "/srv"): 4096000,
    ("node_filesystem_avail_bytes", "", "", "/srv"): 819200,
    ("node_filesystem_free_bytes", "", "", "/srv"): 1228800,
    ("node_disk_read_bytes_total", "all"): 3013 * 512,
    ("node_disk_written_bytes_total", "all"): 7007 * 512,
    ("node_disk_reads_completed_total", "all"): 1006,
    ("node_disk_writes_completed_total", "all"): 2005,
    ("node_disk_read_time_seconds_total", "all"): 0.045,
    ("node_disk_write_time_seconds_total", "all"): 0.088,
    ("node_network_receive_bytes_total", "all"): 2100,
    ("node_network_transmit_bytes_total", "all"): 5100,
    ("node_network_receive_packets_total", "all"): 21,
    ("node_network_transmit_packets_total", "all"): 51,
    ("node_network_receive_errs_total", "all"): 3,
    ("node_network_transmit_errs_total", "all"): 6,
    ("node_network_receive_drop_total", "all"): 4,
    ("node_network_transmit_drop_total", "all"): 7,
    ("node_network_info", "eth0", "full"): 1,
    ("node_network_mtu_bytes", "eth0"): 1500,
    ("node_network_speed_bytes", "eth0"): 125_000_000,
    ("node_boot_time_seconds",): 1795302774,
    ("node_uname_info", "x86_64", "rack-7", "6.12.1", "Linux", "#1 SMP"): 1,
    ("node_dmi_info", "Imaginary 9000"): 1,
}


def test_a_forwarded_document_becomes_the_series_of_the_host(read: Callable[[], dict[str, Any]]) -> None:
    report = forwarded(read())

    (group,) = report.groups
    assert dict(group.group) == {"job": "statix", "instance": "rack-7"}
    assert (report.accepted, report.skipped, report.skipped_values) == (1, 0, 0)
    assert series(report) == pytest.approx({_without_empty(name): value for name, value in SERIES.items()})


def _without_empty(name: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for part in name if part)


@pytest.mark.parametrize(
    "failing", ["cpu", "memory", "swap", "disk", "disk_io", "network", "uptime", "system"]
)
def test_a_forwarder_can_send_a_document_whose_group_is_missing(failing: str) -> None:
    """Null would end the original forwarder's report: it asks each group for a field."""
    report = forwarded(without(DOCUMENT, failing))

    assert report.accepted == 1
    assert report.skipped_values == 0


def test_this_machine_s_document_has_no_field_that_the_bridge_does_not_know() -> None:
    stats = json.loads(SystemDocument(HostPaths()).json())

    details = msgspec.convert(stats, Details, strict=True)
    report = forwarded(stats, stats["system"]["hostname"])

    assert details.collected_at == stats["collected_at"]
    assert report.skipped_values == 0
    assert series(report)["node_memory_MemTotal_bytes",] == stats["memory"]["total"]
    assert series(report)["node_boot_time_seconds",] == pytest.approx(_boot_seconds())


def _boot_seconds() -> int:
    with HostPaths() as paths:
        return int(paths.read("stat").partition("btime ")[2].split()[0])
