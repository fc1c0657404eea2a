"""Journals of older schemas are brought up to date at the first start, and nothing of them is lost."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from pushgateway_bridge.journal import schema
from pushgateway_bridge.journal.recent import read_recent
from tests.bridge.harness import Harness

SCHEMAS = Path(__file__).parent / "schemas"
HOST = {"name": "a", "cpuC": 8, "cpuL": 15}


def shape(connection: apsw.Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1, 2"
    ).fetchall()


def downgrade(file: Path, version: int) -> None:
    """Rewrite *file* as the bridge of schema *version* would have left it."""
    new = apsw.Connection(str(file))
    old = apsw.Connection(str(file.with_name("old.db")))
    old.execute((SCHEMAS / f"{version}.sql").read_text())
    for table in ("meta", "frame", "cursor", "family", "checkpoint", "sketch", "receipt", "recent"):
        columns = ", ".join(str(row[1]) for row in old.execute(f"PRAGMA table_info({table})"))
        for row in new.execute(f"SELECT {columns} FROM {table}"):
            old.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    old.pragma("application_id", schema.APPLICATION_ID)
    old.pragma("user_version", version)
    old.close()
    new.close()
    file.with_name("old.db").rename(file)


@pytest.mark.parametrize("version", range(1, schema.SCHEMA_VERSION))
def test_an_older_schema_is_migrated(tmp_path: Path, version: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bridge = Harness(tmp_path)
    bridge.push(HOST)
    bridge.checkpoint()
    bridge.push({**HOST, "cpuL": 25})
    expected = bridge.series()
    bridge.close()
    file = tmp_path / "journal.db"
    recent = read_recent(file, "pixeltracker", 10, 0)
    assert len(recent) == 2
    made = apsw.Connection(str(file))
    whole = shape(made)
    made.close()
    downgrade(file, version)

    bridge = Harness(tmp_path)

    assert f"journal migrated from_schema={version} to_schema={schema.SCHEMA_VERSION}" in caplog.text
    assert bridge.series() == expected
    assert read_recent(file, "pixeltracker", 10, 0) == recent
    bridge.push({**HOST, "cpuL": 35})
    bridge.crash()
    assert bridge.series()['node_load1{job="pixeltracker",instance="a"}'] == 3.5
    bridge.close()
    migrated = apsw.Connection(str(file))
    assert shape(migrated) == whole
    assert migrated.pragma("integrity_check") == "ok"


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    bridge = Harness(tmp_path)
    bridge.push(HOST)
    bridge.close()
    file = tmp_path / "journal.db"
    downgrade(file, 1)
    connection = apsw.Connection(str(file))
    before = shape(connection)
    connection.execute("CREATE TABLE removal (x)")  # in the way of the last step

    with pytest.raises(apsw.SQLError, match="already exists"):
        schema.prepare(connection)

    connection.execute("DROP TABLE removal")
    assert shape(connection) == before
    assert connection.pragma("user_version") == 1
