"""What a web configuration file says, read and checked.

The format is that of https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md; what this
program cannot do is refused by name rather than ignored. docs/web-config.md lists the differences.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from telemetry_web_config import tls
from telemetry_web_config.errors import WebConfigError
from telemetry_web_config.source import Source
from telemetry_web_config.tls import Tls
from telemetry_web_config.tls_section import TlsSection, read_tls

SECTIONS: Final = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")

HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""The headers that may be set, with the values of those that have only a few."""

MAX_BCRYPT_COST: Final = 18
"""Each step doubles the time of a check; above this one a login takes too long to be of use."""

_BCRYPT: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")


class HttpSection(msgspec.Struct, frozen=True, kw_only=True):
    """``http_server_config``"""

    http2: bool = True
    """Accepted without effect: HTTP/1.1 is served, which every client of HTTP/2 speaks too."""
    headers: dict[str, str | None] = {}
    """By name; one without a value is not set."""


@dataclass(frozen=True, kw_only=True)
class WebConfig:
    """A file that is right: TLS, what every answer carries, and who may ask."""

    file: Path
    tls: Tls | None = None
    """None: plain HTTP."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Names in lower case, as ASGI has them."""
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """bcrypt hashes by name; empty: no one has to say who they are."""

    def ssl_context(self) -> ssl.SSLContext | None:
        """None for plain HTTP. Raises WebConfigError if certificate, key or client CA is not what it should be."""
        return None if self.tls is None else tls.make_context(self.tls)

    def warnings(self, now: datetime) -> tuple[str, ...]:
        """What an operator should know though it keeps nothing from starting."""
        if self.tls is None:
            return ()
        warnings = []
        if self.tls.private_key.world_readable:
            warnings.append(
                f"{self.file}: {self.tls.private_key.key}: {self.tls.private_key.origin} can be read by every user "
                "of this machine: take that right away (chmod o-r)"
            )
        if now >= self.tls.not_after:
            warnings.append(
                f"{self.file}: {self.tls.certificate.key}: {self.tls.certificate.origin} expired at "
                f"{self.tls.not_after.isoformat()}: clients will refuse it"
            )
        return tuple(warnings)


def load(path: Path) -> WebConfig:
    """Raises WebConfigError, one line that names file and key, if the file or one that it names is not right."""
    return read_config(Source(path))


def read_config(source: Source) -> WebConfig:
    """The same, where the caller wants to know which files were read."""
    sections = source.sections(SECTIONS)
    if sections["rate_limit"] is not None:
        raise WebConfigError(source.path, "rate_limit", "is not supported: remove it")
    section = source.convert(sections["tls_server_config"], "tls_server_config", TlsSection)
    http = source.convert(sections["http_server_config"], "http_server_config", HttpSection)
    return WebConfig(
        file=source.path,
        tls=None if section is None else read_tls(source, section),
        headers=_headers(source, {} if http is None else http.headers),
        users=_users(source, sections["basic_auth_users"]),
    )


def _headers(source: Source, headers: Mapping[str, str | None]) -> tuple[tuple[bytes, bytes], ...]:
    section = "http_server_config.headers"
    source.mapping(headers, section, HEADERS)
    given = {name: value for name, value in headers.items() if value}
    for name, value in given.items():
        if HEADERS[name] and value not in HEADERS[name]:
            expected = " or ".join(HEADERS[name])
            raise WebConfigError(source.path, f"{section}.{name}", f"expected {expected}, got {value!r}")
        if not _HEADER_VALUE.fullmatch(value):
            raise WebConfigError(source.path, f"{section}.{name}", "has characters that no header may have")
    return tuple((name.lower().encode(), value.encode()) for name, value in given.items())


def _users(source: Source, users: object) -> dict[str, str]:
    """Messages name the user and never show a hash."""
    if users is None:
        return {}
    if not isinstance(users, dict):
        problem = f"expected names and bcrypt hashes, got {type(users).__name__}"
        raise WebConfigError(source.path, "basic_auth_users", problem)
    for name, hashed in users.items():
        key = f"basic_auth_users.{name}"
        if not isinstance(name, str):
            raise WebConfigError(source.path, key, "a name that YAML takes for something else must be quoted")
        if ":" in name:
            raise WebConfigError(
                source.path, key, "a name cannot have a colon: it ends where the password begins"
            )
        found = _BCRYPT.fullmatch(hashed) if isinstance(hashed, str) else None
        if found is None:
            raise WebConfigError(source.path, key, "expected a bcrypt hash (htpasswd -nBC 10 NAME makes one)")
        if not 4 <= int(found[1]) <= MAX_BCRYPT_COST:
            problem = f"bcrypt cost {int(found[1])} is not between 4 and {MAX_BCRYPT_COST}"
            raise WebConfigError(source.path, key, problem)
    return users
