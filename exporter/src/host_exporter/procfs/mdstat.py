"""``/proc/mdstat``: https://docs.kernel.org/admin-guide/md.html."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LINES_OF_AN_ARRAY = 4
"""The array and its disks, its blocks, perhaps a bitmap, perhaps a resync; an empty line ends it."""

_DISKS = re.compile(r"\[(\d+)/(\d+)\] \[[U_]+\]")
_PROGRESS = re.compile(r"\((\d+)/\d+\)")

_SYNCS = {"recovery": "recovering", "reshape": "reshaping", "check": "checking", "resync": "resyncing"}
"""What the kernel calls it, in the order in which it is looked for, and the state that it is."""


class Array(NamedTuple):
    """One array. Blocks are KiB; all are synced if nothing is being synced."""

    name: str
    state: str
    """``active``, ``inactive``, ``broken``, or what is being done: ``recovering``, ``resyncing`` …"""
    disks_active: int
    disks_failed: int
    disks_spare: int
    disks_required: int
    blocks: int
    blocks_synced: int


def parse_mdstat(text: str) -> list[Array]:
    """Raises ValueError if the lines of an array end early or their numbers are missing."""
    return list(_arrays(text.split("\n")))


def _arrays(lines: list[str]) -> Iterator[Array]:
    for index, line in enumerate(lines):
        if not line.strip() or line.startswith((" ", "\t", "unused", "Personalities :")):
            continue
        of_array = lines[index : index + LINES_OF_AN_ARRAY]
        fields = line.split()
        if len(fields) < 3 or len(of_array) < LINES_OF_AN_ARRAY:
            raise ValueError(
                f"mdstat: expected an array and {LINES_OF_AN_ARRAY - 1} lines more, got {line!r}"
            )
        yield _array(fields[0], fields[2], of_array)


def _array(name: str, state: str, lines: list[str]) -> Array:
    disks, size, *rest = lines
    blocks = _blocks(size)
    active, required = _disks_of(disks, size)
    sync = rest[1] if "bitmap" in rest[0] else rest[0]
    synced = blocks
    for word, syncing in _SYNCS.items():
        if word in sync:
            state, synced = syncing, _synced(sync)
            break
    return Array(name, state, active, disks.count("(F)"), disks.count("(S)"), required, blocks, synced)


def _blocks(line: str) -> int:
    first = line.split()[:1]
    if not first or not first[0].isdecimal():
        raise ValueError(f"mdstat: expected a number of blocks, got {line!r}")
    return int(first[0])


def _disks_of(line: str, size: str) -> tuple[int, int]:
    """How many work and how many belong to it: arrays without redundancy need all that they have."""
    if "raid0" in line or "linear" in line:
        count = line.count("[")
        return count, count
    if "inactive" in line:
        return 0, 0
    match = _DISKS.search(size)
    if match is None:
        raise ValueError(f"mdstat: expected disks as [2/2] [UU], got {size!r}")
    return int(match[2]), int(match[1])


def _synced(line: str) -> int:
    if "PENDING" in line or "DELAYED" in line:
        return 0
    match = _PROGRESS.search(line)
    if match is None:
        raise ValueError(f"mdstat: expected progress as (1/2), got {line!r}")
    return int(match[1])
