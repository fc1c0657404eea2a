"""``/proc/net/rpc/nfs`` and ``nfsd``: what the NFS client and the NFS server of this host count."""

from __future__ import annotations

from collections.abc import Mapping

TH_NUMBERS = 2
"""Of the line ``th`` only so many are integers; a histogram in seconds follows."""

COUNTED = frozenset({"proc2", "proc3", "proc4", "proc4ops"})
"""Lines whose first number says how many follow."""


def parse_rpc(text: str, lengths: Mapping[str, range]) -> dict[str, list[int]]:
    """The numbers of each line by its name; of those that say how many follow, without that number.

    *lengths* says how many numbers each line may have. Raises ValueError if there are others, if a line is
    not among *lengths*, or if what follows is not a number.
    """
    lines: dict[str, list[int]] = {}
    for line in text.splitlines():
        name, *fields = line.split() or [""]
        if name not in lengths:
            raise ValueError(f"expected one of {', '.join(lengths)}, got {line!r}")
        if name == "th":
            fields = fields[:TH_NUMBERS]
        numbers = [int(field) for field in fields]
        if name in COUNTED:
            count, *numbers = numbers or [-1]
            if count != len(numbers):
                raise ValueError(f"expected as many numbers as the first one says, got {line!r}")
        if len(numbers) not in lengths[name]:
            raise ValueError(f"expected another count of numbers than {len(numbers)}, got {line!r}")
        lines[name] = numbers
    return lines
