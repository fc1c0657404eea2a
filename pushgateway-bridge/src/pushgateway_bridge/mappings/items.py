"""A body → its items, and the refusals of what is none. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from jsonpath import JSONPathError

from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.dialects.json_body import read_json
from pushgateway_bridge.dialects.samples_body import LINES
from pushgateway_bridge.errors import ItemLimit, MalformedBody
from pushgateway_bridge.mappings.compiled import Mapping, Place
from pushgateway_bridge.mappings.paths import Key, Match
from pushgateway_bridge.mappings.values import Refused, kind_of
from pushgateway_bridge.model.report import Rejection

MAX_LISTED_PATHS: Final = 5
NO_KEY: Final = Place(0, "")
ALL_METRICS: Final = "metrics"
"""The key of the refusal of an item of which no metric found anything."""


class Item(NamedTuple):
    """One item of a body."""

    number: int
    keys: tuple[Key, ...]
    """Where it stands in the body."""
    value: object
    body: object


class Refusal(NamedTuple):
    """An item that is not taken: why, and what in the mapping says so."""

    rejection: Rejection
    place: Place


def refusal_of(index: int, refused: Refused) -> Refusal:
    """The refusal of the item *index*."""
    return Refusal(Rejection(index, refused.reason, str(refused)), refused.place)


def read_items(
    mapping: Mapping, body: bytes, context: PushContext, refusals: list[Refusal]
) -> Sequence[Item]:
    """The items of *body*; what cannot be read on a line of its own is added to *refusals*."""
    documents: list[object]
    if context.content_type in LINES:
        documents = _read_lines(body, context)
    else:
        documents = [read_json(body, context.limits.max_nesting)]
        if mapping.items is None:
            return (Item(0, (), documents[0], documents[0]),)
    limit = context.limits.max_items
    items: list[Item] = []
    for document in documents:
        if isinstance(document, Refused):
            refusals.append(refusal_of(len(items) + len(refusals), document))
            continue
        matches: Iterator[Match] = iter((((), document),))
        if mapping.items is not None:
            matches = mapping.items.matches(document)
        try:
            found = bounded(matches, limit - len(items), mapping.items_place)
            if not found:
                assert mapping.items is not None
                message = f"items: {mapping.items.text} matched nothing{hint_of(document)}"
                raise Refused("no_match", message, mapping.items_place)
        except Refused as refused:
            refusals.append(refusal_of(len(items) + len(refusals), refused))
            continue
        for keys, value in found:
            items.append(Item(len(items) + len(refusals), keys, value, document))
    return items


def nothing_matched(mapping: Mapping, item: Item) -> Refused:
    """The refusal of an item of which no metric found anything."""
    paths = list(dict.fromkeys([one.shown_path for one in mapping.metrics]))
    listed = ", ".join(paths[:MAX_LISTED_PATHS]) + (", …" if len(paths) > MAX_LISTED_PATHS else "")
    return Refused(
        "no_match",
        f"no metric's path matched anything ({listed}){hint_of(item.value)}",
        Place(mapping.metrics[0].place.line, ALL_METRICS),
    )


def hint_of(value: object) -> str:
    """What *value* is, where one would expect an object."""
    return "" if isinstance(value, dict) else f": it is {kind_of(value)}"


def bounded(matches: Iterator[Match], limit: int, place: Place) -> list[Match]:
    """All of them. Raises ItemLimit if there are more than *limit*."""
    try:
        found = list(islice(matches, limit + 1))
    except JSONPathError as error:
        raise Refused(
            "no_match", f"{place.key}: {error.args[0] if error.args else 'bad path'}", place
        ) from error
    if len(found) > limit:
        raise ItemLimit(f"{place.key}: the body has more items or values than a push may have")
    return found


def _read_lines(body: bytes, context: PushContext) -> list[object]:
    """The value on each line that is not blank; a Refused where a line is none."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not lines:
        raise MalformedBody("expected at least one item, got none")
    if len(lines) > context.limits.max_items:
        raise ItemLimit(f"expected at most {context.limits.max_items} items in a push, got more")
    found: list[object] = []
    for line in lines:
        try:
            found.append(read_json(line, context.limits.max_nesting))
        except MalformedBody as error:
            found.append(Refused("malformed_item", str(error), NO_KEY))
    return found
