"""Which sources are asked for: the parameters of a request, and the page of the list that they give. Pure."""

from __future__ import annotations

import base64
import binascii
import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from pushgateway_bridge.model.timestamps import format_iso8601_ms
from pushgateway_bridge.state.limits import SourceKey
from pushgateway_bridge.state.series import Group

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
SHOWN_CHARACTERS: Final = 100
"""Of a wrong value, in the answer that says so."""


class WrongParameter(ValueError):
    """A parameter that makes no sense; the message names it and says what is allowed."""


class Selection(NamedTuple):
    """Some sources, by what they are called."""

    job: str | None
    """``None``: any."""
    instances: frozenset[str] | None
    """``None``: any; an empty one is that of a source without an instance."""

    def has(self, source: SourceKey) -> bool:
        """Whether *source* is one of them."""
        job, instance = source
        return (self.job is None or job == self.job) and (
            self.instances is None or instance in self.instances
        )


class ListQuery(NamedTuple):
    """Which page of which sources."""

    selection: Selection
    limit: int
    after: SourceKey | None
    """The last source of the page before."""


class ShownSource(msgspec.Struct, frozen=True):
    """A source as the API shows it."""

    job: str
    instance: str
    dialects: list[str]
    series: int
    reports: int
    last_report: str | None
    report_interval_seconds: float | None


class SourcePage(msgspec.Struct, frozen=True):
    """Some of the sources, and how to ask for those after them."""

    sources: list[ShownSource]
    next_cursor: str | None


# Parameters


def list_query(parameters: Iterable[tuple[str, str]]) -> ListQuery:
    """What a GET asks for. Raises WrongParameter."""
    given = _given(parameters, ("job", "instance", "limit", "cursor"))
    limit, cursor = given.get("limit"), given.get("cursor")
    return ListQuery(
        _selection(given),
        DEFAULT_LIMIT if limit is None else _limit(limit[0]),
        None if cursor is None else _decode_cursor(cursor[0]),
    )


def deletion(parameters: Iterable[tuple[str, str]]) -> Selection:
    """What a DELETE asks for. Raises WrongParameter; never selects a whole job unless that is said."""
    given = _given(parameters, ("job", "instance", "all"))
    if "job" not in given:
        raise WrongParameter("job: say of which job")
    everything = "all" in given
    if everything and given["all"] != ["true"]:
        raise WrongParameter(f"all: expected true, got {given['all'][0][:SHOWN_CHARACTERS]!r}")
    if everything and "instance" in given:
        raise WrongParameter("all: it means every instance of the job, so instance may not be given")
    if not everything and "instance" not in given:
        raise WrongParameter("instance: say of which instance, or all=true for every one of the job")
    return _selection(given)


def _given(parameters: Iterable[tuple[str, str]], known: Sequence[str]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        if name not in known:
            raise WrongParameter(
                f"unknown parameter {name[:SHOWN_CHARACTERS]!r}: known are {', '.join(known)}"
            )
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        if len(values) > 1 and name != "instance":
            raise WrongParameter(f"{name}: it was given more than once")
    return given


def _selection(given: Mapping[str, Sequence[str]]) -> Selection:
    job, instances = given.get("job"), given.get("instance")
    if job is not None and not job[0]:
        raise WrongParameter("job: it is empty, and every source has one")
    return Selection(None if job is None else job[0], None if instances is None else frozenset(instances))


def _limit(text: str) -> int:
    limit = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise WrongParameter(
            f"limit: expected a number from 1 to {MAX_LIMIT}, got {text[:SHOWN_CHARACTERS]!r}"
        )
    return limit


def _encode_cursor(source: SourceKey) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(source)).decode().rstrip("=")


def _decode_cursor(text: str) -> SourceKey:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        source: SourceKey = msgspec.json.decode(
            base64.b64decode(padded, b"-_", validate=True), type=SourceKey
        )
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise WrongParameter("cursor: expected the next_cursor of an earlier answer") from error
    return source


# Pages


def groups_of_page(groups: Iterable[Group], query: ListQuery) -> dict[SourceKey, list[Group]]:
    """The push groups of each source of the page, sorted, and of one more if there is one.

    It changes nothing and reads only what never changes of a group, so another thread may do it.
    """
    found: dict[SourceKey, list[Group]] = {}
    selection, after = query.selection, query.after
    for group in groups:
        source = group.source.key
        if group.committed and selection.has(source) and (after is None or source > after):
            found.setdefault(source, []).append(group)
    return {source: found[source] for source in heapq.nsmallest(query.limit + 1, found)}


def page_of(found: Mapping[SourceKey, Sequence[Group]], limit: int) -> SourcePage:
    """The page of what ``groups_of_page`` found."""
    sources = list(found)[:limit]
    return SourcePage(
        [_shown(source, found[source]) for source in sources],
        _encode_cursor(sources[-1]) if len(found) > limit else None,
    )


def _shown(key: SourceKey, groups: Sequence[Group]) -> ShownSource:
    source = groups[0].source
    return ShownSource(
        *key,
        sorted({group.dialect for group in groups}),
        sum(len(group.by_id) for group in groups),
        source.reports,
        format_iso8601_ms(source.last_received_ms) if source.reports else None,
        source.interval_seconds,
    )
