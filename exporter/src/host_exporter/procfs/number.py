"""Files that hold one number."""

from __future__ import annotations


def parse_number(text: str, name: str, base: int = 10) -> int:
    """The whole number that *text* is, blanks around it aside; with *base* 0 also as ``0x1f``.

    Raises ValueError that names the file *name*.
    """
    try:
        return int(text, base)
    except ValueError as error:
        raise ValueError(f"expected a number in {name}, got {text!r}") from error
