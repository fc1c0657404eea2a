"""The fields that ProxmoxVE's clients send, as they send them, and how a field is read that came as another type."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec


class Payload(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """All fields of all generations; ``None``: absent or null."""

    random_id: str | None = None
    execution_id: str | None = None
    type: str | None = None
    nsapp: str | None = None
    status: str | None = None
    ct_type: int | None = None
    disk_size: int | float | None = None
    core_count: int | None = None
    ram_size: int | None = None
    os_type: str | None = None
    os_version: str | None = None
    pve_version: str | None = None
    method: str | None = None
    exit_code: int | None = None
    error: str | None = None
    error_category: str | None = None
    install_duration: int | None = None
    gpu_vendor: str | None = None
    gpu_model: str | None = None
    gpu_passthrough: str | None = None
    cpu_vendor: str | None = None
    cpu_model: str | None = None
    ram_speed: str | int | None = None
    repo_source: str | None = None
    repo_slug: str | None = None
    has_arm: bool | None = None
    payload_version: int | None = None
    arch: str | None = None
    platform: str | None = None
    kernel_version: str | None = None
    app_version: str | None = None
    failed_command: str | None = None
    failed_line: int | None = None
    duration: int | None = None
    disableip6: str | int | bool | None = None


class Sent(NamedTuple):
    """A payload, and how it could be read."""

    payload: Payload
    rescued: bool = False
    """Whether its JSON was broken, or numbers and texts were mixed up."""
    exit_code_readable: bool = True
    """Whether an exit code that is absent was not sent either."""


INTEGERS: Final = frozenset(
    {
        *("ct_type", "disk_size", "core_count", "ram_size", "exit_code", "install_duration", "duration"),
        *("payload_version", "failed_line"),
    }
)
IGNORED: Final = frozenset({"disableip6"})
TEXTS: Final = frozenset(Payload.__struct_fields__) - INTEGERS - IGNORED - {"has_arm"}
IDENTITY: Final = frozenset({"random_id", "nsapp", "status"})
"""Without these nothing can be rescued: they are texts, or the body cannot be read."""
COUNTED: Final = IDENTITY | {"type", "execution_id", "exit_code"}
"""These must not be there twice with different values: it is not known which of them is the client's."""
SIZES: Final = frozenset({"disk_size", "core_count", "ram_size"})
"""Shells send these with their unit: ``32G``."""

_NUMBER: Final = re.compile(r"([+-]?[0-9]{1,18})(\.[0-9]*)?([A-Za-z]*)")
LARGEST: Final = 2**53


class Unreadable(Exception):
    """The body cannot be read, whatever one does."""


def gather(fields: Iterable[tuple[str, object]]) -> Sent:
    """The payload of *fields* in the order they came: names in any case, the last one counts, null says nothing.

    Raises Unreadable if a field without which nothing can be counted has another type, or two values.
    """
    known: dict[str, object] = {}
    counted: dict[str, object] = {}
    mixed_up = False
    exit_code_readable = True
    for name, value in fields:
        field = name.lower()
        if value is None:
            continue
        if field in COUNTED and counted.setdefault(field, value) != value:
            raise Unreadable(field)
        if field in INTEGERS:
            number = read_number(value, with_unit=field in SIZES)
            mixed_up |= type(value) is not int and not (field == "disk_size" and type(value) is float)
            if field == "exit_code":
                exit_code_readable = number is not None and not (isinstance(value, float) and value != number)
                known[field] = number if exit_code_readable else None
            elif number is not None:
                known[field] = number
        elif field in TEXTS:
            text, expected = read_text(value)
            if field in IDENTITY and type(value) is not str:
                raise Unreadable(field)
            mixed_up |= not expected and field != "ram_speed"
            if text is not None:
                known[field] = text
        elif field == "has_arm":
            known[field] = value is True or value in ("true", "yes", "1", 1)
            mixed_up |= type(value) is not bool
    return Sent(msgspec.convert(known, Payload), mixed_up, exit_code_readable)


def read_number(value: object, *, with_unit: bool = False) -> int | None:
    """The integer that *value* is, or that its text begins with; ``None`` if it is none.

    A number too large for any field stays too large.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return max(min(value, LARGEST), -LARGEST)
    if isinstance(value, float):
        return int(max(min(value, LARGEST), -LARGEST)) if math.isfinite(value) else None
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value.strip())
        if (
            match is not None
            and (with_unit or not match[3])
            and (with_unit or not (match[2] or "").strip(".0"))
        ):
            return int(match[1])
    return None


def read_text(value: object) -> tuple[str | None, bool]:
    """*value* as text if it can be one, and whether it was one."""
    if isinstance(value, str):
        return value, True
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value), False
    return None, False
