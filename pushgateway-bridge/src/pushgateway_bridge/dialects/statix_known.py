"""What the details of a statix host have in common with its last ones: nearly always all but the numbers. Pure."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from pushgateway_bridge.dialects.psutil_known import (
    DISK_IO_FIELDS,
    NETWORK_IO_FIELDS,
    AlikeNumbers,
    Fields,
)
from pushgateway_bridge.dialects.statix_details import Details
from pushgateway_bridge.dialects.statix_entry import mask_changing_texts
from pushgateway_bridge.model.report import Shape


class KnownDetails:
    """What was found in details of which nothing was left out."""

    __slots__ = ("_constants", "_masked", "_numbers", "rates", "sent", "shape")

    def __init__(
        self,
        numbers: AlikeNumbers,
        constants: list[float],
        shape: Shape,
        sent: tuple[bool, bool],
        rates: tuple[bool, bool],
    ) -> None:
        self._numbers = numbers
        self._constants = constants
        """Values that come of what is the same."""
        self._masked: tuple[tuple[str, Any], ...] = ()
        self.shape = shape
        self.sent = sent
        """Which of the two disk rates came with the details."""
        self.rates = rates
        """Which of them are the last series."""

    def values_of(self, details: Details) -> list[float] | None:
        """The values of the series of *details*; ``None`` if they are not alike."""
        values = self._numbers.fetch(details)
        if values is not None:
            values += self._constants
        return values

    def note_masked(self, details: Details) -> None:
        """Keep what is masked in those *details* that this was made of."""
        self._masked = self._numbers.changed(details)

    def mask(self, details: Details) -> Details:
        """*details* whose values were taken, without addresses."""
        mask_changing_texts(details)
        for path, masked in self._masked:
            group, _, name = path.rpartition(".")
            setattr(attrgetter(group)(details) if group else details, name, masked)
        return details


def make_known(
    details: Details, shape: Shape, values: list[float], sent: tuple[bool, bool], rates: tuple[bool, bool]
) -> KnownDetails | None:
    """What is known of *details* that gave *values* for *shape*; ``None`` if it would not give them again.

    The first three values are not of the details, nor are the *rates* at the end.
    """
    fields = Fields(details)
    if not _find(fields, details):
        return None
    of_details = values[3 : len(values) - sum(rates)]
    constants = of_details[len(fields.numbers) :]
    known = KnownDetails(AlikeNumbers(fields), constants, shape, sent, rates)
    return known if known.values_of(details) == of_details else None


def _find(fields: Fields, details: Details) -> bool:
    """Find the *fields* in the order of their series; ``False`` if a value comes of more than one report's fields."""
    if fields.is_there("cpu"):
        _find_cpu(fields)
    if fields.is_there("memory"):
        fields.put_parts("memory", "available", "free")
    if fields.is_there("swap"):
        fields.put_parts("swap", "free")
    elif details.memory and fields.is_there("memory.swap"):
        fields.put_parts("memory.swap", "free")
    if fields.is_there("disk"):
        _find_disk(fields)
    fields.put_all("disk_io", DISK_IO_FIELDS)
    if fields.is_there("network"):
        fields.put_all("network.io_counters", NETWORK_IO_FIELDS)
        fields.same.append("network.primary_interface")
    fields.same.append("system")
    if fields.is_there("uptime"):
        fields.same.append("uptime.boot_time")
        # Of the seconds it would be another time at each report.
        return bool(fields.get("uptime.boot_time")) or not fields.is_there("uptime.seconds")
    return True


def _find_cpu(fields: Fields) -> None:
    fields.same.append("cpu.processor")
    fields.put("cpu.logical_cores")
    fields.put("cpu.physical_cores")
    other = fields.is_there("cpu.frequency")
    for name, other_name in (
        ("frequency_mhz", "current"),
        ("min_frequency_mhz", "min"),
        ("max_frequency_mhz", "max"),
    ):
        others = (f"cpu.frequency.{other_name}",) if other else ()
        fields.put_frequency(f"cpu.{name}", *others)


def _find_disk(fields: Fields) -> None:
    fields.same.append("disk.mount")
    total = fields.put_parts("disk", "free")
    if total < 0:
        return
    used = fields.put("disk.used")
    if used >= 0:
        fields.parts.append((used, total))
        fields.free = used, total
