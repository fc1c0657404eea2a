"""Patterns of names that also have a spelling of older days."""

from __future__ import annotations

from host_exporter.collector import NameFilter, SettingError, Settings


def name_filter(settings: Settings, collector: str, what: str, older: str, default: str) -> NameFilter:
    """The patterns ``WHAT-include`` and ``WHAT-exclude``, of which the latter is *default* unless it was told.

    The setting *older* stands for ``WHAT-exclude`` where it was told. Raises SettingError if both were.
    """
    if not settings.text(older):
        return settings.name_filter(what)
    exclude = f"{what}-exclude"
    if settings.text(exclude) != default:
        flag = f"--collector.{collector}."
        raise SettingError(f"{flag}{older} and {flag}{exclude} exclude each other")
    if settings.text(f"{what}-include"):
        return settings.name_filter(what)
    return NameFilter(exclude=settings.pattern(older))
