"""Decoders made for bodies that have the fields of one body, no more and no fewer: those of one version of an agent.

A decoder of all that an agent may send has to ask of each field whether it is there, and which type its number has.
This one does not: it is quicker, and whoever reads what it gives need not ask again. It refuses whatever differs,
which then must be read in the general way. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

MAX_NESTING: Final = 4
"""How deeply objects and lists stand in each other at most."""
MAX_FIELDS: Final = 256
MAX_NAME: Final = 64
MAX_LAYOUTS: Final = 256
"""Agents come in few versions. To make a decoder takes a millisecond, which no pusher may have us spend again and
again: beyond these, bodies are read in the general way."""
LARGEST_EXACT: Final = 2.0**53 - 1
"""Up to here a whole number is the same as a float, and no larger one becomes the same."""
MAX_TEXT: Final = 256
"""Longest text of a known agent, in characters: none has more than 1 024 bytes."""

_Number = Annotated[float, msgspec.Meta(ge=0, le=LARGEST_EXACT)]
_Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]

Kind = str | tuple[Any, ...]
"""``number``, ``text``, ``null``, the path of a given type, ``("list", kind)`` or ``("object", (name, kind), …)``."""
_TYPES: Final[dict[str, Any]] = {"number": _Number, "text": _Text, "null": None}


class _NoLayout(Exception):
    """A body is of no use as a pattern of others."""


class Layouts:
    """Makes the decoders of one dialect, each once."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        """*given* has the types of some fields where their values fit them, by path.

        ``cpu.load`` is a path, ``cpu.cores[]`` that of the items of a list.
        """
        self._types = {**_TYPES, **{f".{path}": type_ for path, type_ in given.items()}}
        self._decoders: dict[Kind, msgspec.json.Decoder[Any]] = {}
        self._last: msgspec.json.Decoder[Any] | None = None

    def decoder_of(self, body: bytes) -> msgspec.json.Decoder[Any] | None:
        """The decoder of bodies that are laid out like *body*, which is a JSON object; ``None`` if there is to be none.

        It makes structs of objects. All numbers are floats, all texts have at most MAX_TEXT characters.
        """
        if self._last is not None and _takes(self._last, body):
            return self._last  # most hosts send what the one before sent
        try:
            kind = self._kind("", msgspec.json.decode(body), MAX_NESTING)
        except _NoLayout:
            return None
        decoder = self._decoders.get(kind)
        if decoder is None:
            if len(self._decoders) >= MAX_LAYOUTS or _fields(kind) > MAX_FIELDS:
                return None
            decoder = self._decoders[kind] = msgspec.json.Decoder(self._type(kind))
        if not _takes(decoder, body):  # a number or a text is too long
            return None
        self._last = decoder
        return decoder

    def _kind(self, path: str, value: object, nesting: int) -> Kind:
        if value is None:
            return "null"
        if path in self._types and self._fits(value, path):
            return path
        if isinstance(value, str):
            return "text"
        if isinstance(value, int | float) and not isinstance(value, bool):
            return "number"
        if not nesting:
            raise _NoLayout
        if isinstance(value, list):
            kinds = {self._kind(f"{path}[]", item, nesting - 1) for item in value}
            if len(kinds) > 1:
                raise _NoLayout
            return ("list", *kinds)
        if isinstance(value, dict) and all(map(_is_name, value)):
            return (
                "object",
                *[(name, self._kind(f"{path}.{name}", field, nesting - 1)) for name, field in value.items()],
            )
        raise _NoLayout

    def _fits(self, value: object, path: str) -> bool:
        type_ = self._types[path]
        if type_ is msgspec.Raw:
            return True
        try:
            msgspec.convert(value, type_)
        except msgspec.ValidationError:
            return False
        return True

    def _type(self, kind: Kind) -> Any:
        if isinstance(kind, str):
            return self._types[kind]
        what, *parts = kind
        if what == "list":
            return list[self._type(parts[0])] if parts else _NOTHING  # type: ignore[misc]
        fields = [(name, self._type(field)) for name, field in parts]
        return msgspec.defstruct("Fields", fields, forbid_unknown_fields=True, gc=False)


_NOTHING: Final = Annotated[list[None], msgspec.Meta(max_length=0)]


def _takes(decoder: msgspec.json.Decoder[Any], body: bytes) -> bool:
    try:
        decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _fields(kind: Kind) -> int:
    """How many fields there are in it."""
    if isinstance(kind, str):
        return 1
    what, *parts = kind
    return sum([_fields(part) for part in parts] if what == "list" else [_fields(part) for _, part in parts])


def _is_name(name: str) -> bool:
    """Whether a field can be called so in a struct, and be no method of it."""
    return len(name) <= MAX_NAME and name.isascii() and name.isidentifier() and not name.startswith("_")
