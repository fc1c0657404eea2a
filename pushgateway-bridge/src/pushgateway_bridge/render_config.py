"""Fills a YAML template with settings and secrets, leaving out what is not set.

``${NAME}`` stands for a setting: from the environment, else an env file, else the file that ``NAME_FILE`` names.
An entry of a list that needs a setting which is not there is left out; a list that is left empty too. So a
receiver has just the ways to notify that were configured, and the file loads without any. Alertmanager's
configuration gets the routes by which its receivers are tested.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import yaml

from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.receivers import with_test_routes

logger = logging.getLogger(__name__)

PLACEHOLDER: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")

NUMBER_OR_BOOLEAN: Final = re.compile(r"0|-?[1-9][0-9]{0,17}|true|false")
"""Settings that are no text in YAML. A number with a leading zero or with more digits is a password or the like."""

Lookup = Callable[[str], str | None]

ALIASES: Final[Mapping[str, str]] = {"SMTP_PASSWORD": "SMTP_PASS", "ALERT_EMAIL": "SMTP_TO"}
"""Settings → what other systems call them. Ours win."""


class _Missing(Exception):
    """A setting that is not there; its message is the name."""


def render(template: str, lookup: Lookup) -> str:
    """*template* with its placeholders filled, and with routes for tests if it is Alertmanager's.

    A scalar that is one placeholder becomes what its value means in YAML, so that a number is a number. Raises
    StartFailed if the template is no YAML, or needs a missing setting outside any list.
    """
    try:
        document = yaml.safe_load(template)
    except yaml.YAMLError as error:
        raise StartFailed(f"the template is no YAML: {' '.join(str(error).split())}") from error
    try:
        filled = _fill(document, lookup)
    except _Missing as error:
        raise StartFailed(f"the template needs {error}, which is not set") from error
    return yaml.safe_dump(with_test_routes(filled), sort_keys=False, allow_unicode=True, width=110)


def _fill(value: object, lookup: Lookup) -> object:
    if isinstance(value, dict):
        filled = {key: _fill(item, lookup) for key, item in value.items()}
        emptied = {key for key, item in filled.items() if item == [] and value[key] != []}
        return {key: item for key, item in filled.items() if key not in emptied}
    if isinstance(value, list):
        return [item for entry in value for item in _fill_entry(entry, lookup)]
    if isinstance(value, str):
        return _fill_text(value, lookup)
    return value


def _fill_entry(entry: object, lookup: Lookup) -> list[object]:
    """The filled entry, or nothing if a setting that it needs is missing."""
    try:
        filled = _fill(entry, lookup)
    except _Missing:
        return []
    return [] if filled == [] and entry != [] else [filled]


def _fill_text(text: str, lookup: Lookup) -> object:
    whole = PLACEHOLDER.fullmatch(text)
    if whole is not None:
        value = _required(whole[1], lookup)
        # Only numbers and booleans change their meaning; a password such as "a: b" stays a text.
        return yaml.safe_load(value) if NUMBER_OR_BOOLEAN.fullmatch(value) else value
    return PLACEHOLDER.sub(lambda match: _required(match[1], lookup), text)


def _required(name: str, lookup: Lookup) -> str:
    value = lookup(name)
    if not value:
        raise _Missing(name)
    return value


def settings_lookup(environment: Mapping[str, str], env_file: Path | None) -> Lookup:
    """Where a placeholder's value comes from. Raises StartFailed if a named file cannot be read."""
    lines = {} if env_file is None or not env_file.is_file() else read_env_file(env_file)

    def lookup_one(name: str) -> str | None:
        if value := environment.get(name) or lines.get(name):
            return value
        file = f"{name}_FILE"
        if secret := environment.get(file) or lines.get(file):
            return read_text(Path(secret), f"{file} {secret}").rstrip("\r\n")
        return None

    def lookup(name: str) -> str | None:
        value = lookup_one(name)
        if value is None and name in ALIASES and (value := lookup_one(ALIASES[name])) is not None:
            logger.info("alias name=%s setting=%s", ALIASES[name], name)
        return value

    return lookup


def read_text(file: Path, name: str) -> str:
    """What is in *file*. Raises StartFailed with *name* if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise StartFailed(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StartFailed(f"{name}: not a text in UTF-8") from error


def read_env_file(file: Path) -> dict[str, str]:
    """``NAME=value`` lines; comments and blank lines do not count, quotes around a value are dropped."""
    values = {}
    for number, line in enumerate(read_text(file, str(file)).splitlines(), 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name.strip()):
            raise StartFailed(f"{file}, line {number}: expected NAME=value")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[name.strip()] = value
    return values


def write_atomically(file: Path, text: str, mode: int) -> None:
    """Put *text* into *file*, all of it or nothing, readable as *mode* says from the first moment on."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as output:
            output.write(text)
            output.flush()
            os.fchmod(output.fileno(), mode)
            os.fsync(output.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
