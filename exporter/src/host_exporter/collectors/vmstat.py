"""Counts of the memory management: pages in and out, faults, processes killed for want of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

from host_exporter.collector import Collect, Collector, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.number import parse_number
from host_exporter.procfs.vmstat import parse_vmstat


def _family(field: str) -> Family:
    return Family(f"node_vmstat_{field}", "untyped", f"/proc/vmstat information field {field}.")


FAMILIES = tuple(
    _family(field)
    for field in ("pgpgin", "pgpgout", "pswpin", "pswpout", "pgfault", "pgmajfault", "oom_kill")
)
"""What the default pattern finds. Another one gives a family for each of the kernel's fields that it finds."""

FIELDS = Setting(
    "fields", r"^(oom_kill|pgpg|pswp|pg.*fault).*", "Fields of vmstat to show, anywhere in their names."
)


class Fields:
    """Reads the fields that a pattern finds; their families are made once, and there are as many as fields."""

    def __init__(self, pattern: re.Pattern[str] | None) -> None:
        self._pattern = pattern
        self._known = {family.name.removeprefix("node_vmstat_"): family for family in FAMILIES}
        self._fields: list[str] = []
        self._shown: list[tuple[int, Family]] = []

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """One series without labels for each field."""
        fields, numbers = parse_vmstat(paths.read("vmstat"))
        if fields != self._fields:  # only at first: the kernel that runs has always the same
            self._fields = fields
            self._shown = [
                (place, self._known.setdefault(field, _family(field)))
                for place, field in enumerate(fields)
                if self._pattern is None or self._pattern.search(field)
            ]
        for place, family in self._shown:
            yield family, (), parse_number(numbers[place], family.name)


def make(settings: Settings) -> Collect:
    """One reader, with the pattern that it was told."""
    return Fields(settings.pattern("fields")).collect


COLLECTOR = Collector(FAMILIES, make, (FIELDS,))
