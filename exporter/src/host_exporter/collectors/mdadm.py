"""Software RAID: each array's state, disks and blocks."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.mdstat import parse_mdstat
from host_exporter.sysfs import names_or_none, number


def _gauge(name: str, help_text: str, *labels: str) -> Family:
    return Family(f"node_md_{name}", "gauge", help_text, ("device", *labels))


STATE = _gauge("state", "Indicates the state of md-device.", "state")
DISKS = _gauge("disks", "Number of active/failed/spare disks of device.", "state")
DISKS_REQUIRED = _gauge("disks_required", "Total number of disks of device.")
BLOCKS = _gauge("blocks", "Total number of blocks on device.")
BLOCKS_SYNCED = _gauge("blocks_synced", "Number of blocks synced on device.")
RAID_DISKS = _gauge("raid_disks", "Number of raid disks on device.")
DEGRADED = _gauge("degraded", "Number of degraded disks on device.")
FAMILIES = (STATE, DISKS, DISKS_REQUIRED, BLOCKS, BLOCKS_SYNCED, RAID_DISKS, DEGRADED)

_STATES = {
    "active": "active",
    "inactive": "inactive",
    "recovering": "recovering",
    "resync": "resyncing",
    "check": "checking",
}
"""The label's value and the array's state. An array that is reshaped or broken is in none of these."""

_REDUNDANT = {"raid1", "raid4", "raid5", "raid6", "raid10"}


def collect(paths: HostPaths) -> Iterator[Value]:
    """What procfs tells of the arrays, then what sysfs tells of them. Blocks are KiB."""
    try:
        text = paths.read("mdstat")
    except FileNotFoundError:
        raise NoDataError("there is no mdstat: the kernel has no md") from None
    for array in parse_mdstat(text):
        device = array.name
        for state, of_array in _STATES.items():
            yield STATE, (device, state), int(array.state == of_array)
        yield DISKS, (device, "active"), array.disks_active
        yield DISKS, (device, "failed"), array.disks_failed
        yield DISKS, (device, "spare"), array.disks_spare
        yield DISKS_REQUIRED, (device,), array.disks_required
        yield BLOCKS, (device,), array.blocks
        yield BLOCKS_SYNCED, (device,), array.blocks_synced
    for device in names_or_none(paths, "block"):
        if device.startswith("md"):
            yield from _from_sysfs(paths, device)


def _from_sysfs(paths: HostPaths, device: str) -> Iterator[Value]:
    try:
        level = paths.read_sys(f"block/{device}/md/level").strip()
        raid_disks = paths.read_sys(f"block/{device}/md/raid_disks").split()
        degraded = number(paths, f"block/{device}/md/degraded") if level in _REDUNDANT else 0
    except FileNotFoundError:
        return  # it was just stopped
    if raid_disks:
        # While it grows: the number to be, and in parentheses the one that was.
        yield RAID_DISKS, (device,), _count(device, raid_disks[0])
    yield DEGRADED, (device,), degraded


def _count(device: str, word: str) -> int:
    if not word.isdecimal():
        raise ValueError(f"block/{device}/md/raid_disks: expected a number, got {word!r}")
    return int(word)


COLLECTOR = Collector(FAMILIES, unset(collect))
