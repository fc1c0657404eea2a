"""What sysfs says of each network device: its state, addresses, speed and settings."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from host_exporter.collector import Collect, Collector, NoDataError, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.sysfs import read_attribute

FLAG_UP = 0x1
"""IFF_UP of netdevice(7): the administrator wants this device up."""

BYTES_PER_MEGABIT = 125_000


def _family(name: str) -> Family:
    kind = "counter" if name.endswith("_total") else "gauge"
    help_text = f"Network device property: {name}"
    return Family(f"node_network_{name}", kind, help_text, ("device",))  # type: ignore[arg-type]


UP = Family("node_network_up", "gauge", "Value is 1 if operstate is 'up', 0 otherwise.", ("device",))
INFO = Family(
    "node_network_info",
    "gauge",
    "Non-numeric data from /sys/class/net/<iface>, value is always 1.",
    ("device", "address", "broadcast", "duplex", "operstate", "adminstate", "ifalias"),
)
FLAGS = _family("flags")
SPEED = _family("speed_bytes")
_FAMILY_OF_FILE = {
    "addr_assign_type": _family("address_assign_type"),
    "carrier": _family("carrier"),
    "carrier_changes": _family("carrier_changes_total"),
    "carrier_up_count": _family("carrier_up_changes_total"),
    "carrier_down_count": _family("carrier_down_changes_total"),
    "dev_id": _family("device_id"),
    "dormant": _family("dormant"),
    "ifindex": _family("iface_id"),
    "iflink": _family("iface_link"),
    "link_mode": _family("iface_link_mode"),
    "mtu": _family("mtu_bytes"),
    "name_assign_type": _family("name_assign_type"),
    "netdev_group": _family("net_dev_group"),
    "tx_queue_len": _family("transmit_queue_length"),
    "type": _family("protocol_type"),
}
_NUMBERS = tuple(_FAMILY_OF_FILE.items())
_TEXTS = ("address", "broadcast", "duplex", "operstate", "ifalias")
FAMILIES = (UP, INFO, FLAGS, SPEED, *_FAMILY_OF_FILE.values())

SETTINGS = (
    Setting("ignored-devices", "^$", "Regexp of net devices to ignore for netclass collector."),
    Setting("ignore-invalid-speed", False, "Ignore devices where the speed is invalid."),
    Setting("netlink", False, "Taken for compatibility: sysfs, which says the same, is read in both cases."),
)


class NetClass:
    """Reads the network devices that are not ignored."""

    def __init__(self, ignored: re.Pattern[str] | None, ignore_invalid_speed: bool) -> None:
        self._ignored = ignored
        self._least_speed = 0 if ignore_invalid_speed else None

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """The attributes that each device has; one that is missing or no number is left out."""
        try:
            devices = paths.names_sys("class/net")
        except (FileNotFoundError, PermissionError) as error:
            raise NoDataError("class/net cannot be read") from error
        for device in devices:
            if self._ignored is not None and self._ignored.search(device):
                continue
            try:
                yield from self._values(paths, device)
            except NotADirectoryError:
                continue  # bonding_masters, which lies among the devices
            except OSError as error:
                if error.errno != errno.ENODEV:
                    raise
                # It went while it was read.

    def _values(self, paths: HostPaths, device: str) -> list[Value]:
        labels = (device,)
        folder = f"class/net/{device}"
        flags = _number(read_attribute(paths, f"{folder}/flags"))
        texts = [read_attribute(paths, f"{folder}/{name}") for name in _TEXTS]
        if flags is None and not any(texts):
            return []  # it went before it was read
        address, broadcast, duplex, operstate, alias = [text or "" for text in texts]
        admin_state = "unknown" if flags is None else "up" if flags & FLAG_UP else "down"
        values: list[Value] = [
            (UP, labels, 1 if operstate == "up" else 0),
            (INFO, (device, address, broadcast, duplex, operstate, admin_state, alias), 1),
        ]
        if flags is not None:
            values.append((FLAGS, labels, flags))
        for name, family in _NUMBERS:
            number = _number(read_attribute(paths, f"{folder}/{name}"))
            if number is not None:
                values.append((family, labels, number))
        speed = _number(read_attribute(paths, f"{folder}/speed"))  # in Mbit/s, and -1 if it is not known
        if speed is not None and (self._least_speed is None or speed >= self._least_speed):
            values.append((SPEED, labels, speed * BYTES_PER_MEGABIT))
        return values


def _number(text: str | None) -> int | None:
    try:
        return int(text, 0) if text else None
    except ValueError:
        return None  # as node_exporter does


def make(settings: Settings) -> Collect:
    """A collector of the devices that the settings do not ignore."""
    ignored = settings.pattern("ignored-devices")
    return NetClass(ignored, settings.switch("ignore-invalid-speed")).collect


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
