"""How many series there may be, and how large one may be. Only what is new is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pushgateway_bridge.errors import ItemLimit, LabelLimit, TooManySeries
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet, PushGroup
from pushgateway_bridge.state.conflicts import line_names_of

MINUTE_SECONDS: Final = 60.0
SERIES_A_SOURCE: Final = 10
"""There may be a source for each so many series,"""
LEAST_SOURCES: Final = 1000
"""and as many as this in any case."""
SourceKey = tuple[str, str]
"""Job and instance."""


class SeriesLimits(NamedTuple):
    """What the configuration says."""

    max_series: int = 1_000_000
    new_series_per_minute: int = 5_000
    max_labels: int = 40
    max_label_value_bytes: int = 1024


class PushCheck:
    """What one push would bring that is new, as far as it was checked: its groups are checked against each other."""

    __slots__ = ("claimed", "families", "joined", "left", "new_series", "new_sources", "series")

    def __init__(self) -> None:
        self.families: dict[str, Family] = {}
        """Those that are new, or come as another type than before."""
        self.claimed: dict[str, str] = {}
        """Name of a line → its family, of ``families``."""
        self.left: set[str] = set()
        """Held families of which this push takes away the last series, to make room for other lines."""
        self.joined: set[str] = set()
        """Held families that this push brings more series of."""
        self.new_sources: set[SourceKey] = set()
        self.new_series: dict[SourceKey, int] = {}
        self.series = 0
        """All of ``new_series``."""

    def add_family(self, family: Family) -> None:
        """Note that *family* is new, or comes as another type."""
        self.families[family.name] = family
        self.claimed.update(dict.fromkeys(line_names_of(family), family.name))

    def take_back(self, families: int) -> None:
        """Forget all families but the first so many: what brought the others was refused."""
        while len(self.families) > families:
            _, family = self.families.popitem()
            for name in line_names_of(family):
                del self.claimed[name]


class NewSeries:
    """Counts the series that each source brought within the present minute."""

    def __init__(self, limits: SeriesLimits, monotonic: Callable[[], float]) -> None:
        self.limits = limits
        """A reload sets others."""
        self._monotonic = monotonic
        self._minute = 0
        self._counts: dict[SourceKey, int] = {}

    def check(self, source: SourceKey, new: int, push: PushCheck, held: int) -> None:
        """Raises TooManySeries if *source* may not bring *new* more series, *held* being there already.

        Raises ItemLimit where waiting would not help.
        """
        limits = self.limits
        if new > limits.new_series_per_minute:
            raise ItemLimit(
                f"{new} new series in one push, and limits.new_series_per_minute is {limits.new_series_per_minute}"
            )
        if held + push.series + new > limits.max_series:
            raise TooManySeries(f"{held} series are held, and limits.max_series is {limits.max_series}")
        before = self._of_minute().get(source, 0) + push.new_series.get(source, 0)
        if before + new > limits.new_series_per_minute:
            raise TooManySeries(
                f"job {source[0]!r} instance {source[1]!r} would bring {before + new} new series in this minute, "
                f"and limits.new_series_per_minute is {limits.new_series_per_minute}"
            )
        push.new_series[source] = push.new_series.get(source, 0) + new
        push.series += new

    def check_source(self, held: int) -> None:
        """Raises TooManySeries if there is no room for one more source, *held* being there already.

        A source takes room even if it sends no values: what is known of it is shown as series, for a month.
        """
        most = max(self.limits.max_series // SERIES_A_SOURCE, LEAST_SOURCES)
        if held >= most:
            raise TooManySeries(
                f"{held} sources are held, and limits.max_series, which is {self.limits.max_series}, is for {most}"
            )

    def count(self, source: SourceKey, new: int) -> None:
        """Note that *source* brought *new* series."""
        counts = self._of_minute()
        counts[source] = counts.get(source, 0) + new

    def _of_minute(self) -> dict[SourceKey, int]:
        minute = int(self._monotonic() // MINUTE_SECONDS)
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        return self._counts

    def check_labels(self, group: PushGroup, family: Family, labels: LabelSet) -> None:
        """Raises LabelLimit if a series would have too many labels, or a value that is too long."""
        limits = self.limits
        if len(group) + len(labels) > limits.max_labels:
            raise LabelLimit(
                f"{family.name} has {len(group) + len(labels)} labels, and limits.max_labels is {limits.max_labels}"
            )
        for name, value in labels:
            self._check_value(name, value)

    def check_group(self, group: PushGroup) -> None:
        """Raises LabelLimit if a label of a new push group is too long."""
        for name, value in group:
            self._check_value(name, value)

    def _check_value(self, name: str, value: str) -> None:
        longest = self.limits.max_label_value_bytes
        # A character has at most four bytes, so that most values need not be encoded.
        if len(value) * 4 > longest and len(value.encode("utf-8", "surrogatepass")) > longest:
            raise LabelLimit(
                f"the value of label {name} is longer than limits.max_label_value_bytes, which is {longest}"
            )
