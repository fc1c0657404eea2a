"""What the kernel's load balancer passed on, and the connections of each server behind it."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collect, Collector, NoDataError, Setting, SettingError, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.ipvs import Backend, parse_backends, parse_totals

BACKEND_LABELS = ("local_address", "local_port", "remote_address", "remote_port", "proto", "local_mark")

_TOTALS = (
    Family("node_ipvs_connections_total", "counter", "The total number of connections made."),
    Family("node_ipvs_incoming_packets_total", "counter", "The total number of incoming packets."),
    Family("node_ipvs_outgoing_packets_total", "counter", "The total number of outgoing packets."),
    Family("node_ipvs_incoming_bytes_total", "counter", "The total amount of incoming data."),
    Family("node_ipvs_outgoing_bytes_total", "counter", "The total amount of outgoing data."),
)


def _backend_families(labels: tuple[str, ...]) -> tuple[Family, Family, Family]:
    return (
        Family(
            "node_ipvs_backend_connections_active",
            "gauge",
            "The current active connections by local and remote address.",
            labels,
        ),
        Family(
            "node_ipvs_backend_connections_inactive",
            "gauge",
            "The current inactive connections by local and remote address.",
            labels,
        ),
        Family(
            "node_ipvs_backend_weight",
            "gauge",
            "The current backend weight by local and remote address.",
            labels,
        ),
    )


_BACKEND_FAMILIES = _backend_families(BACKEND_LABELS)
FAMILIES = (*_TOTALS, *_BACKEND_FAMILIES)

SETTINGS = (
    Setting(
        "backend-labels",
        ",".join(BACKEND_LABELS),
        "Comma separated list for IPVS backend stats labels.",
        metavar="LABELS",
    ),
)


class Ipvs:
    """Reads the load balancer. Servers that the chosen *labels* do not tell apart are summed up."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._places = [BACKEND_LABELS.index(label) for label in labels]
        self._families = _BACKEND_FAMILIES if labels == BACKEND_LABELS else _backend_families(labels)

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """Totals, and three series for each server. Without the kernel's module there is no such source."""
        try:
            totals = parse_totals(paths.read_network("ip_vs_stats"))
        except FileNotFoundError as error:
            raise NoDataError("no net/ip_vs_stats: the module ip_vs is not loaded") from error
        for family, number in zip(_TOTALS, totals, strict=True):
            yield family, (), number
        sums: dict[tuple[str, ...], list[int]] = {}
        for backend in parse_backends(paths.read_network("ip_vs")):
            counts = sums.setdefault(self._labels(backend), [0, 0, 0])
            counts[0] += backend.active_connections
            counts[1] += backend.inactive_connections
            counts[2] += backend.weight
        for labels, counts in sums.items():
            for family, number in zip(self._families, counts, strict=True):
                yield family, labels, number

    def _labels(self, backend: Backend) -> tuple[str, ...]:
        protocol, address, port, mark = backend.service
        every = (address, port, backend.address, backend.port, protocol, mark)
        return tuple([every[place] for place in self._places])


def make(settings: Settings) -> Collect:
    """A collector with the labels that the settings name. Raises SettingError for one that there is not."""
    wanted = {label for label in settings.text("backend-labels").split(",") if label}
    unknown = sorted(wanted.difference(BACKEND_LABELS))
    if unknown:
        raise SettingError(
            f"--collector.ipvs.backend-labels: expected labels among {', '.join(BACKEND_LABELS)}, "
            f"got {', '.join(unknown)}"
        )
    return Ipvs(tuple(label for label in BACKEND_LABELS if label in wanted)).collect


COLLECTOR = Collector(FAMILIES, make, SETTINGS)
