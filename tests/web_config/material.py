"""Certificates made for each run, and where the configuration files are."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

FILES = Path(__file__).resolve().parent / "files"


class Certificates:
    """An authority, one that no one trusts, and what they issue."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.foreign = trustme.CA()
        self.server = self.issue_server()
        self.client = self.authority.issue_cert("prometheus.example", "127.0.0.9", "::1", "ops@example.org")
        self.other_client = self.authority.issue_cert("other.example")
        self.foreign_client = self.foreign.issue_cert("prometheus.example")
        self.started = now = datetime.now(UTC)
        self.expired = self.issue_server(
            not_before=now - timedelta(days=9), not_after=now - timedelta(days=1)
        )

    def issue_server(
        self, not_before: datetime | None = None, not_after: datetime | None = None
    ) -> trustme.LeafCert:
        return self.authority.issue_cert("127.0.0.1", not_before=not_before, not_after=not_after)

    def client_context(self, client: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """What trusts our authority, with the certificate of *client* if there is one."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if client is not None:
            client.configure_cert(context)
        return context


def place(folder: Path, certificate: trustme.LeafCert, name: str = "server") -> None:
    """Certificate and key under *name*, written as renewing tools do: complete files, moved into place."""
    for ending, blobs in (
        ("crt", certificate.cert_chain_pems),
        ("key", [certificate.private_key_pem]),
    ):
        written = folder / f"{name}.{ending}.new"
        written.touch(mode=0o600)
        written.write_bytes(b"".join(blob.bytes() for blob in blobs))
        written.replace(folder / f"{name}.{ending}")
