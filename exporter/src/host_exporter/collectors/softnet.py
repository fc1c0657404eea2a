"""How each CPU's queue of received packets fares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from host_exporter.collector import Collector, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.softnet import parse_softnet


def _family(name: str, help_text: str, kind: Literal["counter", "gauge"] = "counter") -> Family:
    return Family(f"node_softnet_{name}", kind, help_text, ("cpu",))


FAMILIES = (
    _family("processed_total", "Number of processed packets"),
    _family("dropped_total", "Number of dropped packets"),
    _family("times_squeezed_total", "Number of times processing packets ran out of quota"),
    _family(
        "cpu_collision_total", "Number of collision occur while obtaining device lock while transmitting"
    ),
    _family("received_rps_total", "Number of times cpu woken up received_rps"),
    _family("flow_limit_count_total", "Number of times flow limit has been reached"),
    _family("backlog_len", "Softnet backlog status", "gauge"),
)
"""In the order of ``Softnet``."""


def collect(paths: HostPaths) -> Iterator[Value]:
    """Seven numbers of each CPU that is online: packets, and packets waiting for ``backlog_len``."""
    for cpu, *numbers in parse_softnet(paths.read_network("softnet_stat")):
        labels = (cpu,)
        for family, number in zip(FAMILIES, numbers, strict=True):
            yield family, labels, number


COLLECTOR = Collector(FAMILIES, unset(collect))
