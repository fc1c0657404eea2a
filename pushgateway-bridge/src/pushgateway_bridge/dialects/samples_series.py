"""An item's name, labels and metadata → the series that it stands for, remembered from push to push. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from pushgateway_bridge.dialects.masking import mask_text
from pushgateway_bridge.dialects.samples_body import Item, ItemRefused, shortened
from pushgateway_bridge.model.family import Family, MetricType, SeriesClass
from pushgateway_bridge.model.labels import LabelSet, PushGroup, make_label_set, make_push_group

LONGEST_POINT_SECONDS: Final = 240.0
"""Longest time to live of a point sample; what is to stay longer is held."""
KEEP: Final = "keep"
MAX_UNIT_CHARACTERS: Final = 64
MAX_SHOWN_CHARACTERS: Final = 300
"""Of what was sent, looked at for a message."""

TYPES: Final[Mapping[str, MetricType]] = {"counter": "counter", "gauge": "gauge", "unknown": "unknown"}
"""What a single number can be."""
PARTS: Final[Mapping[str, str]] = {
    "histogram": "_bucket, _sum and _count",
    "summary": "quantiles, _sum and _count",
}
"""What has several numbers; each of them can be an item of its own."""

REMEMBERED_SERIES: Final = 65_536
REMEMBERED_BYTES: Final = 1024
"""An item whose labels and help are longer than this, as sent, is looked at anew at each push: memory must stay
bounded."""
REMEMBERED_PLACES: Final = 16_384
REMEMBERED_FAMILIES: Final = 4096
REMEMBERED_LABEL_NAMES: Final = 4096

_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*+")
_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*+")
_labels_decoder = msgspec.json.Decoder(dict[str, str | int | float | bool] | None)


class SampleLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one push and one item of it may hold."""

    max_items: int = 0
    """0: as ``PushContext.limits`` says."""
    max_labels: int = 40
    max_label_value_bytes: int = 1024
    max_name_characters: int = 256
    """Of a metric's name and of a label's."""
    max_help_characters: int = 1024


class Place(msgspec.Struct, frozen=True, cache_hash=True):
    """What the series of one group report have in common, but for the time."""

    group: PushGroup
    series_class: SeriesClass
    time_to_live_seconds: float | None


class SeriesIdentity(msgspec.Struct, frozen=True, cache_hash=True):
    """What no two items of a push may share at one time."""

    name: str
    group: PushGroup
    labels: LabelSet


class KnownSeries:
    """A series that items stand for; alike items give the same object, as long as it is remembered."""

    __slots__ = ("entry", "identity", "is_counter", "place")

    def __init__(self, family: Family, labels: LabelSet, place: Place) -> None:
        self.entry = (family, labels)
        self.place = place
        self.identity = SeriesIdentity(family.name, place.group, labels)
        self.is_counter = family.type == "counter"


class SeriesFinder:
    """Gives the series of items within *limits*."""

    def __init__(self, limits: SampleLimits) -> None:
        self._limits = limits
        # Six, as JSON may write any character as \u and four digits; the rest is for quotes and spaces.
        self._longest_labels = limits.max_labels * (
            6 * (limits.max_name_characters + limits.max_label_value_bytes) + 64
        )
        self._known = lru_cache(REMEMBERED_SERIES)(self._make)
        self._family = lru_cache(REMEMBERED_FAMILIES)(self._make_family)
        self._label_name = lru_cache(REMEMBERED_LABEL_NAMES)(self._checked_label_name)
        self._place = lru_cache(REMEMBERED_PLACES)(_make_place)

    def find(self, item: Item, job: str, instance: str) -> KnownSeries:
        """The series of *item*; *job* and *instance* are taken where its labels say none. Raises ItemRefused."""
        labels, help_text = bytes(item.labels), item.help or ""
        find = self._known if len(labels) + len(help_text) <= REMEMBERED_BYTES else self._make
        return find(
            item.name, item.type, help_text, item.unit, labels, item.time_to_live_seconds, job, instance
        )

    def _make(
        self,
        name: str,
        type_name: str | None,
        help_text: str,
        unit: str | None,
        raw_labels: bytes,
        time_to_live: float | str | None,
        job: str,
        instance: str,
    ) -> KnownSeries:
        family = self._family(name, type_name, help_text, unit)
        labels = self._read_labels(raw_labels)
        job, instance = labels.pop("job", "") or job, labels.pop("instance", "") or instance
        place = self._place(job, instance, _read_time_to_live(time_to_live))
        return KnownSeries(family, make_label_set(labels), place)

    def _make_family(self, name: str, type_name: str | None, help_text: str, unit: str | None) -> Family:
        longest = self._limits.max_name_characters
        if len(name) > longest:
            raise ItemRefused("bad_name", f"name has {len(name)} characters, more than {longest}")
        if not _METRIC_NAME.fullmatch(name):
            raise ItemRefused("bad_name", f"name {_shown(name)} must match [a-zA-Z_:][a-zA-Z0-9_:]*")
        longest = self._limits.max_help_characters
        if len(help_text) > longest:
            raise ItemRefused("bad_metadata", f"help has {len(help_text)} characters, more than {longest}")
        return Family(name, _read_type(type_name), help_text, _read_unit(unit))

    def _read_labels(self, raw: bytes) -> dict[str, str]:
        """The labels with all values as text."""
        if len(raw) > self._longest_labels:
            raise ItemRefused("label_limit", f"labels take {len(raw)} bytes, more than any within the limits")
        try:
            sent = _labels_decoder.decode(raw) or {}
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ItemRefused("bad_label", f"labels: {error}") from error
        if len(sent) > self._limits.max_labels:
            raise ItemRefused("label_limit", f"{len(sent)} labels, more than {self._limits.max_labels}")
        longest = self._limits.max_label_value_bytes
        labels = {}
        for sent_name, value in sent.items():
            name = self._label_name(sent_name)
            text = value if isinstance(value, str) else _as_text(value)
            # No character takes more than 4 bytes.
            if 4 * len(text) > longest and len(text.encode()) > longest:
                raise ItemRefused("label_limit", f"label {name} is longer than {longest} bytes")
            labels[name] = text
        return labels

    def _checked_label_name(self, name: str) -> str:
        """*name*: the same object for all series that have such a label."""
        longest = self._limits.max_name_characters
        if len(name) > longest:
            raise ItemRefused("bad_label", f"a label's name has {len(name)} characters, more than {longest}")
        if not _LABEL_NAME.fullmatch(name):
            raise ItemRefused("bad_label", f"label name {_shown(name)} must match [a-zA-Z_][a-zA-Z0-9_]*")
        if name.startswith("__"):
            raise ItemRefused(
                "bad_label", f"label name {_shown(name)}: those that begin with __ are reserved"
            )
        return name


def _as_text(value: float | bool) -> str:
    """A number or boolean as JSON writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _read_type(name: str | None) -> MetricType:
    if name is None:
        return "gauge"
    known = TYPES.get(name)
    if known is not None:
        return known
    if name in PARTS:
        raise ItemRefused(
            "bad_type",
            f"a {name} is not one number; send its {PARTS[name]} as items of their own, without this type",
        )
    raise ItemRefused("bad_type", f"type {_shown(name)} must be one of {', '.join(TYPES)}")


def _read_unit(unit: str | None) -> str:
    if not unit:
        return ""
    if len(unit) > MAX_UNIT_CHARACTERS or not _LABEL_NAME.fullmatch(unit):
        raise ItemRefused("bad_metadata", "unit must be a word of a metric's name, as seconds or bytes")
    return unit


def _read_time_to_live(sent: float | str | None) -> float | None:
    """Seconds that the series stays after its last push, ``None`` as long as is usual, infinite for ever."""
    if sent is None:
        return None
    if sent == KEEP:
        return math.inf
    if isinstance(sent, str) or not sent > 0:
        raise ItemRefused("bad_time_to_live", f'time_to_live_seconds must be a number above 0 or "{KEEP}"')
    return sent


def _make_place(job: str, instance: str, time_to_live: float | None) -> Place:
    held = time_to_live is not None and time_to_live > LONGEST_POINT_SECONDS
    series_class = SeriesClass.HELD if held else SeriesClass.POINT
    return Place(make_push_group(job, instance), series_class, time_to_live)


def _shown(name: str) -> str:
    # A reply may be kept to be repeated, and addresses shall not stand in the journal.
    return ascii(shortened(mask_text(name[:MAX_SHOWN_CHARACTERS]), 60))
