"""A group's state ↔ versioned bytes, so that replay starts behind the records that the bytes cover. Pure.

The sketches of distinct counts are rows of their own, one an hour, as they are large and mostly closed.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pushgateway_bridge.model.change import GroupDefinition, SeriesDefinition
from pushgateway_bridge.state.series import DistinctSeries, Group, HistogramSeries
from pushgateway_bridge.state.store import Store

VERSION = 1


class GroupState(msgspec.Struct, frozen=True, array_like=True):
    """One push group as of *position*, the journal's newest record that it includes. Times are Unix ms."""

    version: int
    position: int
    group: GroupDefinition
    received_ms: int
    reports: int
    gaps_seconds: list[float]
    definitions: list[SeriesDefinition]
    numbers: list[list[float]]
    """Of each definition: its value or total; the totals of a histogram; nothing for distinct counts."""
    timestamps_ms: list[int]
    seen_ms: list[int]
    next_id: int
    """The number of the next new series. Numbers are not given out twice: records that a remote still wants name
    series by them."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(GroupState)


def encode_group(group: Group, now_ms: int, monotonic: float) -> bytes:
    """The visible series of *group* and what is known of its source.

    *now_ms* and *monotonic* are the same moment on both clocks: a time on the monotonic one means nothing to
    the next process.
    """
    series = [one for one in group.by_id.values() if one.block is not None]
    source = group.source
    state = GroupState(
        VERSION,
        group.position,
        GroupDefinition(group.labels, group.dialect, source.created_ms),
        source.last_received_ms,
        source.reports,
        list(source.gaps),
        [one.definition() for one in series],
        [
            one.totals
            if isinstance(one, HistogramSeries)
            else []
            if isinstance(one, DistinctSeries)
            else [one.value]
            for one in series
        ],
        [one.stamp.timestamp_ms for one in series],
        [round(now_ms - (monotonic - one.stamp.seen) * 1000) for one in series],
        group.next_id,
    )
    return _encoder.encode(state)


def take_changed_sketches(group: Group) -> list[tuple[int, int, bytes | None]]:
    """(series, hour, sketch) of every hour of *group* that changed since this was last asked."""
    rows = []
    for one in group.by_id.values():
        if isinstance(one, DistinctSeries):
            changed, one.count.changed_hours = one.count.changed_hours, set()
            rows += [(one.id, hour, one.count.hour_body(hour)) for hour in sorted(changed)]
    return rows


def give_back_sketches(group: Group, rows: Iterable[tuple[int, int, bytes | None]]) -> None:
    """Count the hours of *rows* as changed again: they could not be written."""
    for series_id, hour, _ in rows:
        one = group.by_id.get(series_id)
        if isinstance(one, DistinctSeries):
            one.count.changed_hours.add(hour)


def _decode(body: bytes) -> GroupState:
    """Raises ValueError if *body* is no group, or of another version."""
    try:
        state = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    if state.version != VERSION:
        raise ValueError(f"a checkpoint has version {state.version}, expected {VERSION}")
    return state


def decode_group(body: bytes) -> tuple[GroupDefinition, list[SeriesDefinition]]:
    """Which group a row of the checkpoint is, and what its numbers mean. Raises ValueError."""
    state = _decode(body)
    return state.group, state.definitions


def restore_group(store: Store, group_id: int, body: bytes, now_ms: int, monotonic: float) -> int:
    """Put a group back into *store* and return how many series it has.

    Raises ValueError if *body* is no group, or of another version.
    """
    state = _decode(body)
    group = store.restored_group(group_id, state.group, state.position)
    group.next_id = state.next_id

    def on_monotonic(time_ms: int) -> float:
        return monotonic - max(now_ms - time_ms, 0) / 1000

    for definition, numbers, timestamp_ms, seen_ms in zip(
        state.definitions, state.numbers, state.timestamps_ms, state.seen_ms, strict=True
    ):
        one = store.restored_series(group, definition, timestamp_ms, on_monotonic(seen_ms))
        if isinstance(one, HistogramSeries):
            one.show(group.rendered, numbers)
            one.discard_pending()
        elif not isinstance(one, DistinctSeries):
            one.place(group.rendered, numbers[0])
    store.restored_source(
        group, state.received_ms, on_monotonic(state.received_ms), state.reports, state.gaps_seconds
    )
    return len(state.definitions)
