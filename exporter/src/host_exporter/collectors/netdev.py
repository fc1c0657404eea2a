"""What each network device received and sent."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.netdev import parse_netdev

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


def _family(column: str) -> Family:
    return Family(
        f"node_network_{column}_total", "counter", f"Network device statistic {column}.", ("device",)
    )


_FAMILY_OF = {column: _family(column) for column in _COLUMNS}
RECEIVE_NOHANDLER = _family("receive_nohandler")
FAMILIES = (*_FAMILY_OF.values(), RECEIVE_NOHANDLER)


def collect(paths: HostPaths) -> Iterator[Value]:
    """Counters of each device: bytes for ``*_bytes_total``, packets for the others.

    The file leaves out packets that nobody wanted (``nohandler``); sysfs has them.
    """
    columns, devices = parse_netdev(paths.read_network("dev"))
    families = [_FAMILY_OF.get(column) for column in columns]
    for device, numbers in devices.items():
        labels = (device,)
        for family, number in zip(families, numbers, strict=True):
            if family is not None:
                yield family, labels, number
        try:
            unwanted = int(paths.read_sys(f"class/net/{device}/statistics/rx_nohandler"))
        except FileNotFoundError:
            continue  # before Linux 4.6, or sysfs shows another network than procfs
        yield RECEIVE_NOHANDLER, labels, unwanted


COLLECTOR = Collector(FAMILIES, unset(collect))
