"""What each network device received and sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from host_exporter.collector import Collect, Collector, NameFilter, Setting, SettingError, Settings
from host_exporter.family import Family, Value
from host_exporter.kernel import addresses
from host_exporter.paths import HostPaths
from host_exporter.procfs.netdev import parse_netdev
from host_exporter.sysfs import read_attribute, read_count

_COLUMNS = (
    *(
        f"receive_{name}"
        for name in ("bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast")
    ),
    *(
        f"transmit_{name}"
        for name in ("bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed")
    ),
)
NOHANDLER = "receive_nohandler"

_RENAMED = {
    "receive_errs": "receive_errors",
    "receive_drop": "receive_dropped",
    "transmit_errs": "transmit_errors",
    "transmit_drop": "transmit_dropped",
}
"""What columns are called among the detailed names."""

_STATISTICS = {
    "rx_packets": "receive_packets",
    "tx_packets": "transmit_packets",
    "rx_bytes": "receive_bytes",
    "tx_bytes": "transmit_bytes",
    "rx_errors": "receive_errors",
    "tx_errors": "transmit_errors",
    "rx_dropped": "receive_dropped",
    "tx_dropped": "transmit_dropped",
    "multicast": "multicast",
    "collisions": "collisions",
    "rx_length_errors": "receive_length_errors",
    "rx_over_errors": "receive_over_errors",
    "rx_crc_errors": "receive_crc_errors",
    "rx_frame_errors": "receive_frame_errors",
    "rx_fifo_errors": "receive_fifo_errors",
    "rx_missed_errors": "receive_missed_errors",
    "tx_aborted_errors": "transmit_aborted_errors",
    "tx_carrier_errors": "transmit_carrier_errors",
    "tx_fifo_errors": "transmit_fifo_errors",
    "tx_heartbeat_errors": "transmit_heartbeat_errors",
    "tx_window_errors": "transmit_window_errors",
    "rx_compressed": "receive_compressed",
    "tx_compressed": "transmit_compressed",
    "rx_nohandler": NOHANDLER,
}
"""The detailed names by their files in sysfs; /proc/net/dev adds some of them up."""

_NAMES = dict.fromkeys([*_COLUMNS, NOHANDLER, *_RENAMED.values(), *_STATISTICS.values()])


def _families(*labels: str) -> dict[str, Family]:
    return {
        name: Family(f"node_network_{name}_total", "counter", f"Network device statistic {name}.", labels)
        for name in _NAMES
    }


_FAMILY_OF = _families("device")
ADDRESS = Family(
    "node_network_address_info",
    "gauge",
    "node network address by device",
    ("device", "address", "netmask", "scope"),
)
FAMILIES = (*_FAMILY_OF.values(), ADDRESS)

SETTINGS = (
    Setting("device-include", "", "Regexp of net devices to include (mutually exclusive to device-exclude)."),
    Setting("device-exclude", "", "Regexp of net devices to exclude (mutually exclusive to device-include)."),
    Setting("device-whitelist", "", "Deprecated: use device-include."),
    Setting("device-blacklist", "", "Deprecated: use device-exclude."),
    Setting("address-info", False, "Collect address-info for every device."),
    Setting(
        "enable-detailed-metrics", False, "Use (incompatible) metric names that provide more detailed stats."
    ),
    Setting("label-ifalias", False, "Add the label ifalias."),
    Setting(
        "netlink",
        True,
        "Show what netlink tells and /proc/net/dev leaves out; it is read from sysfs instead.",
    ),
)


class NetDev:
    """Reads the devices that are *shown*, under the names and with the labels that were chosen."""

    def __init__(
        self,
        shown: NameFilter,
        *,
        beyond_the_file: bool = True,
        detailed: bool = False,
        with_alias: bool = False,
        addresses: Callable[[], Iterable[addresses.Address]] | None = None,
    ) -> None:
        self._shown = shown
        self._statistics = detailed and beyond_the_file
        self._nohandler = beyond_the_file
        self._with_alias = with_alias
        self._addresses = addresses
        families = _families("device", "ifalias") if with_alias else _FAMILY_OF
        self._nohandler_family = families[NOHANDLER]
        self._of_file = {file: families[name] for file, name in _STATISTICS.items()}
        self._of_column = {
            column: families[_RENAMED.get(column, column) if detailed else column] for column in _COLUMNS
        }

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """Counters of each device: bytes for ``*_bytes_total``, packets for the others."""
        columns, devices = parse_netdev(paths.read_network("dev"))
        in_sysfs = self._in_sysfs(paths)
        families = [self._of_column.get(column) for column in columns]
        shows = self._shown.shows
        for device, numbers in devices.items():
            if not shows(device):
                continue
            labels: tuple[str, ...] = (device,)
            if self._with_alias:
                alias = read_attribute(paths, f"class/net/{device}/ifalias") if device in in_sysfs else None
                labels = (device, alias or "")
            if self._statistics:
                yield from self._detailed(paths, device, labels)
                continue
            for family, number in zip(families, numbers, strict=True):
                if family is not None:
                    yield family, labels, number
            if self._nohandler and device in in_sysfs:
                unwanted = read_count(paths, f"class/net/{device}/statistics/rx_nohandler")
                if unwanted is not None:  # before Linux 4.6 there is none
                    yield self._nohandler_family, labels, unwanted
        if self._addresses is not None:
            for found in dict.fromkeys(self._addresses()):
                if shows(found.device):
                    netmask = str(found.prefix_length)
                    yield ADDRESS, (found.device, found.address, netmask, found.scope), 1

    def _in_sysfs(self, paths: HostPaths) -> Collection[str]:
        """The devices that sysfs has; it may show another network than procfs, or be missing."""
        if not self._nohandler and not self._with_alias:
            return ()
        try:
            return paths.names_sys("class/net")
        except FileNotFoundError:
            return ()

    def _detailed(self, paths: HostPaths, device: str, labels: tuple[str, ...]) -> Iterator[Value]:
        for file, family in self._of_file.items():
            count = read_count(paths, f"class/net/{device}/statistics/{file}")
            if count is not None:
                yield family, labels, count


collect = NetDev(NameFilter()).collect
"""All devices under the usual names."""


def make(settings: Settings) -> Collect:
    """A collector of what the settings name. Raises SettingError for flags that exclude each other."""
    for one, other in (
        ("device-whitelist", "device-include"),
        ("device-blacklist", "device-exclude"),
    ):
        if settings.text(one) and settings.text(other):
            raise SettingError(f"--collector.netdev.{one} and --collector.netdev.{other} exclude each other")
    include = settings.pattern("device-include") or settings.pattern("device-whitelist")
    exclude = settings.pattern("device-exclude") or settings.pattern("device-blacklist")
    if include and exclude:
        raise SettingError(
            "--collector.netdev.device-exclude and --collector.netdev.device-include exclude each other"
        )
    return NetDev(
        NameFilter(include, exclude),
        beyond_the_file=settings.switch("netlink"),
        detailed=settings.switch("enable-detailed-metrics"),
        with_alias=settings.switch("label-ifalias"),
        addresses=addresses.addresses if settings.switch("address-info") else None,
    ).collect


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
