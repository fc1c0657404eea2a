"""``/sys/class/powercap``: https://docs.kernel.org/power/powercap/powercap.html."""

from __future__ import annotations

import re

_INVALID = re.compile(r"_*[^0-9A-Za-z_]+_*")


def zone_name(text: str, used: dict[str, int]) -> tuple[str, int]:
    """A zone's name without its number, and that number; for a name that has none, how often *used* has seen it.

    ``package-0`` is ``package`` and 0, the second ``dram`` is ``dram`` and 1. Counts the use.
    """
    name = text.strip()
    first, _, number = name.partition("-")
    if number.isdecimal():
        name, index = first, int(number)
    else:
        index = used.get(name, 0)
    used[name] = index + 1
    return name, index


def metric_part(name: str) -> str:
    """A zone's name as part of a metric's name: anything odd is ``_``."""
    return _INVALID.sub("_", name)
