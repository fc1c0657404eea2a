"""Blanks out what tells where somebody is: network addresses, e-mail addresses, MACs."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "[masked]"

_ADDRESS: Final = re.compile(
    r"""
      [A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+          # e-mail
    | (?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Za-z:])   # MAC
    | (?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.]*[0-9])     # IPv4
    | (?<![0-9A-Za-z:])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![0-9A-Za-z:])   # IPv6, whole
    | (?<![0-9A-Za-z:])(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?::
      (?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?(?![0-9A-Za-z:])             # IPv6, shortened
    """,
    re.VERBOSE,
)


def mask_text(text: str) -> str:
    """*text* with each IPv4, IPv6, MAC and e-mail address replaced by ``[masked]``."""
    # Most texts are short words: an address needs a dot between digits, a colon or an at sign.
    if "." not in text and ":" not in text and "@" not in text and "-" not in text:
        return text
    return _ADDRESS.sub(MASK, text)


def mask_addresses(value: object) -> object:
    """A JSON value with mask_text applied to every string in it, keys included."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {mask_text(str(key)): mask_addresses(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_addresses(item) for item in value]
    return value
