"""The environment variables of statix' stats service, as settings of ours. Ours and flags win over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from host_exporter.config import MAX_PORT, ListenAddress

HOST, PORT = "SYSTEM_STATS_HOST", "SYSTEM_STATS_PORT"
LOG_LEVEL = "SYSTEM_STATS_LOG_LEVEL"
DISK_PATH = "SYSTEM_STATS_DISK_PATH"

ALIASES = {
    HOST: "--web.listen-address",
    PORT: "--web.listen-address",
    LOG_LEVEL: "--log.level",
    DISK_PATH: "--system.disk-path",
}
"""The flag that each stands for."""

DEFAULT_HOST, DEFAULT_PORT = "0.0.0.0", "5001"  # noqa: S104 - who sets one of the two has the other's default
LEVELS = {"trace": "debug", "warning": "warn", "critical": "error"}
"""Levels of that service which are called otherwise here."""


class AliasError(ValueError):
    """A variable says what cannot be; the message names it."""


def translate(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the variables that are set, and not empty, say, by the flag that they stand for.

    Raises AliasError that names the variable for a port that is none and a path that is not absolute.
    """
    told: dict[str, Any] = {}
    if environment.get(HOST) or environment.get(PORT):
        port = environment.get(PORT) or DEFAULT_PORT
        if not (port.isascii() and port.isdigit()) or int(port) > MAX_PORT:
            raise AliasError(f"{PORT}: expected a port of at most {MAX_PORT}, got {port!r}")
        address = ListenAddress(environment.get(HOST) or DEFAULT_HOST, int(port))
        told[ALIASES[HOST]] = (str(address),)
    if level := environment.get(LOG_LEVEL, "").lower():
        told[ALIASES[LOG_LEVEL]] = LEVELS.get(level, level)
    if path := environment.get(DISK_PATH):
        if not PurePosixPath(path).is_absolute():
            raise AliasError(f"{DISK_PATH}: expected a path such as /srv, got {path!r}")
        told[ALIASES[DISK_PATH]] = path
    return told


def used(environment: Mapping[str, str], taken: Mapping[str, bool]) -> list[str]:
    """The variables that took effect; *taken* says of each flag whether what ``translate`` gave was used."""
    return [name for name, flag in ALIASES.items() if environment.get(name) and taken.get(flag)]
