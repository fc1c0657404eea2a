"""What stands in a body → numbers, texts and times, or why it is none. Pure."""

from __future__ import annotations

import math
import re
from typing import Final

from pushgateway_bridge.dialects.masking import mask_text
from pushgateway_bridge.mappings.compiled import Metric, Place
from pushgateway_bridge.mappings.language import TimeFormat
from pushgateway_bridge.model.timestamps import MAX_AGE_MS, MAX_AHEAD_MS, parse_iso8601_ms

FIRST_MILLISECONDS: Final = 1e11
"""A time above this is in milliseconds: in seconds it would be the year 5138, in milliseconds it is 1973."""
MAX_NUMBER_CHARACTERS: Final = 100
MAX_SHOWN_CHARACTERS: Final = 60
MAX_MASKED_CHARACTERS: Final = 300
MAX_MESSAGE_CHARACTERS: Final = 300
MAX_LABEL_VALUE_BYTES: Final = 1024

TIMES: Final = {
    "auto": "Unix seconds or milliseconds, or ISO 8601",
    "seconds": "Unix seconds",
    "milliseconds": "Unix milliseconds",
    "iso8601": "ISO 8601, as 2026-02-01T08:00:10Z",
}
"""What a time of each format is."""

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_SPECIAL: Final = frozenset({"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})


class Refused(Exception):
    """An item that cannot be taken: ``str(error)`` is what the pusher is told, *place* is what in the mapping says so.

    *reason* is few, fixed, snake_case.
    """

    def __init__(self, reason: str, message: str, place: Place) -> None:
        super().__init__(
            message if len(message) <= MAX_MESSAGE_CHARACTERS else f"{message[:MAX_MESSAGE_CHARACTERS]}…"
        )
        self.reason = reason
        self.place = place


def kind_of(value: object) -> str:
    """What *value* is, for a message; of a text its beginning, without addresses."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str):
        # An address that is cut in two would not be found.
        shown = mask_text(value[:MAX_MASKED_CHARACTERS])
        cut = "…" if len(shown) > MAX_SHOWN_CHARACTERS else ""
        return f"the text {shown[:MAX_SHOWN_CHARACTERS]!a}{cut}"
    return f"the number {value!r}" if isinstance(value, float) else "a number"


def text_of(value: object) -> str | None:
    """*value* as a text: numbers and booleans as JSON writes them; ``None`` for objects, arrays and null."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) or (isinstance(value, int) and -(2**64) < value < 2**64):
        return str(value)
    return None


def read_number(metric: Metric, value: object) -> float:
    """The number that *value* is to *metric*, in its unit. Raises Refused."""
    kind = type(value)
    if metric.constant is not None:
        value = metric.constant
    elif metric.values is not None:
        text = text_of(value)
        mapped = None if text is None else metric.values.get(text)
        if mapped is None:
            raise _refused(metric, "unknown_value", f"{kind_of(value)} is none of values")
        value = mapped
    elif kind is not float and kind is not int:
        if metric.strict and (kind is bool or kind is str):
            raise _refused(metric, "wrong_type", f"expected a number, got {kind_of(value)} (strict)")
        if isinstance(value, str):
            value = _number_in(metric, value)
    if not isinstance(value, int | float):
        raise _refused(metric, "wrong_type", f"expected a number, got {kind_of(value)}")
    factor, summand, divisor = metric.conversion
    try:
        number = (value * factor + summand) / divisor
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _refused(metric, "not_finite", "the number is out of range")
    if number < 0 and metric.at_least_zero:
        raise _refused(metric, "negative", "a counter cannot go below 0 nor back")
    return number


def required(metric: Metric) -> Refused:
    """The refusal of an item that has not what *metric* requires."""
    message = f"{metric.family.name}: {metric.shown_path} matched nothing, and is required"
    return Refused("no_match", message, metric.place)


def _number_in(metric: Metric, text: str) -> float:
    if len(text) <= MAX_NUMBER_CHARACTERS:
        stripped = text.strip()
        if _NUMBER.fullmatch(stripped):
            return float(stripped)
        if stripped.lower() in _SPECIAL:
            raise _refused(metric, "not_finite", f"{kind_of(text)} is no finite number")
    raise _refused(metric, "wrong_type", f"expected a number, got {kind_of(text)}")


def _refused(metric: Metric, reason: str, message: str) -> Refused:
    return Refused(reason, f"{metric.family.name}: {metric.shown_path}: {message}", metric.place)


def read_label(name: str, value: object, place: Place, path: str) -> str:
    """The text that *value* is to a label, or to job or instance. Raises Refused."""
    text = value if type(value) is str else text_of(value)
    if text is None:
        raise Refused("bad_label", f"{name}: {path}: expected a text, got {kind_of(value)}", place)
    # No character takes more than 4 bytes.
    if 4 * len(text) > MAX_LABEL_VALUE_BYTES and len(text.encode()) > MAX_LABEL_VALUE_BYTES:
        raise Refused("label_limit", f"{name}: {path}: longer than {MAX_LABEL_VALUE_BYTES} bytes", place)
    return text


def read_time_ms(value: object, form: TimeFormat, received_ms: int, place: Place) -> int:
    """Unix milliseconds. Raises Refused for what is no time, and for one that is not believed."""
    if form == "auto" and type(value) is float:
        milliseconds: float | None = value if value > FIRST_MILLISECONDS else value * 1000
    else:
        milliseconds = _milliseconds(value, form)
    if milliseconds is None:
        raise Refused("bad_time", f"time: expected {TIMES[form]}, got {kind_of(value)}", place)
    if -MAX_AGE_MS <= milliseconds - received_ms <= MAX_AHEAD_MS:
        return round(milliseconds)
    hours, seconds = MAX_AGE_MS // 3_600_000, MAX_AHEAD_MS // 1000
    raise Refused(
        "timestamp_out_of_range", f"time: must be at most {hours} h ago and {seconds} s ahead", place
    )


def _milliseconds(value: object, form: TimeFormat) -> float | None:
    """Unix milliseconds, ``None`` if *value* is no time."""
    if isinstance(value, str):
        if form != "iso8601" and len(value) <= MAX_NUMBER_CHARACTERS and _NUMBER.fullmatch(value):
            value = float(value)
        else:
            return parse_iso8601_ms(value) if form in ("auto", "iso8601") else None
    if form == "iso8601" or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if form == "milliseconds" or (form == "auto" and value > FIRST_MILLISECONDS):
        return value
    return value * 1000
