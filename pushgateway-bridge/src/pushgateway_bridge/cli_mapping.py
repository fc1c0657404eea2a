"""``pushgateway-bridge explain`` and ``suggest``: what a mapping makes of a body, and a mapping to begin with."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from pushgateway_bridge.config import load
from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.errors import PushRejected, StartFailed
from pushgateway_bridge.mappings.explain import ExplainedSeries, Explanation
from pushgateway_bridge.mappings.load import load_mappings, parse_mapping
from pushgateway_bridge.mappings.problems import MappingsInvalid
from pushgateway_bridge.mappings.pushes import MappedPushes
from pushgateway_bridge.mappings.suggest import NothingToMeasure, suggest
from pushgateway_bridge.model.text import format_value

NO_SECRET: Final = bytes(32)
"""Nothing is stored, so that no hash is kept."""
BODY: Final = click.Path(path_type=Path, allow_dash=True)


class MappingFailed(click.ClickException):
    """What was asked could not be done."""

    exit_code = 3


@click.command("explain")
@click.argument("name")
@click.argument("file", type=BODY)
@click.option(
    "--config.file", "config_file", type=click.Path(path_type=Path), help="YAML file with the settings."
)
@click.option("--mappings.directory", "directory", metavar="DIR", help="Folder of the mappings.")
@click.option(
    "--content-type", default="application/json", show_default=True, help="As the pusher would send it."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain_command(
    name: str, file: Path, config_file: Path | None, directory: str | None, content_type: str, form: str
) -> None:
    """Show what the mapping NAME makes of the body in FILE (- is standard input). Nothing is stored.

    Each series stands beside the line of the mapping that makes it, and each refused item beside its reason. Exit
    code 0 if the body would be accepted, at least in part; 1 if nothing of it would; 3 if the mappings cannot be used.

    \b
    pushgateway-bridge explain greenhouse body.json --mappings.directory mappings
    """  # noqa: D301 - the sign that click keeps line breaks after
    try:
        config = load(config_file, os.environ, {} if directory is None else {"mappings.directory": directory})
        folder = config.mappings.directory
        if not folder:
            raise MappingFailed("mappings.directory is not set: name the folder with --mappings.directory")
        mappings = load_mappings(Path(folder))
    except MappingsInvalid as error:
        raise MappingFailed("\n".join(map(str, error.problems))) from error
    except StartFailed as error:
        raise MappingFailed(str(error)) from error
    context = PushContext(time.time_ns() // 1_000_000, content_type)
    try:
        explanation = MappedPushes(mappings, lambda: NO_SECRET).explain(name, read_file(file), context)
    except PushRejected as error:
        raise click.ClickException(f"refused ({error.reason}): {error}") from error
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(explanation)).decode())
    else:
        for line in lines_of(explanation):
            click.echo(line)
    if not explanation.accepted:
        raise SystemExit(1)


def lines_of(explanation: Explanation) -> Iterator[str]:
    """*explanation* for people."""
    file = explanation.file
    for one in explanation.series:
        yield f"{shown(one)}  # item {one.item}, {one.operation}, {file}:{one.line}"
    if explanation.series_total > len(explanation.series):
        yield f"… and {explanation.series_total - len(explanation.series)} more series"
    for refused in explanation.refused:
        where = f"{file}:{refused.line} {refused.key}" if refused.line else "the body"
        yield f"refused: item {refused.item}: {refused.reason}: {refused.message} ({where})"
    if explanation.refused_total > len({one.item for one in explanation.refused}):
        yield f"… {explanation.refused_total} refused items in all"
    for unmatched in explanation.unmatched:
        yield f"nothing found: {unmatched.name} at {unmatched.path} ({file}:{unmatched.line} {unmatched.key})"
    yield f"{explanation.accepted} accepted, {explanation.refused_total} refused"


def shown(one: ExplainedSeries) -> str:
    """A series as Prometheus writes it, with its value."""
    labels = ",".join(f"{name}={msgspec.json.encode(value).decode()}" for name, value in one.labels.items())
    value = "seen" if one.value is None else format_value(one.value)
    return f"{one.name}{{{labels}}} {value}"


@click.command("suggest")
@click.argument("file", type=BODY)
@click.option("--name", default="", help="Of the mapping; without it that of FILE.")
def suggest_command(file: Path, name: str) -> None:
    """Print a mapping to begin with, made from the example body in FILE (- is standard input).

    What each value means is guessed from its name: read the result, change it, and try it with explain.

    \b
    pushgateway-bridge suggest body.json > mappings/greenhouse.yml
    """  # noqa: D301 - as above
    name = name or (file.stem if str(file) != "-" else "example")
    try:
        document = msgspec.json.decode(read_file(file))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MappingFailed(f"{file}: {error}") from error
    try:
        text = suggest(document, name)
        parse_mapping(text, name)
    except NothingToMeasure as error:
        raise MappingFailed(f"{file}: {error}") from error
    except MappingsInvalid as error:
        click.echo("\n".join(f"# {one}" for one in error.problems), err=True)
    click.echo(text, nl=False)


def read_file(file: Path) -> bytes:
    """What is in *file*, or on standard input."""
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise MappingFailed(f"{file}: {error.strerror}") from error
