"""Collectors of third parties: found by their entry points, looked through once, and watched at each scrape."""

from __future__ import annotations

import importlib.metadata
import logging
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, NamedTuple

from host_exporter import selfmetrics
from host_exporter.collector import Collect, Collector, Setting, SettingError, Settings
from host_exporter.collectors import COLLECTORS
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.plugin_api import API_VERSION, TAKEN_VERSIONS

log = logging.getLogger(__name__)

GROUP: Final = "host_exporter.collectors"
VERSION_NAME: Final = "PLUGIN_API_VERSION"
"""In a plugin's module: the version of the API that it was made for."""

MOST_SERIES: Final = 10_000
"""What a plugin may yield at one scrape; without a bound a loop in it would cost all memory."""
MOST_FAULTS: Final = 20
"""Faults of one plugin that are logged, each once."""

RESERVED_PREFIXES: Final = ("host_exporter_", "node_scrape_collector_")
"""Names of what the exporter says of itself."""
RESERVED_FLAGS: Final = ("disable_defaults",)
"""``--collector.disable-defaults`` is no collector."""
PLUGIN_KINDS: Final = ("counter", "gauge", "untyped")

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SETTING_NAME: Final = re.compile(r"[a-z][a-z0-9-]*")
_METRIC_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ANYTHING: Final = re.compile(r".*", re.DOTALL)
_LABEL_NAME: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")


class PluginError(Exception):
    """A plugin cannot be used; the message names it and says why."""


class _Unusable(Exception):
    """Why a plugin cannot be used."""


class Plugin(NamedTuple):
    """An entry point of the group, and the distribution that has it."""

    name: str
    origin: str
    """``acme-collector 1.0: entry point acme = acme_collector:COLLECTOR``"""
    entry: importlib.metadata.EntryPoint


def find() -> list[Plugin]:
    """What is installed, by name; nothing is imported."""
    plugins = [
        Plugin(entry.name, _origin(entry), entry) for entry in importlib.metadata.entry_points(group=GROUP)
    ]
    return sorted(plugins, key=lambda plugin: (plugin.name, plugin.origin))


def _origin(entry: importlib.metadata.EntryPoint) -> str:
    where = entry.dist
    distribution = "a distribution" if where is None else f"{where.name} {where.version}"
    return f"{distribution}: entry point {entry.name} = {entry.value}"


def load_plugins(ours: Mapping[str, Collector] = COLLECTORS) -> dict[str, Collector]:
    """The collectors of all plugins, by name, watched; each is imported. They can be put beside *ours*.

    Raises PluginError, which names the distribution and the entry point, if one of them cannot be.
    """
    owners = {name: "the exporter" for family in selfmetrics.FAMILIES for name in _names_of(family)}
    for collector_name, collector in ours.items():
        owners |= {
            name: f"the collector {collector_name}"
            for family in collector.families
            for name in _names_of(family)
        }
    flags = {flag: name for name, collector in ours.items() for flag in _flags_of(name, collector)}
    flags |= dict.fromkeys(RESERVED_FLAGS, "the exporter")
    names = dict.fromkeys(ours, "a collector of the exporter itself")
    found: dict[str, Collector] = {}
    for plugin in find():
        try:
            if not _NAME.fullmatch(plugin.name):
                raise _Unusable("its name must be like [a-z][a-z0-9_]* and have at most 64 characters")
            if plugin.name in names:
                raise _Unusable(f"takes the name {plugin.name}, which {names[plugin.name]} has")
            collector = _checked(_load(plugin), owners)
            for flag in _flags_of(plugin.name, collector):
                if flag in flags:
                    raise _Unusable(
                        f"has the flag --collector.{flag}, as {flags[flag]} has in another spelling"
                    )
        except _Unusable as error:
            raise PluginError(f"plugin {plugin.origin}: {error}") from error
        names[plugin.name] = plugin.origin
        owners |= {name: plugin.origin for family in collector.families for name in _names_of(family)}
        flags |= dict.fromkeys(_flags_of(plugin.name, collector), plugin.origin)
        found[plugin.name] = collector._replace(make=partial(_make_watched, plugin, collector))
    return found


def _names_of(family: Family) -> tuple[str, str]:
    """In text and in OpenMetrics, which leaves out a counter's ``_total``."""
    return family.name, family.name.removesuffix("_total") if family.kind == "counter" else family.name


def _flags_of(name: str, collector: Collector) -> list[str]:
    """Its flags as environment variables spell them, where points and dashes are all one."""
    return [name, *(_environment_part(setting.flag(name)) for setting in collector.settings)]


def _environment_part(flag: str) -> str:
    return flag.removeprefix("collector.").replace(".", "_").replace("-", "_")


def _load(plugin: Plugin) -> object:
    """What the entry point gives, or what that gives when it is called."""
    with _told_as("cannot be imported"):
        given = plugin.entry.load()
    version = getattr(sys.modules.get(plugin.entry.module), VERSION_NAME, None)
    if type(version) is not int:
        raise _Unusable(
            f"does not say for which plugin API it is made: its module needs {VERSION_NAME} = {API_VERSION}"
        )
    if version not in TAKEN_VERSIONS:
        taken = ", ".join(str(one) for one in sorted(TAKEN_VERSIONS))
        raise _Unusable(f"is made for version {version} of the plugin API, and this exporter takes {taken}")
    if callable(given):
        with _told_as("cannot make its collector"):
            given = given()
    return given


class _told_as:  # noqa: N801 - it stands where a function would
    """Whatever another's code raises becomes an _Unusable that says *what* it kept from being done."""

    def __init__(self, what: str, passing: type[Exception] | tuple[()] = ()) -> None:
        self._what = what
        self._passing = passing

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception | SystemExit) and not isinstance(error, self._passing):
            text = " ".join(str(error).split())
            told = f"{type(error).__name__}: {text}" if text else type(error).__name__
            raise _Unusable(f"{self._what}: {told}") from error


# What a plugin declares


def _checked(given: object, owners: Mapping[str, str]) -> Collector:
    if not isinstance(given, Collector):
        raise _Unusable(f"gives no Collector but {_kind_of(given)}")
    families, settings = (
        _tuple_of(Family, given.families, "families"),
        _tuple_of(Setting, given.settings, "settings"),
    )
    if not callable(given.make):
        raise _Unusable(f"has {_kind_of(given.make)} as make, and not a function")
    if not isinstance(given.on_by_default, bool):
        raise _Unusable(f"has {_kind_of(given.on_by_default)} as on_by_default, and not a boolean")
    taken = dict(owners)
    for family in families:
        _check_family(family)
        for name in _names_of(family):
            if name in taken:
                raise _Unusable(f"declares {family.name}, which {taken[name]} has")
        taken |= dict.fromkeys(_names_of(family), "another family of its own")
    _check_settings(settings)
    return Collector(families, given.make, settings, given.on_by_default)


def _tuple_of(kind: type[Any], given: object, what: str) -> tuple[Any, ...]:
    if (
        isinstance(given, str)
        or not isinstance(given, Collection)
        or not all(isinstance(one, kind) for one in given)
    ):
        raise _Unusable(f"has {what} that are not a collection of {kind.__name__}")
    return tuple(given)


def _check_family(family: Family) -> None:
    name = family.name
    if not _is_text(name, _METRIC_NAME):
        raise _Unusable(f"declares a family with the name {name!r}")
    if name.startswith(RESERVED_PREFIXES):
        raise _Unusable(f"declares {name}; what begins so tells of the exporter itself")
    if family.kind not in PLUGIN_KINDS or family.free or family.created_of is not None:
        raise _Unusable(f"declares {name} as {family.kind}; possible are {', '.join(PLUGIN_KINDS)}")
    if (family.kind == "counter") != name.endswith("_total"):
        raise _Unusable(f"declares the {family.kind} {name}; counters end in _total, and nothing else does")
    if not _is_text(family.help):
        raise _Unusable(f"declares {name} with {_kind_of(family.help)} as help, and not a text")
    labels = _tuple_of(str, family.labels, f"labels of {name}")
    if len(set(labels)) < len(labels) or not all(_LABEL_NAME.fullmatch(label) for label in labels):
        raise _Unusable(f"declares {name} with the labels {', '.join(labels)}")


def _check_settings(settings: tuple[Setting, ...]) -> None:
    names = [setting.name for setting in settings]
    for setting in settings:
        if not _is_text(setting.name, _SETTING_NAME):
            raise _Unusable(f"has a setting with the name {setting.name!r}")
        default: object = setting.default
        if not (isinstance(default, str | bool) and _is_text(setting.help) and _is_text(setting.metavar)):
            raise _Unusable(f"has a setting {setting.name} whose default, help or metavar is no text")
        if names.count(setting.name) > 1:
            raise _Unusable(f"has two settings {setting.name}")


def _is_text(given: object, pattern: re.Pattern[str] = _ANYTHING) -> bool:
    return isinstance(given, str) and pattern.fullmatch(given) is not None


def _kind_of(given: object) -> str:
    name = type(given).__name__
    return "nothing" if given is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


# What a plugin yields


def _make_watched(plugin: Plugin, collector: Collector, settings: Settings) -> Collect:
    """What reads the source, watched. Raises SettingError as the plugin does, else PluginError."""
    try:
        with _told_as("cannot be set up", passing=SettingError):
            collect: object = collector.make(settings)
        if not callable(collect):
            raise _Unusable(f"makes {_kind_of(collect)}, and not a function")
    except _Unusable as error:
        raise PluginError(f"plugin {plugin.origin}: {error}") from error
    return Watch(plugin.origin, collector.families, collect).collect


class Watch:
    """Passes on what a plugin yields, but what makes no sense it leaves out, and logs each kind of it once."""

    def __init__(self, origin: str, families: Collection[Family], collect: Collect) -> None:
        self._origin = origin
        self._families = frozenset(families)
        self._collect = collect
        self._told: set[str] = set()

    def collect(self, paths: HostPaths) -> Iterator[Value]:
        """What the plugin yields of what it declared. Raises whatever it raises, but never ends the process."""
        seen: set[tuple[Family, tuple[str, ...]]] = set()
        values: Iterable[object]
        try:
            values = self._collect(paths)
            for value in values:
                fault = self._fault(value)
                if fault is not None:
                    self._tell(fault)
                    continue
                family, labels, number = value
                if (family, labels) in seen:
                    self._tell(f"a series of {family.name} twice")
                    continue
                seen.add((family, labels))
                if len(seen) > MOST_SERIES:
                    raise ValueError(f"expected at most {MOST_SERIES} series, got more")
                yield family, labels, number
        except SystemExit as error:
            raise RuntimeError("it wants to end the process") from error

    def _fault(self, value: object) -> str | None:
        """What is wrong with *value*, without quoting it."""
        if not (isinstance(value, tuple) and len(value) == 3):
            return f"{_kind_of(value)}, and not a family, its label values and a number"
        family, labels, number = value
        if not (isinstance(family, Family) and family in self._families):
            return "a family that it does not declare"
        if not (isinstance(labels, tuple) and len(labels) == len(family.labels)):
            return f"a series of {family.name} without a tuple of {len(family.labels)} label values"
        if not all(isinstance(label, str) for label in labels):
            return f"a series of {family.name} with a label value that is no text"
        if not isinstance(number, int | float):
            return f"a series of {family.name} with {_kind_of(number)} as number"
        return None

    def _tell(self, fault: str) -> None:
        if fault not in self._told and len(self._told) < MOST_FAULTS:
            self._told.add(fault)
            log.warning("plugin yields what is left out", extra={"plugin": self._origin, "fault": fault})
