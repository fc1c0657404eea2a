"""Certificates for tests, made by the openssl program: they are valid for a day, and their keys are thrown away."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """Files of a certificate and its key."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority in *folder* that nobody trusts by itself."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self.root = self._make(name, "-addext", "basicConstraints=critical,CA:TRUE")

    def sign(self, name: str, alternatives: str = "") -> Certificate:
        """A certificate for *name*, such as with the *alternatives* ``IP:127.0.0.1,DNS:a.test``."""
        names = ("-addext", f"subjectAltName={alternatives}") if alternatives else ()
        return self._make(
            name,
            *("-CA", str(self.root.cert), "-CAkey", str(self.root.key)),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *names,
        )

    def _make(self, name: str, *more: str) -> Certificate:
        made = Certificate(
            self._folder / f"{self._name}-{name}.pem", self._folder / f"{self._name}-{name}.key"
        )
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:prime256v1",
                    "-nodes",
                ),
                *("-days", "1", "-subj", f"/CN={name}", "-keyout", str(made.key), "-out", str(made.cert)),
                *more,
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
        return made


def server_context(certificate: Certificate, client_authority: Path | None = None) -> ssl.SSLContext:
    """What a server speaks TLS with; it wants certificates of the *client_authority* if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_authority)
    return context
