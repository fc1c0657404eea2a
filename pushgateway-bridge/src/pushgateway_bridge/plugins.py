"""Dialects of third parties: found by their entry points, looked through once, and kept from harming the rest."""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import PurePath
from types import TracebackType
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply, TokenNeed
from pushgateway_bridge.errors import PushRejected, StartFailed
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.report import Rejection, Report
from pushgateway_bridge.plugin_api import API_VERSION, TAKEN_VERSIONS
from pushgateway_bridge.plugin_checks import BadReport, NotADialect, check_dialect, check_report, is_reply

logger = logging.getLogger(__name__)

GROUP: Final = "pushgateway_bridge.dialects"
VERSION_NAME: Final = "PLUGIN_API_VERSION"
"""In a plugin's module: the version of the API that it was made for."""
MOST_KINDS: Final = 20
"""Faults of one plugin that are logged, each once."""

T = TypeVar("T")


class PluginFailed(PushRejected):
    """The plugin that speaks the push's dialect is at fault. Nothing is stored."""

    status = 500
    reason = "plugin_failed"


class PluginDialect(Dialect, frozen=True):
    """A dialect that came as a plugin; *origin* says which."""

    origin: str = ""
    left_out: bool = False
    """It is disabled, and was not imported: its name is all that is known."""


class Plugin(NamedTuple):
    """An entry point of the group, and the distribution that has it."""

    name: str
    origin: str
    """``acme-dialect 1.0: entry point acme = acme_dialect:DIALECT``"""
    entry: importlib.metadata.EntryPoint


def find() -> list[Plugin]:
    """What is installed, by name; nothing is imported."""
    entries = importlib.metadata.entry_points(group=GROUP)
    plugins = [Plugin(entry.name, _origin(entry), entry) for entry in entries]
    return sorted(plugins, key=lambda plugin: (plugin.name, plugin.origin))


def _origin(entry: importlib.metadata.EntryPoint) -> str:
    where = entry.dist
    distribution = "a distribution" if where is None else f"{where.name} {where.version}"
    return f"{distribution}: entry point {entry.name} = {entry.value}"


def with_plugins(dialects: Mapping[str, Dialect], disabled: Collection[str]) -> dict[str, Dialect]:
    """*dialects* and those of all plugins; a *disabled* one is not imported, only its name is there.

    Raises StartFailed, which names the distribution and the entry point, if one of the others cannot be served.
    """
    known = dict(dialects)
    for plugin in find():
        try:
            if plugin.name in known:
                raise NotADialect(f"takes the name {plugin.name}, which {_whose(known[plugin.name])} has")
            known[plugin.name] = _left_out(plugin) if plugin.name in disabled else load(plugin, known)
        except NotADialect as error:
            raise StartFailed(f"plugin {plugin.origin}: {error}") from error
    return known


def plugins_of(dialects: Mapping[str, Dialect]) -> Iterator[PluginDialect]:
    """Those of *dialects* that came as plugins."""
    return (dialect for dialect in dialects.values() if isinstance(dialect, PluginDialect))


def load(plugin: Plugin, others: Mapping[str, Dialect]) -> PluginDialect:
    """The dialect of *plugin*, which is imported for it. Raises NotADialect."""
    with _told_as("cannot be imported"):
        given = plugin.entry.load()
    _check_version(getattr(sys.modules.get(plugin.entry.module), VERSION_NAME, None))
    if callable(given):
        with _told_as("cannot make its dialect"):
            given = given()
    return guarded(check_dialect(given, plugin.name, others), plugin.origin)


def _check_version(version: object) -> None:
    if type(version) is not int:
        raise NotADialect(
            f"does not say for which plugin API it is made: its module needs {VERSION_NAME} = {API_VERSION}"
        )
    if version not in TAKEN_VERSIONS:
        taken = ", ".join(str(one) for one in sorted(TAKEN_VERSIONS))
        raise NotADialect(f"is made for version {version} of the plugin API, and this bridge takes {taken}")


class _told_as:  # noqa: N801 - it stands where a function would
    """Whatever another's code raises becomes a NotADialect that says *what* it kept from being done."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, (Exception, SystemExit)):
            text = " ".join(str(error).split())
            told = f"{type(error).__name__}: {text}" if text else type(error).__name__
            raise NotADialect(f"{self._what}: {told}") from error


def _whose(dialect: Dialect) -> str:
    return dialect.origin if isinstance(dialect, PluginDialect) else "a dialect of the bridge itself"


def _left_out(plugin: Plugin) -> PluginDialect:
    """What stands for a plugin that is not imported, so that settings may name it."""

    def nothing(_body: bytes, _context: PushContext) -> Report:
        raise AssertionError("a disabled dialect decodes nothing")

    reply = Reply(404, b"", "text/plain")
    return PluginDialect(
        name=plugin.name,
        paths=(),
        max_body_bytes=1,
        series_class=SeriesClass.POINT,
        default_interval_seconds=None,
        decode=nothing,
        accepted=reply,
        refuse=lambda _error: reply,
        token_need=TokenNeed.ALWAYS,
        origin=plugin.origin,
        left_out=True,
    )


# While it runs


def guarded(dialect: Dialect, origin: str) -> PluginDialect:
    """*dialect* with its functions fenced: whatever one of them raises or gives refuses that push and no more."""
    faults = _Faults(dialect.name, origin)

    def decode(body: bytes, context: PushContext) -> Report:
        return faults.watch(
            lambda: check_report(dialect.decode(body, context), dialect, context.limits),
        )

    def reply(report: Report, rejected: Sequence[Rejection]) -> Reply:
        assert dialect.reply is not None
        return faults.watch(lambda: _sendable(dialect.reply(report, rejected)))  # type: ignore[misc]  # as above

    def refuse(error: PushRejected) -> Reply:
        if isinstance(error, PluginFailed):
            return Reply(error.status, str(error).encode(), "text/plain; charset=utf-8")
        try:
            return faults.watch(lambda: _sendable(dialect.refuse(error)))
        except PluginFailed:
            return Reply(error.status, str(error).encode(errors="replace"), "text/plain; charset=utf-8")

    fields: dict[str, Any] = {field: getattr(dialect, field) for field in Dialect.__struct_fields__}
    fields |= {"decode": decode, "refuse": refuse, "reply": None if dialect.reply is None else reply}
    fields["own_rejections"] = (*dialect.own_rejections, PluginFailed)
    return PluginDialect(**fields, origin=origin)


def _sendable(told: object) -> Reply:
    if not is_reply(told):
        raise BadReport("a reply that is no Reply")
    return msgspec.convert(told, Reply)


class _Faults:
    """Turns what a plugin does wrong into PluginFailed, and logs each kind of it once.

    The log has the kind and the line of the plugin, and no text of the error: that may quote what was pushed.
    """

    def __init__(self, dialect: str, origin: str) -> None:
        self._dialect = dialect
        self._origin = origin
        self._told: set[str] = set()

    def watch(self, work: Callable[[], T]) -> T:
        """What *work* gives. Raises PushRejected: its own, or PluginFailed."""
        try:
            return work()
        except PushRejected:
            raise
        except BadReport as error:
            self._tell(f"it gave {error}")
            raise PluginFailed(f"the plugin for {self._dialect} is at fault; nothing was stored") from error
        except Exception as error:
            self._tell(f"{type(error).__name__} at {_place(error)}")
            raise PluginFailed(f"the plugin for {self._dialect} is at fault; nothing was stored") from error

    def _tell(self, fault: str) -> None:
        if fault in self._told or len(self._told) >= MOST_KINDS:
            return
        self._told.add(fault)
        logger.error(
            "plugin failed, its pushers get 500 dialect=%s plugin=%r fault=%r hint='told once; "
            "telemetry_pushes_rejected_total counts the pushes'",
            self._dialect,
            self._origin,
            fault,
        )


def _place(error: BaseException) -> str:
    """The innermost line of the traceback that is not the bridge's."""
    trace, place = error.__traceback__, "an unknown line"
    while trace is not None:
        code = trace.tb_frame.f_code
        if trace.tb_frame.f_globals.get("__name__") != __name__:
            place = f"{PurePath(code.co_filename).name}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    return place
