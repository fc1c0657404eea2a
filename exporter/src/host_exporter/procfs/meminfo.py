"""``/proc/meminfo``, see proc_meminfo(5)."""

from __future__ import annotations

BYTES_PER_KB = 1024
"""The kernel writes kB and means KiB."""


def parse_meminfo(text: str) -> dict[str, int]:
    """Each field's number by its kernel name: bytes where a unit is given, else a count.

    Raises ValueError if a field has no number.
    """
    fields: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        number, _, unit = rest.strip().partition(" ")
        fields[name] = int(number) * BYTES_PER_KB if unit else int(number)
    return fields
