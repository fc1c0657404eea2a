"""The body of a samples push → its items: a JSON array, one JSON object, or one object on each line. Pure.

What is usual is decoded in one go. Where that fails it is done item by item, so that only broken ones are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from pushgateway_bridge.errors import ItemLimit, MalformedBody
from pushgateway_bridge.model.report import Rejection

LINES: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
"""Media types with one item on each line."""
JSON: Final = "application/json"
EITHER: Final = frozenset({"", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"})
"""Media types that say nothing of the body, which is looked at then. curl sends a form's unless told otherwise."""
MAX_MESSAGE_CHARACTERS: Final = 200
MAX_COMMAS_PER_ITEM: Final = 64
"""On average, where a body is looked at item by item: a broken one must not keep others waiting for seconds."""

_NO_LABELS: Final = msgspec.Raw(b"{}")


class Item(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One item as it is sent. Optional fields may be null."""

    name: str
    value: float | str
    labels: msgspec.Raw = _NO_LABELS
    """Not looked into here: most pushers send the same bytes at every push."""
    timestamp: float | str | None = None
    type: str | None = None
    help: str | None = None
    unit: str | None = None
    time_to_live_seconds: float | str | None = None


class ItemRefused(Exception):
    """One item cannot be taken. ``str(error)`` is what the pusher is told, *reason* is few, fixed, snake_case."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(shortened(message, MAX_MESSAGE_CHARACTERS))
        self.reason = reason


def shortened(text: str, characters: int) -> str:
    """*text*, cut if it is longer than *characters*."""
    return text if len(text) <= characters else f"{text[:characters]}…"


_array_decoder = msgspec.json.Decoder(list[Item] | Item)
_item_decoder = msgspec.json.Decoder(Item)
# It only finds where each item ends. Its int has no limit of digits, so that such an item is refused alone.
_scanner = json.JSONDecoder(parse_int=float)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_LINE: Final = re.compile(rb"[^ \t\r\n][^\n]*")
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_BYTES_AS_THEY_ARE: Final = "surrogateescape"


def read_items(
    body: bytes, content_type: str, max_items: int
) -> tuple[Iterable[tuple[int, Item]], list[Rejection]]:
    """The items of *body* with their indexes, and those that are none.

    Raises MalformedBody if no item can be told from the next, ItemLimit if there are more than *max_items*.
    """
    lines = _has_lines(body, content_type)
    # An item has one object in it: with more of them than this they are counted before all are decoded.
    if body.count(b"{") <= 2 * max_items:
        try:
            items = _item_decoder.decode_lines(body) if lines else _array_decoder.decode(body)
        except _UNREADABLE:
            pass
        else:
            if isinstance(items, Item):
                items = [items]
            _check_count(len(items), max_items)
            return enumerate(items), []
    if body.count(b",") > MAX_COMMAS_PER_ITEM * max_items:
        raise MalformedBody(f"the body has more commas than {max_items} items have")
    return _read_one_by_one(_line_pieces(body) if lines else _array_pieces(_text(body)), max_items)


def _has_lines(body: bytes, content_type: str) -> bool:
    """Whether each line is an item."""
    if content_type == JSON:
        return False
    if content_type in LINES:
        return True
    if content_type in EITHER:
        return not body.lstrip().startswith(b"[")
    kind = shortened(repr(content_type), MAX_MESSAGE_CHARACTERS)
    raise MalformedBody(f"expected Content-Type {JSON} or application/x-ndjson, got {kind}")


def _check_count(count: int, max_items: int) -> None:
    if not count:
        raise MalformedBody("expected at least one item, got none")
    if count > max_items:
        raise ItemLimit(f"expected at most {max_items} items in a push, got more")


def _read_one_by_one(
    pieces: Iterator[bytes], max_items: int
) -> tuple[Iterable[tuple[int, Item]], list[Rejection]]:
    items: list[tuple[int, Item]] = []
    rejected: list[Rejection] = []
    try:
        found = list(islice(pieces, max_items + 1))
    except json.JSONDecodeError as error:
        raise MalformedBody(f"the JSON is malformed at character {error.pos}: {error.msg}") from error
    except RecursionError as error:
        raise MalformedBody("the JSON is nested too deeply") from error
    _check_count(len(found), max_items)
    for index, piece in enumerate(found):
        try:
            items.append((index, _item_decoder.decode(piece)))
        except _UNREADABLE as error:
            message = shortened(str(error), MAX_MESSAGE_CHARACTERS)
            rejected.append(Rejection(index, "malformed_item", message))
    return items, rejected


def _array_pieces(text: str) -> Iterator[bytes]:
    """What stands between the commas of an array, which is not empty, or the one object that *text* is.

    Raises JSONDecodeError.
    """
    at = _skip_space(text, 0)
    opening = text[at : at + 1]
    if opening == "{":
        end = _scanner.raw_decode(text, at)[1]
        _expect_end(text, end)
        yield _bytes(text[at:end])
        return
    if opening != "[":
        if not opening:
            raise MalformedBody("expected at least one item, got an empty body")
        raise MalformedBody(f"expected an array of items or one item, got {_bytes(text[at : at + 20])!r}")
    at = _skip_space(text, at + 1)
    while True:
        end = _scanner.raw_decode(text, at)[1]
        yield _bytes(text[at:end])
        at = _skip_space(text, end)
        delimiter = text[at : at + 1]
        if delimiter == "]":
            _expect_end(text, at + 1)
            return
        if delimiter != ",":
            raise json.JSONDecodeError("expected a comma or a closing bracket", text, at)
        at = _skip_space(text, at + 1)


def _line_pieces(body: bytes) -> Iterator[bytes]:
    """The lines of *body* that are not blank; all of it where it is one value on several lines."""
    text = _text(body)
    start = _skip_space(text, 0)
    try:
        end = _scanner.raw_decode(text, start)[1]
    except (json.JSONDecodeError, RecursionError):
        end = -1
    if end >= 0 and _skip_space(text, end) == len(text):
        return iter((_bytes(text[start:end]),))
    return (match[0] for match in _LINE.finditer(body))


def _expect_end(text: str, at: int) -> None:
    at = _skip_space(text, at)
    if at < len(text):
        raise json.JSONDecodeError(
            "expected the end; items on lines of their own are application/x-ndjson", text, at
        )


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _text(body: bytes) -> str:
    """*body* with bytes that are no UTF-8 kept, so that only the item is refused that they stand in."""
    return body.decode(errors=_BYTES_AS_THEY_ARE)


def _bytes(text: str) -> bytes:
    return text.encode(errors=_BYTES_AS_THEY_ARE)
