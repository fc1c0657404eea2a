"""Checks ``tls_server_config`` and reads the files it names."""

from __future__ import annotations

import ssl
from datetime import datetime

import msgspec

from telemetry_web_config import tls
from telemetry_web_config.certificate import not_after
from telemetry_web_config.errors import WebConfigError
from telemetry_web_config.source import Source
from telemetry_web_config.tls import Pem, Tls


class TlsSection(msgspec.Struct, frozen=True, kw_only=True):
    """``tls_server_config``"""

    cert: str = ""
    key: str = ""
    client_ca: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    client_auth_type: str = "NoClientCert"
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    curve_preferences: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True


def read_tls(source: Source, section: TlsSection) -> Tls:
    """Reads certificate, key and client CA. Raises WebConfigError where something is not right."""
    certificate = _pem(source, "cert", section.cert, section.cert_file)
    private_key = _pem(source, "key", section.key, section.key_file)
    if certificate is None or private_key is None:
        key = "cert" if certificate is None else "key"
        raise _error(source, f"{key}_file", f"is missing: a server of TLS needs it, or {key}")
    if b"ENCRYPTED" in private_key.content:
        raise WebConfigError(
            source.path,
            private_key.key,
            f"{private_key.origin} is encrypted: no one is there to type its passphrase",
        )
    client_auth = _client_auth(source, section.client_auth_type)
    minimum, maximum = (
        _version(source, key, getattr(section, key)) for key in ("min_version", "max_version")
    )
    if minimum > maximum:
        raise _error(
            source, "min_version", f"{section.min_version} is above max_version {section.max_version}"
        )
    return Tls(
        file=source.path,
        certificate=certificate,
        private_key=private_key,
        not_after=_not_after(source, certificate),
        client_ca=_client_ca(source, section, client_auth),
        client_auth=client_auth,
        client_allowed_sans=_client_allowed_sans(source, section.client_allowed_sans, client_auth),
        min_version=minimum,
        max_version=maximum,
        ciphers=_ciphers(source, section.cipher_suites, minimum),
        curve=_curve(source, section.curve_preferences),
        prefer_server_ciphers=section.prefer_server_cipher_suites,
    )


def _pem(source: Source, key: str, inline: str, file: str) -> Pem | None:
    if inline and file:
        raise _error(source, key, f"and {key}_file are both set: choose one")
    if inline:
        content = source.read(source.path, "")
        return Pem(
            f"tls_server_config.{key}", "the text in this file", inline.encode(), content.world_readable
        )
    if file:
        setting = f"tls_server_config.{key}_file"
        path = source.path.parent / file
        content = source.read(path, setting)
        return Pem(setting, str(path), content.text, content.world_readable)
    return None


def _not_after(source: Source, certificate: Pem) -> datetime:
    try:
        return not_after(certificate.content)
    except ValueError as error:
        raise WebConfigError(source.path, certificate.key, f"{certificate.origin} {error}") from error


def _client_auth(source: Source, name: str) -> ssl.VerifyMode:
    if name in tls.UNVERIFIED_CLIENT_AUTH:
        raise _error(
            source,
            "client_auth_type",
            f"{name} is not supported: Python's ssl verifies every certificate that it asks for; "
            "use RequireAndVerifyClientCert or VerifyClientCertIfGiven",
        )
    return source.choose("tls_server_config.client_auth_type", name, tls.CLIENT_AUTH)


def _client_ca(source: Source, section: TlsSection, client_auth: ssl.VerifyMode) -> Pem | None:
    client_ca = _pem(source, "client_ca", section.client_ca, section.client_ca_file)
    if client_ca is None and client_auth != ssl.CERT_NONE:
        raise _error(
            source, "client_ca_file", f"is missing: {section.client_auth_type} needs it, or client_ca"
        )
    if client_ca is not None and client_auth == ssl.CERT_NONE:
        raise WebConfigError(
            source.path,
            client_ca.key,
            "has no effect without client_auth_type: RequireAndVerifyClientCert",
        )
    return client_ca


def _client_allowed_sans(
    source: Source, names: tuple[str, ...] | None, client_auth: ssl.VerifyMode
) -> tuple[str, ...]:
    if names is None:
        return ()
    if not names:
        raise _error(source, "client_allowed_sans", "is empty: no one could connect")
    if client_auth != ssl.CERT_REQUIRED:
        raise _error(source, "client_allowed_sans", "needs client_auth_type: RequireAndVerifyClientCert")
    return tuple(tls.canonical_san(name) for name in names)


def _version(source: Source, key: str, name: str) -> ssl.TLSVersion:
    if name in tls.OLD_VERSIONS:
        raise _error(source, key, f"{name} is not supported: RFC 8996 forbids it; use TLS12 or TLS13")
    return source.choose(f"tls_server_config.{key}", name, tls.VERSIONS)


def _ciphers(source: Source, names: tuple[str, ...], minimum: ssl.TLSVersion) -> tuple[str, ...]:
    known = {**tls.CIPHERS, **dict.fromkeys(tls.TLS13_CIPHERS)}
    chosen = (source.choose("tls_server_config.cipher_suites", name, known) for name in names)
    ciphers = tuple(cipher for cipher in chosen if cipher is not None)
    if names and not ciphers and minimum < ssl.TLSVersion.TLSv1_3:
        raise _error(source, "cipher_suites", "names none for TLS 1.2: set min_version: TLS13 as well")
    return ciphers


def _curve(source: Source, names: tuple[str, ...]) -> str | None:
    curves = [source.choose("tls_server_config.curve_preferences", name, tls.CURVES) for name in names]
    if len(curves) > 1:
        raise _error(
            source, "curve_preferences", "Python's ssl can be told one curve, not several: choose one"
        )
    return curves[0] if curves else None


def _error(source: Source, key: str, problem: str) -> WebConfigError:
    return WebConfigError(source.path, f"tls_server_config.{key}", problem)
