"""What Fibre Channel host adapters say of themselves and count."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.sysfs import read_attribute, read_count

CLASS = "class/fc_host"

NOT_COUNTED = 2**64 - 1
"""What a counter says that the adapter's firmware does not have."""

_TEXTS = ("speed", "port_state", "port_type")
_NUMBERS = ("port_id", "port_name", "fabric_name")
"""Shown without the ``0x`` that they begin with."""

_MORE_TEXTS = ("symbolic_name", "supported_classes", "supported_speeds", "dev_loss_tmo")
INFO = Family(
    "node_fibrechannel_info",
    "gauge",
    "Non-numeric data from /sys/class/fc_host/<host>, value is always 1.",
    ("fc_host", *_TEXTS, *_NUMBERS, *_MORE_TEXTS),
)


def _counter(name: str, help_text: str) -> Family:
    return Family(f"node_fibrechannel_{name}_total", "counter", help_text, ("fc_host",))


_FAMILY_OF_FILE = {
    "dumped_frames": _counter("dumped_frames", "Number of dumped frames"),
    "error_frames": _counter("error_frames", "Number of errors in frames"),
    "invalid_crc_count": _counter("invalid_crc", "Invalid Cyclic Redundancy Check count"),
    "rx_frames": _counter("rx_frames", "Number of frames received"),
    "rx_words": _counter("rx_words", "Number of words received by host port"),
    "tx_frames": _counter("tx_frames", "Number of frames transmitted by host port"),
    "tx_words": _counter("tx_words", "Number of words transmitted by host port"),
    "seconds_since_last_reset": _counter(
        "seconds_since_last_reset", "Number of seconds since last host port reset"
    ),
    "invalid_tx_word_count": _counter("invalid_tx_words", "Number of invalid words transmitted by host port"),
    "link_failure_count": _counter("link_failure", "Number of times the host port link has failed"),
    "loss_of_sync_count": _counter(
        "loss_of_sync", "Number of failures on either bit or transmission word boundaries"
    ),
    "loss_of_signal_count": _counter("loss_of_signal", "Number of times signal has been lost"),
    "nos_count": _counter("nos", "Number Not_Operational Primitive Sequence received by host port"),
    "fcp_packet_aborts": _counter("fcp_packet_aborts", "Number of aborted packets"),
}
FAMILIES = (INFO, *_FAMILY_OF_FILE.values())


def collect(paths: HostPaths) -> Iterator[Value]:
    """One series that describes each adapter, and the counters that it has."""
    try:
        hosts = paths.names_sys(CLASS)
    except FileNotFoundError as error:
        raise NoDataError(f"no {CLASS}: no Fibre Channel adapter") from error
    for host in hosts:
        folder = f"{CLASS}/{host}"
        texts = [read_attribute(paths, f"{folder}/{name}") or "" for name in _TEXTS]
        numbers = [(read_attribute(paths, f"{folder}/{name}") or "") for name in _NUMBERS]
        more = [read_attribute(paths, f"{folder}/{name}") or "" for name in _MORE_TEXTS]
        yield INFO, (host, *texts, *map(_without_prefix, numbers), *more), 1
        for name, family in _FAMILY_OF_FILE.items():
            count = read_count(paths, f"{folder}/statistics/{name}")
            if count is not None and count != NOT_COUNTED:
                yield family, (host,), count


def _without_prefix(number: str) -> str:
    return number[2:] if len(number) > 2 else number


COLLECTOR = Collector(FAMILIES, unset(collect))
