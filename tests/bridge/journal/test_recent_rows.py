"""Rows of recent entries: many that are alike are compressed, and every row reads back as it was given."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.journal.recent import MIN_COMPRESSED_BYTES, pack, read_recent, unpack
from tests.bridge.harness import Harness
from tests.bridge.padding import incompressible

ALIKE = [b'{"name":"host-%d","cpu":%d.5,"disk":"sda1"}' % (number, number % 100) for number in range(200)]
ENTRY = st.binary(max_size=3000).map(lambda data: b"{" + data.replace(b"\n", b"") + b"}")


@given(entries=st.lists(ENTRY, min_size=1, max_size=20))
def test_a_row_gives_the_entries_that_it_was_made_of(entries: list[bytes]) -> None:
    assert unpack(pack(entries)) == entries


def test_many_entries_that_are_alike_take_a_fraction_of_their_room() -> None:
    assert len(pack(ALIKE)) < len(b"\n".join(ALIKE)) / 3
    assert unpack(pack(ALIKE)) == ALIKE


def test_a_short_row_can_be_read_with_sqlite_alone() -> None:
    entries = [b'{"name":"a"}', b'{"name":"b"}']

    assert pack(entries) == b'{"name":"a"}\n{"name":"b"}'


@pytest.mark.parametrize("missing", [0, 1])
def test_rows_at_the_bound_read_back(missing: int) -> None:
    entry = incompressible(MIN_COMPRESSED_BYTES - missing).encode()

    assert (pack([entry]) == entry) == bool(missing)
    assert unpack(pack([entry])) == [entry]


def test_entries_of_one_commit_are_compressed_on_disk_and_survive_a_crash(bridge: Harness) -> None:
    # Each is long enough to be compressed by itself: which of them share a commit is not known.
    text = "what hosts say again and again, " * (MIN_COMPRESSED_BYTES // 16)
    outcomes = [bridge.begin({"name": f"host-{number}", "text": text}) for number in range(100)]
    bridge.drain()
    assert [outcome.result() for outcome in outcomes] == [None] * 100
    file = bridge.journal.file
    before = read_recent(file, "pixeltracker", 1000, 0)

    bridge.crash()

    assert read_recent(file, "pixeltracker", 1000, 0) == before
    assert [entry.count(b'"host-%d"' % number) for number, entry in enumerate(before)] == [1] * 100
    assert stored_bytes(file) < len(b"\n".join(before)) / 2


def stored_bytes(file: Path) -> int:
    """What all rows take."""
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        query = "SELECT sum(length(body)) FROM recent"
        return cast(list[tuple[int]], connection.execute(query).fetchall())[0][0]
    finally:
        connection.close()
