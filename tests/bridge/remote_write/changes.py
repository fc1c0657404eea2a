"""Changes as the journal gives them, written short, and what of a batch arrives."""

from __future__ import annotations

from collections.abc import Sequence

from pushgateway_bridge.model.change import GroupChange, GroupDefinition, Push, SeriesDefinition
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.remote_write.batch import Batch
from tests.bridge.remote import decode, faults_of, value_of

START_MS = 1_770_000_000_000
"""Times in tests count from here."""
POINT = SeriesClass.POINT

Sample = tuple[str, int, float | str]
"""Series, milliseconds since START_MS, value."""


def defined(*series: tuple[int, str, SeriesClass]) -> list[SeriesDefinition]:
    """Numbers, names, classes."""
    return [SeriesDefinition(number, name, (), series_class) for number, name, series_class in series]


def group_named(instance: str) -> GroupDefinition:
    return GroupDefinition((("job", "test"), ("instance", instance)), "events", START_MS)


def push(
    at: int,
    values: dict[int, float],
    *,
    group_id: int = 1,
    received: int | None = None,
    definitions: Sequence[SeriesDefinition] = (),
    group: GroupDefinition | None = None,
) -> Push:
    """*values* by series number at START_MS + *at*, received at the same time unless said otherwise."""
    change = GroupChange(
        group_id, START_MS + at, 1, tuple(values), list(values.values()), list(definitions), group
    )
    return Push(START_MS + (at if received is None else received), [change])


def first_push(at: int, values: dict[int, float], *, group_id: int = 1, received: int | None = None) -> Push:
    """The same, and it says that series 1 is ``a{instance="one"}``, 2 is ``b``, 3 is ``c``."""
    instance = {1: "one", 2: "two", 3: "three"}[group_id]
    definitions = defined(*((number, "abc"[number - 1], POINT) for number in values))
    return push(
        at,
        values,
        group_id=group_id,
        received=received,
        definitions=definitions,
        group=group_named(instance),
    )


def arriving(batch: Batch) -> list[Sample]:
    """What a remote reads of *batch*; it must be as the specification wants it."""
    series = decode(batch.encode())
    assert faults_of(series) == []
    return [
        (
            f"{dict(one.labels)['__name__']} {dict(one.labels)['instance']}",
            timestamp_ms - START_MS,
            value_of(bits),
        )
        for one in series
        for timestamp_ms, bits in one.samples
    ]
