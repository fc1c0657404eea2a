"""``pushgateway-bridge journal``: look into a journal, beside a running bridge or a stopped one's.

Exit codes: 0 fine, 1 problems found, 2 wrong usage, 3 the journal cannot be read.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import apsw
import click
import msgspec

from pushgateway_bridge import plugins
from pushgateway_bridge.config import environment_name, load
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.journal import inspect
from pushgateway_bridge.journal.dump import describe, moment
from pushgateway_bridge.journal.inspect import Frame, JournalUnreadable, Unreadable, open_journal
from pushgateway_bridge.journal.names import Definitions, GroupRow, Names, definitions_of
from pushgateway_bridge.journal.record import CorruptRecord, unpack_frame
from pushgateway_bridge.journal.stats import Stats, read_stats
from pushgateway_bridge.journal.verify import Verification
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import PushGroup
from pushgateway_bridge.model.text import render_labels
from pushgateway_bridge.state.stored import check_sketch, decode_group

PROBLEMS_FOUND: Final = 1
CANNOT_READ: Final = 3
SETTING: Final = "journal.directory"
SECONDS_A_SIGN: Final = 0.2


@click.group(epilog="Exit codes: 0 fine, 1 problems found, 3 the journal cannot be read.")
def journal() -> None:
    """Look into the journal; also while the bridge runs."""


class CannotRead(click.ClickException):
    """There is no journal to read."""

    exit_code = CANNOT_READ


def journal_options(command: Callable[..., None]) -> Callable[..., None]:
    """Where the journal is, as ``serve`` is told."""
    file = click.option(
        "--config.file", "config_file", type=click.Path(path_type=Path), help="YAML file with the settings."
    )
    directory = click.option(
        f"--{SETTING}",
        "directory",
        metavar="VALUE",
        help=f"Folder of the journal. [env {environment_name(SETTING)}]",
    )
    return file(directory(command))


@contextlib.contextmanager
def reading(config_file: Path | None, directory: str | None) -> Iterator[tuple[Path, apsw.Connection]]:
    """The folder and its open journal; what prevents reading ends the command with one line."""
    try:
        config = load(config_file, os.environ, {} if directory is None else {SETTING: directory})
        folder = Path(config.journal.directory)
        with open_journal(folder) as connection:
            yield folder, connection
    except (StartFailed, JournalUnreadable) as error:
        raise CannotRead(str(error)) from error


def now_ms() -> int:
    """Unix time."""
    return time.time_ns() // 1_000_000


# stats


@journal.command()
@journal_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def stats(config_file: Path | None, directory: str | None, form: str) -> None:
    """Tell sizes, counts, positions, and what a restart would read."""
    with reading(config_file, directory) as (folder, connection):
        found = read_stats(connection, folder, decode_group, now_ms())
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        for line in stats_lines(found):
            click.echo(printable(line))


def stats_lines(found: Stats) -> Iterator[str]:
    """*found* for people."""
    positions, frames, uncovered = found.positions, found.frames, found.uncovered
    age = found.oldest_frame_age_seconds
    rows = {
        "journal": found.file,
        "file": f"{size(found.file_bytes)}, {size(found.free_bytes)} of it free",
        "write-ahead log": size(found.wal_bytes),
        "schema": f"{found.schema_version}, read by SQLite {found.sqlite_version}",
        "positions": f"oldest {positions.oldest or 'none'}, newest {positions.newest}, floor {positions.floor}",
        "frames": f"{frames.frames} with {frames.records} records, {size(frames.bytes)}",
        "oldest frame": "none" if age is None else f"written {age:.0f} s ago",
        "checkpoint": f"{found.checkpoint.rows} groups, {size(found.checkpoint.bytes)}",
        "sketches": f"{found.sketches.rows}, {size(found.sketches.bytes)}",
        "families": str(found.families.rows),
        "receipts": str(found.receipts.rows),
        "a restart reads": (
            f"{size(found.checkpoint.bytes + found.sketches.bytes)} of checkpoint, then {uncovered.records} records "
            f"that it does not cover, {size(uncovered.bytes)}"
        ),
    }
    yield from (f"{name:<16} {text}" for name, text in rows.items())
    for recent in found.recent:
        since = moment(recent.oldest_ms)
        yield f"{'recent entries':<16} {recent.dialect}: {recent.entries} since {since}, {size(recent.bytes)}"
    for remote in found.remotes:
        yield f"{'remote':<16} {remote.remote}: has all to {remote.position}, {remote.waiting} records wait"
    for name in found.set_aside:
        yield f"{'set aside':<16} {name}"
    if found.largest_groups:
        yield "largest groups, as checkpointed:"
    for group in found.largest_groups:
        labels = None if group.labels is None else render_labels(tuple(group.labels.items()))
        what = (
            "cannot be read" if labels is None else f"{group.series} series of {group.dialect} {{{labels}}}"
        )
        yield f"  {size(group.bytes):>10}  {what}"


def size(count: int) -> str:
    """A number of bytes for people."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def printable(text: str) -> str:
    """*text* without what would steer a terminal: pushers choose the labels in it."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


# dump


@journal.command()
@journal_options
@click.option("--from", "first", type=click.IntRange(min=0), default=0, help="First position to print.")
@click.option("--to", "last", type=click.IntRange(min=0), help="Last position to print.")
@click.option("--job", help="Only groups with this job.")
@click.option("--instance", help="Only groups with this instance.")
@click.option("--limit", type=click.IntRange(min=1), help="Print at most so many changes.")
def dump(
    config_file: Path | None,
    directory: str | None,
    first: int,
    last: int | None,
    job: str | None,
    instance: str | None,
    limit: int | None,
) -> None:
    """Print each change as a line of JSON, oldest first.

    A name or label set that neither earlier records nor the checkpoint tell is null.
    """
    unreadable = printed = 0
    output = sys.stdout.buffer
    with reading(config_file, directory) as (_, connection):
        for line in dump_lines(connection, first, last, wanted_by(job, instance)):
            if isinstance(line, Unreadable):
                unreadable += 1
                click.echo(f"position {line.position}: {printable(line.reason)}", err=True)
                continue
            output.write(line + b"\n")
            printed += 1
            if printed == limit:
                break
    output.flush()
    if unreadable:
        sys.exit(PROBLEMS_FOUND)


def wanted_by(job: str | None, instance: str | None) -> Callable[[PushGroup | None], bool]:
    """Whether a group has this *job* and *instance*, where they are given."""
    asked = {(name, value) for name, value in (("job", job), ("instance", instance)) if value is not None}
    return lambda labels: not asked or (labels is not None and asked.issubset(labels))


def dump_lines(
    connection: apsw.Connection, first: int, last: int | None, wanted: Callable[[PushGroup | None], bool]
) -> Iterator[bytes | Unreadable]:
    """The changes from position *first* through *last*, and what cannot be read among them.

    Earlier records are read too: they define what later ones name by numbers.
    """
    names = Names(lambda group_id: read_group(connection, group_id), lambda: read_definitions(connection))
    for frame in inspect.read_frames(connection, last):
        if isinstance(frame, Unreadable):
            if frame.position >= first:
                yield Unreadable(frame.position, f"behind it the file is damaged: {frame.reason}")
            continue
        try:
            for record in unpack_frame(frame.body):
                change = inspect.decode_record(record)
                names.learn(change, frame.position)
                if frame.position >= first:
                    document = describe(
                        frame.position, change, names, lambda name: read_family(connection, name), wanted
                    )
                    if document is not None:
                        yield msgspec.json.encode(document)
                names.forget(change, frame.position)
        except CorruptRecord as error:
            if frame.position >= first:
                yield Unreadable(frame.position, str(error))


def read_definitions(connection: apsw.Connection) -> Definitions:
    """Where each number is defined, in the records that can be read."""
    found: defaultdict[tuple[int, int | None], list[int]] = defaultdict(list)
    for frame in inspect.read_frames(connection):
        if isinstance(frame, Frame):
            with contextlib.suppress(CorruptRecord):  # told when its turn comes
                for record in unpack_frame(frame.body):
                    for key in definitions_of(inspect.decode_record(record)):
                        found[key].append(frame.position)
    return found


def read_group(connection: apsw.Connection, group_id: int) -> GroupRow | None:
    """A group's checkpoint row, ``None`` if it has none that can be read."""
    body = inspect.checkpoint_row(connection, group_id)
    try:
        return None if body is None else decode_group(body)
    except ValueError:
        return None


def read_family(connection: apsw.Connection, name: str) -> Family | None:
    """A family, ``None`` if there is none that can be read."""
    try:
        return inspect.family(connection, name)
    except ValueError:
        return None


# verify


@journal.command()
@journal_options
def verify(config_file: Path | None, directory: str | None) -> None:
    """Check the file, every record, and all that a restart needs; print each problem and where it is."""
    found = 0
    progress = Progress(sys.stderr.isatty())
    with reading(config_file, directory) as (_, connection):
        known = {*DIALECTS, *(plugin.name for plugin in plugins.find())}
        verification = Verification(connection, decode_group, check_sketch, known, progress.tell)
        for problem in verification.problems():
            progress.clear()
            click.echo(printable(str(problem)))
            found += 1
    progress.clear()
    checked = ", ".join(f"{count} {what}" for what, count in verification.checked.items())
    click.echo(
        f"{checked}: {'no problems' if not found else '1 problem' if found == 1 else f'{found} problems'}"
    )
    if found:
        sys.exit(PROBLEMS_FOUND)


class Progress:
    """One line on a terminal that says how far the check is; nothing elsewhere."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._began = time.monotonic()
        self._next = self._began + SECONDS_A_SIGN
        self._drawn = False

    def tell(self, what: str, done: int, of: int) -> None:
        """Say it, a few times a second at most."""
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + SECONDS_A_SIGN
        far = f"{done} of {max(done, of)}" if of else f"{now - self._began:.0f} s"
        click.echo(f"\r\x1b[Kchecking {what}: {far}", nl=False, err=True, color=True)
        self._drawn = True

    def clear(self) -> None:
        """Take the line away."""
        if self._drawn:
            click.echo("\r\x1b[K", nl=False, err=True, color=True)
            self._drawn = False
