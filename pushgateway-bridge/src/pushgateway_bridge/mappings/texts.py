"""What stands in an item beside its values: texts for labels, job and instance, and its time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pushgateway_bridge.errors import ItemLimit
from pushgateway_bridge.mappings.compiled import Text, Time
from pushgateway_bridge.mappings.items import Item, bounded
from pushgateway_bridge.mappings.paths import MISSING, Key, Match, Path
from pushgateway_bridge.mappings.values import MAX_LABEL_VALUE_BYTES, Refused, read_label, read_time_ms

SHORT_CHARACTERS: Final = MAX_LABEL_VALUE_BYTES // 4
"""A text that is not longer is short enough, whatever its characters are."""


def identity_text(text: Text, item: Item) -> str:
    """Job or instance of *item*. Raises Refused if there is none."""
    found = text_at(text, item, item.keys)
    if not found:
        where = text.path.text if text.path is not None else "key"
        raise Refused("no_match", f"{text.name}: {where} matched nothing, or an empty text", text.place)
    return found


def text_at(text: Text, item: Item, keys: Sequence[Key]) -> str:
    """The text that stands where *text* says; empty if there is none. *keys* is where the value stands."""
    path = text.path
    if path is not None and path.names is not None:
        value = path.find(item.body if path.of_body else item.value)
        if type(value) is str and len(value) <= SHORT_CHARACTERS:
            return text.values.get(value, value) if text.values else value
    return _unusual_text(text, item, keys)


def _unusual_text(text: Text, item: Item, keys: Sequence[Key]) -> str:
    if text.key:
        if text.key > len(keys):
            return ""
        value: object = keys[-text.key]
        if type(value) is str and len(value) <= SHORT_CHARACTERS and not text.values:
            return value
        where = "key"
    else:
        path = text.path
        assert path is not None
        where = path.text
        root = item.body if path.of_body else item.value
        if path.singular:
            value = path.find(root)
        else:
            try:
                found = bounded(path.matches(root), 1, text.place)
            except ItemLimit as error:
                message = f"{text.name}: {where} matched several values, and one is needed"
                raise Refused("bad_label", message, text.place) from error
            value = found[0][1] if found else MISSING
        if value is MISSING or value is None:
            if text.required:
                raise Refused(
                    "no_match", f"{text.name}: {where} matched nothing, and is required", text.place
                )
            return ""
    read = read_label(text.name, value, text.place, where)
    return text.values.get(read, read) if text.values else read


def time_ms_of(time: Time, item: Item, received_ms: int) -> int | None:
    """The time of *item*; ``None`` if it says none."""
    path = time.path
    found = path.find(item.body if path.of_body else item.value)
    if found is MISSING or found is None:
        if time.required:
            raise Refused("no_match", f"time: {path.text} matched nothing", time.place)
        return None
    return read_time_ms(found, time.format, received_ms, time.place)


def matches_of(path: Path | None, item: Item) -> Iterator[Match]:
    """What *path* matches; without one, the item itself."""
    if path is None:
        return iter(((item.keys, True),))
    root = item.body if path.of_body else item.value
    if path.singular:
        found = path.find(root)
        if found is MISSING:
            return iter(())
        if not path.names:  # an index from the end is told as what it is
            return path.matches(root)
        return iter(((path.names, found),))
    return path.matches(root)
