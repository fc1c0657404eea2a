"""A change → the JSON object that ``journal dump`` prints for it. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from pushgateway_bridge.journal.names import Names
from pushgateway_bridge.model.change import Change, Deletion, Expiry, GroupChange, Push
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import PushGroup
from pushgateway_bridge.model.text import format_value

Document = dict[str, object]
Wanted = Callable[[PushGroup | None], bool]
"""Whether a group is asked for, by its labels; ``None`` where they are not known."""
FindFamily = Callable[[str], Family | None]


def describe(
    position: int, change: Change, names: Names, find_family: FindFamily, wanted: Wanted
) -> Document | None:
    """*change* with the groups that are *wanted*, ``None`` if it has none of them.

    ``null`` stands for a name or labels that neither the records read so far nor the checkpoint tell.
    """
    match change:
        case Push():
            kind = "push"
            groups = [
                _described_group(one, names, find_family)
                for one in change.groups
                if wanted(_labels(names, one.group_id))
            ]
        case Expiry():
            kind = "expiry"
            groups = [
                {
                    **_head(names, group_id),
                    "series": [_series(names, group_id, series_id) for series_id in series_ids],
                }
                for group_id, series_ids in change.series
                if wanted(_labels(names, group_id))
            ]
            groups += [
                {**_head(names, group_id), "removed": True}
                for group_id in change.groups
                if wanted(_labels(names, group_id))
            ]
        case Deletion():
            kind = "deletion"
            groups = [
                {**_head(names, group_id), "removed": True}
                for group_id in change.groups
                if wanted(_labels(names, group_id))
            ]
        case _:
            assert_never(change)
    if not groups:
        return None
    return {"position": position, "time": moment(change.received_ms), "kind": kind, "groups": groups}


def _described_group(change: GroupChange, names: Names, find_family: FindFamily) -> Document:
    return {
        **_head(names, change.group_id),
        "timestamp": moment(change.timestamp_ms),
        "reports": change.reports,
        "series": list(_values(change, names, find_family)),
    }


def _values(change: GroupChange, names: Names, find_family: FindFamily) -> Iterator[Document]:
    group_id = change.group_id
    for series_id, value in zip(change.series_ids, change.values, strict=False):
        yield {**_series(names, group_id, series_id), "value": number(value)}
    for series_id, totals in change.histograms:
        definition = names.series(group_id, series_id)
        family = None if definition is None else find_family(definition.family)
        yield {**_series(names, group_id, series_id), **_histogram(totals, family)}
    for series_id, hash64 in change.distinct:
        yield {**_series(names, group_id, series_id), "seen": f"{hash64:016x}"}


def _histogram(totals: Sequence[float], family: Family | None) -> Document:
    """By bound if the bounds are known and fit, else the bare totals."""
    if family is None or len(totals) != len(family.buckets) + 3:
        return {"totals": [number(total) for total in totals]}
    *buckets, total, count = map(number, totals)
    bounds = [*map(format_value, family.buckets), "+Inf"]
    return {"buckets": dict(zip(bounds, buckets, strict=True)), "sum": total, "count": count}


def _head(names: Names, group_id: int) -> Document:
    group = names.group(group_id)
    return {
        "group_id": group_id,
        "group": None if group is None else dict(group.labels),
        "dialect": None if group is None else group.dialect,
    }


def _series(names: Names, group_id: int, series_id: int) -> Document:
    definition = names.series(group_id, series_id)
    return {
        "series_id": series_id,
        "name": None if definition is None else definition.family,
        "labels": None if definition is None else dict(definition.labels),
    }


def _labels(names: Names, group_id: int) -> PushGroup | None:
    group = names.group(group_id)
    return None if group is None else group.labels


def number(value: float) -> float | str:
    """*value* for JSON, which has no word for what is not finite."""
    return value if math.isfinite(value) else format_value(value)


def moment(time_ms: int) -> str | None:
    """A Unix time as RFC 3339, ``None`` if no calendar has it."""
    try:
        time = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
