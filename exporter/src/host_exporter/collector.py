"""What a collector is: the families it declares, the settings it has, and what reads its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths

Collect: TypeAlias = Callable[[HostPaths], Iterable[Value]]
"""Reads one source. It may raise anything: that costs this source's series of this scrape and nothing else."""


class NoDataError(Exception):
    """The host has no such source, which is no reason to warn. The collector's success is 0 all the same."""


class SettingError(ValueError):
    """A collector was told something that it cannot use; the message names the flag."""


class Setting(NamedTuple):
    """Something that one collector can be told: the flag ``--collector.COLLECTOR.NAME``.

    A ``default`` that is a boolean makes it a switch, ``--[no-]collector.COLLECTOR.NAME``. The text of a
    ``repeatable`` one has a line for each time that the flag was given.
    """

    name: str
    default: str | bool
    help: str
    metavar: str = "REGEXP"
    repeatable: bool = False
    prefix: str = ""
    """The collector's name in the flag, where node_exporter spells it otherwise there."""

    def flag(self, collector: str) -> str:
        """The flag's name without dashes, for the *collector* that has this setting."""
        return f"collector.{self.prefix or collector}.{self.name}"


class NameFilter(NamedTuple):
    """Which names are shown: those that match ``include`` and do not match ``exclude``, as far as there are such.

    A pattern matches anywhere in a name unless it is anchored.
    """

    include: re.Pattern[str] | None = None
    exclude: re.Pattern[str] | None = None

    def shows(self, name: str) -> bool:
        """Whether *name* passes."""
        if self.exclude is not None and self.exclude.search(name):
            return False
        return self.include is None or self.include.search(name) is not None


class Settings:
    """What one collector was told; everything else has its default."""

    def __init__(
        self, collector: str, settings: Iterable[Setting], told: Mapping[str, str | bool] | None = None
    ) -> None:
        known = {setting.name: setting for setting in settings}
        self._flags = {name: f"--{setting.flag(collector)}" for name, setting in known.items()}
        self._told = dict(told or {})
        self._values = {name: setting.default for name, setting in known.items()} | self._told

    def text(self, name: str) -> str:
        """The text of setting *name*."""
        return str(self._values[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """Each text that the repeatable setting *name* was given."""
        return tuple(line for line in self.text(name).split("\n") if line)

    def switch(self, name: str) -> bool:
        """Whether *name* is on."""
        return bool(self._values[name])

    def pattern(self, name: str) -> re.Pattern[str] | None:
        """The pattern *name*; ``None`` if it is empty. Raises SettingError if it is no regular expression."""
        text = self.text(name)
        try:
            return re.compile(text) if text else None
        except re.error as error:
            raise SettingError(
                f"{self._flag(name)}: not a regular expression: {error} in {text!r}"
            ) from error

    def seconds(self, name: str) -> float:
        """The duration *name*, such as ``5s`` or ``1m30s``. Raises SettingError if it is none or not above 0."""
        text = self.text(name)
        if not _DURATION.fullmatch(text) or not text:
            raise SettingError(f"{self._flag(name)}: expected a duration such as 5s or 1m30s, got {text!r}")
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
        if seconds <= 0:
            raise SettingError(f"{self._flag(name)}: expected a duration above 0, got {text!r}")
        return seconds

    def name_filter(self, what: str, older: str | None = None) -> NameFilter:
        """The patterns ``WHAT-include`` and ``WHAT-exclude``, of which only one may be told.

        The setting *older* is what ``WHAT-exclude`` was called before. Who names what is shown is not hindered by
        what is hidden by default. Raises SettingError.
        """
        include, exclude = f"{what}-include", f"{what}-exclude"
        if self._told.get(exclude):
            for other in (include, older):
                if other is not None and self._told.get(other):
                    raise SettingError(f"{self._flag(exclude)} and {self._flag(other)} exclude each other")
        if self._told.get(include):
            return NameFilter(include=self.pattern(include))
        hidden = older if older is not None and self._told.get(older) else exclude
        return NameFilter(self.pattern(include), self.pattern(hidden))

    def _flag(self, name: str) -> str:
        return self._flags[name]


_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_DURATION = re.compile(f"(?:{_DURATION_PART.pattern})+")


class Collector(NamedTuple):
    """One source: all families it may yield, how it is made to read, its settings, and whether it is on."""

    families: Collection[Family]
    make: Callable[[Settings], Collect]
    settings: tuple[Setting, ...] = ()
    on_by_default: bool = True

    def made(self, name: str, told: Mapping[str, str | bool] | None = None) -> Collect:
        """What reads this source, called *name*, with what it was *told*. Raises SettingError."""
        return self.make(Settings(name, self.settings, told))


def unset(collect: Collect) -> Callable[[Settings], Collect]:
    """For a collector that has no settings: *collect* as it is."""
    return lambda _settings: collect
