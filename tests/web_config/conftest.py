"""A folder with certificates and configuration files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.web_config.material import FILES, Certificates, place


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture
def folder(certificates: Certificates, tmp_path: Path) -> Path:
    """A folder with every certificate and key that the files name."""
    place(tmp_path, certificates.server)
    place(tmp_path, certificates.client, "client")
    certificates.authority.cert_pem.write_to_path(str(tmp_path / "authority.crt"))
    key = load_pem_private_key(certificates.server.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
    (tmp_path / "encrypted.key").write_bytes(encrypted)
    return tmp_path


@pytest.fixture
def configured(folder: Path) -> Callable[[str], Path]:
    """Puts one of the configuration files, or a text, as ``web.yml`` beside the certificates."""

    def put(name_or_text: str) -> Path:
        file = FILES / f"{name_or_text}.yml"
        text = name_or_text if "\n" in name_or_text else file.read_text(encoding="utf-8")
        written = folder / "web.yml.new"
        written.write_text(text, encoding="utf-8")
        return written.replace(folder / "web.yml")

    return put
