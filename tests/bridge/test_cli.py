from __future__ import annotations

import logging
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from pushgateway_bridge.cli import HELP, main
from pushgateway_bridge.config import environment_name, setting_names
from pushgateway_bridge.config_rules import is_loopback
from pushgateway_bridge.journal.lock import FolderLock


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=dict(environment))


@pytest.fixture(autouse=True)
def process_settings() -> Iterator[None]:
    """The command sets what holds for its whole process; put it back."""
    interval, levels = (
        sys.getswitchinterval(),
        {name: logging.getLogger(name).level for name in ("uvicorn", "httpx2", "httpcore2")},
    )
    yield
    sys.setswitchinterval(interval)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def one_line(result: Result) -> str:
    """What a failed start says: exit code 3 and one line on standard error, without a traceback."""
    assert result.exit_code == 3, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("Error: ").rstrip("\n")


# Help


def test_help_shows_how_to_try_it() -> None:
    result = run("--help")

    assert result.exit_code == 0
    for text in ("serve", "render-config", "curl -X POST localhost:10091/api/telemetry", "/metrics"):
        assert text in result.output


def test_no_command_but_serve_loads_the_application() -> None:
    loaded = "import sys, pushgateway_bridge.cli; sys.exit('fastapi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], check=False, timeout=60)

    assert done.returncode == 0


def test_help_of_serve_shows_each_setting_with_its_variable() -> None:
    text = " ".join(run("serve", "--help", COLUMNS="110").output.split())

    assert "--config.file" in text
    for setting in setting_names():
        assert f"--{setting.replace('_', '-')}" in text
        assert environment_name(setting) in text.replace(" ", "")
        assert HELP[setting] in text


def test_help_of_render_config_says_what_is_left_out() -> None:
    output = " ".join(run("render-config", "--help").output.split())

    assert "A list entry that needs a setting which is not there is left out." in output


def test_version_is_the_packages() -> None:
    result = run("--version")

    assert result.exit_code == 0
    assert "version" in result.output


@pytest.mark.parametrize(
    "arguments", [["srve"], ["serve", "--web.listen"], ["render-config"], ["serve", "extra"]]
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


# A start that fails


def test_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"

        result = run("serve", "--web.listen-address", address, "--journal.directory", tmp_path)

    assert one_line(result) == f"web.listen_address {address}: Address already in use"


def test_locked_folder_is_told(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    try:
        result = run("serve", "--web.listen-address", "127.0.0.1:0", "--journal.directory", tmp_path)
    finally:
        lock.close()

    assert one_line(result).startswith(f"journal.directory {tmp_path} is in use by another bridge ")


def test_journal_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    file.write_text("")

    result = run("serve", "--web.listen-address", "127.0.0.1:0", "--journal.directory", file)

    assert one_line(result) == f"journal.directory {file}: File exists"


@pytest.mark.parametrize("address", ["0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.org:0"])
def test_address_that_others_reach_needs_the_word_allow(address: str, tmp_path: Path) -> None:
    result = run("serve", "--web.listen-address", address, "--journal.directory", tmp_path / "journal")

    assert one_line(result) == (
        f"web.listen_address {address} is reachable from other machines, and pixeltracker, statix, minigem, proxmoxve "
        "need no token: listen on 127.0.0.1, or set access.open_protocols to allow, or to token"
    )
    assert not (tmp_path / "journal").exists()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_only_this_machines_own_addresses_are_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("10091", "web.listen_address: expected HOST:PORT, got '10091'"),
        ("a..b:0", "web.listen_address a..b:0: 'a..b' is no host name"),
    ],
)
def test_address_that_is_none_is_told(address: str, message: str, tmp_path: Path) -> None:
    result = run(
        "serve",
        f"--web.listen-address={address}",
        f"--journal.directory={tmp_path}",
        "--access.open-protocols=allow",
    )

    assert one_line(result) == message


def test_unreadable_configuration_is_told(tmp_path: Path) -> None:
    absent = tmp_path / "absent.yml"

    assert (
        one_line(run("serve", "--config.file", absent))
        == f"configuration file {absent}: No such file or directory"
    )


def test_setting_that_makes_no_sense_is_told_with_its_source() -> None:
    from_flag = run("serve", "--log.level", "loud")
    from_environment = run("serve", PUSHGATEWAY_BRIDGE_LOG_LEVEL="loud")

    assert one_line(from_flag).endswith("from the flag --log.level")
    assert one_line(from_environment).endswith("from the environment variable PUSHGATEWAY_BRIDGE_LOG_LEVEL")


# render-config


@pytest.fixture
def template(tmp_path: Path) -> Path:
    file = tmp_path / "template.yml"
    file.write_text("to: ['${MAIL_TO}', '${NOT_SET_ANYWHERE}']\nname: grüße\n")
    return file


def test_render_config_writes_the_file(template: Path, tmp_path: Path) -> None:
    output = tmp_path / "config" / "out.yml"

    result = run("render-config", "--template", template, "--output", output, MAIL_TO="ann@example.org")

    assert (result.exit_code, result.output) == (0, "")
    assert yaml.safe_load(output.read_text(encoding="utf-8")) == {
        "to": ["ann@example.org"],
        "name": "grüße",
    }
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


def test_render_config_takes_an_env_file_and_a_mode(template: Path, tmp_path: Path) -> None:
    output, env_file = tmp_path / "out.yml", tmp_path / "env"
    env_file.write_text("MAIL_TO=bob@example.org\n")

    result = run(
        "render-config", "--template", template, "--output", output, "--env.file", env_file, "--mode", "0640"
    )

    assert result.exit_code == 0
    assert yaml.safe_load(output.read_text())["to"] == ["bob@example.org"]
    assert stat.S_IMODE(output.stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", ["rw", "0888", ""])
def test_render_config_wants_an_octal_mode(mode: str, template: Path, tmp_path: Path) -> None:
    result = run("render-config", "--template", template, "--output", tmp_path / "out.yml", "--mode", mode)

    assert result.exit_code == 2
    assert f"expected an octal number such as 0600, got {mode!r}" in result.stderr


def test_render_config_tells_what_it_cannot_read_or_write(template: Path, tmp_path: Path) -> None:
    binary, broken, absent = tmp_path / "binary", tmp_path / "broken.yml", tmp_path / "absent.yml"
    binary.write_bytes(b"\xff")
    broken.write_text("name: ${NOT_SET_ANYWHERE}")

    def message(*arguments: str | Path) -> str:
        return one_line(run("render-config", *arguments))

    assert (
        message("--template", absent, "--output", tmp_path / "out")
        == f"--template {absent}: No such file or directory"
    )
    assert (
        message("--template", binary, "--output", tmp_path / "out")
        == f"--template {binary}: not a text in UTF-8"
    )
    assert message("--template", template, "--output", tmp_path / "out", "--env.file", binary) == (
        f"{binary}: not a text in UTF-8"
    )
    assert message("--template", broken, "--output", tmp_path / "out") == (
        "the template needs NOT_SET_ANYWHERE, which is not set"
    )
    assert message("--template", template, "--output", template / "out") == f"{template}: File exists"
    assert not (tmp_path / "out").exists()
