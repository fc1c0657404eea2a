"""The journal's tables and their migrations."""

from __future__ import annotations

import secrets
from typing import Final

import apsw

SCHEMA_VERSION: Final = 5
APPLICATION_ID: Final = 0x74627267
"""Marks the file as a journal of ours ("tbrg"), for file(1) and for us."""

SECRET_BYTES: Final = 32

_FRAME: Final = """
-- One row a group commit: a length-prefixed record for each push in it. A row a record would give up and take
-- back the interpreter's lock at each of them (docs/decisions/0002-one-row-a-group-commit.md). *samples* are those
-- that remote write carries; it stands before the body, so that it is read without it.
CREATE TABLE frame (position INTEGER PRIMARY KEY, written_ms INTEGER NOT NULL, records INTEGER NOT NULL,
    samples INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);
"""

_REMOVAL: Final = """
-- What the record at a position removed and a remote may still need to name samples that stand before it.
CREATE TABLE removal (position INTEGER NOT NULL, group_id INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (position, group_id)) WITHOUT ROWID;
"""

_FACT: Final = """
-- What a dialect's tally remembers beyond its series: executions that run, who opted out, counts by the hour.
CREATE TABLE fact (dialect TEXT NOT NULL, kind TEXT NOT NULL, key BLOB NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (dialect, kind, key)) WITHOUT ROWID;
"""

_PLAIN_COMMIT: Final = """
-- A group commit of pushes of one dialect and nothing else, as one statement: docs/decisions/0002. *dialect* is
-- empty for one that has no recent entries.
CREATE VIEW plain_commit AS SELECT 0 AS position, 0 AS written_ms, 0 AS records, 0 AS samples, x'' AS body,
    '' AS dialect, 0 AS entries, x'' AS recent_body, 0 AS surplus_through;
CREATE TRIGGER plain_commit INSTEAD OF INSERT ON plain_commit BEGIN
    INSERT INTO frame VALUES (NEW.position, NEW.written_ms, NEW.records, NEW.samples, NEW.body);
    INSERT INTO recent SELECT NEW.dialect, NEW.position, NEW.written_ms, NEW.entries, NEW.recent_body
        WHERE NEW.dialect <> '';
    DELETE FROM recent WHERE dialect = NEW.dialect AND position <= NEW.surplus_through;
END;
"""

_TABLES: Final = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
{_FRAME}
-- How far each remote is; records are kept for the slowest.
CREATE TABLE cursor (remote TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE family (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE checkpoint (group_id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE sketch (group_id INTEGER NOT NULL, series_id INTEGER NOT NULL, hour INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (group_id, series_id, hour)) WITHOUT ROWID;
CREATE TABLE receipt (key BLOB PRIMARY KEY, written_ms INTEGER NOT NULL, body_hash BLOB NOT NULL,
    status INTEGER NOT NULL, content_type TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX receipt_written ON receipt (written_ms);
CREATE TABLE recent (dialect TEXT NOT NULL, position INTEGER NOT NULL, written_ms INTEGER NOT NULL,
    entries INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (dialect, position)) WITHOUT ROWID;
{_REMOVAL}
{_FACT}
{_PLAIN_COMMIT}
"""

_COPY_FRAMES: Final = """
INSERT INTO frame (position, written_ms, records, body) SELECT position, written_ms, records, body FROM old_frame;
DROP TABLE old_frame;
"""
_MIGRATIONS: Final = {
    1: (
        "DROP TRIGGER plain_commit; DROP VIEW plain_commit; ALTER TABLE frame RENAME TO old_frame;",
        *(_FRAME, _COPY_FRAMES, _REMOVAL, _PLAIN_COMMIT),
    ),
    2: (),  # the tables stay; records may say more (what they replace, how long a series stays), so that older
    # bridges must not read them
    3: (_FACT,),
    4: (),  # rows of recent entries may be compressed
}
"""From each older version to the next."""


class NewerSchema(Exception):
    """The file was written by a newer bridge than this one."""


def prepare(connection: apsw.Connection) -> int | None:
    """Make the tables of a new file, or bring those of an old one up to date, all or nothing.

    Returns the version that an old file had, ``None`` if there was nothing to do. Raises NewerSchema.
    """
    found = int(connection.pragma("user_version"))
    if found == SCHEMA_VERSION:
        return None
    if found > SCHEMA_VERSION:
        raise NewerSchema(f"the journal has schema {found}, this bridge knows up to {SCHEMA_VERSION}")
    with connection:
        if found == 0:
            connection.execute(_TABLES)
            connection.execute("INSERT INTO meta VALUES ('secret', ?)", (secrets.token_bytes(SECRET_BYTES),))
            connection.pragma("application_id", APPLICATION_ID)
        for version in range(found, SCHEMA_VERSION) if found else ():
            for statements in _MIGRATIONS[version]:
                connection.execute(statements)
        connection.pragma("user_version", SCHEMA_VERSION)
    return found or None
