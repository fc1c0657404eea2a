"""What is taken over from a changed file, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from telemetry_web_config.errors import WebConfigError
from telemetry_web_config.watched_file import WatchedFile
from tests.web_config.material import FILES, Certificates, place

Put = Callable[[str], Path]


def told(file: WatchedFile) -> str:
    with pytest.raises(WebConfigError) as error:
        file.refresh()
    return str(error.value)


def text_of(name: str) -> str:
    return (FILES / "right" / f"{name}.yml").read_text()


def test_nothing_changed_is_no_change(configured: Put) -> None:
    file = WatchedFile(configured("right/everything"))

    assert not file.refresh()


def test_new_users_are_taken_over_and_the_context_stays(configured: Put) -> None:
    file = WatchedFile(configured("right/everything"))
    before = file.context

    configured(text_of("everything").replace("bob:", "carol:"))

    assert file.refresh()
    assert set(file.config.users) == {"alice", "carol"}
    assert file.context is before
    assert not file.refresh()


@pytest.mark.parametrize("name", ["server.crt", "server.key", "authority.crt"])
def test_each_file_that_is_named_is_watched(name: str, configured: Put, folder: Path) -> None:
    file = WatchedFile(configured("right/client_certificates"))
    before = file.context

    path = folder / name
    path.write_bytes(b"A comment before is allowed.\n" + path.read_bytes())

    assert file.refresh()
    assert file.context is not before


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_seen(
    configured: Put, folder: Path, certificates: Certificates
) -> None:
    file = WatchedFile(configured("right/tls"))
    stat = (folder / "server.crt").stat()

    place(folder, certificates.issue_server())
    os.utime(folder / "server.crt", ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert file.refresh()


def test_a_file_that_was_only_touched_says_nothing_new(configured: Put, folder: Path) -> None:
    file = WatchedFile(configured("right/tls"))

    (folder / "web.yml").touch()
    (folder / "server.crt").touch()

    assert not file.refresh()


@pytest.mark.parametrize("broken", sorted(f"broken/{path.stem}" for path in (FILES / "broken").glob("*.yml")))
def test_a_broken_file_is_told_once_and_changes_nothing(broken: str, configured: Put) -> None:
    file = WatchedFile(configured("right/everything"))
    before = file.config, file.context

    configured(broken)

    assert told(file).startswith(str(file.config.file))
    assert not file.refresh()
    assert (file.config, file.context) == before
    configured("right/everything")
    assert not file.refresh()


def test_a_certificate_without_its_key_waits_for_the_key(
    configured: Put, folder: Path, certificates: Certificates
) -> None:
    """Tools write the two one after the other."""
    file = WatchedFile(configured("right/tls"))
    old_key = (folder / "server.key").read_bytes()
    place(folder, certificates.issue_server())
    new_key = (folder / "server.key").read_bytes()
    (folder / "server.key").write_bytes(old_key)

    assert "is not the key of the certificate" in told(file)
    (folder / "server.key").write_bytes(new_key)
    assert file.refresh()


def test_a_file_that_comes_back_is_taken_over(configured: Put, folder: Path) -> None:
    file = WatchedFile(configured("right/tls"))
    content = (folder / "server.key").read_bytes()

    (folder / "server.key").unlink()
    assert "cannot read" in told(file)
    assert not file.refresh()
    (folder / "server.key").write_bytes(content)
    (folder / "server.key").chmod(0o600)
    assert not file.refresh()


def test_rights_that_were_corrected_are_seen(configured: Put, folder: Path) -> None:
    (folder / "server.key").chmod(0o644)
    file = WatchedFile(configured("right/tls"))

    (folder / "server.key").chmod(0o600)

    assert file.refresh()


def test_an_expired_certificate_does_not_replace_another(
    configured: Put, folder: Path, certificates: Certificates
) -> None:
    file = WatchedFile(configured("right/tls"))

    place(folder, certificates.expired)

    assert "tls_server_config.cert_file" in told(file)
    assert "expired at" not in "".join(file.config.warnings(certificates.started))


def test_users_change_though_the_certificate_expired_long_ago(
    configured: Put, folder: Path, certificates: Certificates
) -> None:
    place(folder, certificates.expired)
    users = "basic_auth_users:\n" + text_of("users").split("basic_auth_users:\n")[1]
    file = WatchedFile(configured(text_of("tls") + users))

    configured(text_of("tls") + users.replace("bob:", "carol:"))

    assert file.refresh()


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("users", "empty", "basic_auth_users"),
        ("everything", "tls", "basic_auth_users"),
        ("client_certificates", "tls", "tls_server_config.client_auth_type"),
        ("client_names", "client_certificates", "tls_server_config.client_allowed_sans"),
    ],
)
def test_protection_is_not_taken_away_while_running(
    before: str, after: str, key: str, configured: Put
) -> None:
    """A file that is just being written looks like one that ends too early."""
    file = WatchedFile(configured(f"right/{before}"))
    config = file.config

    configured(f"right/{after}")

    assert told(file) == f"{config.file}: {key}: is gone or weaker than before: that needs a restart"
    assert file.config is config


@pytest.mark.parametrize(
    ("before", "after"), [("empty", "users"), ("tls", "everything"), ("tls", "client_certificates")]
)
def test_protection_is_added_while_running(before: str, after: str, configured: Put) -> None:
    file = WatchedFile(configured(f"right/{before}"))

    configured(f"right/{after}")

    assert file.refresh()


@pytest.mark.parametrize(("before", "after"), [("empty", "tls"), ("tls", "empty")])
def test_tls_neither_begins_nor_ends_while_running(before: str, after: str, configured: Put) -> None:
    file = WatchedFile(configured(f"right/{before}"))

    configured(f"right/{after}")

    assert told(file).endswith("web.yml: tls_server_config: to begin or end with TLS needs a restart")
