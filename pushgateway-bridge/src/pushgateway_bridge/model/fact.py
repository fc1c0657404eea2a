"""What a dialect's tally remembers beyond its series."""

from __future__ import annotations

from typing import NamedTuple


class Fact(NamedTuple):
    """One thing, by *kind* and *key*."""

    kind: str
    key: bytes
    body: bytes | None
    """``None`` if it is to be forgotten."""
