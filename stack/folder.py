"""STACK_DIR: the folder of one stack's data, logs and running configuration.

A record in it says that it is ours, and what was started; nothing is deleted in a folder without one.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from stack.errors import StackError
from stack.settings import Settings

RECORD = "stack.json"
LOCK = "lock"
FOLDERS = ("config", "data", "logs")
FILES = ("supervisor.conf", "supervisor.pid", "supervisor.sock", RECORD, LOCK)
"""With FOLDERS everything that a stack makes in its folder."""


class Record(NamedTuple):
    """What `up` started here; settings may have changed since."""

    mode: str
    addresses: dict[str, str]
    """By part, as ``host:port``."""
    inner: Mapping[str, str] = MappingProxyType({})
    """The same for parts that the others reach elsewhere."""


def data_folder(directory: Path, part: str) -> Path:
    """Where *part* keeps its data."""
    return directory / "data" / part


def make_data_folder(directory: Path, part: str) -> None:
    """Raises StackError if *part* cannot have a folder for its data."""
    try:
        data_folder(directory, part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(
            f"{part}: {data_folder(directory, part)} cannot be made: {error.strerror}"
        ) from error


def log_file(directory: Path, part: str) -> Path:
    """What *part* wrote to its standard output and error."""
    return directory / "logs" / f"{part}.log"


def read_record(directory: Path) -> Record | None:
    """What was started in *directory* last; None if that is no stack's folder."""
    try:
        record = json.loads((directory / RECORD).read_text(encoding="utf-8"))
        return Record(str(record["mode"]), dict(record["addresses"]), dict(record.get("inner", {})))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(settings: Settings, mode: str) -> None:
    """Remember what is started in the stack's folder."""
    inner = {part: settings.inner_address(part) for part in settings.addresses}
    record = {
        "mode": mode,
        "addresses": {part: str(where) for part, where in settings.addresses.items()},
        "inner": {part: str(where) for part, where in inner.items() if where != settings.addresses[part]},
    }
    temporary = settings.directory / f"{RECORD}.new"
    temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    temporary.replace(settings.directory / RECORD)


def claim(settings: Settings) -> None:
    """Make the folder and what is in it.

    Raises StackError if it cannot be made, or holds files that are not a stack's.
    """
    directory = settings.directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if read_record(directory) is None:
            if strange := next((path.name for path in sorted(directory.iterdir())), ""):
                raise StackError(
                    f"STACK_DIR: {directory} holds other files ({strange}): name a new or empty folder"
                )
            write_record(settings, "native")  # until a mode is chosen; it says that the folder is ours
        for name in FOLDERS:
            (directory / name).mkdir(exist_ok=True)
        # Tokens and pushed values are nobody else's business.
        for name in ("config", "data"):
            (directory / name).chmod(0o700)
    except OSError as error:
        raise StackError(f"STACK_DIR: {directory} cannot be used: {error.strerror}") from error


def erase(directory: Path) -> bool:
    """Delete what a stack made in *directory*, and the folder itself if nothing else is in it.

    False if there is no stack's folder. Raises StackError if part of it cannot be deleted.
    """
    if read_record(directory) is None:
        return False
    try:
        for name in FOLDERS:
            if (directory / name).is_symlink():
                raise StackError(f"{directory / name} is a link: empty the folder it leads to yourself")
            if (directory / name).exists():
                shutil.rmtree(directory / name)
        for name in FILES:
            (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise StackError(f"{error.filename} cannot be deleted: {error.strerror}") from error
    with suppress(OSError):  # something of the user's is in it
        directory.rmdir()
    return True


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Only one command at a time starts or ends the stack of *directory*. Raises StackError if one does."""
    with (directory / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(f"another command is starting or ending the stack in {directory}") from error
        yield
