"""What a mapping file may say: one struct for each kind of section. docs/dialects/mapped.md explains the keys.

Everything has a default, so that a file with mistakes can still be looked through to its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

TimeFormat = Literal["auto", "seconds", "milliseconds", "iso8601"]
Operation = Literal["set", "add", "total", "observe", "distinct"]
MetricTypeName = Literal["gauge", "counter", "unknown", "histogram"]

PATH_BEGINS = ("$", "@")


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """A section of a mapping file, and where it and its keys stand."""

    place: str = ""
    """As ``metrics[0].labels.zone``; empty: the whole file."""
    line: int = 0
    lines: Mapping[str, int] = {}
    """Line of each key that is there, also of one whose value could not be read."""

    def at(self, key: str) -> tuple[int, str]:
        """Line and full name of *key*."""
        return self.lines.get(key, self.line), f"{self.place}.{key}" if self.place else key

    @classmethod
    def shorthand(cls, _text: str) -> dict[str, str] | None:
        """What a text alone stands for; ``None`` if this section must have keys."""
        return None


class TextSpec(Spec, frozen=True, kw_only=True):
    """Where a text comes from that becomes a label: fixed, from a path, or a member's name or index."""

    value: str | None = None
    path: str | None = None
    key: bool | int | None = None
    cap: int | None = None
    values: Mapping[str, str] | None = None
    required: bool = False

    @classmethod
    def shorthand(cls, _text: str) -> dict[str, str] | None:
        """A path if it begins as one does, else the text itself."""
        return {"path" if _text.startswith(PATH_BEGINS) else "value": _text}


class IdentitySpec(Spec, frozen=True, kw_only=True):
    """Whose the series are."""

    job: TextSpec | None = None
    instance: TextSpec | None = None


class TimeSpec(Spec, frozen=True, kw_only=True):
    """When the values were so."""

    path: str | None = None
    format: TimeFormat = "auto"
    required: bool = False

    @classmethod
    def shorthand(cls, _text: str) -> dict[str, str] | None:
        """The path."""
        return {"path": _text}


class MetricSpec(Spec, frozen=True, kw_only=True):
    """What becomes of the values at one path."""

    name: str = ""
    path: str | None = None
    value: float | None = None
    """Instead of what the path finds, or without a path once for each item."""
    type: MetricTypeName | None = None
    help: str = ""
    factor: float | None = None
    offset: float | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    values: Mapping[str, float] | None = None
    operation: Operation = "set"
    buckets: tuple[float, ...] | None = None
    labels: Mapping[str, TextSpec] = {}
    required: bool = False
    strict: bool | None = None


class MappingSpec(Spec, frozen=True, kw_only=True):
    """A whole file."""

    name: str = ""
    """Of the file, without its ending."""
    file: str = ""
    description: str = ""
    identity: IdentitySpec = IdentitySpec()
    time: TimeSpec | None = None
    idempotency: str | None = None
    time_to_live: str | None = None
    items: str | None = None
    strict: bool = False
    labels: Mapping[str, TextSpec] = {}
    metrics: tuple[MetricSpec, ...] | None = None


NOT_KEYS = frozenset(Spec.__struct_fields__)
"""Fields that say where a section stands, and are no keys of it."""
NOT_MAPPING_KEYS = NOT_KEYS | {"name", "file"}
