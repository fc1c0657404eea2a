"""What tallies remember: written with the push that changed it, read at a start and after a journal that refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import apsw

from pushgateway_bridge.model.fact import Fact

FactKey = tuple[str, str, bytes]
"""Dialect, kind and key."""


def write_facts(connection: apsw.Connection, facts: Iterable[tuple[str, Sequence[Fact]]]) -> None:
    """Have *facts* of each dialect stand as they say, in the transaction of their pushes: of each, the last word."""
    last: dict[FactKey, bytes | None] = {
        (dialect, one.kind, one.key): one.body for dialect, some in facts for one in some
    }
    connection.executemany(
        "INSERT OR REPLACE INTO fact VALUES (?, ?, ?, ?)",
        [(*key, body) for key, body in last.items() if body is not None],
    )
    connection.executemany(
        "DELETE FROM fact WHERE dialect = ? AND kind = ? AND key = ?",
        [key for key, body in last.items() if body is None],
    )


def read_facts(file: Path, dialect: str) -> list[Fact]:
    """All that is remembered of *dialect*. Opens the file for reading only, beside the writer."""
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        rows = connection.execute(
            "SELECT kind, key, body FROM fact WHERE dialect = ? ORDER BY kind, key", (dialect,)
        )
        return [Fact(*row) for row in cast(Iterable[tuple[str, bytes, bytes]], rows)]
    finally:
        connection.close()
