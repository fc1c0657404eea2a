"""Attributes of sysfs: files that hold one word or one number."""

from __future__ import annotations

from host_exporter.paths import HostPaths


def word(paths: HostPaths, name: str, missing: str = "") -> str:
    """The text of an attribute without blanks around it; *missing* if there is no such file."""
    try:
        return paths.read_sys(name).strip()
    except FileNotFoundError:
        return missing


def number(paths: HostPaths, name: str) -> int:
    """The number in an attribute. A missing one raises FileNotFoundError, another text ValueError."""
    text = paths.read_sys(name)
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name}: expected a number, got {text!r}") from None


def number_or_zero(paths: HostPaths, name: str) -> int:
    """The number in an attribute, 0 if this kernel has none of that name. Raises ValueError for another text."""
    try:
        return number(paths, name)
    except FileNotFoundError:
        return 0


def names_or_none(paths: HostPaths, folder: str) -> list[str]:
    """What a folder of sysfs holds, in order; nothing where the folder is missing."""
    try:
        return paths.names_sys(folder)
    except FileNotFoundError:
        return []
