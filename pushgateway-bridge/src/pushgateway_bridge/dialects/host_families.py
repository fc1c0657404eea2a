"""Families of hosts that more than one dialect sets, under node_exporter's names where the meaning is the same.

Percentages are ratios from 0 to 1, sizes are bytes, times are seconds, frequencies are hertz. What a pusher gives
only as a sum over all devices or cores has ``device="all"`` or ``cpu="all"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet

ALL_DEVICES: Final[LabelSet] = (("device", "all"),)
ALL_CPUS: Final[LabelSet] = (("cpu", "all"),)
LOGICAL: Final[LabelSet] = (("kind", "logical"),)
PHYSICAL: Final[LabelSet] = (("kind", "physical"),)

LOAD1: Final = Family("node_load1", "gauge", "1m load average.")
LOAD5: Final = Family("node_load5", "gauge", "5m load average.")
LOAD15: Final = Family("node_load15", "gauge", "15m load average.")

CPU_UTILIZATION: Final = Family(
    "host_cpu_utilization_ratio",
    "gauge",
    "Share of all CPUs' time that was not idle, as the host measured it.",
)
CORE_UTILIZATION: Final = Family(
    "host_cpu_core_utilization_ratio", "gauge", "Share of one CPU's time that was not idle."
)
CORES: Final = Family("host_cpu_cores", "gauge", "Number of CPUs, logical or physical.")
FREQUENCY: Final = Family("node_cpu_scaling_frequency_hertz", "gauge", "Current CPU frequency.", "hertz")
FREQUENCY_MIN: Final = Family(
    "node_cpu_scaling_frequency_min_hertz", "gauge", "Lowest CPU frequency.", "hertz"
)
FREQUENCY_MAX: Final = Family(
    "node_cpu_scaling_frequency_max_hertz", "gauge", "Highest CPU frequency.", "hertz"
)

MEMORY_TOTAL: Final = Family("node_memory_MemTotal_bytes", "gauge", "Memory in bytes.", "bytes")
MEMORY_AVAILABLE: Final = Family(
    "node_memory_MemAvailable_bytes", "gauge", "Memory that programs can still get, in bytes.", "bytes"
)
MEMORY_FREE: Final = Family(
    "node_memory_MemFree_bytes", "gauge", "Memory that nothing uses, in bytes.", "bytes"
)
MEMORY_USED_RATIO: Final = Family(
    "host_memory_used_ratio", "gauge", "Share of memory that is in use, as the host gave it."
)
SWAP_TOTAL: Final = Family("node_memory_SwapTotal_bytes", "gauge", "Swap space in bytes.", "bytes")
SWAP_FREE: Final = Family(
    "node_memory_SwapFree_bytes", "gauge", "Swap space that is free, in bytes.", "bytes"
)

FILESYSTEM_SIZE: Final = Family(
    "node_filesystem_size_bytes", "gauge", "Size of a filesystem in bytes.", "bytes"
)
FILESYSTEM_AVAILABLE: Final = Family(
    "node_filesystem_avail_bytes",
    "gauge",
    "Space of a filesystem that users can still fill, in bytes.",
    "bytes",
)
FILESYSTEM_FREE: Final = Family(
    "node_filesystem_free_bytes",
    "gauge",
    "Space of a filesystem that is free, root's reserve included.",
    "bytes",
)
FILESYSTEM_USED_RATIO: Final = Family(
    "host_filesystem_used_ratio", "gauge", "Share of a filesystem that is full, as the host gave it."
)

DISK_READ_BYTES: Final = Family("node_disk_read_bytes_total", "counter", "Bytes read from disks.", "bytes")
DISK_WRITTEN_BYTES: Final = Family(
    "node_disk_written_bytes_total", "counter", "Bytes written to disks.", "bytes"
)
DISK_READS: Final = Family("node_disk_reads_completed_total", "counter", "Reads that disks completed.")
DISK_WRITES: Final = Family("node_disk_writes_completed_total", "counter", "Writes that disks completed.")
DISK_READ_TIME: Final = Family(
    "node_disk_read_time_seconds_total", "counter", "Time that reads from disks took.", "seconds"
)
DISK_WRITE_TIME: Final = Family(
    "node_disk_write_time_seconds_total", "counter", "Time that writes to disks took.", "seconds"
)

NETWORK_RECEIVED_BYTES: Final = Family(
    "node_network_receive_bytes_total", "counter", "Bytes that interfaces received.", "bytes"
)
NETWORK_SENT_BYTES: Final = Family(
    "node_network_transmit_bytes_total", "counter", "Bytes that interfaces sent.", "bytes"
)
NETWORK_RECEIVED_PACKETS: Final = Family(
    "node_network_receive_packets_total", "counter", "Packets that interfaces received."
)
NETWORK_SENT_PACKETS: Final = Family(
    "node_network_transmit_packets_total", "counter", "Packets that interfaces sent."
)
NETWORK_RECEIVE_ERRORS: Final = Family(
    "node_network_receive_errs_total", "counter", "Packets that were received with errors."
)
NETWORK_SEND_ERRORS: Final = Family(
    "node_network_transmit_errs_total", "counter", "Packets that could not be sent."
)
NETWORK_RECEIVE_DROPS: Final = Family(
    "node_network_receive_drop_total", "counter", "Received packets that were dropped."
)
NETWORK_SEND_DROPS: Final = Family(
    "node_network_transmit_drop_total", "counter", "Packets that were dropped before they were sent."
)

UNAME: Final = Family("node_uname_info", "gauge", "Always 1; the labels say which system the host runs.")
BOOT_TIME: Final = Family(
    "node_boot_time_seconds", "gauge", "Unix time at which the host started.", "seconds"
)

HOST_FAMILIES: Final[Mapping[str, Family]] = {
    family.name: family for family in list(globals().values()) if isinstance(family, Family)
}
"""All of these by name."""
