"""The flags of the collectors, ``--[no-]collector.NAME`` and ``--collector.NAME.SETTING``, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from host_exporter.collector import Collector, Setting, SettingError
from host_exporter.config import environment_name

Command = TypeVar("Command", bound=Callable[..., Any])


def flag(name: str, **settings: Any) -> Callable[[Command], Command]:
    """An option that is an environment variable as well, which its help and its errors tell."""
    first = name.partition("/")[0]
    return click.option(
        name, argument_of(first), envvar=environment_name(first), show_envvar=True, **settings
    )


class _OneOfMany(click.Option):
    """Its environment variable is in its errors, but not in its help: there are a hundred such flags."""

    def get_help_extra(self, ctx: click.Context) -> Any:
        extra = super().get_help_extra(ctx)
        extra.pop("envvars", None)
        return extra


def argument_of(flag_name: str) -> str:
    """What a command calls the value of a flag."""
    return flag_name.lstrip("-").replace(".", "_").replace("-", "_")


def collector_flags(collectors: Mapping[str, Collector]) -> Callable[[Command], Command]:
    """Gives a command the flags of all *collectors*."""

    def give(command: Command) -> Command:
        for name, collector in reversed([*collectors.items()]):
            for setting in reversed(collector.settings):
                command = _setting_flag(name, setting)(command)
            default = "on" if collector.on_by_default else "off"
            command = flag(
                _switch(f"collector.{name}"),
                multiple=True,
                cls=_OneOfMany,
                help=f"The {name} collector; {default} by default.",
            )(command)
        return command

    return give


def switches(collectors: Mapping[str, Collector], arguments: Mapping[str, Any]) -> dict[str, bool | None]:
    """By collector: whether the *arguments* of a command switch it on or off, or say nothing. Raises SettingError."""
    return {name: _one(f"collector.{name}", arguments) for name in collectors}


def told(
    collectors: Mapping[str, Collector], arguments: Mapping[str, Any]
) -> dict[str, dict[str, str | bool]]:
    """By collector: those of its settings of which the *arguments* of a command say something. Raises SettingError."""
    found: dict[str, dict[str, str | bool]] = {}
    for name, collector in collectors.items():
        for setting in collector.settings:
            value = _value(setting.flag(name), setting, arguments)
            if value is not None:
                found.setdefault(name, {})[setting.name] = value
    return found


def _value(flag_name: str, setting: Setting, arguments: Mapping[str, Any]) -> str | bool | None:
    if isinstance(setting.default, bool):
        return _one(flag_name, arguments)
    value: str | tuple[str, ...] | None = arguments[argument_of(flag_name)]
    return ("\n".join(value) or None) if isinstance(value, tuple) else value


def _one(flag_name: str, arguments: Mapping[str, Any]) -> bool | None:
    """What a switch that may be repeated says, if anything. Raises SettingError if it says both."""
    said: tuple[bool, ...] = arguments[argument_of(flag_name)]
    if len({*said}) > 1:
        raise SettingError(f"--{flag_name} and --no-{flag_name} contradict each other")
    return said[0] if said else None


def _switch(name: str) -> str:
    return f"--{name}/--no-{name}"


def _setting_flag(collector: str, setting: Setting) -> Callable[[Command], Command]:
    name = setting.flag(collector)
    if isinstance(setting.default, bool):
        default = "on" if setting.default else "off"
        return flag(
            _switch(name),
            multiple=True,
            cls=_OneOfMany,
            help=f"{setting.help} {default.capitalize()} by default.",
        )
    help_text = f"{setting.help} Default: {setting.default}" if setting.default else setting.help
    return flag(
        f"--{name}",
        default=None,
        cls=_OneOfMany,
        metavar=setting.metavar,
        multiple=setting.repeatable,
        help=f"{help_text} Repeatable." if setting.repeatable else help_text,
    )
