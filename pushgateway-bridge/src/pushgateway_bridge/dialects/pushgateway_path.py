"""The grouping key in the path of a Pushgateway push: whose push it is, and which labels it decides.

https://github.com/prometheus/pushgateway#url
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from pushgateway_bridge.errors import MalformedBody
from pushgateway_bridge.model.labels import PushGroup, make_label_set, make_push_group

BASE64_SUFFIX: Final = "@base64"
_JOB_NAMES: Final = ("job", f"job{BASE64_SUFFIX}")
MAX_LABELS: Final = 40
MAX_VALUE_BYTES: Final = 1024
MAX_KEPT_PATH: Final = 1024
"""Longest path whose key is remembered."""

LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}", re.DOTALL)
_NO_BASE64: Final = re.compile(r"[^A-Za-z0-9_\-\r\n]")
_LINE_BREAKS: Final = str.maketrans("", "", "\r\n")


class GroupingKey(NamedTuple):
    """What a path says."""

    group: PushGroup
    names: frozenset[str]
    """Labels that the path decides, also those that it sets to nothing: pushed ones of these names are replaced."""


def parse_path(raw_path: str) -> GroupingKey:
    """The key in ``/metrics/job/<job>{/<label>/<value>}``, percent-encoded as it was sent. Raises MalformedBody.

    The same object for the same path, as far as they can be remembered.
    """
    return _remembered(raw_path) if len(raw_path) <= MAX_KEPT_PATH else _parse(raw_path)


def grouping_key(raw_path: str) -> PushGroup:
    """The push group that a path names. Raises MalformedBody."""
    return parse_path(raw_path).group


def _parse(raw_path: str) -> GroupingKey:
    segments = unescaped_segments(raw_path)
    if len(segments) < 4 or segments[:2] != ["", "metrics"] or segments[2] not in _JOB_NAMES:
        raise MalformedBody("expected a path /metrics/job/<job>{/<label>/<value>}")
    job = segments[3] if segments[2] == "job" else _decode_job(segments[3])
    labels = _read_labels(segments[4:])
    if not job:
        raise MalformedBody("job name is required")
    labels["job"] = job
    if len(labels) > MAX_LABELS:
        raise MalformedBody(f"more than {MAX_LABELS} labels in the grouping key")
    for name, value in labels.items():
        check_value(name, value)
    others = {name: value for name, value in labels.items() if name not in ("job", "instance")}
    group = make_push_group(job, labels.get("instance", ""), make_label_set(others))
    return GroupingKey(group, frozenset(labels))


_remembered = lru_cache(maxsize=32_768)(_parse)


def unescaped_segments(raw_path: str) -> list[str]:
    """What stands before, between and behind the slashes of a path. Raises MalformedBody.

    Each is decoded by itself, so that an encoded slash is part of a value.
    """
    bad = _BAD_ESCAPE.search(raw_path)
    if bad:
        raise MalformedBody(f"invalid URL escape {quoted(bad[0])}")
    return [_decode(segment) for segment in raw_path.split("/")]


def _decode(segment: str) -> str:
    # What is no UTF-8 goes on as surrogates, which check_value refuses.
    return unquote_to_bytes(segment).decode("utf-8", "surrogateescape") if "%" in segment else segment


def _read_labels(segments: list[str]) -> dict[str, str]:
    """Names and values in turn; a repeated name has its last value, and one slash may end the path."""
    if segments == [""]:
        return {}
    if len(segments) % 2:
        raise MalformedBody(f"odd number of components in label string {quoted('/' + '/'.join(segments))}")
    labels: dict[str, str] = {}
    for name, text in zip(segments[::2], segments[1::2], strict=True):
        trimmed = name.removesuffix(BASE64_SUFFIX)
        if not LABEL_NAME.fullmatch(trimmed) or trimmed.startswith("__"):
            raise MalformedBody(f"improper label name {quoted(trimmed)}")
        value, error = (text, "") if trimmed == name else _decode_base64(text)
        if error:
            raise MalformedBody(f"invalid base64 encoding for label {trimmed}={quoted(text)}: {error}")
        labels[trimmed] = value
    return labels


def _decode_job(text: str) -> str:
    job, error = _decode_base64(text)
    if error:
        raise MalformedBody(f"invalid base64 encoding in job name {quoted(job)}: {error}")
    return job


def _decode_base64(text: str) -> tuple[str, str]:
    """What *text* encodes, and what is wrong with it.

    The alphabet for URLs and file names, with any number of trailing ``=``, line breaks ignored: as Go's decoder
    has it, https://pkg.go.dev/encoding/base64
    """
    text = text.rstrip("=")
    bad = _NO_BASE64.search(text)
    digits = text.translate(_LINE_BREAKS)
    at = bad.start() if bad else len(text) - 1 if len(digits) % 4 == 1 else -1
    if at >= 0:
        whole = text[:at].translate(_LINE_BREAKS)
        return _decode_digits(whole[: len(whole) // 4 * 4]), f"illegal base64 data at input byte {at}"
    return _decode_digits(digits), ""


def _decode_digits(digits: str) -> str:
    padded = digits + "=" * (-len(digits) % 4)
    return base64.urlsafe_b64decode(padded).decode("utf-8", "surrogateescape")


def check_value(name: str, value: str) -> None:
    """Raises MalformedBody for a label whose value is no UTF-8, or which is too long."""
    if len(name) > MAX_VALUE_BYTES:
        raise MalformedBody(f"the label name {quoted(name)} is longer than {MAX_VALUE_BYTES} bytes")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise MalformedBody(f"the value of label {quoted(name)} is no UTF-8") from None
    if size > MAX_VALUE_BYTES:
        raise MalformedBody(f"the value of label {quoted(name)} is longer than {MAX_VALUE_BYTES} bytes")


_GO_ESCAPES: Final = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
}
MAX_QUOTED: Final = 60


def quoted(text: str) -> str:
    """*text* in quotation marks as Go prints it, cut if it is long."""
    shown = text[:MAX_QUOTED]
    characters = []
    for character in shown:
        code = ord(character)
        if character in '"\\':
            characters.append(f"\\{character}")
        elif character.isprintable():
            characters.append(character)
        elif 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
            characters.append(f"\\x{code - 0xDC00:02x}")
        elif code < 0x80:
            characters.append(_GO_ESCAPES.get(character, f"\\x{code:02x}"))
        else:
            characters.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return f'"{"".join(characters)}"' + ("…" if len(text) > MAX_QUOTED else "")
