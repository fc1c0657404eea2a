"""Ways to damage a journal, for the tests of what looks into one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from pushgateway_bridge.journal.journal import FILE_NAME

PAGE_BYTES = 4096
MARK = b"overflow "


@contextlib.contextmanager
def database(directory: Path) -> Iterator[apsw.Connection]:
    """The journal in *directory*, to be written behind the bridge's back."""
    connection = apsw.Connection(str(directory / FILE_NAME))
    try:
        yield connection
    finally:
        connection.close()


def alter(directory: Path, statement: str, *values: str | int | bytes) -> None:
    with database(directory) as connection:
        connection.execute(statement, values)


def break_frame_on_disk(directory: Path, position: int) -> None:
    """Add a frame at *position* whose pages lead nowhere. The bridge must be stopped."""
    body = b"\x01" + MARK * 2000
    alter(
        directory,
        "INSERT INTO frame (position, written_ms, records, body) VALUES (?, 0, 1, ?)",
        position,
        body,
    )
    file = directory / FILE_NAME
    content = bytearray(file.read_bytes())
    for start in range(0, len(content), PAGE_BYTES):
        # A page of the body's rest: four bytes that name the next one, then nothing but the body.
        if MARK * 100 in content[start : start + PAGE_BYTES] and content[start] == 0:
            content[start : start + 4] = b"\xff\xff\xff\x00"
            break
    else:
        raise AssertionError("the body has no page of its own")
    file.write_bytes(content)
