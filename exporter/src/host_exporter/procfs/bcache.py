"""Files below ``/sys/fs/bcache``: https://docs.kernel.org/admin-guide/bcache.html."""

from __future__ import annotations

from collections.abc import Collection

_UNITS = {unit: 1024.0 ** (power + 1) for power, unit in enumerate("kMGTPEZY")}


def parse_size(text: str) -> int:
    """A number as the kernel writes it for people: ``1.5k`` or ``-23.7M``, or just digits. Raises ValueError.

    The kernel's fraction counts 1024ths, divided by 100 and cut: ``.10`` is more than ``.9``.
    """
    digits = text.strip()
    negative = digits.startswith("-")
    digits = digits.removeprefix("-")
    try:
        if digits[-1:] in _UNITS:
            whole, dot, fraction = digits[:-1].partition(".")
            size = (float(whole) + (float(fraction) / 10.24 if dot else 0.0)) * _UNITS[digits[-1]]
        else:
            size = float(digits)
    except ValueError:
        raise ValueError(f"expected a number such as 12 or 1.5k, got {text!r}") from None
    return -int(size) if negative else int(size)


def parse_fields(text: str, wanted: Collection[str]) -> dict[str, int]:
    """The numbers of the lines ``NAME: NUMBER`` that are *wanted*; a rate or a percentage counts as its number.

    Raises ValueError if one is no number.
    """
    numbers = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name in wanted:
            try:
                numbers[name] = parse_size(rest.strip().removesuffix("/sec").removesuffix("%"))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    return numbers
