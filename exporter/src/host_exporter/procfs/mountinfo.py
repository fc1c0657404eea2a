"""``/proc/<pid>/mountinfo``, see proc_pid_mountinfo(5)."""

from __future__ import annotations

import re
from typing import NamedTuple

_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One mounted file system. Major and minor are those of the device that ``stat`` shows for its files."""

    device: str
    mountpoint: str
    fstype: str
    major: str
    minor: str
    read_only: bool


def parse_mountinfo(text: str) -> list[Mount]:
    """Raises ValueError if a line lacks the separator or the fields around it."""
    return [_parse_line(line) for line in text.splitlines()]


def host_name(mountpoint: str, rootfs: str) -> str:
    """What the host calls *mountpoint*, where this process has the host's root mounted at *rootfs*."""
    inside = mountpoint == rootfs or mountpoint.startswith(f"{rootfs}/")
    return (mountpoint[len(rootfs) :] or "/") if inside else mountpoint


def _parse_line(line: str) -> Mount:
    # Between the options and the dash stand any number of optional fields.
    before, dash, after = line.partition(" - ")
    mount_fields, super_fields = before.split(" "), after.split(" ")
    if not dash or len(mount_fields) < 6 or len(super_fields) < 3:
        raise ValueError(f"expected 6 fields, a dash and 3 fields, got {line!r}")
    _, _, number, _, mountpoint, options = mount_fields[:6]
    fstype, device, super_options = super_fields[:3]
    major, _, minor = number.partition(":")
    read_only = "ro" in options.split(",") or "ro" in super_options.split(",")
    return Mount(_unescape(device), _unescape(mountpoint), fstype, major, minor, read_only)


def _unescape(field: str) -> str:
    r"""The kernel writes a blank as ``\040``, and likewise tab, newline, backslash and hash."""
    if "\\" not in field:
        return field
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
