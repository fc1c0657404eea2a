"""What others wrote into ``*.prom`` files: scripts run by cron, backups, hardware tools.

Each file should be written under another name and renamed, so that no half of it is read.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from glob import glob, has_magic
from typing import Final, NamedTuple, TypeAlias

from host_exporter.collector import Collect, Collector, Setting, Settings
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.procfs.text_format import SUFFIXES, Kind, Labels, Sample, TextFamily, parse_text

log = logging.getLogger(__name__)

ENDING: Final = ".prom"
MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""A larger file is a mistake, which must not cost the exporter its memory."""

MOST_TOLD: Final = 20
"""Errors logged at one scrape."""

SETTLED_SECONDS: Final = 2.0
"""A file that was written to more recently is read again, even if it looks the same: clocks of file systems tick."""

MTIME = Family(
    "node_textfile_mtime_seconds", "gauge", "Unixtime mtime of textfiles successfully read.", ("file",)
)
SCRAPE_ERROR = Family(
    "node_textfile_scrape_error", "gauge", "1 if there was an error opening or reading a file, 0 otherwise"
)
FAMILIES = (MTIME, SCRAPE_ERROR)

SETTINGS = (
    Setting(
        "directory",
        "",
        "Folder of *.prom files to show; may be a pattern with *, ? and [].",
        metavar="DIRECTORY",
        repeatable=True,
    ),
)

NANO = 1_000_000_000


class _Identity(NamedTuple):
    """What a file that was written to has not in common with what it was before."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class _File(NamedTuple):
    """A file as it was read: its families, or why there are none."""

    path: str
    identity: _Identity | None
    """None if it could not be read."""
    families: list[TextFamily]
    settled: bool = False
    error: str | None = None


_FamilyKey: TypeAlias = tuple[str, Kind, str, Family | None]


def collector(declared: Callable[[], Iterable[Family]]) -> Collector:
    """The collector; families that are *declared* by others are not taken from files. It is asked once, when made."""
    return Collector(FAMILIES, partial(_make, declared), SETTINGS)


def _make(declared: Callable[[], Iterable[Family]], settings: Settings) -> Collect:
    return Textfiles(settings.texts("directory"), declared()).collect


class Textfiles:
    """Reads the files, and keeps what they said while their inode, size and mtime stay the same."""

    def __init__(
        self, directories: Iterable[str], declared: Iterable[Family], clock: Callable[[], float] = time.time
    ) -> None:
        self._directories = tuple(directories)
        self._declared = frozenset(
            name for family in (*FAMILIES, *declared) for name in (family.name, _openmetrics_name(family))
        )
        self._clock = clock
        self._files: dict[str, _File] = {}
        self._shown: tuple[list[_File], _Merger] = [], _Merger([], self._declared, {})
        self._told: set[str] = set()

    def collect(self, _paths: HostPaths) -> Iterator[Value]:
        """What the files say; then when each good one was written, and whether there was an error in any."""
        errors: list[str] = []
        files = [
            self._file(path)
            for directory in self._existing_directories()
            for path in _prom_files(directory, errors)
        ]
        self._files = {file.path: file for file in files}
        before, merged = self._shown
        if len(before) != len(files) or any(
            one is not other for one, other in zip(before, files, strict=True)
        ):
            merged = _Merger(files, self._declared, merged.known)
            self._shown = files, merged
        errors += [*(file.error for file in files if file.error is not None), *merged.errors]
        self._tell(errors)
        yield from merged.values
        for file in sorted(files, key=lambda file: file.path):
            if file.identity is not None and file.error is None:
                yield MTIME, (file.path,), file.identity.mtime_ns // NANO
        yield SCRAPE_ERROR, (), int(bool(errors))

    def _existing_directories(self) -> Iterator[str]:
        for directory in self._directories:
            if has_magic(directory):
                yield from sorted(glob(directory.replace("[^", "[!"), include_hidden=True)) or [directory]  # noqa: PTH207
            else:
                yield directory

    def _file(self, path: str) -> _File:
        """The file as it is now; the one of the last scrape if nothing suggests that it changed."""
        known = self._files.get(path)
        try:
            if known is not None and known.settled and known.identity == _identity(os.stat(path)):  # noqa: PTH116
                return known
            identity, text = _read(path)
        except (OSError, ValueError) as error:
            unread = _File(path, None, [], error=f"{path}: {_reason(error)}")
            return known if known is not None and known.error == unread.error else unread
        settled = self._clock() - identity.mtime_ns / NANO > SETTLED_SECONDS
        try:
            return _File(path, identity, parse_text(text), settled)
        except ValueError as error:
            return _File(path, identity, [], settled, f"{path}: {error}")

    def _tell(self, errors: list[str]) -> None:
        """Log what was not wrong at the last scrape."""
        for error in [error for error in errors if error not in self._told][:MOST_TOLD]:
            log.warning("textfile has an error", extra={"error": error})
        self._told = set(errors)


def _prom_files(directory: str, errors: list[str]) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(ENDING))
    except OSError as error:
        errors.append(f"{directory}: {_reason(error)}")
        return
    for name in names:
        yield os.path.normpath(f"{directory}/{name}")


def _read(path: str) -> tuple[_Identity, str]:
    """Raises OSError or ValueError for what is no file of UTF-8 text. A pipe does not hold it up."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("is no regular file")
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"is larger than {MAX_FILE_BYTES} bytes")
    return _identity(status), content.decode()


def _identity(status: os.stat_result) -> _Identity:
    return _Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _reason(error: Exception) -> str:
    """The error without the path that Python adds to it."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


# What several files say, put together.


def _openmetrics_name(family: Family) -> str:
    return family.name.removesuffix("_total") if family.kind == "counter" else family.name


class _Whole:
    """A family of all files."""

    def __init__(self, first: TextFamily) -> None:
        self.name = first.name
        self.kind = first.kind
        self.help = first.help
        self.disputed = False
        self.paths: list[str] = []
        self.series: dict[Labels, list[Sample]] = {}


class _Merger:
    """Puts the families of all files together, and keeps the Family objects that are already *known*."""

    def __init__(
        self, files: Iterable[_File], declared: frozenset[str], known: Mapping[_FamilyKey, Family]
    ) -> None:
        self.values: list[Value] = []
        self.errors: list[str] = []
        self.known: dict[_FamilyKey, Family] = {}
        self._declared = declared
        self._before = known
        self._wholes: dict[str, _Whole] = {}
        self._owners: dict[str, str] = {}
        """By name of a line: the family that has such lines."""
        for file in files:
            for family in file.families:
                self._add(family, file.path)
        self._make_values()

    def _add(self, family: TextFamily, path: str) -> None:
        whole = self._wholes.get(family.name)
        if whole is None:
            if (reason := self._taken(family)) is not None:
                self.errors.append(f"{path}: {family.name} {reason}")
                return
            whole = self._wholes[family.name] = _Whole(family)
        elif whole.disputed or (None not in (whole.help, family.help) and whole.help != family.help):
            whole.disputed = True
            self.errors.append(f"{path}: {family.name} has another help text than in {whole.paths[0]}")
            return
        elif whole.kind != family.kind:
            self.errors.append(
                f"{path}: {family.name} is a {family.kind}, and a {whole.kind} in {whole.paths[0]}"
            )
            return
        whole.paths.append(path)
        if whole.help is None:
            whole.help = family.help
        new = {labels: samples for labels, samples in family.series.items() if labels not in whole.series}
        repeated = len(family.repeated) + len(family.series) - len(new)
        if repeated:
            self.errors.append(f"{path}: {family.name} has {repeated} series that there are already")
        whole.series |= new

    def _taken(self, family: TextFamily) -> str | None:
        """Why the exposition cannot have *family*, whose lines' names it takes otherwise."""
        lines = (family.name, *(family.name + suffix for suffix in SUFFIXES.get(family.kind, ())))
        for line in lines:
            if line in self._declared:
                return (
                    "is a family of the exporter itself"
                    if line == family.name
                    else f"has {line}, which is one"
                )
            if line in self._owners:
                return f"has lines {line}, as {self._owners[line]} has"
        self._owners |= dict.fromkeys(lines, family.name)
        return None

    def _make_values(self) -> None:
        created = {self._stem(name): name for name in self._wholes if self._stem(name) is not None}
        for name, whole in self._wholes.items():
            if self._stem(name) is not None:
                continue
            family = self._family(whole)
            times = self._wholes.get(created.get(name, ""))
            if times is None:
                times_family = None
            elif times.series.keys() <= whole.series.keys():
                times_family = self._family(times, created_of=family)
            else:
                self.errors.append(f"{times.paths[0]}: {times.name} has series that {name} has not")
                times_family = None
            for labels, samples in whole.series.items():
                own = _flat(labels)
                for suffix, bound, number in samples:
                    self.values.append((family, (suffix, *own, *_flat(bound)), number))
                if times is not None and times_family is not None and labels in times.series:
                    self.values.append((times_family, ("", *own), times.series[labels][0].number))

    def _stem(self, name: str) -> str | None:
        """The family whose creation times *name* has: OpenMetrics wants them inside of it."""
        stem = name.removesuffix("_created")
        if stem == name or self._wholes[name].kind not in ("gauge", "untyped"):
            return None
        for parent, kinds in ((stem, ("histogram", "summary")), (f"{stem}_total", ("counter",))):
            found = self._wholes.get(parent)
            if found is not None and self._kind(found) in kinds:
                return parent
        return None

    def _kind(self, whole: _Whole) -> Kind:
        """OpenMetrics names a counter without its ``_total``; where that name is taken it is no counter."""
        stem = whole.name.removesuffix("_total")
        taken = (
            whole.kind == "counter"
            and stem != whole.name
            and (stem in self._wholes or stem in self._declared)
        )
        return "untyped" if taken else whole.kind

    def _family(self, whole: _Whole, created_of: Family | None = None) -> Family:
        help_text = f"Metric read from {', '.join(whole.paths)}" if whole.help is None else whole.help
        key = whole.name, self._kind(whole), help_text, created_of
        family = self._before.get(key)
        if family is None:
            family = Family(key[0], key[1], help_text, free=True, created_of=created_of)
        self.known[key] = family
        return family


def _flat(labels: Labels) -> tuple[str, ...]:
    return tuple(text for pair in labels for text in pair)
