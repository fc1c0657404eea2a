"""What the documents of one host have in common from report to report: nearly always all but the numbers. Pure.

The long way looks at each field: is it there, does it make sense, which series is it. Which fields were numbers is kept
for the host's next report, and what else decided about its series. If that is the same again, the numbers are fetched
in one go; all other reports go the long way. So nothing is taken here that is not taken there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from pushgateway_bridge.dialects.layout import Layouts
from pushgateway_bridge.dialects.psutil_host import MEGAHERTZ, MILLISECOND, UNSET

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


@lru_cache(maxsize=4096)
def _split(path: str) -> tuple[str | int, ...]:
    """The names and places in *path*."""
    return tuple([int(name) if name.isdigit() else name for name in path.split(".")])


class Formula(NamedTuple):
    """A Python expression of numbers: *text*, with ``{}`` for each of them, and the *paths* where these are."""

    text: str
    paths: tuple[str, ...] = ()


CONSTANTS: Final = Formula("*constants")
"""Stands where the values come that are made of what is the same."""


class Fields:
    """The fields of a *document*, found one after the other, by what they are for its series.

    Paths are names with dots between them, and places in lists: ``disk.partitions.0.total``.
    """

    def __init__(self, document: msgspec.Struct) -> None:
        self.document = document
        self.values: list[Formula] = []
        """In the order of their series."""
        self.same: list[str] = []
        """What must be the same in a document that is alike."""
        self.wrong: list[Formula] = []
        """What must be true of none."""
        self.lengths: dict[str, int] = {}
        """Of lists: they must have as many items."""

    def get(self, path: str) -> Any:
        """What the document has at *path*."""
        value: Any = self.document
        for name in _split(path):
            value = value[name] if isinstance(name, int) else getattr(value, name)
        return value

    def is_sent(self, path: str) -> bool:
        """Whether a number or a text is at *path*."""
        value = self.get(path)
        return value is not None and value is not UNSET

    def is_there(self, path: str) -> bool:
        """Whether there is something at *path*, and not 0; if not, this must stay so."""
        if self.get(path):
            return True
        self.same.append(path)
        return False

    def put(self, path: str, unit: float = 1.0) -> bool:
        """Put the number at *path*, given in *unit*, if there is one."""
        if not self.is_sent(path):
            return False
        self.values.append(Formula("{}" if unit == 1.0 else f"{{}} * {unit!r}", (path,)))
        return True

    def put_percent(self, path: str) -> None:
        """Put the percentage at *path* as a ratio, if there is one. That it is one is for the decoder to know."""
        if self.is_sent(path):
            self.values.append(Formula("{} / 100", (path,)))

    def put_all(self, group: str, fields: Iterable[tuple[str, float]]) -> None:
        """Put the numbers of *group*, each in its unit; the group need not be there."""
        if self.is_there(group):
            for name, unit in fields:
                self.put(f"{group}.{name}", unit)

    def put_parts(self, group: str, *names: str) -> None:
        """Put the total of *group* and its parts, none of which must be more."""
        total = f"{group}.total"
        has_total = self.put(total)
        for name in names:
            part = f"{group}.{name}"
            if self.put(part) and has_total:
                self.wrong.append(Formula("{} > {}", (part, total)))

    def put_filesystem(self, group: str) -> None:
        """Put size, available and free space, as ``psutil_host.put_filesystem`` does."""
        self.put_parts(group, "free")
        total, used = f"{group}.total", f"{group}.used"
        if self.is_sent(total) and self.is_sent(used):
            self.values.append(Formula("{} - {}", (total, used)))
            self.wrong.append(Formula("{} > {}", (used, total)))

    def put_frequency(self, *paths: str) -> None:
        """Put the first of *paths* at which there is a frequency."""
        for path in paths:
            if self.is_there(path):
                self.wrong.append(Formula("not {}", (path,)))
                self.put(path, MEGAHERTZ)
                return

    def items(self, path: str) -> list[str]:
        """The paths of the items of the list at *path*, none if it is not there. There must stay as many."""
        if not self.is_sent(path):
            return []
        self.lengths[path] = len(self.get(path))
        return [f"{path}.{place}" for place in range(self.lengths[path])]


class AlikeBodies:
    """Reads bodies that are like the one whose *fields* were found."""

    __slots__ = ("_constants", "_decode", "_fetch", "_same")

    def __init__(
        self, decoder: msgspec.json.Decoder[Any], fields: Fields, constants: list[float], body: bytes
    ) -> None:
        """*decoder* is that of the layout of *body*."""
        # What is not there or null cannot be anything else in a body that the decoder takes.
        same = tuple([path for path in fields.same if fields.is_sent(path)])
        self._decode = decoder.decode
        self._fetch = _fetcher(tuple(fields.values), same, tuple(fields.wrong), tuple(fields.lengths.items()))
        written = Fields(decoder.decode(body))
        self._same = tuple([_kept(written.get(path)) for path in same])
        self._constants = constants

    def read(self, body: bytes) -> tuple[Any, list[float]] | None:
        """*body* as it is laid out, and the values of its series; ``None`` if it is not alike."""
        try:
            document = self._decode(body)
            values = self._fetch(document, self._same, self._constants)
        except (
            msgspec.DecodeError,
            ValueError,
        ):  # laid out otherwise; not UTF-8, or a list has another length
            return None
        return None if values is None else (document, values)


def make_alike(layouts: Layouts, body: bytes, fields: Fields, values: list[float]) -> AlikeBodies | None:
    """What is known of *body*, which gave *values*; ``None`` if it would not give them again."""
    decoder = layouts.decoder_of(body)
    if decoder is None:
        return None
    at = fields.values.index(CONSTANTS)
    constants = values[at : len(values) - len(fields.values) + 1 + at]
    alike = AlikeBodies(decoder, fields, constants, body)
    read = alike.read(body)
    return None if read is None or read[1] != values else alike


def _kept(value: Any) -> Any:
    """*value* without the body that it was found in."""
    return value.copy() if isinstance(value, msgspec.Raw) else value


class _Names:
    """Gives each path a name of its own, and the lines that get there. All names in it are those of our own fields."""

    def __init__(self, lengths: dict[str, int]) -> None:
        self.lines: list[str] = []
        self._lengths = lengths
        self._names = {"": "document"}
        for path in lengths:
            self.of(path)

    def of(self, path: str) -> str:
        """The name of what is at *path*."""
        if path not in self._names:
            group, _, name = path.rpartition(".")
            self.of(group)  # of the whole list, for an item
            if path not in self._names:
                self._names[path] = f"sent_{len(self._names)}"
                self.lines.append(f"{self._names[path]} = {self._names[group]}.{name}")
                if path in self._lengths:
                    self._unpack(path)
        return self._names[path]

    def _unpack(self, path: str) -> None:
        items = [f"{path}.{place}" for place in range(self._lengths[path])]
        for item in items:
            self._names[item] = f"sent_{len(self._names)}"
        self.lines.append(f"[{', '.join([self._names[item] for item in items])}] = {self._names[path]}")


Fetch = Callable[[Any, tuple[Any, ...], list[float]], list[float] | None]


@lru_cache(maxsize=1024)
def _fetcher(
    values: tuple[Formula, ...],
    same: tuple[str, ...],
    wrong: tuple[Formula, ...],
    lengths: tuple[tuple[str, int], ...],
) -> Fetch:
    """Gives the *values* of a document, if what must be the *same* is what it is given; ``None`` if it is not alike.

    Written out as a function of its own, as a person would write it for this one kind of document: loops over a few
    places each take longer than all the rest, at every report.
    """
    names = _Names(dict(lengths))

    def written(formula: Formula) -> str:
        return formula.text.format(*[names.of(path) for path in formula.paths])

    checks = [written(formula) for formula in wrong]
    if same:
        checks.append(f"({''.join([f'{names.of(path)}, ' for path in same])}) != same")
    result = ", ".join([written(formula) for formula in values])
    lines = ["def fetch(document, same, constants):", *[f" {line}" for line in names.lines]]
    if checks:
        lines.append(f" if {' or '.join(checks)}: return None")
    lines.append(f" return [{result}]")
    found: dict[str, Any] = {}
    exec("\n".join(lines), found)  # noqa: S102 - nothing that anybody sent is in it
    fetch: Fetch = found["fetch"]
    return fetch
