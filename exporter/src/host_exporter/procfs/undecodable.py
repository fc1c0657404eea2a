"""Bytes that are not UTF-8, in what a device says of itself."""

from __future__ import annotations

import re

_UNDECODABLE = re.compile("[\udc80-\udcff]+")


def replace_undecodable(text: str) -> str:
    """*text*, with one replacement character for each run of bytes that were no UTF-8 (surrogate escapes)."""
    return text if text.isascii() else _UNDECODABLE.sub("\N{REPLACEMENT CHARACTER}", text)
