"""What a file means, and how each mistake is told; the files are in files/."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from telemetry_web_config import tls
from telemetry_web_config.config import HEADERS, SECTIONS, WebConfig, load
from telemetry_web_config.errors import WebConfigError
from telemetry_web_config.tls_section import TlsSection
from tests.web_config.material import FILES, Certificates, place

Put = Callable[[str], Path]
BROKEN = sorted(path.stem for path in (FILES / "broken").glob("*.yml"))


def refusal(path: Path) -> str:
    """The one line that the file is refused with, without its own name."""
    with pytest.raises(WebConfigError) as error:
        load(path).ssl_context()
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_one_line_that_names_file_and_key(name: str, configured: Put, folder: Path) -> None:
    """The first line of each file is what it must be refused with; a star at its end stands for OpenSSL's words."""
    path = configured(f"broken/{name}")
    expected = path.read_text().splitlines()[0].removeprefix("# ").replace("{folder}", str(folder))

    told = refusal(path)

    assert told == expected or (expected.endswith("*") and told.startswith(expected[:-1])), told


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "web.yml") == "cannot read: No such file or directory"


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_bytes(b"\xff\xfe\x00")

    assert refusal(tmp_path / "web.yml") == "is not YAML: it holds what cannot be read"


def test_an_error_shows_neither_a_key_nor_a_hash(configured: Put, certificates: Certificates) -> None:
    key = certificates.server.private_key_pem.bytes().decode()
    secret = key.splitlines()[1]
    text = (
        f"tls_server_config:\n  key: |\n    {secret}\n  : : {secret}\nbasic_auth_users:\n  alice: {secret}\n"
    )

    assert secret not in refusal(configured(text))
    assert secret not in refusal(configured(f"basic_auth_users:\n  alice: {secret}\n"))
    inline = f"tls_server_config:\n  cert_file: server.crt\n  key: |\n    {secret}\n"
    assert secret not in refusal(configured(inline))
    right = load(configured("right/everything"))
    assert secret not in repr(right)
    assert "$2y$" not in repr(right)


@pytest.mark.parametrize("name", sorted(path.stem for path in (FILES / "right").glob("*.yml")))
def test_a_right_file_gives_a_context_exactly_if_it_is_about_tls(name: str, configured: Put) -> None:
    config = load(configured(f"right/{name}"))

    assert (config.ssl_context() is not None) == (
        "tls_server_config" in (FILES / f"right/{name}.yml").read_text()
    )


def test_an_empty_file_asks_for_nothing(configured: Put) -> None:
    path = configured("right/empty")

    assert load(path) == WebConfig(file=path)


def test_every_key_reaches_the_configuration(configured: Put, folder: Path) -> None:
    config = load(configured("right/everything"))

    assert config.tls is not None
    assert (config.tls.min_version, config.tls.max_version) == (
        ssl.TLSVersion.TLSv1_2,
        ssl.TLSVersion.TLSv1_2,
    )
    assert config.tls.ciphers == ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert config.tls.curve == "secp384r1"
    assert config.tls.client_auth == ssl.CERT_OPTIONAL
    assert config.headers == (
        (b"content-security-policy", b"default-src 'self'"),
        (b"strict-transport-security", b"max-age=31536000"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"deny"),
    )
    assert set(config.users) == {"alice", "bob"}


def test_certificate_key_and_authority_may_stand_in_the_file(
    configured: Put, certificates: Certificates
) -> None:
    def block(key: str, pem: bytes) -> str:
        return f"  {key}: |\n" + "".join(f"    {line}\n" for line in pem.decode().splitlines())

    server = certificates.server
    text = (
        "tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n"
        + block("cert", server.cert_chain_pems[0].bytes())
        + block("key", server.private_key_pem.bytes())
        + block("client_ca", certificates.authority.cert_pem.bytes())
    )

    assert load(configured(text)).ssl_context() is not None


def test_paths_are_relative_to_the_file(
    configured: Put, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = configured("right/tls")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    assert load(path).tls is not None


def test_an_expired_certificate_is_a_warning(
    configured: Put, folder: Path, certificates: Certificates
) -> None:
    place(folder, certificates.expired)
    config = load(configured("right/tls"))
    assert config.tls is not None

    (warning,) = config.warnings(datetime.now(UTC))

    assert config.ssl_context() is not None
    assert f"{folder}/web.yml: tls_server_config.cert_file: {folder}/server.crt expired at " in warning
    assert config.warnings(config.tls.not_after - timedelta(seconds=1)) == ()


def test_a_key_that_everyone_may_read_is_a_warning(configured: Put, folder: Path) -> None:
    path = configured("right/tls")
    now = datetime.now(UTC)
    assert load(path).warnings(now) == ()

    (folder / "server.key").chmod(0o644)

    assert load(path).warnings(now) == (
        f"{path}: tls_server_config.key_file: {folder}/server.key can be read by every user of this machine: "
        "take that right away (chmod o-r)",
    )


def test_the_page_for_users_names_every_key(repository: Path) -> None:
    page = (repository / "docs" / "web-config.md").read_text(encoding="utf-8")
    choices = (
        *tls.CLIENT_AUTH,
        *tls.UNVERIFIED_CLIENT_AUTH[:2],
        *tls.VERSIONS,
        *tls.CURVES,
        *tls.TLS13_CIPHERS,
    )

    for name in (*SECTIONS, *TlsSection.__struct_fields__, "http2", *HEADERS, *choices, *tls.CIPHERS):
        assert f"`{name}`" in page, name


def test_a_certificate_that_is_too_weak_for_openssl_is_told(
    configured: Put, folder: Path, certificates: Certificates
) -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "weak.example")])
    now = certificates.started
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    (folder / "server.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "server.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    assert refusal(configured("right/tls")) == (
        f"tls_server_config.cert_file: OpenSSL refuses the certificate {folder}/server.crt: ee key too small"
    )


def test_where_files_cannot_be_in_memory_a_private_one_is_used(
    configured: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(configured("right/client_certificates"))
    monkeypatch.setattr("telemetry_web_config.tls.sys.platform", "darwin")

    assert config.ssl_context() is not None
