"""How many IPv4 neighbours each network device knows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from host_exporter.collector import Collect, Collector, NameFilter, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.arp import count_neighbours

ENTRIES = Family("node_arp_entries", "gauge", "ARP entries by device", ("device",))
FAMILIES = (ENTRIES,)

SETTINGS = (
    Setting("device-include", "", "Regexp of ARP devices to include (mutually exclusive to device-exclude)."),
    Setting("device-exclude", "", "Regexp of ARP devices to exclude (mutually exclusive to device-include)."),
    Setting(
        "netlink",
        True,
        "Count as netlink does, without the addresses that this host answers for. "
        "/proc/net/arp is read in both cases.",
    ),
)


def collect(paths: HostPaths, shown: NameFilter, proxies: bool) -> Iterator[Value]:
    """One series for each device that has neighbours."""
    for device, entries in count_neighbours(paths.read_network("arp"), proxies).items():
        if shown.shows(device):
            yield ENTRIES, (device,), entries


def make(settings: Settings) -> Collect:
    """A collector of the devices that the settings name."""
    return partial(collect, shown=settings.name_filter("device"), proxies=not settings.switch("netlink"))


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
