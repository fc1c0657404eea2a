"""The series that a statix report's ``details`` become. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from pushgateway_bridge.dialects.host_families import (
    BOOT_TIME,
    MEMORY_AVAILABLE,
    MEMORY_FREE,
    MEMORY_TOTAL,
    SWAP_FREE,
    SWAP_TOTAL,
    UNAME,
)
from pushgateway_bridge.dialects.masking import mask_text
from pushgateway_bridge.dialects.psutil_host import (
    DISK_IO_SERIES,
    LATEST_MS,
    LOGICAL_CORES,
    NETWORK_IO_SERIES,
    PHYSICAL_CORES,
    Filesystem,
    Frequency,
    OneSeries,
    Readings,
    is_word,
    put_counters,
    put_filesystem,
    put_frequency,
    unix_ms,
)
from pushgateway_bridge.dialects.statix_details import (
    CpuGroup,
    Details,
    InterfaceGroup,
    MemoryGroup,
    SystemGroup,
    UptimeGroup,
)
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import make_label_set
from pushgateway_bridge.model.timestamps import parse_iso8601_ms

BYTES_PER_MEGABIT: Final = 125_000.0
MAX_WORD: Final = 64
SYSTEMS: Final = frozenset(
    {"AIX", "Android", "Darwin", "FreeBSD", "Linux", "NetBSD", "OpenBSD", "SunOS", "Windows"}
)
"""What Python's platform.system() says on the systems that psutil knows."""

NETWORK_MTU: Final = Family(
    "node_network_mtu_bytes", "gauge", "Largest packet that an interface takes, in bytes.", "bytes"
)
NETWORK_SPEED: Final = Family(
    "node_network_speed_bytes", "gauge", "Speed of an interface's link, in bytes per second.", "bytes"
)
NETWORK_INFO: Final = Family("node_network_info", "gauge", "Always 1; the labels are facts of an interface.")
DMI: Final = Family("node_dmi_info", "gauge", "Always 1; the label says which model the machine is.")

_MEMORY_TOTAL: Final[OneSeries] = (MEMORY_TOTAL, ())
_MEMORY_AVAILABLE: Final[OneSeries] = (MEMORY_AVAILABLE, ())
_MEMORY_FREE: Final[OneSeries] = (MEMORY_FREE, ())
_SWAP_TOTAL: Final[OneSeries] = (SWAP_TOTAL, ())
_SWAP_FREE: Final[OneSeries] = (SWAP_FREE, ())
_BOOT_TIME: Final[OneSeries] = (BOOT_TIME, ())
_NO_FREQUENCY: Final = Frequency()


def put_details(
    found: Readings, details: Details, hostname: str, disk: Filesystem | None, timestamp_ms: int
) -> None:
    """Add the series of *details*, those of its file system as *disk*. *timestamp_ms* is the report's time (Unix)."""
    if details.cpu:
        _put_cpu(found, details.cpu)
    if details.memory:
        _put_memory(found, details.memory)
    if swap := details.swap or (details.memory.swap if details.memory else None):
        found.put(_SWAP_TOTAL, swap.total)
        found.put_part(_SWAP_FREE, swap.free, swap.total)
    if details.disk and disk is not None:
        put_filesystem(found, disk, details.disk.total, details.disk.used, details.disk.free)
    put_counters(found, details.disk_io, DISK_IO_SERIES)
    if details.network:
        put_counters(found, details.network.io_counters, NETWORK_IO_SERIES)
        if details.network.primary_interface:
            _put_interface(found, details.network.primary_interface)
    if details.uptime:
        _put_boot_time(found, details.uptime, timestamp_ms)
    if details.system:
        for one in _system_series(details.system, details.system.hostname == hostname):
            found.put(one, 1.0)


def _put_cpu(found: Readings, cpu: CpuGroup) -> None:
    found.put(LOGICAL_CORES, cpu.logical_cores)
    found.put(PHYSICAL_CORES, cpu.physical_cores)
    other = cpu.frequency or _NO_FREQUENCY
    put_frequency(
        found,
        cpu.frequency_mhz or other.current,
        cpu.min_frequency_mhz or other.min,
        cpu.max_frequency_mhz or other.max,
    )


def _put_memory(found: Readings, memory: MemoryGroup) -> None:
    found.put(_MEMORY_TOTAL, memory.total)
    found.put_part(_MEMORY_AVAILABLE, memory.available, memory.total)
    found.put_part(_MEMORY_FREE, memory.free, memory.total)


class _InterfaceSeries(msgspec.Struct, frozen=True, gc=False):
    info: OneSeries
    mtu: OneSeries
    speed: OneSeries


def _put_interface(found: Readings, interface: InterfaceGroup) -> None:
    if not interface.name:
        return
    series = _interface_series(interface.name, _duplex(interface.duplex))
    found.put(series.info, 1.0)
    found.put(series.mtu, interface.mtu)
    if interface.speed_mbps:  # 0: the driver does not tell
        found.put(series.speed, interface.speed_mbps, BYTES_PER_MEGABIT)


@lru_cache(maxsize=16_384)
def _interface_series(name: str, duplex: str) -> _InterfaceSeries:
    device = {"device": mask_text(name)}
    info = make_label_set(device, {"duplex": duplex})
    labels = make_label_set(device)
    return _InterfaceSeries((NETWORK_INFO, info), (NETWORK_MTU, labels), (NETWORK_SPEED, labels))


def _duplex(duplex: str | int | msgspec.UnsetType | None) -> str:
    """As the kernel words it; empty if it is not said."""
    if duplex is None or duplex is msgspec.UNSET or duplex == "":
        return ""
    return _DUPLEX.get(duplex.lower() if isinstance(duplex, str) else duplex, "unknown")


_DUPLEX: Final[dict[str | int, str]] = {
    "full": "full",
    "half": "half",
    "nic_duplex_full": "full",
    "nic_duplex_half": "half",
    "nicduplex.nic_duplex_full": "full",
    "nicduplex.nic_duplex_half": "half",
    2: "full",
    1: "half",
}


def _put_boot_time(found: Readings, uptime: UptimeGroup, timestamp_ms: int) -> None:
    """Add when the host started. From *seconds* only where no time is sent, since that wavers by a second."""
    boot_time = uptime.boot_time
    boot_ms = None
    if boot_time:
        boot_ms = _parsed(boot_time) if isinstance(boot_time, str) else unix_ms(boot_time)
        found.skipped += boot_ms is None
    if boot_ms is None and uptime.seconds:
        boot_ms = timestamp_ms - round(uptime.seconds * 1000)
    if boot_ms is not None:
        if 0 < boot_ms <= LATEST_MS:
            found.put(_BOOT_TIME, boot_ms / 1000)
        else:
            found.skipped += 1


@lru_cache(maxsize=16_384)
def _parsed(boot_time: str) -> int | None:
    """The same text until the host starts anew."""
    boot_ms = parse_iso8601_ms(boot_time)
    return unix_ms(boot_time) if boot_ms is None else boot_ms


@lru_cache(maxsize=16_384)
def _system_series(system: SystemGroup, is_host: bool) -> tuple[OneSeries, ...]:
    """What the system is, as series with the value 1. Its name may be an address only if the host is called so."""
    name, os, machine = system.hostname or "", system.os or "", system.architecture or ""
    uname = make_label_set(
        {
            "nodename": name if is_host else mask_text(name),
            "sysname": os if not os or os in SYSTEMS else "other",
            "release": mask_text(system.os_release or ""),
            "version": mask_text(system.os_version or ""),
            "machine": machine if len(machine) <= MAX_WORD and is_word(machine) else "other",
        }
    )
    dmi = make_label_set({"product_name": mask_text(system.model or "")})
    return tuple((family, labels) for family, labels in ((UNAME, uname), (DMI, dmi)) if labels)
