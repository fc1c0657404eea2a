"""``pushgateway-bridge token`` on the folder of a bridge that is stopped, and of one that runs."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from pushgateway_bridge import cli_token
from pushgateway_bridge.access.control import short_path
from pushgateway_bridge.access.documents import now_ms
from pushgateway_bridge.access.token import Right, Token
from pushgateway_bridge.access.tokens import Tokens
from pushgateway_bridge.cli import main
from tests.bridge.process import REPOSITORY, BridgeProcess
from tests.bridge.web.raw_http import Connection, push

SECRET = re.compile("[0-9a-f]{64}\n")


def invoke(*arguments: str | Path, **environment: str) -> Result:
    words = ["token", *(str(argument) for argument in arguments)]
    return CliRunner().invoke(main, words, env=dict(environment))


class Folder:
    """The folder of the tokens of one bridge."""

    def __init__(self, directory: Path, bridge: BridgeProcess | None = None) -> None:
        self.directory = directory
        self.bridge = bridge

    def run(self, *arguments: str) -> Result:
        return invoke(*arguments, f"--access.directory={self.directory}")

    def good(self, *arguments: str) -> Result:
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result

    def create(self, *arguments: str) -> str:
        """The new token's text."""
        result = self.good("create", *arguments)
        assert SECRET.fullmatch(result.stdout)
        return result.stdout.strip()

    def refused(self, *arguments: str) -> str:
        """The one line that says why, with exit code 3."""
        result = self.run(*arguments)
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr.removeprefix("Error: ").rstrip("\n")

    def rows(self) -> list[list[str]]:
        """What is listed, heading left out."""
        lines = self.good("list").stdout.splitlines()
        assert lines[0].split() == ["ID", "STATE", "RIGHTS", "BOUND", "TO", "EXPIRES", "LAST", "USED", "NAME"]
        return [re.split(" {2,}", line) for line in lines[1:]]

    def kept(self) -> list[Token]:
        """What the file has."""
        tokens = Tokens(self.directory, now_ms)
        tokens.load()
        return tokens.list()


def deep(directory: Path) -> Path:
    """A folder whose path is longer than that of any socket may be."""
    return directory.joinpath(*["d" * 200] * 3)


@pytest.fixture(scope="module")
def running_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    directory = tmp_path_factory.mktemp("running")
    with BridgeProcess(
        directory / "journal",
        f"--access.directory={deep(directory)}",
        "--access.open-protocols=token",
        log=directory / "log",
    ) as bridge:
        yield Folder(deep(directory), bridge)


@pytest.fixture(params=["stopped", pytest.param("running", marks=pytest.mark.stack)])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """The same must be said and done whether the bridge runs or not."""
    if request.param == "stopped":
        return Folder(deep(tmp_path))
    found: Folder = request.getfixturevalue("running_folder")
    return found


@pytest.fixture
def stopped(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "access")


# Whether the bridge runs or not


def test_a_token_is_printed_alone_so_that_a_script_can_take_it(folder: Folder) -> None:
    result = folder.good("create", "--name", "nas")
    token = folder.kept()[-1]

    assert SECRET.fullmatch(result.stdout)
    assert result.stderr == f"made token {token.id} (nas), rights push\n"
    assert (token.name, token.rights, token.owner) == ("nas", (Right.PUSH,), 0)
    assert result.stdout.strip() not in (folder.directory / "tokens.json").read_text()


def test_everything_that_is_said_of_a_token_is_kept(folder: Folder) -> None:
    result = folder.good(
        *("create", "--name", "all", "--right", "push", "--right", "read", "--right", "push"),
        *("--job", "backup", "--instance", "nas", "--expires-in", "90d", "--enrol"),
    )
    token = folder.kept()[-1]

    assert result.stderr.splitlines()[0].endswith("(all), rights push,read")
    assert re.fullmatch(r"it must be used before [0-9-]{10} [0-9:]{8}Z", result.stderr.splitlines()[1])
    assert (token.rights, token.job, token.instance) == ((Right.PUSH, Right.READ), "backup", "nas")
    assert token.expires_ms - token.created_ms == 90 * 86400 * 1000
    assert token.waits_for_activation
    assert folder.rows()[-1][1:4] == ["pending", "push,read", "job=backup,instance=nas"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("2h", 7200), ("90d", 90 * 86400), ("100y", 100 * 365 * 86400)]
)
def test_a_lifetime_is_a_number_and_a_unit(stopped: Folder, text: str, seconds: int) -> None:
    stopped.create("--name", "n", "--expires-in", text)
    (token,) = stopped.kept()

    assert token.expires_ms - token.created_ms == seconds * 1000


def test_a_list_has_a_line_for_each_token_whatever_its_name(folder: Folder) -> None:
    folder.create("--name", "first")
    before = len(folder.rows())
    folder.create("--name", "two\nlines\x1b[31m")
    folder.create("--name", "ünï 日本", "--instance", "a\tb")
    folder.create("--name", "n" * 100)
    rows = folder.rows()[before:]

    assert [row[-1] for row in rows] == ["two\\nlines\\x1b[31m", "ünï 日本", "n" * 100]
    assert rows[1][3] == "instance=a\\tb"
    assert {tuple(row[4:6]) for row in rows} == {("-", "-")}


def test_a_revoked_token_stays_in_the_list(folder: Folder) -> None:
    secret = folder.create("--name", "gone")
    number = str(folder.kept()[-1].id)
    result = folder.good("revoke", number)

    assert (result.stdout, result.stderr) == ("", f"revoked token {number} (gone)\n")
    assert folder.rows()[-1][:2] == [number, "revoked"]
    assert folder.good("revoke", number).stderr == result.stderr
    assert secret not in folder.good("list").stdout


def test_a_rotated_token_has_another_text(folder: Folder) -> None:
    before = folder.create("--name", "turn", "--job", "j")
    token = folder.kept()[-1]
    result = folder.good("rotate", str(token.id))
    after = folder.kept()[-1]

    assert SECRET.fullmatch(result.stdout)
    assert result.stdout.strip() != before
    assert result.stderr == f"rotated token {token.id} (turn), rights push\n"
    assert (after.id, after.name, after.job) == (token.id, "turn", "j")
    assert after.sha256 != token.sha256


@pytest.mark.parametrize("command", ["revoke", "rotate"])
def test_a_number_that_no_token_has_is_told(folder: Folder, command: str) -> None:
    folder.create("--name", "first")
    assert folder.refused(command, "4711").endswith("no token has the number 4711")


BAD = {
    "no name": ["create"],
    "empty name": ["create", "--name", ""],
    "long name": ["create", "--name", "n" * 101],
    "name that is no text": ["create", "--name", "\udcff"],
    "long job": ["create", "--name", "n", "--job", "j" * 1025],
    "unknown right": ["create", "--name", "n", "--right", "fly"],
    "no lifetime": ["create", "--name", "n", "--expires-in", "soon"],
    "lifetime without unit": ["create", "--name", "n", "--expires-in", "90"],
    "no time": ["create", "--name", "n", "--expires-in", "0d"],
    "longer than a century": ["create", "--name", "n", "--expires-in", "101y"],
    "longer than all time": ["create", "--name", "n", "--expires-in", "999999y"],
    "no number": ["revoke", "x"],
    "number zero": ["rotate", "0"],
    "too large a number": ["revoke", str(2**53 + 1)],
    "no number at all": ["revoke"],
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD)
def test_what_makes_no_sense_is_wrong_usage_and_makes_no_token(folder: Folder, arguments: list[str]) -> None:
    folder.create("--name", "steady")
    before = folder.kept()
    result = folder.run(*arguments)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert folder.kept() == before


# Of a stopped bridge


def test_the_folder_is_made_for_its_owner_alone(stopped: Folder) -> None:
    stopped.create("--name", "first")

    assert stat.S_IMODE(stopped.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((stopped.directory / "tokens.json").stat().st_mode) == 0o600
    assert stopped.rows()[0][:3] == ["1", "active", "push"]


def test_the_folder_is_that_of_the_bridges_configuration(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yml"
    file.write_text(f"access:\n  directory: {tmp_path / 'a'}\n")
    results = [
        invoke("create", "--name", "n", "--config.file", file),
        invoke("create", "--name", "n", f"--journal.directory={tmp_path / 'j'}"),
        invoke("create", "--name", "n", PUSHGATEWAY_BRIDGE_ACCESS_DIRECTORY=str(tmp_path / "e")),
    ]

    assert [result.exit_code for result in results] == [0, 0, 0]
    found = {file.parent.relative_to(tmp_path) for file in tmp_path.rglob("tokens.json")}
    assert found == {Path("a"), Path("j/access"), Path("e")}


def test_a_broken_configuration_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yml"
    file.write_text("acess: {}\n")
    result = invoke("list", "--config.file", file)

    assert result.exit_code == 3
    assert result.stderr.startswith(f"Error: configuration file {file}: unknown section 'acess'")


def test_a_broken_file_of_tokens_is_told_and_left_as_it_is(stopped: Folder) -> None:
    stopped.create("--name", "n")
    file = stopped.directory / "tokens.json"
    file.write_text("{")

    for arguments in (["list"], ["create", "--name", "n"], ["revoke", "1"], ["rotate", "1"]):
        assert stopped.refused(*arguments).startswith(f"token file {file}: ")
    assert file.read_text() == "{"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = Folder(tmp_path / "file" / "access")

    assert folder.refused("create", "--name", "n") == f"access.directory {folder.directory}: Not a directory"


@pytest.mark.parametrize("command", [("list",), ("rotate", "1"), ("revoke", "1")])
def test_a_folder_that_is_not_there_is_more_likely_mistyped_than_empty(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    folder = Folder(tmp_path / "nowhere")

    assert folder.refused(*command) == (
        f"access.directory {folder.directory} is not there: is --journal.directory right?"
    )
    assert not folder.directory.exists()


def test_a_folder_that_cannot_be_written_is_named(stopped: Folder) -> None:
    stopped.create("--name", "n")
    (stopped.directory / "tokens.json.new").mkdir()

    assert stopped.refused("revoke", "1") == f"access.directory {stopped.directory}: Is a directory"


HOLD = """
import sys, time
from pathlib import Path
from pushgateway_bridge.access.tokens import Tokens

with Tokens(Path(sys.argv[1]), lambda: 1).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def held(folder: Folder) -> Iterator[subprocess.Popen[bytes]]:
    """Another process has the folder until its standard input ends."""
    words = [sys.executable, "-c", HOLD, str(folder.directory)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder
        holder.stdin.close()


@pytest.mark.parametrize("left", [True, False], ids=["with an old socket", "without a socket"])
def test_a_folder_whose_holder_does_not_answer_is_told(
    stopped: Folder, monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    monkeypatch.setattr(cli_token, "FOLDER_SECONDS", 0.2)
    stopped.create("--name", "n")
    if left:
        with socket.socket(socket.AF_UNIX) as old, short_path(stopped.directory) as path:
            old.bind(path)
    with held(stopped):
        says = stopped.refused("list")

    assert says == f"access.directory {stopped.directory} is in use by a process that does not answer"


def test_two_commands_at_once_both_do_their_work(stopped: Folder) -> None:
    words = [sys.executable, "-m", "pushgateway_bridge", "token", "create", "--name", "n"]
    words.append(f"--access.directory={stopped.directory}")
    stopped.create("--name", "first")
    with held(stopped) as holder:
        waiting = [subprocess.Popen(words, stdout=subprocess.PIPE, cwd=REPOSITORY) for _ in range(2)]
        assert holder.stdin is not None
        holder.stdin.close()
        texts = [one.communicate(timeout=60)[0].decode() for one in waiting]

    assert [one.returncode for one in waiting] == [0, 0]
    assert len(set(texts)) == 2
    assert [token.id for token in stopped.kept()] == [1, 2, 3]


# Of a running bridge


def status_of(folder: Folder, secret: str) -> int:
    assert folder.bridge is not None
    with Connection(folder.bridge.port) as connection:
        return connection.ask(push(b'{"name":"a"}', f"Authorization: Bearer {secret}")).status


@pytest.mark.stack
def test_what_is_done_takes_effect_in_the_running_bridge_at_once(running_folder: Folder) -> None:
    folder = running_folder
    first = folder.create("--name", "live")
    number = str(folder.kept()[-1].id)
    assert status_of(folder, first) == 200
    assert re.fullmatch(r"[0-9-]{10} [0-9:]{8}Z", folder.rows()[-1][5])

    second = folder.good("rotate", number).stdout.strip()
    assert (status_of(folder, first), status_of(folder, second)) == (401, 200)
    folder.good("revoke", number)
    assert status_of(folder, second) == 401


@pytest.mark.stack
def test_what_cannot_be_written_by_the_running_bridge_is_told(running_folder: Folder) -> None:
    blocked = running_folder.directory / "tokens.json.new"
    blocked.mkdir()
    try:
        says = running_folder.refused("create", "--name", "n")
    finally:
        blocked.rmdir()

    assert says == "the running bridge says 503: the file of tokens could not be written: Is a directory"


@pytest.mark.stack
def test_only_one_bridge_has_the_tokens(running_folder: Folder, tmp_path: Path) -> None:
    second = BridgeProcess(
        tmp_path / "journal", f"--access.directory={running_folder.directory}", log=tmp_path / "log"
    )
    second.spawn()

    assert second.process.wait(timeout=60) == 3
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert last == f"Error: access.directory {running_folder.directory} is in use by another process"
    assert running_folder.good("list").stdout


@pytest.mark.stack
@pytest.mark.parametrize("content", ["{", '{"version": 9}', '{"next_id": 1, "tokens": [{"id": 1}]}'])
def test_a_bridge_does_not_start_with_a_file_of_tokens_that_it_cannot_read(
    tmp_path: Path, content: str
) -> None:
    bridge = BridgeProcess(tmp_path / "journal", log=tmp_path / "log")
    file = bridge.directory / "access" / "tokens.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    bridge.spawn()

    assert bridge.process.wait(timeout=60) == 3
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert last.startswith(f"Error: token file {file}: ")
    assert file.read_text() == content


@pytest.mark.stack
def test_a_bridge_that_others_could_reach_does_not_start_by_accident(tmp_path: Path) -> None:
    bridge = BridgeProcess(
        tmp_path / "journal", "--web.private-listen-address=0.0.0.0:0", log=tmp_path / "log"
    )
    bridge.spawn()

    assert bridge.process.wait(timeout=60) == 3
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert last.startswith("Error: web.private_listen_address 0.0.0.0:0 is reachable from other machines")


@pytest.mark.stack
def test_a_bridge_that_was_killed_leaves_its_folder_to_the_command(tmp_path: Path) -> None:
    with BridgeProcess(tmp_path / "journal", log=tmp_path / "log") as bridge:
        folder = Folder(bridge.directory / "access")
        folder.create("--name", "before")
        bridge.process.send_signal(signal.SIGKILL)
        bridge.process.wait()

        folder.create("--name", "after")
        assert [token.name for token in folder.kept()] == ["before", "after"]


# All commands


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")


def test_no_command_takes_a_secret_as_an_argument() -> None:
    """Everybody on the machine can read it there. What ends in file names where one stands."""
    found: dict[str, Any] = dict(commands(main))
    assert "token create" in found
    for path, command in found.items():
        for parameter in command.params:
            word = re.search("token|secret|password|passwd|bearer|apikey", str(parameter.name), re.IGNORECASE)
            harmless = str(parameter.name).endswith(("_file", "_id", "_directory"))
            assert word is None or harmless, f"{path}: {parameter.name}"
