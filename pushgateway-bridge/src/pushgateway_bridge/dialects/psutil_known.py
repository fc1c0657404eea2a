"""What the documents of one host have in common from report to report: nearly always all but the numbers. Pure.

The long way looks at each field: is it there, does it make sense, which series is it. Which fields were numbers is kept
for the host's next report, and what else decided about its series. If that is the same again, the numbers are fetched
in one go; all other reports go the long way. So nothing is taken here that is not taken there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import msgspec

from pushgateway_bridge.dialects.psutil_host import MEGAHERTZ, MILLISECOND, UNSET, Field

DISK_IO_FIELDS: Final = (
    ("read_bytes", 1.0),
    ("write_bytes", 1.0),
    ("read_count", 1.0),
    ("write_count", 1.0),
    ("read_time", MILLISECOND),
    ("write_time", MILLISECOND),
)
NETWORK_IO_FIELDS: Final = (
    ("bytes_recv", 1.0),
    ("bytes_sent", 1.0),
    ("packets_recv", 1.0),
    ("packets_sent", 1.0),
    ("errin", 1.0),
    ("errout", 1.0),
    ("dropin", 1.0),
    ("dropout", 1.0),
)


class Fields:
    """The fields of a *document*, found one after the other, by what they are for its series."""

    def __init__(self, document: msgspec.Struct) -> None:
        self.document = document
        self.numbers: list[str] = []
        """Those that are numbers, in the order of their series."""
        self.units: list[float] = []
        self.same: list[str] = []
        """Those that must be the same in a document that is alike."""
        self.parts: list[tuple[int, int]] = []
        """Which of the numbers must not be more than which."""
        self.nonzero: list[int] = []
        """Which of the numbers must not be 0."""
        self.free: tuple[int, int] | None = None
        """Where a series has the difference of two numbers: used space in its place, and all there is."""

    def get(self, path: str) -> Any:
        """What the document has at *path*, names with dots between them."""
        return attrgetter(path)(self.document)

    def is_there(self, path: str) -> bool:
        """Whether there is something at *path*, and not 0; if not, this must stay so."""
        if self.get(path):
            return True
        self.same.append(path)
        return False

    def put(self, path: str, unit: float = 1.0) -> int:
        """Where the number at *path* comes; -1 if there is none, and this must stay so."""
        value: Field = self.get(path)
        if value is None or value is UNSET:
            self.same.append(path)
            return -1
        self.numbers.append(path)
        self.units.append(unit)
        return len(self.numbers) - 1

    def put_all(self, group: str, fields: Iterable[tuple[str, float]]) -> None:
        """Put the numbers of *group*, each in its unit; the group need not be there."""
        if self.is_there(group):
            for name, unit in fields:
                self.put(f"{group}.{name}", unit)

    def put_parts(self, group: str, *names: str) -> int:
        """Put the total of *group* and its parts; where the total comes."""
        total = self.put(f"{group}.total")
        for name in names:
            part = self.put(f"{group}.{name}")
            if part >= 0 <= total:
                self.parts.append((part, total))
        return total

    def put_frequency(self, *paths: str) -> None:
        """Put the first of *paths* at which there is a frequency."""
        for path in paths:
            if self.is_there(path):
                self.nonzero.append(self.put(path, MEGAHERTZ))
                return


class AlikeNumbers:
    """Fetches the numbers of documents that are like the one whose *fields* were found."""

    __slots__ = ("_numbers", "_same", "_same_as", "paths")

    def __init__(self, fields: Fields) -> None:
        self.paths = tuple(fields.same)
        """Of what must be the same."""
        self._same = _getter(self.paths)
        self._same_as = self._same(fields.document)
        self._numbers = _fetcher(
            tuple(fields.numbers),
            tuple(fields.units),
            tuple(fields.parts),
            tuple(fields.nonzero),
            fields.free,
        )

    def fetch(self, document: msgspec.Struct) -> list[float] | None:
        """The numbers of *document* in the units of their series; ``None`` if it is not alike."""
        try:
            if self._same(document) != self._same_as:
                return None
            return self._numbers(document)
        except (AttributeError, TypeError):  # a group or a number is not there
            return None

    def changed(self, document: msgspec.Struct) -> tuple[tuple[str, Any], ...]:
        """What of that which must be the same is something else in *document*: where, and what."""
        return tuple(
            [
                (path, value)
                for path, sent, value in zip(self.paths, self._same_as, self._same(document), strict=True)
                if value != sent
            ]
        )


def _no_fields(_: object) -> tuple[Any, ...]:
    return ()


@lru_cache(maxsize=1024)
def _getter(paths: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Gives the fields at *paths*."""
    if len(paths) > 1:
        return attrgetter(*paths)
    if not paths:
        return _no_fields
    one = attrgetter(*paths)
    return lambda document: (one(document),)


@lru_cache(maxsize=1024)
def _fetcher(
    paths: tuple[str, ...],
    units: tuple[float, ...],
    parts: tuple[tuple[int, int], ...],
    nonzero: tuple[int, ...],
    free: tuple[int, int] | None,
) -> Callable[[Any], list[float] | None]:
    """Gives the numbers at *paths* in their *units*; ``None`` if one is 0 or more than another and must not be.

    Written out as a function of its own, as a person would write it for this one kind of document: loops over a few
    places each take longer than all the rest, at every report. All names in it are those of our own fields.
    """
    groups = {path.rpartition(".")[0]: "" for path in paths}
    lines = ["def fetch(document):"]
    for index, group in enumerate(groups):
        groups[group] = f"group_{index}"
        lines.append(f" {groups[group]} = document{group and '.'}{group}")
    for place, path in enumerate(paths):
        group, _, name = path.rpartition(".")
        lines.append(f" sent_{place} = {groups[group]}.{name}")
    wrong = [f"sent_{part} > sent_{total}" for part, total in parts]
    wrong += [f"not sent_{place}" for place in nonzero]
    if wrong:
        lines.append(f" if {' or '.join(wrong)}: return None")
    found = [f"sent_{place} * {unit!r}" for place, unit in enumerate(units)]
    if free is not None:
        used, total = free
        found[used] = f"(sent_{total} - sent_{used}) * 1.0"
    lines.append(f" return [{', '.join(found)}]")
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)  # noqa: S102 - nothing that anybody sent is in it
    fetch: Callable[[Any], list[float] | None] = names["fetch"]
    return fetch
