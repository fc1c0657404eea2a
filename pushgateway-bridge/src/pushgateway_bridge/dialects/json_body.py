"""Reads a JSON body of any shape, within the nesting that every later step can walk."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pushgateway_bridge.errors import MalformedBody

MAX_NESTING: Final = 32

_decoder = msgspec.json.Decoder()
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_OPENING: Final = b"{["
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))


def read_json(body: bytes, max_nesting: int = MAX_NESTING) -> object:
    """The value in *body*. Raises MalformedBody if it is no JSON, no UTF-8, or nested deeper than *max_nesting*."""
    # Only a body with that many brackets can be that deep, so nearly none is looked through.
    if body.count(b"{") + body.count(b"[") > max_nesting and _too_deep(body, max_nesting):
        raise MalformedBody(f"the JSON is nested deeper than {max_nesting}")
    try:
        return _decoder.decode(body)
    except UnicodeDecodeError as error:
        raise MalformedBody(f"the JSON is no UTF-8: {error.reason}") from error
    except msgspec.DecodeError as error:
        raise MalformedBody(str(error)) from error


def _too_deep(body: bytes, max_nesting: int) -> bool:
    """Whether brackets outside strings nest deeper than *max_nesting*."""
    depth = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in _OPENING else -1
        if depth > max_nesting:
            return True
    return False
