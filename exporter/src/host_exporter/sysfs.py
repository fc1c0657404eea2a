"""Attributes of devices: small files below sysfs that hold one word or one number, and devices that come and go."""

from __future__ import annotations

import errno

from host_exporter.paths import HostPaths

UNANSWERED = frozenset({errno.ENOENT, errno.EACCES, errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP})
"""How the kernel says that a device has no such attribute, or has none at the moment."""

NO_COUNTER = "N/A (no PMA)"
"""What some InfiniBand drivers write in a counter's place."""


def read_attribute(paths: HostPaths, name: str) -> str | None:
    """The attribute's text without blanks around it; ``None`` if the device does not have or not tell it.

    Raises OSError for any other failure.
    """
    try:
        return paths.read_sys(name).strip()
    except OSError as error:
        if error.errno in UNANSWERED:
            return None
        raise


def read_count(paths: HostPaths, name: str) -> int | None:
    """The attribute's number, decimal or with ``0x``; ``None`` as for its text. Raises ValueError if it is none."""
    text = read_attribute(paths, name)
    if text is None or NO_COUNTER in text:
        return None
    try:
        return int(text, 0)
    except ValueError as error:
        raise ValueError(f"{name}: expected a number, got {text!r}") from error


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
