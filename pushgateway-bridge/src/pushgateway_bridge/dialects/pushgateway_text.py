"""Reads the text format 0.0.4 as Pushgateway's parser does, with its words for what is wrong.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import math
import re
from typing import Final

from pushgateway_bridge.dialects.pushgateway_outline import (
    MAX_SAMPLES,
    METRIC_NAME,
    TYPES,
    ReadFamily,
    ReadMetric,
    check_label_count,
    check_label_name,
    check_name,
    timestamps,
)
from pushgateway_bridge.dialects.pushgateway_path import LABEL_NAME, check_value, quoted
from pushgateway_bridge.errors import MalformedBody

_BLANKS: Final = re.compile(r"[ \t]*")
_TOKEN: Final = re.compile(r"[^ \t]*")
_QUOTED: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)("?)')
_ESCAPE: Final = re.compile(r"\\(.?)", re.DOTALL)
_ESCAPED: Final = {"\\": "\\", "n": "\n", '"': '"'}
_FLOAT: Final = re.compile(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?inf(?:inity)?|nan", re.ASCII | re.IGNORECASE
)
MAX_DIGITS: Final = 1024
MAX_LINE: Final = 131_072
"""Longest line of a sample, in characters."""
MAX_LINES: Final = 100_000
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)

_SAMPLE: Final = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*"(?:,|(?=\})))*)\})? +([^ \t]+)',
    re.ASCII,
)
"""A sample as nearly all are written: no escapes, no blanks but before the value, no time."""
_PAIR: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="([^"]*)"', re.ASCII)

_SUMMARY_LINES: Final = ("_count", "_sum")
_HISTOGRAM_LINES: Final = ("_count", "_sum", "_bucket")


class _BadLine(Exception):
    """What is wrong with a line."""


def read_text(text: str, max_samples: int = MAX_SAMPLES) -> tuple[list[ReadFamily], list[float]]:
    """The families in *text*, and the value of each sample in order. Raises MalformedBody.

    A line must end with a line feed: what follows the last one may be the beginning of something longer.
    """
    if text.count("\n") > MAX_LINES:
        raise MalformedBody(f"more than {MAX_LINES} lines in one push")
    reader = _Reader(max_samples)
    *lines, rest = text.split("\n")
    number = 1
    try:
        for line in lines:
            reader.read(line)
            number += 1
        if rest.strip(" \t"):
            raise _BadLine("unexpected end of input stream")
    except (_BadLine, MalformedBody) as error:
        raise MalformedBody(f"text format parsing error in line {number}: {error}") from error
    if reader.timed:
        raise timestamps(reader.families.values())
    return list(reader.families.values()), reader.values


class _Reader:
    """Families so far, by name; lines change them in order."""

    def __init__(self, max_samples: int) -> None:
        self._max_samples = max_samples
        self.families: dict[str, ReadFamily] = {}
        self.values: list[float] = []
        self.timed = False
        self._metrics: dict[tuple[str, frozenset[tuple[str, str]]], ReadMetric] = {}
        """Of histograms and summaries, whose lines stand for one metric together."""

    def read(self, line: str) -> None:
        """Raises _BadLine or MalformedBody."""
        usual = _SAMPLE.fullmatch(line) if len(line) <= MAX_LINE else None
        if usual is not None:
            name, labels, value = usual.groups()
            self._sample(name, _PAIR.findall(labels) if labels else (), value)
            return
        line = line.lstrip(" \t")
        if line.startswith("#"):
            self._comment(line[1:].lstrip(" \t"))
        elif len(line) > MAX_LINE:
            raise _BadLine(f"longer than {MAX_LINE} characters")
        elif line:
            self._unusual_sample(line)

    def _comment(self, comment: str) -> None:
        keyword = _token(comment, 0)
        rest = comment[len(keyword) :].lstrip(" \t")
        if keyword not in ("HELP", "TYPE") or not rest:
            return
        if rest.startswith('"'):
            name, at = _quoted_text(rest, 0, "metric name")
            check_name(name)
        else:
            match = METRIC_NAME.match(rest)
            name, at = (match[0], match.end()) if match else ("", 0)
        if not name or rest[at : at + 1] not in ("", " ", "\t"):
            raise _BadLine("invalid metric name in comment")
        if at == len(rest):
            return
        family, _ = self._family(name)
        text = rest[at:].lstrip(" \t")
        if not text:
            return
        if keyword == "HELP":
            if family.help is not None:
                raise _BadLine(f"second HELP line for metric name {quoted(family.name)}")
            family.help = _unescaped(text)
        else:
            if family.type is not None:
                raise _BadLine(
                    f"second TYPE line for metric name {quoted(family.name)}, or TYPE reported after samples"
                )
            family.type = TYPES.get(text.upper())
            if family.type is None:
                raise _BadLine(f"unknown metric type {quoted(text)}")

    def _family(self, name: str) -> tuple[ReadFamily, str]:
        """The family that a line or comment of this name belongs to, and what the name has beyond the family's."""
        family = self.families.get(name)
        if family is not None:
            return family, ""
        for type_, suffixes in (("summary", _SUMMARY_LINES), ("histogram", _HISTOGRAM_LINES)):
            for suffix in suffixes:
                # A name that is nothing but the suffix is a name of its own.
                family = self.families.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
                if family is not None and family.type == type_:
                    return family, suffix
        family = self.families[name] = ReadFamily(name)
        return family, ""

    def _unusual_sample(self, line: str) -> None:
        """A sample with blanks, escapes, quoted names or a time; or what is none."""
        name, at = "", 0
        if line.startswith('"'):
            name, at = _quoted_text(line, 0, "metric name")
            check_name(name)
        elif not line.startswith("{"):
            match = METRIC_NAME.match(line)
            if match is None:
                raise _BadLine("invalid metric name")
            name, at = match[0], match.end()
        at = _skip_blanks(line, at)
        labels: list[tuple[str, str]] = []
        if line[at : at + 1] == "{":
            name, labels, at = _read_labels(line, at + 1, name)
        if not name:
            raise _BadLine("invalid metric name")
        value = _token(line, at)
        rest = line[at + len(value) :]
        self._sample(name, labels, value)
        if rest:
            self._timestamp(rest.lstrip(" \t"))

    def _timestamp(self, rest: str) -> None:
        time = _token(rest, 0)
        if not _INTEGER.fullmatch(time) or not -(2**63) <= int(time) < 2**63:
            raise _BadLine(f"expected integer as timestamp, got {quoted(time)}")
        if rest[len(time) :]:
            raise _BadLine(f"spurious string after timestamp: {quoted(rest[len(time) :])}")
        self.timed = True

    def _sample(self, name: str, pairs: list[tuple[str, str]] | tuple[()], text: str) -> None:
        family, suffix = self._family(name)
        if family.type is None:
            family.type = "unknown"
        if len(self.values) >= self._max_samples:
            raise _BadLine(f"more than {self._max_samples} samples in one push")
        bound_label = {"histogram": "le", "summary": "quantile"}.get(family.type, "")
        bound = math.nan
        labels: dict[str, str] = {}
        for label, label_value in pairs:
            if label == "__name__":
                raise _BadLine('label name "__name__" is reserved')
            if label == bound_label:
                bound = _bound(label, label_value)
                continue
            if label in labels:
                raise _BadLine(f"duplicate label names for metric {quoted(family.name)}")
            labels[label] = label_value
            check_value(label, label_value)
        check_label_count(family.name, labels)
        value = read_float(text)
        place = len(self.values)
        self.values.append(value)
        if not bound_label:
            metric = ReadMetric(labels)
            metric.value = place
            family.metrics.append(metric)
            return
        key = (family.name, frozenset(labels.items()))
        known = self._metrics.get(key)
        if known is None:
            known = self._metrics[key] = ReadMetric(labels)
            family.metrics.append(known)
        if suffix == "_sum":
            known.sum = place
        elif suffix == "_count":
            if value < 0:
                raise _BadLine(f"negative count for {family.type} {quoted(family.name)}")
            known.count = place
        elif not math.isnan(bound):
            if value < 0 and family.type == "histogram":
                raise _BadLine(f"negative bucket population for histogram {quoted(family.name)}")
            known.bounds.append((bound, place))


def _read_labels(line: str, at: int, name: str) -> tuple[str, list[tuple[str, str]], int]:
    """Labels from behind the opening brace on, with the metric's name if it stands among them; and where they end."""
    labels: list[tuple[str, str]] = []
    while True:
        at = _skip_blanks(line, at)
        if line[at : at + 1] == "}":
            return name, labels, _skip_blanks(line, at + 1)
        was_quoted = line[at : at + 1] == '"'
        if was_quoted:
            label, at = _quoted_text(line, at, "label name")
        else:
            match = LABEL_NAME.match(line, at)
            label, at = (match[0], match.end()) if match else ("", at)
        if not label:
            raise _BadLine(f"invalid label name for metric {quoted(name)}" if name else "invalid metric name")
        at = _skip_blanks(line, at)
        following = line[at : at + 1]
        if following != "=":
            if not was_quoted or following not in (",", "}"):
                raise _BadLine(f"expected '=' after label name, found {_character(following)}")
            if name:
                raise _BadLine(f"multiple metric names for metric {quoted(name)}")
            check_name(label)
            name = label
        else:
            check_label_name(label)
            at = _skip_blanks(line, at + 1)
            if line[at : at + 1] != '"':
                raise _BadLine(
                    f"expected '\"' at start of label value, found {_character(line[at : at + 1])}"
                )
            value, at = _quoted_text(line, at, "label value")
            labels.append((label, value))
            at = _skip_blanks(line, at)
            if line[at : at + 1] not in (",", "}"):
                raise _BadLine(f"unexpected end of label value {quoted(value)}")
        if line[at : at + 1] == ",":
            at += 1


def _quoted_text(line: str, at: int, what: str) -> tuple[str, int]:
    """The text in quotation marks at *at*, and where it ends."""
    match = _QUOTED.match(line, at)
    assert match is not None, "called at a quotation mark"
    text = _unescaped(match[1])
    if not match[2]:
        raise _BadLine(f"{what} {quoted(text)} contains unescaped new-line")
    return text, match.end()


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    character = _ESCAPED.get(match[1])
    if character is None:
        raise _BadLine(f"invalid escape sequence '\\{match[1] or chr(10)}'")
    return character


def _bound(label: str, text: str) -> float:
    try:
        return read_float(text)
    except _BadLine:
        raise _BadLine(f"expected float as value for '{label}' label, got {quoted(text)}") from None


def read_float(text: str) -> float:
    """Raises _BadLine for what is no number in this format, and for one that no float can hold."""
    if len(text) <= MAX_DIGITS and _FLOAT.fullmatch(text):
        value = float(text)
        if math.isfinite(value) or text[-1] not in "0123456789.":
            return value
    raise _BadLine(f"expected float as value, got {quoted(text)}")


def _token(line: str, at: int) -> str:
    match = _TOKEN.match(line, at)
    assert match is not None, "matches the empty text"
    return match[0]


def _skip_blanks(line: str, at: int) -> int:
    match = _BLANKS.match(line, at)
    assert match is not None, "matches the empty text"
    return match.end()


def _character(character: str) -> str:
    return "'\"'" if character == '"' else f"'{quoted(character or chr(10))[1:-1]}'"
