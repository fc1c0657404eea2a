"""JSON as shells write it: the plain way, repaired, or picked out by pattern. Pure.

Nothing is guessed that would change what is counted: fields that contradict each other outside the error text are
refused, and an exit code that cannot be read is none, not 0.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Final

import msgspec

from pushgateway_bridge.dialects.proxmoxve_payload import (
    COUNTED,
    IDENTITY,
    INTEGERS,
    SIZES,
    TEXTS,
    Payload,
    Sent,
    Unreadable,
    gather,
)


class NoObject(Exception):
    """The body is ``null``."""


class _Pairs(tuple[tuple[str, object], ...]):
    """The members of a JSON object, in their order, repeated ones too."""

    __slots__ = ()


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_typed: Final = msgspec.json.Decoder(Payload)
_plain: Final = json.JSONDecoder(object_pairs_hook=_Pairs, parse_constant=_refuse_constant)
_lenient: Final = json.JSONDecoder(object_pairs_hook=_Pairs, parse_constant=_refuse_constant, strict=False)
"""Takes raw control characters inside of texts."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SIZE_WITH_UNIT: Final = re.compile(
    rf'("(?:{"|".join(sorted(SIZES))})"\s*:\s*-?[0-9]+(?:\.[0-9]+)?)[A-Za-z]+', re.IGNORECASE
)
_EMPTY_NUMBER: Final = re.compile(rf'("(?:{"|".join(sorted(INTEGERS))})"\s*:)(?=\s*[,}}])', re.IGNORECASE)
_ESCAPE: Final = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))?')


def read(body: bytes, needed: frozenset[str] = IDENTITY) -> Sent:
    """What *body* says. Raises Unreadable, or NoObject for ``null``; looks only at the first value in it.

    Broken JSON is read only if the fields *needed* can be.
    """
    # What is there twice may be of a log whose quotes were not escaped.
    if body.count(b'"status"') < 2 and body.count(b'"exit_code"') < 2:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return Sent(_typed.decode(body))
    text = body.decode("utf-8", "replace")
    sent = _read_value(_plain, text)
    if sent is None:
        sent = _read_value(_lenient, _repair(text))
        sent = _pick(text, needed) if sent is None else sent._replace(rescued=True)
    return sent


def _read_value(decoder: json.JSONDecoder, text: str) -> Sent | None:
    """The first value in *text*, whatever follows it; ``None`` if it is no JSON. Raises as ``read``."""
    begin = _SPACE.match(text).end()  # type: ignore[union-attr]  # it matches nothing, at least
    try:
        value, end = decoder.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return None
    if value is None:
        raise NoObject
    if not isinstance(value, _Pairs):
        raise Unreadable("no object")
    if '"' in text[end:]:
        return None  # it seems to end in the middle of its error text: there are more fields behind it
    return gather(value)


def _repair(text: str) -> str:
    """*text* without units after sizes, with empty numbers as empty texts, and with legal escapes only."""
    text = _SIZE_WITH_UNIT.sub(r"\1", text)
    text = _EMPTY_NUMBER.sub(r'\1""', text)
    return _ESCAPE.sub(_legal_escape, text) if "\\" in text else text


def _legal_escape(match: re.Match[str]) -> str:
    if match[2]:
        return rf"\u00{match[2]}"
    return match[0] if match[1] else r"\\"


# The last resort: single fields by pattern, and the error text up to the quote that must be its end.

_ERROR: Final = re.compile(r'"error"\s*:\s*"', re.IGNORECASE)
_AFTER_ERROR: Final = (
    *("error_category", "install_duration", "duration", "cpu_vendor", "cpu_model", "gpu_vendor", "gpu_model"),
    *("gpu_passthrough", "ram_speed", "repo_source", "repo_slug", "payload_version", "failed_command"),
    *("failed_line", "has_arm", "arch", "platform", "kernel_version", "app_version"),
    *("random_id", "execution_id"),
)
"""What clients send behind the error text. Logs hold JSON too, but hardly these names."""


def _end_before(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf'"\s*,\s*"(?:{"|".join(names)})"\s*:', re.IGNORECASE)


_ENDS: Final = (
    _end_before(_AFTER_ERROR),
    _end_before(tuple(sorted(TEXTS | INTEGERS))),
    re.compile(r'"\s*\}\s*\Z'),
)
_FIELD: Final = re.compile(
    rf"""
    "({"|".join(sorted((TEXTS | INTEGERS | {"has_arm"}) - {"error"}))})" \s*:\s*
    (?: "((?:[^"\\]|\\.)*+)" | (-?[0-9]+(?:\.[0-9]+)?[A-Za-z]*+)(?=\s*[,}}\r\n]) | (true|false)\b )?
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_ESCAPED: Final = re.compile(r'\\(["\\/nrt])')
_UNESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t"}


def _pick(text: str, needed: frozenset[str]) -> Sent:
    """What single fields *text* has. Raises Unreadable if these are too few, or contradict each other."""
    fields: dict[str, object] = {}
    around, error = _cut_error(text)
    for match in _FIELD.finditer(around):
        field = match[1].lower()
        value = _value_of(match)
        if field not in fields:
            fields[field] = value
        elif field in COUNTED and fields[field] != value:
            raise Unreadable(field)
    if not all(fields.get(field) for field in needed):
        raise Unreadable("too little is left")
    if error is not None:
        fields["error"] = _unescape(error)
    sent = gather(fields.items())
    return sent._replace(
        rescued=True,
        exit_code_readable=sent.exit_code_readable and sent.payload.exit_code is not None,
    )


def _value_of(match: re.Match[str]) -> object:
    _, string, number, truth = match.groups()
    if string is not None:
        return _unescape(string)
    if truth is not None:
        return truth.lower() == "true"
    return number or ""  # gather reads what numbers are in texts


def _cut_error(text: str) -> tuple[str, str | None]:
    """*text* without its error, and the error; ``None`` if it has none."""
    begin = _ERROR.search(text)
    if begin is None:
        return text, None
    for end in _ENDS:
        if (found := end.search(text, begin.end())) is not None:
            return text[: begin.start()] + text[found.start() + 1 :], text[begin.end() : found.start()]
    return text[: begin.start()], text[begin.end() :]


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: _UNESCAPED.get(match[1], match[1]), text)
