"""One reading of a web configuration file and of the files that it names."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import msgspec
import yaml

from telemetry_web_config.errors import WebConfigError

Section = TypeVar("Section", bound=msgspec.Struct)
Value = TypeVar("Value")
Fingerprint: TypeAlias = tuple[int, ...] | None
"""Differs when a file was written, replaced or given other rights; None while it is not there."""

_CONVERSION_ERROR: Final = re.compile(r"(?P<problem>.+?) - at `\$\.?(?P<key>.*)`")


def fingerprint(path: Path) -> Fingerprint:
    """Tells one state of a file from another without reading it."""
    try:
        status = path.stat()
    except OSError:
        return None
    # Renewed certificates are often as long as the old ones; ctime tells a change of rights too.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


class Content(NamedTuple):
    """What a file holds, and whether every user of this machine may read it."""

    text: bytes
    world_readable: bool


class Source:
    """The file at *path*. Every method raises WebConfigError where something is not right."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: dict[Path, Fingerprint] = {}
        """Every file that was looked at, as it was just before; complete also when the reading fails."""

    def sections(self, known: Collection[str]) -> dict[str, Any]:
        """What stands in the file, None for each *known* section that does not."""
        try:
            document = yaml.load(self.read(self.path, "").text, _StrictLoader)  # noqa: S506 (a SafeLoader)
        except yaml.MarkedYAMLError as error:
            # Not the error's own text: it quotes the line, which may hold a key.
            line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
            raise WebConfigError(self.path, "", f"is not YAML: {line}{error.problem}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            # Bytes that are no text, a date such as 2026-13-01, brackets without end.
            raise WebConfigError(self.path, "", "is not YAML: it holds what cannot be read") from error
        return {**dict.fromkeys(known), **self.mapping(document, "", known)}

    def convert(self, value: object, name: str, kind: type[Section]) -> Section | None:
        """The section of that *name*; None if the file sets nothing in it."""
        known = [field.name for field in msgspec.structs.fields(kind)]
        settings = self.mapping(value, name, known)
        # A key without a value is one that was not set, as in the original.
        settings = {key: value for key, value in settings.items() if value is not None}
        if not settings:
            return None
        try:
            return msgspec.convert(settings, kind)
        except msgspec.ValidationError as error:
            found = _CONVERSION_ERROR.fullmatch(str(error))
            key, problem = (found["key"], found["problem"]) if found else ("", str(error))
            raise WebConfigError(self.path, f"{name}.{key}", problem) from error

    def mapping(self, value: object, name: str, known: Collection[str]) -> dict[str, Any]:
        """*value* with no key that is not *known*; nothing at all is an empty mapping."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise WebConfigError(self.path, name, f"expected keys and values, got {type(value).__name__}")
        for key in value:
            if key not in known:
                nearest = difflib.get_close_matches(str(key), known, 1, 0.5)
                hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(sorted(known))}"
                raise WebConfigError(self.path, f"{name}.{key}".lstrip("."), f"is unknown: {hint}")
        return value

    def read(self, path: Path, key: str) -> Content:
        """The file that *key* names."""
        self.seen[path] = fingerprint(path)
        try:
            with path.open("rb") as file:
                readable = bool(os.fstat(file.fileno()).st_mode & stat.S_IROTH) and os.name == "posix"
                return Content(file.read(), readable)
        except OSError as error:
            named = f" {path}" if key else ""
            raise WebConfigError(self.path, key, f"cannot read{named}: {error.strerror}") from error

    def choose(self, key: str, name: str, known: Mapping[str, Value]) -> Value:
        """What *known* has for the *name* that *key* gives."""
        if name not in known:
            nearest = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
            raise WebConfigError(self.path, key, f"{name!r} is unknown or insecure: {hint}")
        return known[name]


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, where YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} stands twice", problem_mark=node.value[position][0].start_mark
                )
        return super().construct_mapping(node, deep)
