"""Blanks out what tells where or who somebody is: network addresses, e-mail addresses, MACs, home folders.

Bodies come from anybody, so each pattern reads a text once: none starts again inside what it has already tried.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

MASK: Final = "[masked]"

_EMAIL: Final = re.compile(r"(?<![\w.%+-])[\w.%+-]++@[\w-]++(?:\.[\w-]++)++")
_DOTTED_OR_DASHED: Final = re.compile(
    r"""
      (?<![0-9])(?<![0-9]\.)(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\.?[0-9])                    # IPv4
    | (?<![0-9A-Za-z-])(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}(?![0-9A-Za-z-])              # MAC
    """,
    re.VERBOSE,
)
# Where only one of the two can be, a pattern that begins with its digit is several times as fast.
_DOTTED: Final = re.compile(r"[0-9](?<![0-9][0-9])(?<![0-9]\.[0-9])[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?!\.?[0-9])")
_WORD_WITH_COLONS: Final = re.compile(r"[\w:.]+")
_NAME_BEFORE: Final = re.compile(r"(?:[0-9A-Fa-f]*+[^0-9A-Fa-f:][^:]*+:)*+")
"""What stands before an address and is none: ``addr:`` in ``addr:fe80::1``."""
_MAC: Final = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_LONGEST_IPV6: Final = len("0000:0000:0000:0000:0000:ffff:255.255.255.255")
_HOME: Final = re.compile(
    r"""
      (?<![\w.-])(?:/var)?/(?:home|Users)/[^\s/\\"'`:;,|<>()\[\]{}]++                # of somebody on Linux, on macOS
    | (?<![\w.-])/root(?![\w-]|\.\w)
    | (?<![A-Za-z])[A-Za-z]:[\\/]{1,2}Users[\\/]{1,2}(?:[^\\/:*?"<>|\r\n]++(?=[\\/])|[^\s\\/:*?"<>|,;]++)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def mask_text(text: str) -> str:
    """*text* with each IPv4, IPv6, MAC and e-mail address replaced by ``[masked]``.

    Two words without a digit around ``::`` stay, as in ``std::vector`` or ``dead::beef``: names in code look so.
    """
    # Most texts are short words: an address has a dot, two colons, an at sign or dashes.
    if "@" in text:
        text = _EMAIL.sub(MASK, text)
    if text.count(":") > 1:
        text = _WORD_WITH_COLONS.sub(_mask_word, text)
    if text.count("-") > 4:
        text = _DOTTED_OR_DASHED.sub(MASK, text)
    elif text.count(".") > 2:
        text = _DOTTED.sub(MASK, text)
    return text


def mask_paths(text: str) -> str:
    r"""*text* with each home folder replaced by ``[masked]``: ``/home/<name>``, ``/root``, ``/Users/<name>``,
    ``C:\Users\<name>``. What stands below it stays.
    """
    lowered = text.lower()
    if "/root" in lowered or "/home/" in lowered or "users" in lowered:
        return _HOME.sub(MASK, text)
    return text


def _mask_word(match: re.Match[str]) -> str:
    word = match[0]
    if word.count(":") < 2:
        return word
    start = _NAME_BEFORE.match(word).end()  # type: ignore[union-attr]  # it matches nothing, at least
    end = len(word.rstrip("."))
    for stop in (end, end - 1 if word[:end].endswith(":") else end):
        if _is_address(word[start:stop]):
            return f"{word[:start]}{MASK}{word[stop:]}"
    return word


def _is_address(text: str) -> bool:
    if len(text) > _LONGEST_IPV6:
        return False
    if _MAC.fullmatch(text):
        return True
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    groups = [group for group in text.split(":") if group]
    return len(groups) > 2 or any(character.isdigit() for character in text)


def mask_addresses(value: object) -> object:
    """A JSON value with mask_text applied to every string in it, keys included."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {mask_text(str(key)): mask_addresses(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_addresses(item) for item in value]
    return value
