"""What a user may set, and how a wrong value is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.settings import PARTS, Address, load_settings, parse_address, parse_env, setting_of


def test_without_any_setting_the_defaults_are_those_of_the_design(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)

    assert {part: str(address) for part, address in settings.addresses.items()} == {
        "exporter": "127.0.0.1:10100",
        "bridge": "127.0.0.1:10091",
        "prometheus": "127.0.0.1:9090",
        "alertmanager": "127.0.0.1:9093",
        "grafana": "127.0.0.1:3000",
    }
    assert (settings.directory, settings.mode, settings.env_file) == (tmp_path / ".stack", None, None)
    assert (settings.retention, settings.retention_size) == ("30d", "10GB")


def test_the_environment_wins_over_the_env_file_and_an_empty_value_over_neither(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STACK_DIR=from-file\nSTACK_MODE=docker\nPROMETHEUS_RETENTION=\n")
    settings = load_settings({"STACK_MODE": "native"}, tmp_path)

    assert (settings.directory, settings.mode, settings.retention) == (
        tmp_path / "from-file",
        "native",
        "30d",
    )


def test_another_env_file_can_be_named_and_none_at_all(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STACK_DIR=one\n")
    (tmp_path / "second.env").write_text("STACK_DIR=two\n")

    assert load_settings({"STACK_ENV_FILE": "second.env"}, tmp_path).directory == tmp_path / "two"
    assert load_settings({"STACK_ENV_FILE": "/dev/null"}, tmp_path).directory == tmp_path / ".stack"
    with pytest.raises(StackError, match=r"STACK_ENV_FILE: .*absent\.env does not exist"):
        load_settings({"STACK_ENV_FILE": "absent.env"}, tmp_path)


@pytest.mark.parametrize(
    ("text", "address", "url"),
    [
        ("127.0.0.1:9090", Address("127.0.0.1", 9090), "http://127.0.0.1:9090"),
        ("localhost:1", Address("localhost", 1), "http://localhost:1"),
        ("0.0.0.0:9090", Address("0.0.0.0", 9090), "http://127.0.0.1:9090"),
        ("[::1]:9090", Address("::1", 9090), "http://[::1]:9090"),
        ("[::]:9090", Address("::", 9090), "http://[::1]:9090"),
    ],
)
def test_address_is_read_and_a_wildcard_is_reached_on_loopback(text: str, address: Address, url: str) -> None:
    assert parse_address(text) == address
    assert str(address) == text
    assert address.url() == url


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("EXPORTER_ADDRESS", "localhost", 'EXPORTER_ADDRESS: expected host:port, got "localhost"'),
        ("BRIDGE_ADDRESS", ":9090", 'BRIDGE_ADDRESS: expected host:port, got ":9090"'),
        ("BRIDGE_ADDRESS", "::1:9090", 'BRIDGE_ADDRESS: expected host:port, got "::1:9090"'),
        ("GRAFANA_ADDRESS", "http://a:1", 'GRAFANA_ADDRESS: expected host:port, got "http://a:1"'),
        ("PROMETHEUS_ADDRESS", "a:0", 'PROMETHEUS_ADDRESS: expected a port from 1 to 65535, got "0"'),
        ("PROMETHEUS_ADDRESS", "a:x", 'PROMETHEUS_ADDRESS: expected a port from 1 to 65535, got "x"'),
        (
            "ALERTMANAGER_ADDRESS",
            "a:65536",
            'ALERTMANAGER_ADDRESS: expected a port from 1 to 65535, got "65536"',
        ),
        (
            "ALERTMANAGER_ADDRESS",
            "127.0.0.1:9090",
            "ALERTMANAGER_ADDRESS: PROMETHEUS_ADDRESS has port 9090 too",
        ),
        ("STACK_MODE", "podman", 'STACK_MODE: expected docker or native, got "podman"'),
        (
            "PROMETHEUS_RETENTION",
            "30",
            'PROMETHEUS_RETENTION: expected a duration such as 30d or 12h, got "30"',
        ),
        (
            "PROMETHEUS_RETENTION_SIZE",
            "10",
            'PROMETHEUS_RETENTION_SIZE: expected a size such as 512MB or 10GB, or 0 for no limit, got "10"',
        ),
        ("STACK_DIR", "/", 'STACK_DIR: expected a folder of its own, got "/"'),
        ("STACK_DIR", "/x ;y", 'STACK_DIR: a path with a line break, " ;" or " #" cannot be used: "/x ;y"'),
    ],
)
def test_a_bad_value_names_its_setting(name: str, value: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(StackError) as caught:
        load_settings({name: value}, tmp_path)

    assert str(caught.value) == message


@pytest.mark.parametrize("odd", [".", "..", "~"])
def test_the_checkout_and_what_holds_it_and_the_home_folder_are_no_stack_folder(
    odd: str, tmp_path: Path
) -> None:
    """`make reset` deletes in it."""
    with pytest.raises(StackError, match="STACK_DIR: expected a folder of its own"):
        load_settings({"STACK_DIR": odd}, tmp_path)


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("tls_server_config: {cert_file: a.crt, key_file: a.key}\n", "https"),
        ("basic_auth_users: {ann: $2b$12$x}\n", "http"),
        ("tls_server_config:\n", "http"),
        ("- no mapping\n", "http"),
        ("{", "http"),
        ("\xff", "http"),
        (None, "http"),
    ],
)
def test_a_bridge_is_reached_by_tls_if_it_speaks_it(tmp_path: Path, text: str | None, scheme: str) -> None:
    file = tmp_path / "web.yml"
    if text is not None:
        file.write_bytes(text.encode("latin-1"))
    settings = load_settings({"PUSHGATEWAY_BRIDGE_WEB_CONFIG_FILE": str(file)}, tmp_path)

    assert settings.public_url("bridge") == f"{scheme}://127.0.0.1:10091"
    assert settings.public_url("prometheus") == "http://127.0.0.1:9090"
    assert load_settings({}, tmp_path).public_url("bridge") == "http://127.0.0.1:10091"


def test_env_file_allows_export_quotes_comments_and_empty_lines() -> None:
    text = "# a comment\n\nexport A=1\nB = two words # why\nC='#3 # kept'\nD=\"q\" # cut\nE=a#b\nF=\n"

    assert parse_env(text, ".env") == {
        "A": "1",
        "B": "two words",
        "C": "#3 # kept",
        "D": "q",
        "E": "a#b",
        "F": "",
    }


def test_env_file_error_names_the_line() -> None:
    with pytest.raises(StackError, match=r"\.env, line 2: expected NAME=value"):
        parse_env("A=1\nnonsense\n", ".env")


def test_the_example_env_file_shows_the_defaults_and_every_name_that_is_read(
    repository: Path, tmp_path: Path
) -> None:
    example = (repository / ".env.example").read_text(encoding="utf-8")
    shown = "\n".join(re.findall(r"^#([A-Z_]+=.*)$", example, re.MULTILINE))
    (tmp_path / ".env").write_text(shown)
    used = load_settings({}, tmp_path)
    plain = load_settings({}, tmp_path / "absent")

    assert parse_env(example, ".env.example") == {}
    assert used.addresses == plain.addresses
    assert (used.mode, used.retention, used.retention_size) == (
        plain.mode,
        plain.retention,
        plain.retention_size,
    )
    assert used.directory == tmp_path / ".stack"
    read = {setting_of(part) for part in PARTS} | {"STACK_DIR", "STACK_MODE"}
    for path in ("alertmanager/alertmanager.yml", "docker-compose.yml", "docker-compose.production.yml"):
        text = "\n".join(
            line
            for line in (repository / path).read_text(encoding="utf-8").splitlines()
            if line.strip()[:1] != "#"
        )
        read |= set(re.findall(r"\$\{([A-Z_]+)", text))
    assert set(parse_env(shown, ".env.example")) == read
