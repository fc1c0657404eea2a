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


MAX_VALUES: Final = 256
"""Whoever can have more is to read these in the general way: of some thousand, the function takes a quarter of a
second to make."""
MAX_FETCHERS: Final = 1024
"""The same once there are so many functions: no pusher may have us make them again and again."""

Fetch = Callable[[Any, tuple[Any, ...], list[float]], list[float] | None]


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

    def has(self, path: str) -> bool:
        """Whether anything is at *path*, null included."""
        try:
            self.get(path)
        except AttributeError:
            return False
        return True

    def is_sent(self, path: str) -> bool:
        """Whether anything but null is at *path*."""
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
    """Reads bodies that are like one that was read."""

    __slots__ = ("_constants", "_decode", "_fetch", "_same", "is_of_use")

    def __init__(
        self, decode: Callable[[bytes], Any], fetch: Fetch, same: tuple[Any, ...], constants: list[float]
    ) -> None:
        """*same* is what must be the same, *constants* are the values that come of it."""
        self._decode = decode
        self._fetch = fetch
        self._same = same
        self._constants = constants
        self.is_of_use = False
        """Whether there was a push like it: for those who take it to say."""

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
    written = Fields(decoder.decode(body))
    # What is not there cannot be there in a body that the decoder takes. What is null may be something else.
    same = tuple([path for path in fields.same if written.has(path)])
    fetch = _fetcher(_Task(tuple(fields.values), same, tuple(fields.wrong), tuple(fields.lengths.items())))
    if fetch is None:
        return None
    at = fields.values.index(CONSTANTS)
    constants = values[at : len(values) - len(fields.values) + 1 + at]
    alike = AlikeBodies(decoder.decode, fetch, tuple([_kept(written.get(path)) for path in same]), constants)
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


class _Task(NamedTuple):
    """What a function is to fetch: the fields of Fields, *same* as far as it is there."""

    values: tuple[Formula, ...]
    same: tuple[str, ...]
    wrong: tuple[Formula, ...]
    lengths: tuple[tuple[str, int], ...]


_fetchers: dict[_Task, Fetch] = {}


def _fetcher(task: _Task) -> Fetch | None:
    """Does *task*, with one function for all that have the same; ``None`` if there are MAX_FETCHERS others."""
    fetch = _fetchers.get(task)
    if fetch is None and len(_fetchers) < MAX_FETCHERS:
        fetch = _fetchers[task] = _make_fetcher(task)
    return fetch


def _make_fetcher(task: _Task) -> Fetch:
    """Gives the values of a document, if what must be the same is what it is given; ``None`` if it is not alike.

    Written out as a function of its own, as a person would write it for this one kind of document: loops over a few
    places each take longer than all the rest, at every report.
    """
    names = _Names(dict(task.lengths))

    def written(formula: Formula) -> str:
        return formula.text.format(*[names.of(path) for path in formula.paths])

    checks = [written(formula) for formula in task.wrong]
    if task.same:
        checks.append(f"({''.join([f'{names.of(path)}, ' for path in task.same])}) != same")
    result = ", ".join([written(formula) for formula in task.values])
    lines = ["def fetch(document, same, constants):", *[f" {line}" for line in names.lines]]
    if checks:
        lines.append(f" if {' or '.join(checks)}: return None")
    lines.append(f" return [{result}]")
    found: dict[str, Any] = {}
    exec("\n".join(lines), found)  # noqa: S102 - nothing that anybody sent is in it
    fetch: Fetch = found["fetch"]
    return fetch
