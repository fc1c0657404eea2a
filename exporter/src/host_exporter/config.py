"""What the exporter can be told, and how it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

ENVIRONMENT_PREFIX = "HOST_EXPORTER_"
MAX_PORT = 65_535


class ListenAddress(NamedTuple):
    """A TCP address; an empty host means every interface."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


DEFAULT_LISTEN_ADDRESS = ListenAddress("127.0.0.1", 10100)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that ``serve`` needs to know."""

    listen_addresses: tuple[ListenAddress, ...] = (DEFAULT_LISTEN_ADDRESS,)
    telemetry_path: str = "/metrics"
    web_config_file: Path | None = None
    """TLS, client certificates, users and headers; None: plain HTTP for everyone."""
    collectors: tuple[str, ...]
    """The names of the collectors that are on."""
    told: Mapping[str, Mapping[str, str | bool]] = field(default_factory=dict)
    """By collector: those of its settings that were told."""
    procfs: str = "/proc"
    sysfs: str = "/sys"
    rootfs: str = "/"
    udev_data: str | None = None
    """Where udev keeps what it knows of devices; None: below the root."""
    disk_path: str = "/"
    """The mount point whose space ``/system`` tells, as the host calls it."""


def environment_name(flag: str) -> str:
    """``--web.listen-address`` → ``HOST_EXPORTER_WEB_LISTEN_ADDRESS``"""
    return ENVIRONMENT_PREFIX + flag.lstrip("-").replace(".", "_").replace("-", "_").upper()


def parse_listen_address(text: str) -> ListenAddress:
    """``host:port``, ``[::1]:port`` or ``:port``; port 0 lets the system choose one.

    Raises ValueError for anything else.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    plain = ":" not in host and not host.startswith("[")
    if (
        not colon
        or not (bracketed or plain)
        or not (port.isascii() and port.isdigit())
        or int(port) > MAX_PORT
    ):
        raise ValueError(f"expected HOST:PORT with a port of at most {MAX_PORT}, got {text!r}")
    return ListenAddress(host[1:-1] if bracketed else host, int(port))


def parse_telemetry_path(text: str, reserved: tuple[str, ...]) -> str:
    """Raises ValueError if *text* is not an absolute path or is one of *reserved*."""
    if not text.startswith("/") or any(character in text for character in "?#% "):
        raise ValueError(f"expected a path such as /metrics, got {text!r}")
    if text in reserved:
        raise ValueError(f"{text!r} is already served; choose another path")
    return text


def parse_disk_path(text: str) -> str:
    """Raises ValueError if *text* is not an absolute path."""
    if not text.startswith("/"):
        raise ValueError(f"expected a path such as /srv, got {text!r}")
    return text


def enabled_collectors(
    on_by_default: Mapping[str, bool], switches: Mapping[str, bool | None], disable_defaults: bool
) -> tuple[str, ...]:
    """The names that are on: by their switch, or, where that was left alone, by default."""
    enabled = []
    for name, default in on_by_default.items():
        switch = switches.get(name)
        if switch if switch is not None else default and not disable_defaults:
            enabled.append(name)
    return tuple(enabled)
