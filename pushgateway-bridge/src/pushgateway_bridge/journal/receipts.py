"""The replies to pushes that carried an idempotency key, so that a repeat is answered alike and counted once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import apsw

KEPT_MS: Final = 24 * 3600 * 1000
"""How long a reply is kept, as the pushers are promised."""
DELETED_A_GROUP: Final = 256
"""Replies deleted in one transaction: few enough that nobody waits for it."""


class Receipt(NamedTuple):
    """What was answered. *key* and *body_hash* are keyed hashes: neither the key nor the body is kept."""

    key: bytes
    body_hash: bytes
    status: int
    content_type: str
    body: bytes


def write_receipts(connection: apsw.Connection, receipts: Iterable[Receipt], now_ms: int) -> None:
    """Add *receipts* in the transaction of their pushes."""
    connection.executemany(
        "INSERT OR REPLACE INTO receipt VALUES (?, ?, ?, ?, ?, ?)",
        [(one.key, now_ms, one.body_hash, one.status, one.content_type, one.body) for one in receipts],
    )


def delete_old_receipts(connection: apsw.Connection, now_ms: int) -> None:
    """Delete a few of those that have been kept for long enough."""
    connection.execute(
        "DELETE FROM receipt WHERE key IN (SELECT key FROM receipt WHERE written_ms < ? LIMIT ?)",
        (now_ms - KEPT_MS, DELETED_A_GROUP),
    )


def find_receipt(file: Path, key: bytes, now_ms: int) -> Receipt | None:
    """The reply to the push with *key*, if one was given in the last 24 h.

    Opens the file for reading only, beside the writer; call it in a thread.
    """
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        row = connection.execute(
            "SELECT key, body_hash, status, content_type, body FROM receipt WHERE key = ? AND written_ms >= ?",
            (key, now_ms - KEPT_MS),
        ).fetchone()
    finally:
        connection.close()
    return None if row is None else Receipt._make(row)
