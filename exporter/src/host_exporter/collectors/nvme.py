"""NVMe controllers and their namespaces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from host_exporter.collector import Collector, NoDataError, unset
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.sysfs import number, word

CLASS = "class/nvme"

INFO = Family(
    "node_nvme_info",
    "gauge",
    "Non-numeric data from /sys/class/nvme/<device>, value is always 1.",
    ("device", "firmware_revision", "model", "serial", "state", "cntlid"),
)
NAMESPACE_INFO = Family(
    "node_nvme_namespace_info",
    "gauge",
    "Information about NVMe namespaces. Value is always 1",
    ("device", "nsid", "ana_state"),
)


def _bytes(name: str, help_text: str) -> Family:
    return Family(f"node_nvme_namespace_{name}_bytes", "gauge", help_text, ("device", "nsid"))


CAPACITY = _bytes(
    "capacity",
    "Capacity of the NVMe namespace in bytes. Computed as namespace_size * namespace_logical_block_size",
)
SIZE = _bytes(
    "size", "Size of the NVMe namespace in bytes. Available in /sys/class/nvme/<device>/<namespace>/size"
)
USED = _bytes(
    "used",
    "Used space of the NVMe namespace in bytes. Available in /sys/class/nvme/<device>/<namespace>/nuse",
)
LOGICAL_BLOCK_SIZE = _bytes(
    "logical_block_size",
    "Logical block size of the NVMe namespace in bytes. Usually 4Kb."
    " Available in /sys/class/nvme/<device>/<namespace>/queue/logical_block_size",
)
FAMILIES = (INFO, NAMESPACE_INFO, CAPACITY, SIZE, USED, LOGICAL_BLOCK_SIZE)

_FACTS = ("firmware_rev", "model", "serial", "state", "cntlid")
_NAMESPACE = re.compile(r"nvme\d+n(\d+)")


def collect(paths: HostPaths) -> Iterator[Value]:
    """Sizes are counted in logical blocks, as node_exporter counts them.

    The kernel's ``size`` has sectors of 512 bytes, so on a namespace with larger blocks they are too large.
    """
    try:
        devices = paths.names_sys(CLASS)
    except FileNotFoundError:
        raise NoDataError(f"there is no {CLASS}") from None
    for device in devices:
        try:
            # A list, so that nothing of a device that is just removed is shown.
            values = [*_controller(paths, device)]
        except FileNotFoundError:
            if device in paths.names_sys(CLASS):
                raise
            continue
        yield from values


def _controller(paths: HostPaths, device: str) -> Iterator[Value]:
    folder = f"{CLASS}/{device}"
    yield INFO, (device, *[paths.read_sys(f"{folder}/{fact}").strip() for fact in _FACTS]), 1
    for name in paths.names_sys(folder):
        match = _NAMESPACE.search(name)
        if match is not None:
            yield from _namespace(paths, f"{folder}/{name}", (device, match[1]))


def _namespace(paths: HostPaths, folder: str, labels: tuple[str, str]) -> Iterator[Value]:
    used, size, block = (
        number(paths, f"{folder}/{name}") for name in ("nuse", "size", "queue/logical_block_size")
    )
    try:
        ana_state = word(paths, f"{folder}/ana_state", "unknown")
    except OSError:
        ana_state = "unknown"  # the attribute is there, but the namespace has no such state
    yield NAMESPACE_INFO, (*labels, ana_state), 1
    yield CAPACITY, labels, size * block
    yield SIZE, labels, size * block
    yield USED, labels, used * block
    yield LOGICAL_BLOCK_SIZE, labels, block


COLLECTOR = Collector(FAMILIES, unset(collect))
