"""``/proc/spl/kstat/zfs``: the files of ZFS' kernel module."""

from __future__ import annotations

HEADING = ["name", "type", "data"]
INT64, UINT64 = "3", "4"
"""The types of numbers that are in use."""

STATES = ("online", "degraded", "faulted", "offline", "removed", "unavail", "suspended")
"""Of a pool, as zpool(8) calls them."""


def parse_kstat(text: str, name: str) -> dict[str, int]:
    """The 64-bit numbers of the file *name*. Raises ValueError if it has no heading, or a number is none."""
    numbers = {}
    for line in _lines(text, name):
        words = line.split()
        if len(words) >= 3 and (words[1] == UINT64 or words[1] == INT64):
            numbers[words[0]] = _number(words[2], name, words[0])
    return numbers


def parse_objset(text: str, name: str) -> tuple[str, dict[str, int]]:
    """A dataset's name and numbers, from the file *name*. Raises ValueError as ``parse_kstat``."""
    dataset, numbers = "", {}
    for line in _lines(text, name):
        words = line.split(None, 2)  # a dataset's name may have blanks
        if len(words) == 3:
            key, kind, data = words
            if key == "dataset_name":
                dataset = data
            elif kind == UINT64:
                numbers[key] = _number(data, name, key)
    return dataset, numbers


def parse_pool_io(text: str, name: str) -> dict[str, int]:
    """The columns of a pool's file *name*. Raises ValueError if one has no number."""
    heading: list[str] = []
    columns = {}
    for line in text.splitlines():
        words = line.split()
        if heading:
            if len(words) < len(heading):
                raise ValueError(f"{name}: expected {len(heading)} numbers, got {line!r}")
            for key, word in zip(heading, words, strict=False):
                columns[key] = _number(word, name, key)
        elif len(words) >= 12 and words[0] == "nread":
            heading = words
    return columns


def _lines(text: str, name: str) -> list[str]:
    """Those below the heading."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if line.split() == HEADING:
            return lines[index + 1 :]
    raise ValueError(f"{name}: expected the heading {' '.join(HEADING)!r}")


def _number(text: str, name: str, key: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name}: {key}: expected a number, got {text!r}") from None
