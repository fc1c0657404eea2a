"""An example body → a mapping to begin with. Pure. What a value means is guessed from its name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pushgateway_bridge.mappings.units import UNITS

MAX_METRICS: Final = 200
MAX_LABEL_CHARACTERS: Final = 40
MAX_DEPTH: Final = 12

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_MEMBER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_ISO_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}")
_TIMES: Final = frozenset(
    {"ts", "time", "timestamp", "date", "datetime", "when", "at", "created", "sent", "measured"}
)
_INSTANCES: Final = (
    "instance",
    "hostname",
    "host",
    "device",
    "node",
    "machine",
    "sensor",
    "station",
    "server",
    "name",
)
_KEYS: Final = frozenset(
    {"id", "uuid", "guid", "key", "token", "session", "user", "email", "ip", "address", "mac"}
)
"""Names of what tells one push or person from another: no label."""
_UNIT_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("ms", "millis", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "micros", "microseconds"), "us"),
    **dict.fromkeys(("s", "sec", "secs", "seconds"), "s"),
    **dict.fromkeys(("minutes", "mins"), "min"),
    **dict.fromkeys(("percent", "pct", "percentage"), "percent"),
    **dict.fromkeys(("bytes",), "bytes"),
    **dict.fromkeys(("kib",), "KiB"),
    **dict.fromkeys(("mib",), "MiB"),
    **dict.fromkeys(("gib",), "GiB"),
    **dict.fromkeys(("kb",), "kB"),
    **dict.fromkeys(("mb",), "MB"),
    **dict.fromkeys(("gb",), "GB"),
    **dict.fromkeys(("celsius",), "celsius"),
    **dict.fromkeys(("fahrenheit",), "F"),
    **dict.fromkeys(("mhz",), "MHz"),
    **dict.fromkeys(("ghz",), "GHz"),
    **dict.fromkeys(("kwh",), "kWh"),
    **dict.fromkeys(("watts",), "W"),
    **dict.fromkeys(("volts",), "V"),
}
"""The last word of a name → the unit that it means."""
_GROWING: Final = frozenset({"total", "count", "counter", "requests", "errors", "hits", "sent", "received"})


class NothingToMeasure(Exception):
    """The body has no number."""


class _Metric(NamedTuple):
    words: tuple[str, ...]
    path: str
    many: bool
    """Whether the path matches several values."""
    comment: str = ""


class _Guess:
    """What was found so far."""

    def __init__(self) -> None:
        self.metrics: list[_Metric] = []
        self.instances: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.time = ""
        self.left_out: list[str] = []


def suggest(document: object, name: str) -> str:
    """A mapping file for bodies like *document*, whose metrics' names begin with *name*. Raises NothingToMeasure."""
    items = _items(document)
    guess = _Guess()
    if items is None:
        _look(document, "$", (), guess, many=False)
    else:
        member, first = items
        if isinstance(document, dict):  # labels and identity of all items
            beside = {key: value for key, value in document.items() if key != member}
            _look(beside, "$", (), guess, many=False)
        _look(first, "@", (), guess, many=False)
    if not guess.metrics:
        raise NothingToMeasure("no number was found that could be a metric")
    return "\n".join(_lines(guess, name, items))


def _items(document: object) -> tuple[str, object] | None:
    """The member that holds the items (empty: the body itself), and the first of them; ``None`` if there are none.

    Where numbers stand beside a list, its elements are no items: each number would be one of every item.
    """
    if isinstance(document, list) and document and isinstance(document[0], dict):
        return "", document[0]
    if not isinstance(document, dict):
        return None
    lists = [
        (key, value)
        for key, value in document.items()
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
    ]
    if len(lists) != 1 or not str(lists[0][0]).isprintable():
        return None
    key, value = lists[0]
    beside = _Guess()
    _look({name: member for name, member in document.items() if name != key}, "$", (), beside, many=False)
    return None if beside.metrics else (str(key), value[0])


def _look(value: object, path: str, words: tuple[str, ...], guess: _Guess, *, many: bool) -> None:
    """Add what *value* at *path* may mean to *guess*."""
    if path.count(".") + path.count("[") > MAX_DEPTH or len(guess.metrics) >= MAX_METRICS:
        guess.left_out.append(f"{path}: too deep, or one too many")
    elif isinstance(value, dict):
        for key, member in value.items():
            if str(key).isprintable():
                _look(member, path + _step(str(key)), (*words, *_words(str(key))), guess, many=many)
            else:
                guess.left_out.append(f"{path}: a name that cannot be written")
    elif isinstance(value, list):
        if value:
            _look(value[0], f"{path}[*]", words, guess, many=True)
    elif isinstance(value, str):
        _look_at_text(value, path, words, guess, many=many)
    elif value is not None:
        last = words[-1] if words else ""
        if last in _TIMES and not isinstance(value, bool) and not many:
            guess.time = guess.time or path
        elif last in _KEYS:
            guess.left_out.append(f"{path}: looks like an id")
        else:
            grows = last in _GROWING and not isinstance(value, bool)
            comment = "if it only grows: operation: total, and a name that ends in _total" if grows else ""
            guess.metrics.append(_Metric(words, path, many, comment))


def _look_at_text(text: str, path: str, words: tuple[str, ...], guess: _Guess, *, many: bool) -> None:
    last = words[-1] if words else ""
    if many:
        guess.left_out.append(f"{path}: a text in a list")
    elif last in _TIMES or _ISO_TIME.match(text):
        guess.time = guess.time or path
    elif _NUMBER.fullmatch(text):
        guess.metrics.append(_Metric(words, path, many, "sent as a text"))
    elif last in _INSTANCES:
        guess.instances.setdefault(last, path)
    elif last in _KEYS:
        guess.left_out.append(f"{path}: looks like an id")
    elif text and len(text) <= MAX_LABEL_CHARACTERS and "\n" not in text:
        guess.labels.setdefault("_".join(words) or "value", path)
    else:
        guess.left_out.append(f"{path}: a long text")


def _words(key: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(key))


def _step(key: str) -> str:
    if _MEMBER.fullmatch(key):
        return f".{key}"
    escaped = json.dumps(key, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"['{escaped}']"


def _lines(guess: _Guess, name: str, items: tuple[str, object] | None) -> Iterator[str]:
    yield "# Made from one example: names, units and labels are guesses. Try it with: pushgateway-bridge explain"
    job = json.dumps(name)
    instance = next((guess.instances.pop(one) for one in _INSTANCES if one in guess.instances), None)
    yield f"identity: {{job: {job}{'' if instance is None else f', instance: {_quoted(instance)}'}}}"
    if guess.time:
        yield f"time: {_quoted(guess.time)}"
    if items is not None:
        yield f"items: {_quoted('$' + (_step(items[0]) if items[0] else '') + '[*]')}"
    labels = {**guess.labels, **guess.instances}
    if labels:
        yield "labels:"
        used: set[str] = set()
        for label, path in labels.items():
            yield f"  {_label(label, used)}: {_quoted(path)}"
    yield "metrics:"
    names: set[str] = set()
    for metric in guess.metrics:
        yield from _metric_lines(metric, name, names)
    for left in guess.left_out:
        yield f"# left out: {json.dumps(left)[1:-1]}"
    yield ""


def _metric_lines(metric: _Metric, name: str, names: set[str]) -> Iterator[str]:
    words = [*_words(name), *metric.words]
    unit = _UNIT_WORDS.get(words[-1]) if words else None
    keys = ""
    if unit is not None:
        base = UNITS[unit]
        words[-1] = base
        keys = "" if unit in (base, "s") and base in ("bytes", "celsius", "seconds") else f", from: {unit}"
    full = _unique(re.sub(r"^[0-9]", r"_\g<0>", "_".join(words)) or "value", names)
    labels = ", labels: {index: {key: true}}" if metric.many and metric.path.endswith("[*]") else ""
    if metric.many and not labels:
        labels = f", labels: {{index: {{key: {_steps_behind(metric.path) + 1}}}}}"
    comment = f"  # {metric.comment}" if metric.comment else ""
    yield f"  - {{name: {full}, path: {_quoted(metric.path)}{keys}{labels}}}{comment}"


def _steps_behind(path: str) -> int:
    """How many steps stand behind the last ``[*]``."""
    rest = path.rpartition("[*]")[2]
    return len(re.findall(r"\.[A-Za-z_]|\['|\[[0-9]", rest))


def _label(text: str, used: set[str]) -> str:
    name = re.sub(r"[^a-z0-9_]", "_", text.lower()) or "value"
    if name[0].isdigit() or name in ("job", "instance", "le", "quantile", "window"):
        name = f"label_{name}"
    return _unique(name.replace("__", "_") if name.startswith("__") else name, used)


def _unique(name: str, used: set[str]) -> str:
    found, number = name, 2
    while found in used:
        found, number = f"{name}_{number}", number + 1
    used.add(found)
    return found


def _quoted(path: str) -> str:
    return json.dumps(path, ensure_ascii=False)
