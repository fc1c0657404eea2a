"""Several groups in one push: the labels of each metric say which group it is of.

``/api/v1/groups`` goes by ``job`` and ``instance``, ``/api/v1/groups/by/<label>{/<label>}`` by ``job`` and those.
Pushgateway has no such thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from pushgateway_bridge.dialects.pushgateway_outline import (
    SERVER_NAMES,
    InconsistentPush,
    Outline,
    ReadFamily,
    make_outline,
)
from pushgateway_bridge.dialects.pushgateway_path import LABEL_NAME, MAX_LABELS, quoted, unescaped_segments
from pushgateway_bridge.errors import MalformedBody
from pushgateway_bridge.model.labels import PushGroup, make_label_set, make_push_group

GROUPS_PATH: Final = "/api/v1/groups"
_FORM: Final = f"expected a path {GROUPS_PATH} or {GROUPS_PATH}/by/<label>{{/<label>}}"
_USUAL_LABELS: Final = frozenset({"job", "instance"})


class GroupOutline(NamedTuple):
    """One group of a push: which series it sets, and the places of their values among those of the whole push."""

    group: PushGroup
    outline: Outline


class GroupedOutline(NamedTuple):
    """All groups of a push."""

    groups: tuple[GroupOutline, ...]
    counts: bool
    """Whether some of the values are counts, which must not be negative."""


@lru_cache(maxsize=256)
def parse_groups_path(raw_path: str) -> frozenset[str]:
    """The labels that tell the groups apart, ``job`` among them. Raises MalformedBody."""
    match unescaped_segments(raw_path.removeprefix(GROUPS_PATH)):
        case [""] | ["", ""]:
            return _USUAL_LABELS
        case ["", "by", name, *names]:
            names = [name, *(names[:-1] if names[-1:] == [""] else names)]  # one slash may end the path
        case _:
            raise MalformedBody(_FORM)
    for name in names:
        if not LABEL_NAME.fullmatch(name) or name.startswith("__"):
            raise MalformedBody(f"improper label name {quoted(name)}")
    if len(names) > MAX_LABELS:
        raise MalformedBody(f"more than {MAX_LABELS} labels in the grouping key")
    return frozenset(("job", *names))


def split_groups(families: Iterable[ReadFamily], names: frozenset[str]) -> dict[PushGroup, list[ReadFamily]]:
    """*families* by group, which the labels *names* tell apart. Raises MalformedBody for a metric without a job."""
    others = sorted(names - _USUAL_LABELS)
    by_instance = "instance" in names
    found: dict[tuple[str, ...], list[ReadFamily]] = {}
    for read in families:
        if read.name in SERVER_NAMES:
            continue
        parts: dict[tuple[str, ...], ReadFamily] = {}
        for metric in read.metrics:
            get = metric.labels.get
            job = get("job")
            if not job:
                raise MalformedBody(f"{quoted(read.name)} has a metric without the label job")
            key = (job, get("instance", "") if by_instance else "", *[get(name, "") for name in others])
            part = parts.get(key)
            if part is None:
                part = parts[key] = ReadFamily(read.name, read.type, read.help)
                found.setdefault(key, []).append(part)
            part.metrics.append(metric)
    return {
        make_push_group(job, instance, make_label_set(dict(zip(others, values, strict=True)))): group
        for (job, instance, *values), group in found.items()
    }


def make_grouped_outline(
    families: Sequence[ReadFamily], _values: int, names: frozenset[str]
) -> GroupedOutline:
    """The groups of *families* and the series of each. Raises MalformedBody, and InconsistentPush with *families*."""
    try:
        groups = tuple(
            GroupOutline(group, make_outline(own, None, names))
            for group, own in split_groups(families, names).items()
        )
    except InconsistentPush as error:
        error.families = families
        raise
    return GroupedOutline(groups, any(one.outline.counts for one in groups))
