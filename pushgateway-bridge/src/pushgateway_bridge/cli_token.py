"""``pushgateway-bridge token``: make, list, revoke and rotate tokens, of a bridge that runs or not."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import httpx2
from pydantic import ValidationError

from pushgateway_bridge.access.control import short_path
from pushgateway_bridge.access.documents import NewToken, flaws, now_ms, shown
from pushgateway_bridge.access.token import Right
from pushgateway_bridge.access.tokens import FolderInUse, NoSuchToken, TokenRevoked, Tokens
from pushgateway_bridge.config import access_directory, load
from pushgateway_bridge.errors import StartFailed

TIMEOUT_SECONDS: Final = 30.0
FOLDER_SECONDS: Final = 5.0
"""How long to wait for a folder that is in use by a process that does not answer: it starts, stops, or is this command
once more."""
UNITS: Final = {"m": 60.0, "h": 3600.0, "d": 86400.0, "y": 365 * 86400.0}

Command = TypeVar("Command", bound=Callable[..., None])


class TokenFailed(click.ClickException):
    """What was asked could not be done."""

    exit_code = 3


class Stopped:
    """Changes the tokens of a bridge that does not run."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def list(self) -> list[dict[str, Any]]:
        return [shown(token, now_ms()) for token in self._tokens.list()]

    def create(self, new: NewToken) -> dict[str, Any]:
        token, secret = self._tokens.create(
            new.name,
            new.rights,
            job=new.job,
            instance=new.instance,
            lifetime_seconds=new.lifetime_seconds,
            enrol=new.enrol,
        )
        return {**shown(token, now_ms()), "token": secret}

    def rotate(self, token_id: int) -> dict[str, Any]:
        token, secret = self._tokens.rotate(token_id)
        return {**shown(token, now_ms()), "token": secret}

    def revoke(self, token_id: int) -> dict[str, Any]:
        return shown(self._tokens.revoke(token_id), now_ms())


class Running:
    """Asks a running bridge, through the socket in its access folder."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def list(self) -> list[dict[str, Any]]:
        found = self._ask("GET", "")
        assert isinstance(found, list)
        return found

    def create(self, new: NewToken) -> dict[str, Any]:
        return self._ask("POST", "", new.model_dump(mode="json"))  # type: ignore[no-any-return]

    def rotate(self, token_id: int) -> dict[str, Any]:
        return self._ask("POST", f"/{token_id}/rotate")  # type: ignore[no-any-return]

    def revoke(self, token_id: int) -> dict[str, Any]:
        return self._ask("DELETE", f"/{token_id}")  # type: ignore[no-any-return]

    def _ask(self, method: str, path: str, document: object = None) -> Any:
        try:
            answer = self._client.request(method, f"/api/v1/tokens{path}", json=document)
        except httpx2.HTTPError as error:
            raise TokenFailed(f"the running bridge does not answer: {error}") from error
        if answer.status_code >= 400:
            raise TokenFailed(f"the running bridge says {answer.status_code}: {_detail(answer)}")
        return answer.json()


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def _with_tokens(directory: Path, work: Callable[[Stopped | Running], Any]) -> Any:
    """What *work* gives, of the bridge that runs on *directory*, or of its file if none does. Raises TokenFailed."""
    until = time.monotonic() + FOLDER_SECONDS
    while True:
        try:
            return _with_file_or_bridge(directory, work)
        except FolderInUse as error:
            if time.monotonic() > until:
                raise TokenFailed(
                    f"access.directory {directory} is in use by a process that does not answer"
                ) from error
            time.sleep(0.1)


def _there(directory: Path) -> Path:
    """*directory*, which holds tokens. Raises TokenFailed: it is more likely mistyped than without tokens."""
    if not directory.is_dir():
        raise TokenFailed(f"access.directory {directory} is not there: is --journal.directory right?")
    return directory


def _with_file_or_bridge(directory: Path, work: Callable[[Stopped | Running], Any]) -> Any:
    """The same, but raises FolderInUse if neither the file is free nor anybody answers."""
    try:
        tokens = Tokens(directory, now_ms)
        try:
            with tokens.locked():
                tokens.load()
                return work(Stopped(tokens))
        except FolderInUse:
            with (
                short_path(directory) as path,
                socket.socket(socket.AF_UNIX) as probe,
                httpx2.Client(
                    transport=httpx2.HTTPTransport(uds=path),
                    base_url="http://bridge",
                    timeout=TIMEOUT_SECONDS,
                ) as client,
            ):
                if probe.connect_ex(path) != 0:
                    raise
                return work(Running(client))
    except (StartFailed, NoSuchToken, TokenRevoked) as error:
        raise TokenFailed(str(error)) from error
    except OSError as error:
        raise TokenFailed(f"access.directory {directory}: {error.strerror}") from error


@click.group()
def token() -> None:
    """Make, list, revoke and rotate tokens, whether the bridge runs or not."""


def _folder_options(command: Command) -> Command:
    """Where the tokens are: as for ``serve``."""
    for name, text in (
        ("access.directory", "Folder of the tokens [default: access in journal.directory]."),
        ("journal.directory", "Folder of the journal [default 'data/journal']."),
        ("config.file", "The bridge's YAML file."),
    ):
        command = click.option(f"--{name}", name.replace(".", "__"), metavar="PATH", help=text)(command)
    return command


def _directory(
    config__file: str | None, journal__directory: str | None, access__directory: str | None
) -> Path:
    flags = {"journal.directory": journal__directory, "access.directory": access__directory}
    try:
        config = load(
            Path(config__file) if config__file else None,
            os.environ,
            {name: value for name, value in flags.items() if value},
        )
    except StartFailed as error:
        raise TokenFailed(str(error)) from error
    return access_directory(config)


def _lifetime(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float:
    """``90d`` → seconds."""
    if text is None:
        return 0.0
    match = re.fullmatch(r"([1-9][0-9]{0,5})([mhdy])", text)
    if match is None:
        raise click.BadParameter(f"expected a number and m, h, d or y, such as 90d, got {text!r}")
    return int(match[1]) * UNITS[match[2]]


@token.command()
@click.option("--name", required=True, help="What you call it: the host, or the program, that gets it.")
@click.option(
    "--right",
    "rights",
    type=click.Choice([right.value for right in Right]),
    multiple=True,
    default=["push"],
    show_default=True,
    help="What it lets one do; may be repeated. admin includes the others.",
)
@click.option("--job", default="", help="Bind it to pushes for this job.")
@click.option("--instance", default="", help="Bind it to pushes for this instance.")
@click.option(
    "--expires-in", "lifetime", callback=_lifetime, metavar="TIME", help="Such as 90d; never without it."
)
@click.option("--enrol", is_flag=True, help="Void unless it is used within 5 minutes, and good from then on.")
@_folder_options
def create(
    name: str, rights: tuple[str, ...], job: str, instance: str, lifetime: float, enrol: bool, **folder: Any
) -> None:
    r"""Make a token and print it. It is not stored and cannot be shown again.

    \b
    pushgateway-bridge token create --name backup --job backup --instance nas
    pushgateway-bridge token create --name grafana --right read --expires-in 90d
    """
    try:
        new = NewToken(
            name=name,
            rights=[Right(right) for right in dict.fromkeys(rights)],
            job=job,
            instance=instance,
            lifetime_seconds=lifetime,
            enrol=enrol,
        )
    except ValidationError as error:
        raise click.UsageError(flaws(error)) from error
    made = _with_tokens(_directory(**folder), lambda tokens: tokens.create(new))
    _print_made(made, "made")


@token.command("list")
@_folder_options
def list_tokens(**folder: Any) -> None:
    """One line a token: number, state, rights, what it is bound to, last use, name."""
    rows = [("ID", "STATE", "RIGHTS", "BOUND TO", "EXPIRES", "LAST USED", "NAME")]
    for one in _with_tokens(_there(_directory(**folder)), lambda tokens: tokens.list()):
        bound = ",".join(f"{label}={_printable(one[label])}" for label in ("job", "instance") if one[label])
        rows.append(
            (
                str(one["id"]),
                one["state"],
                ",".join(one["rights"]),
                bound or "-",
                _time(one["expires"]),
                _time(one["last_used"]),
                _printable(one["name"]),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@token.command()
@click.argument("token_id", type=click.IntRange(1, 2**53), metavar="ID")
@_folder_options
def rotate(token_id: int, **folder: Any) -> None:
    """Give a token a new text and print that; the old one is void at once."""
    _print_made(_with_tokens(_there(_directory(**folder)), lambda tokens: tokens.rotate(token_id)), "rotated")


@token.command()
@click.argument("token_id", type=click.IntRange(1, 2**53), metavar="ID")
@_folder_options
def revoke(token_id: int, **folder: Any) -> None:
    """Make a token void for good. It stays in the list."""
    one = _with_tokens(_there(_directory(**folder)), lambda tokens: tokens.revoke(token_id))
    click.echo(f"revoked token {one['id']} ({_printable(one['name'])})", err=True)


def _print_made(made: dict[str, Any], what: str) -> None:
    """The text alone on standard output, so that a script can take it; what it is on standard error."""
    name = _printable(made["name"])
    click.echo(f"{what} token {made['id']} ({name}), rights {','.join(made['rights'])}", err=True)
    if made["activate_before"] is not None:
        click.echo(f"it must be used before {_time(made['activate_before'])}", err=True)
    click.echo(made["token"])


def _printable(text: str) -> str:
    """*text* with what would end the line, or steer the terminal, escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
