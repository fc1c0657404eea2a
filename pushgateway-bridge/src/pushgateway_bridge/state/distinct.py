"""How many different people were seen: a sketch an hour, windows as their unions.

A sketch (HyperLogLog of Apache DataSketches, 4 096 registers) takes at most a few KiB and errs by 1.6 % (one
standard deviation). Adding the same hash again changes nothing, so a record may be replayed.
https://datasketches.apache.org/docs/HLL/HLL.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

HOUR_MS: Final = 3_600_000
WINDOWS: Final = (("1h", 1), ("1d", 24), ("7d", 168), ("30d", 720))
"""Label value and hours of each window. It has the hour that runs and that many full hours before it."""
KEPT_HOURS: Final = WINDOWS[-1][1] + 1
LOG2_REGISTERS: Final = 12


class DistinctCount:
    """The sketches of one series."""

    def __init__(self) -> None:
        # Imported only where somebody is counted: it brings numpy, 30 MiB that a bridge for hosts does without.
        import datasketches  # noqa: PLC0415

        self._library = datasketches
        self._hours: dict[int, datasketches.hll_sketch] = {}
        self._closed: dict[int, tuple[int, bytes]] = {}
        """For each window's hours: the running hour, and the union of the full hours before it."""
        self._shown: tuple[int, list[float]] | None = None
        """The estimates of the running hour, while nobody new was seen."""
        self.changed_hours: set[int] = set()
        """Hours to write at the next checkpoint; one that is not kept any more is to be deleted."""

    def add(self, hash64: int, at_ms: int) -> None:
        """Count the one with this hash as seen at *at_ms* (Unix)."""
        hour = at_ms // HOUR_MS
        sketch = self._hours.get(hour)
        if sketch is None:
            sketch = self._hours[hour] = self._library.hll_sketch(LOG2_REGISTERS)
        # The library takes an integer over 63 bits for a float, and would lose its low bits.
        sketch.update(hash64 - 2**64 if hash64 >= 2**63 else hash64)
        self.changed_hours.add(hour)
        self._shown = None
        self._closed = {window: kept for window, kept in self._closed.items() if hour >= kept[0]}

    def estimates(self, now_ms: int) -> list[float]:
        """How many were seen in each of WINDOWS as of *now_ms* (Unix). Forgets hours that no window reaches."""
        now = now_ms // HOUR_MS
        if self._shown is not None and self._shown[0] == now:
            return self._shown[1]
        for hour in [hour for hour in self._hours if hour <= now - KEPT_HOURS]:
            del self._hours[hour]
            self.changed_hours.add(hour)
        estimates = [self._estimate(now, hours) for _, hours in WINDOWS]
        self._shown = (now, estimates)
        return estimates

    def estimate_of(self, hours: Iterable[int]) -> int:
        """How many different ones were seen in *hours* (since 1970), as far as these are kept."""
        union = self._library.hll_union(LOG2_REGISTERS)
        for hour in hours:
            sketch = self._hours.get(hour)
            if sketch is not None:
                union.update(sketch)
        estimate: float = union.get_estimate()
        return round(estimate)

    def _estimate(self, now: int, hours: int) -> float:
        kept = self._closed.get(hours)
        if kept is None or kept[0] != now:
            union = self._library.hll_union(LOG2_REGISTERS)
            for hour, sketch in self._hours.items():
                if now - hours <= hour < now:
                    union.update(sketch)
            kept = self._closed[hours] = (now, union.get_result().serialize_compact())
        union = self._library.hll_union(LOG2_REGISTERS)
        union.update(self._library.hll_sketch.deserialize(kept[1]))
        for hour, sketch in self._hours.items():
            if hour >= now:  # also hours ahead: the clock went back
                union.update(sketch)
        return float(round(union.get_estimate()))

    def hour_body(self, hour: int) -> bytes | None:
        """The sketch of *hour* as bytes, ``None`` if there is none any more."""
        sketch = self._hours.get(hour)
        return None if sketch is None else bytes(sketch.serialize_compact())

    def restore_hour(self, hour: int, body: bytes) -> None:
        """Put back what ``hour_body`` gave."""
        self._hours[hour] = self._library.hll_sketch.deserialize(body)
        self._shown = None
