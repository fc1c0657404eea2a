-- The tables of schema 4, before rows of recent entries were compressed.
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- One row a group commit: a length-prefixed record for each push in it. A row a record would give up and take
-- back the interpreter's lock at each of them (docs/decisions/0002-one-row-a-group-commit.md). *samples* are those
-- that remote write carries; it stands before the body, so that it is read without it.
CREATE TABLE frame (position INTEGER PRIMARY KEY, written_ms INTEGER NOT NULL, records INTEGER NOT NULL,
    samples INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);

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

-- What the record at a position removed and a remote may still need to name samples that stand before it.
CREATE TABLE removal (position INTEGER NOT NULL, group_id INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (position, group_id)) WITHOUT ROWID;

-- What a dialect's tally remembers beyond its series: executions that run, who opted out, counts by the hour.
CREATE TABLE fact (dialect TEXT NOT NULL, kind TEXT NOT NULL, key BLOB NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (dialect, kind, key)) WITHOUT ROWID;


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
