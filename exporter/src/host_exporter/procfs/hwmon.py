"""Names and values of ``/sys/class/hwmon``: https://docs.kernel.org/hwmon/sysfs-interface.html."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

SENSOR_KINDS = frozenset(
    {
        *("vrm", "beep_enable", "update_interval", "in", "cpu", "fan", "pwm", "temp", "curr", "power"),
        *("energy", "humidity", "intrusion", "freq"),
    }
)
"""What the name of an attribute may begin with; a device's folder holds much else."""

KNOWN_NAMES = 4096
"""Names of attributes whose parts are kept: more than the drivers of one host have."""

_ATTRIBUTE = re.compile(r"([^0-9]+)([0-9]*)(?:_(.+))?", re.DOTALL)
_INVALID = re.compile(r"[^a-z0-9:_]")


class Attribute(NamedTuple):
    """``temp2_max`` is sensor ``temp2`` of kind ``temp``, and of it the element ``max``."""

    sensor: str
    kind: str
    element: str
    """Empty for the sensor's own file, such as ``pwm1``."""


@lru_cache(maxsize=KNOWN_NAMES)
def parse_attribute(name: str) -> Attribute | None:
    """The parts of an attribute's name; ``None`` for what is no sensor's. A name without number is sensor 0."""
    match = _ATTRIBUTE.fullmatch(name)
    if match is None:
        return None
    kind, number, element = match.groups()
    if kind not in SENSOR_KINDS:
        return None
    return Attribute(f"{kind}{int(number or '0')}", kind, element or "")


def clean_name(text: str) -> str:
    """*text* as a part of a metric's or a chip's name: lower case, ``_`` for what is odd, none at the ends."""
    return _INVALID.sub("_", text.lower()).strip("_")


def parse_number(text: str) -> float | None:
    """The number that an attribute holds, with its line feed; ``None`` for words, and for an empty file."""
    try:
        number = float(text)
    except ValueError:
        return None
    # Python takes more than a kernel writes: blanks around it, and digits of other scripts.
    return number if " " not in text and text.isascii() else None
