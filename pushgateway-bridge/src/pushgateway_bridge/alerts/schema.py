"""The table of the history, and what becomes of files that other versions wrote."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import apsw

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x7462616C
"""Marks the file as a history of ours ("tbal")."""

_TABLES: Final = """
-- One row for each time that an alert fired. *ends_ms* is NULL while it fires; *closed_by* says who ended it.
CREATE TABLE alert (id INTEGER PRIMARY KEY AUTOINCREMENT, fingerprint TEXT NOT NULL, starts_ms INTEGER NOT NULL,
    ends_ms INTEGER, closed_by TEXT NOT NULL, alertname TEXT NOT NULL, labels TEXT NOT NULL, annotations TEXT NOT NULL,
    notified INTEGER NOT NULL, last_notified_ms INTEGER NOT NULL, UNIQUE (fingerprint, starts_ms));
CREATE INDEX alert_starts ON alert (starts_ms);
CREATE INDEX alert_name ON alert (alertname, starts_ms);
CREATE INDEX alert_firing ON alert (starts_ms) WHERE ends_ms IS NULL;
"""


class NewerSchema(Exception):
    """The file was written by a newer bridge than this one."""


def prepare(connection: apsw.Connection) -> None:
    """Make the table of a new file, all or nothing. Raises NewerSchema."""
    found = int(connection.pragma("user_version"))
    if found == SCHEMA_VERSION:
        return
    check(found)
    with transaction(connection):
        connection.execute(_TABLES)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", SCHEMA_VERSION)


@contextlib.contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Everything in it or nothing. A full disk ends the transaction by itself, which apsw's own does not expect."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check(found: int) -> None:
    """Raises NewerSchema if *found* is not to be read by this bridge."""
    if found > SCHEMA_VERSION:
        raise NewerSchema(
            f"it has schema {found}, this bridge knows up to {SCHEMA_VERSION}: "
            "start a newer bridge, or move the file away"
        )
