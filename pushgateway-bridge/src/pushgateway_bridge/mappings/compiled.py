"""What a mapping is when it runs: paths compiled, units as numbers, fixed labels put together."""

from __future__ import annotations

import enum
from collections.abc import Mapping as Table
from typing import Final

import msgspec

from pushgateway_bridge.mappings.language import TimeFormat
from pushgateway_bridge.mappings.paths import Path
from pushgateway_bridge.mappings.problems import Problem
from pushgateway_bridge.mappings.units import UNCHANGED, Conversion
from pushgateway_bridge.model.family import Family, SeriesClass

DEFAULT_CAP: Final = 500
"""Values that a label may have which comes from a body."""


class Operation(enum.Enum):
    """What a value does to its series."""

    SET = enum.auto()
    ADD = enum.auto()
    TOTAL = enum.auto()
    """Sets a counter: what the pusher counted."""
    OBSERVE = enum.auto()
    DISTINCT = enum.auto()


ADDITIONS: Final = frozenset({Operation.ADD, Operation.OBSERVE, Operation.DISTINCT})
"""Those that the bridge counts."""


class Place(msgspec.Struct, frozen=True):
    """Where in its file something is said."""

    line: int
    key: str


class Text(msgspec.Struct, frozen=True, eq=False):
    """Where a text comes from that becomes a label, or job or instance."""

    name: str
    place: Place
    path: Path | None = None
    key: int = 0
    """Instead of a path: which name or index of where a value stands, counted from its end; 0 for none."""
    values: Table[str, str] = {}
    required: bool = False


class Time(msgspec.Struct, frozen=True, eq=False):
    """Where the time of an item stands."""

    path: Path
    format: TimeFormat
    required: bool
    place: Place


class Metric(msgspec.Struct, frozen=True, eq=False):
    """What becomes of the values at one path."""

    number: int
    """Of the mapping's metrics, from 0."""
    family: Family
    operation: Operation
    place: Place
    path: Path | None = None
    constant: float | None = None
    conversion: Conversion = UNCHANGED
    values: Table[str, float] | None = None
    fixed: Table[str, str] = {}
    """Labels that are always the same, beyond the mapping's."""
    texts: tuple[Text, ...] = ()
    """Labels of its own that are not."""
    required: bool = False
    strict: bool = False

    @property
    def at_least_zero(self) -> bool:
        """Whether its values cannot be negative."""
        return self.operation is Operation.ADD or self.operation is Operation.TOTAL

    @property
    def is_set(self) -> bool:
        """Whether a value is the sample, and not something that is added to one."""
        return self.operation is Operation.SET or self.operation is Operation.TOTAL

    @property
    def shown_path(self) -> str:
        """The path as it was written."""
        return self.path.text if self.path is not None else "value"


class Cap(msgspec.Struct, frozen=True):
    """How many values a label of a family may have."""

    number: int
    forgets_seconds: float
    """After so long a value that did not come again makes room; infinite: never, as its series stay."""


class Mapping(msgspec.Struct, frozen=True, eq=False):
    """One mapping."""

    name: str
    file: str
    description: str
    metrics: tuple[Metric, ...]
    job: Text | str | None = None
    """A fixed text; ``None``: as the token says, or else the mapping's name."""
    instance: Text | str | None = None
    items: Path | None = None
    items_place: Place = Place(0, "items")
    time: Time | None = None
    idempotency: Path | None = None
    fixed: Table[str, str] = {}
    texts: tuple[Text, ...] = ()
    series_class: SeriesClass = SeriesClass.POINT
    time_to_live_seconds: float | None = None
    caps: Table[tuple[str, str], Cap] = {}
    """(family, label) → how many values it may have."""


class Mappings(msgspec.Struct, frozen=True, eq=False):
    """All mappings of a folder, by name."""

    by_name: Table[str, Mapping] = {}
    warnings: tuple[Problem, ...] = ()
    """What should be looked at, though everything works."""
