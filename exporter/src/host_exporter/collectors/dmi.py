"""What the machine, its board and its firmware are, as the firmware says."""

from __future__ import annotations

from collections.abc import Iterator

from host_exporter.collector import Collect, Collector, NoDataError, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.undecodable import replace_undecodable

_FILE_OF = {
    "bios_date": "bios_date",
    "bios_release": "bios_release",
    "bios_vendor": "bios_vendor",
    "bios_version": "bios_version",
    "board_asset_tag": "board_asset_tag",
    "board_name": "board_name",
    "board_serial": "board_serial",
    "board_vendor": "board_vendor",
    "board_version": "board_version",
    "chassis_asset_tag": "chassis_asset_tag",
    "chassis_serial": "chassis_serial",
    "chassis_vendor": "chassis_vendor",
    "chassis_version": "chassis_version",
    "product_family": "product_family",
    "product_name": "product_name",
    "product_serial": "product_serial",
    "product_sku": "product_sku",
    "product_uuid": "product_uuid",
    "product_version": "product_version",
    "system_vendor": "sys_vendor",
}


def _family(labels: tuple[str, ...]) -> Family:
    help_text = f"A metric with a constant '1' value labeled by {', '.join(_FILE_OF)} if provided by DMI."
    return Family("node_dmi_info", "gauge", help_text, labels)


INFO = _family(tuple(_FILE_OF))
FAMILIES = (INFO,)

_FOLDER = "class/dmi/id"


class Identity:
    """Reads the firmware's facts once, since they stay the same until the host is started again.

    A machine that does not tell all of them has a family of its own, without those labels.
    """

    def __init__(self) -> None:
        self._value: Value | None = None

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """One series whose labels are the facts; serial numbers are among them only for root."""
        if self._value is None:
            facts = _facts(paths)
            labels = tuple(facts)
            family = INFO if labels == INFO.labels else _family(labels)
            self._value = family, tuple(facts.values()), 1
        yield self._value


def _facts(paths: HostPaths) -> dict[str, str]:
    """What may be read of them, by label. Raises NoDataError if there is nothing."""
    try:
        files = set(paths.names_sys(_FOLDER))
    except FileNotFoundError as error:
        raise NoDataError("this machine's firmware does not tell what it is (DMI)") from error
    facts = {}
    for label, file in _FILE_OF.items():
        if file in files:
            try:
                text = paths.read_sys(f"{_FOLDER}/{file}")
            except PermissionError:
                continue
            facts[label] = replace_undecodable(text.strip())
    if not facts:
        raise NoDataError(f"nothing in {_FOLDER} can be read")
    return facts


def make(_settings: Settings) -> Collect:
    """One reader, which remembers what it read."""
    return Identity().collect


COLLECTOR = Collector(FAMILIES, make)
