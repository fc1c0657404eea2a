"""The part of the file that is about TLS, in terms of Python's ssl.

Names of suites, curves and versions are Go's, as Prometheus' own programs write them.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from telemetry_web_config.errors import WebConfigError

VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
OLD_VERSIONS: Final = ("TLS10", "TLS11")
"""Known to the file format, forbidden by RFC 8996, and off in current OpenSSL whatever one sets."""

CLIENT_AUTH: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
UNVERIFIED_CLIENT_AUTH: Final = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
"""Go can ask for a certificate without verifying it; Python's ssl cannot."""

CIPHERS: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""What Go counts as secure, https://pkg.go.dev/crypto/tls#CipherSuites, by OpenSSL's names."""

TLS13_CIPHERS: Final = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
"""Accepted without effect, as in Go: TLS 1.3 always offers all three."""

CURVES: Final = {
    "X25519": "X25519",
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
}

_KEY_MISMATCH: Final = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")
_CERTIFICATE_TOO_WEAK: Final = ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK")


@dataclass(frozen=True)
class Pem:
    """Certificates or a key as they were read."""

    key: str
    """The key of the file that gave it, such as ``tls_server_config.cert_file``."""
    origin: str
    """Where it stands, for messages."""
    content: bytes = field(repr=False)
    world_readable: bool = False


@dataclass(frozen=True, kw_only=True)
class Tls:
    """How to serve TLS."""

    file: Path
    """The web configuration file, for messages."""
    certificate: Pem
    private_key: Pem
    not_after: datetime
    """When the certificate expires."""
    client_ca: Pem | None = None
    client_auth: ssl.VerifyMode = ssl.CERT_NONE
    client_allowed_sans: tuple[str, ...] = ()
    """Empty: every certificate that the client CA signed will do."""
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: tuple[str, ...] = ()
    """By OpenSSL's names, for TLS 1.2; empty: Python's choice."""
    curve: str | None = None
    """By OpenSSL's name; None: OpenSSL's choice."""
    prefer_server_ciphers: bool = True


def make_context(tls: Tls) -> ssl.SSLContext:
    """A context for asyncio's servers. Raises WebConfigError, naming the key, if OpenSSL does not take something."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = tls.min_version
    context.maximum_version = tls.max_version
    context.set_alpn_protocols(["http/1.1"])
    if tls.ciphers:
        context.set_ciphers(":".join(tls.ciphers))
    if tls.curve is not None:
        context.set_ecdh_curve(tls.curve)
    if tls.prefer_server_ciphers:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    _load_certificate(context, tls)
    context.verify_mode = tls.client_auth
    if tls.client_ca is not None:
        _load_authorities(context, tls.file, tls.client_ca)
        # As in Go, an intermediate authority in the file may be the end of the chain.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def san_allowed(peer_certificate: Mapping[str, Any] | None, allowed: Collection[str]) -> bool:
    """Whether *peer_certificate*, as ``getpeercert()`` gives it, has one of the *allowed* subject alternative names.

    DNS names, addresses, e-mail addresses and URIs, each compared whole.
    """
    names = (peer_certificate or {}).get("subjectAltName", ())
    return any((canonical_san(name) if kind == "IP Address" else name) in allowed for kind, name in names)


def canonical_san(name: str) -> str:
    """An address as Go writes it, since OpenSSL writes ``0:0:0:0:0:0:0:1`` where Go has ``::1``; else *name*."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name


def _load_certificate(context: ssl.SSLContext, tls: Tls) -> None:
    # Tells a bad certificate from a bad key: load_cert_chain's error does not.
    _load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls.file, tls.certificate)
    try:
        with _on_file(tls.certificate) as certificate, _on_file(tls.private_key) as private_key:
            context.load_cert_chain(certificate, private_key)
    except ssl.SSLError as error:
        if error.reason in _KEY_MISMATCH:
            problem = f"{tls.private_key.origin} is not the key of the certificate {tls.certificate.origin}"
            raise WebConfigError(tls.file, tls.private_key.key, problem) from error
        if error.reason in _CERTIFICATE_TOO_WEAK:
            problem = f"OpenSSL refuses the certificate {tls.certificate.origin}: {_reason(error)}"
            raise WebConfigError(tls.file, tls.certificate.key, problem) from error
        problem = f"{tls.private_key.origin} holds no PEM private key that OpenSSL can read: {_reason(error)}"
        raise WebConfigError(tls.file, tls.private_key.key, problem) from error


def _load_authorities(context: ssl.SSLContext, file: Path, pem: Pem) -> None:
    try:
        with _on_file(pem) as path:
            context.load_verify_locations(path)
    except ssl.SSLError as error:
        problem = f"{pem.origin} holds no PEM certificate that OpenSSL can read: {_reason(error)}"
        raise WebConfigError(file, pem.key, problem) from error


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unknown reason").replace("_", " ").lower()


@contextmanager
def _on_file(pem: Pem) -> Iterator[str]:
    """A path that has *pem*'s content, since OpenSSL reads only files; in memory where the system can."""
    if sys.platform == "linux" and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem.content)
            file.flush()
            yield f"/proc/self/fd/{descriptor}"
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pem")
        path.touch(mode=0o600)
        path.write_bytes(pem.content)
        yield str(path)
