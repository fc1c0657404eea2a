"""A group's state ↔ versioned bytes, so that replay starts behind the records that the bytes cover. Pure."""

from __future__ import annotations

import msgspec

from pushgateway_bridge.model.change import GroupDefinition, SeriesDefinition
from pushgateway_bridge.state.series import Group
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
    values: list[float]
    timestamps_ms: list[int]
    seen_ms: list[int]


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
        GroupDefinition(group.labels, group.dialect),
        source.last_received_ms,
        source.reports,
        list(source.gaps),
        [SeriesDefinition(one.id, one.family.family.name, one.labels, one.series_class) for one in series],
        [one.value for one in series],
        [one.timestamp_ms for one in series],
        [round(now_ms - (monotonic - one.seen) * 1000) for one in series],
    )
    return _encoder.encode(state)


def restore_group(store: Store, group_id: int, body: bytes, now_ms: int, monotonic: float) -> int:
    """Put a group back into *store* and return how many series it has.

    Raises ValueError if *body* is of another version, msgspec.DecodeError if it is no group.
    """
    state = _decoder.decode(body)
    if state.version != VERSION:
        raise ValueError(f"checkpoint of group {group_id} has version {state.version}, expected {VERSION}")
    group = store.restored_group(group_id, state.group, state.position)

    def on_monotonic(time_ms: int) -> float:
        return monotonic - max(now_ms - time_ms, 0) / 1000

    for definition, value, timestamp_ms, seen_ms in zip(
        state.definitions, state.values, state.timestamps_ms, state.seen_ms, strict=True
    ):
        store.restored_series(group, definition, value, timestamp_ms, on_monotonic(seen_ms))
    store.restored_source(
        group, state.received_ms, on_monotonic(state.received_ms), state.reports, state.gaps_seconds
    )
    return len(state.definitions)
