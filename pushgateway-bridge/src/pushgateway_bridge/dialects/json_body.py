"""Reads a JSON body of any shape, within the nesting that every later step can walk."""

from __future__ import annotations

from typing import Final

import msgspec

from pushgateway_bridge.errors import MalformedBody

MAX_NESTING: Final = 32

_decoder = msgspec.json.Decoder()
_OPENING, _CLOSING, _QUOTE, _BACKSLASH = b"{[", b"}]", ord('"'), ord("\\")


def read_json(body: bytes) -> object:
    """The value in *body*. Raises MalformedBody if it is no JSON, no UTF-8, or nested deeper than 32."""
    # Only a body with that many brackets can be that deep, so nearly none is scanned byte by byte.
    if body.count(b"{") + body.count(b"[") > MAX_NESTING and _nesting(body) > MAX_NESTING:
        raise MalformedBody(f"the JSON is nested deeper than {MAX_NESTING}")
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise MalformedBody(str(error)) from error


def _nesting(body: bytes) -> int:
    """How deep brackets outside strings nest; stops counting at the first that is too deep."""
    depth = deepest = position = 0
    while position < len(body) and deepest <= MAX_NESTING:
        byte = body[position]
        if byte == _QUOTE:
            position = _end_of_string(body, position)
        elif byte in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif byte in _CLOSING:
            depth -= 1
        position += 1
    return deepest


def _end_of_string(body: bytes, start: int) -> int:
    """Where the string that opens at *start* closes, or the end of *body*."""
    position = start + 1
    while position < len(body) and body[position] != _QUOTE:
        position += 2 if body[position] == _BACKSLASH else 1
    return position
