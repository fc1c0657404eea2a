"""The ``details`` of a statix report: the agent's ``GET /system``, as structs. Pure.

The agent sends one spelling, the README of the original shows another: ``frequency`` in ``cpu``, ``swap`` in
``memory``, byte counts alone in ``disk_io``, no ``seconds`` in ``uptime``. All fields that an agent is known to
send are here, also those that are only shown again; a document with others in it is unusual, not wrong.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from pushgateway_bridge.dialects.layout import MAX_TEXT
from pushgateway_bridge.dialects.psutil_host import (
    UNSET,
    DiskIo,
    Field,
    Frequency,
    NetworkIo,
    Number,
)

Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] | msgspec.UnsetType | None
"""A text that need not be there; a longer one is left out."""


class _KnownFields(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Base of the groups."""


class FrequencyGroup(Frequency, forbid_unknown_fields=True, gc=False):
    """``cpu.frequency``, in MHz."""


class CpuGroup(_KnownFields, forbid_unknown_fields=True, gc=False):
    """``cpu``; 0 and ``null`` are frequencies that the system does not tell."""

    percent: Field = UNSET
    logical_cores: Field = UNSET
    physical_cores: Field = UNSET
    frequency_mhz: Field = UNSET
    min_frequency_mhz: Field = UNSET
    max_frequency_mhz: Field = UNSET
    processor: Text = UNSET
    frequency: FrequencyGroup | msgspec.UnsetType | None = UNSET


class SwapGroup(_KnownFields, forbid_unknown_fields=True, gc=False):
    """``swap`` or ``memory.swap``."""

    total: Field = UNSET
    used: Field = UNSET
    free: Field = UNSET
    percent: Field = UNSET
    sin: Field = UNSET
    sout: Field = UNSET


class MemoryGroup(_KnownFields, forbid_unknown_fields=True, gc=False):
    """``memory``; the last fields but one are those of single systems."""

    total: Field = UNSET
    available: Field = UNSET
    percent: Field = UNSET
    used: Field = UNSET
    free: Field = UNSET
    active: Field = UNSET
    inactive: Field = UNSET
    buffers: Field = UNSET
    cached: Field = UNSET
    shared: Field = UNSET
    slab: Field = UNSET
    wired: Field = UNSET
    swap: SwapGroup | msgspec.UnsetType | None = UNSET


class DiskGroup(_KnownFields, forbid_unknown_fields=True, gc=False):
    """``disk``: the one file system that the agent looks at."""

    total: Field = UNSET
    used: Field = UNSET
    free: Field = UNSET
    percent: Field = UNSET
    mount: str | msgspec.UnsetType | None = UNSET


class DiskIoGroup(DiskIo, forbid_unknown_fields=True, gc=False):
    """``disk_io``, with what Linux adds."""

    read_merged_count: Field = UNSET
    write_merged_count: Field = UNSET
    busy_time: Field = UNSET


class NetworkIoGroup(NetworkIo, forbid_unknown_fields=True, gc=False):
    """``network.io_counters``."""


class InterfaceGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """``network.primary_interface``. *duplex* is a word, psutil's number or the name of its constant."""

    name: Text = UNSET
    ipv4: Text = UNSET
    netmask: Text = UNSET
    broadcast: Text = UNSET
    speed_mbps: Field = UNSET
    mtu: Field = UNSET
    duplex: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] | int | msgspec.UnsetType | None = UNSET


class NetworkGroup(_KnownFields, forbid_unknown_fields=True, gc=False):
    """``network``."""

    io_counters: NetworkIoGroup | msgspec.UnsetType | None = UNSET
    primary_interface: InterfaceGroup | msgspec.UnsetType | None = UNSET


class UptimeGroup(_KnownFields, forbid_unknown_fields=True, gc=False):
    """``uptime``. *boot_time* is ISO-8601 or Unix seconds."""

    seconds: Field = UNSET
    boot_time: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] | Number | msgspec.UnsetType | None = UNSET
    human: Text = UNSET


class SystemGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """``system``."""

    hostname: Text = UNSET
    os: Text = UNSET
    os_release: Text = UNSET
    os_version: Text = UNSET
    architecture: Text = UNSET
    platform: Text = UNSET
    model: Text = UNSET


class ThroughputGroup(_KnownFields, forbid_unknown_fields=True, gc=False):
    """``throughput``: what ``disk_read`` and ``disk_write`` of the push say too."""

    disk_read_bytes_per_sec: Field = UNSET
    disk_write_bytes_per_sec: Field = UNSET
    disk_read_mb_per_sec: Field = UNSET
    disk_write_mb_per_sec: Field = UNSET


class Details(_KnownFields, forbid_unknown_fields=True, gc=False):
    """The whole document."""

    collected_at: Text = UNSET
    cpu: CpuGroup | msgspec.UnsetType | None = UNSET
    memory: MemoryGroup | msgspec.UnsetType | None = UNSET
    swap: SwapGroup | msgspec.UnsetType | None = UNSET
    disk: DiskGroup | msgspec.UnsetType | None = UNSET
    disk_io: DiskIoGroup | msgspec.UnsetType | None = UNSET
    network: NetworkGroup | msgspec.UnsetType | None = UNSET
    uptime: UptimeGroup | msgspec.UnsetType | None = UNSET
    system: SystemGroup | msgspec.UnsetType | None = UNSET
    throughput: ThroughputGroup | msgspec.UnsetType | None = UNSET

    @property
    def mountpoint(self) -> str:
        """Where the disk is mounted that the report is about; the root if it does not say."""
        return (self.disk.mount if self.disk else None) or "/"
