"""Files below ``/sys/fs/bcachefs/<uuid>``, as bcachefs writes them for people."""

from __future__ import annotations

from typing import NamedTuple

_UNITS = {unit: 1024.0 ** (power + 1) for power, unit in enumerate("KMGTPE")}

SINCE_CREATION = "since filesystem creation:"
ERRORS_SINCE_CREATION = "IO errors since filesystem creation"
ERRORS_SINCE = "IO errors since "


class Row(NamedTuple):
    """The first two numbers of a line in a table."""

    name: str
    first: int
    second: int


def parse_size(text: str) -> int:
    """A number such as ``48.9G`` or ``720``; units are powers of 1024. Raises ValueError."""
    digits = text.strip()
    unit = _UNITS.get(digits[-1:].upper())
    try:
        return int(float(digits) if unit is None else float(digits[:-1]) * unit)
    except ValueError:
        raise ValueError(f"expected a number such as 12 or 1.5k, got {text!r}") from None


def parse_table(text: str) -> list[Row]:
    """The lines below the heading, as in ``compression_stats`` and ``btree_write_stats``. Raises ValueError."""
    rows = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) >= 3:
            rows.append(Row(words[0].removesuffix(":"), parse_size(words[1]), parse_size(words[2])))
    return rows


def parse_errors(text: str) -> dict[str, int]:
    """How often each error was met, from ``errors``. Raises ValueError if a count is no number."""
    counts = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2:
            counts[words[0]] = _count(words[1], line)
    return counts


def parse_counter(text: str) -> int:
    """What a file in ``counters`` counted since the file system was made. Raises ValueError."""
    _, found, rest = text.partition(SINCE_CREATION)
    if found:
        return parse_size(rest.partition("\n")[0])
    raise ValueError(f"expected a line {SINCE_CREATION!r}, got {text!r}")


def parse_io_done(text: str) -> dict[tuple[str, str], int]:
    """Bytes by operation (``read``, ``write``) and kind of data, from ``io_done``. Raises ValueError."""
    numbers = {}
    operation = ""
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        if line.strip() in ("read:", "write:"):
            operation = name.strip()
        elif operation and colon:
            numbers[operation, name.strip()] = _count(rest, line)
    return numbers


def parse_io_errors(text: str) -> dict[str, int]:
    """Errors by operation since the file system was made, from ``io_errors``. Raises ValueError."""
    counts = {}
    inside = False
    for line in text.splitlines():
        if line.startswith(ERRORS_SINCE):
            if inside:
                break
            inside = line.startswith(ERRORS_SINCE_CREATION)
            if not inside:
                break
        elif inside and ":" in line:
            name, _, rest = line.partition(":")
            counts[name.strip()] = _count(rest, line)
    return counts


def _count(text: str, line: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expected a name and a number, got {line!r}") from None
