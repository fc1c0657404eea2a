from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pushgateway_bridge.cli import main
from pushgateway_bridge.cli_journal import Progress, printable, size
from pushgateway_bridge.journal.record import pack_frame
from tests.bridge.harness import Harness
from tests.bridge.journal.damage import alter

HOST = {"name": "a", "cpuC": 4, "cpuL": 10}
LOAD = {"series_id": 1, "name": "node_load1", "labels": {}}


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(main, ["journal", *map(str, arguments)], env=dict(environment))


def dumped(*arguments: str | Path) -> list[dict[str, Any]]:
    result = run("dump", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def folder_of(bridge: Harness) -> str:
    return f"--journal.directory={bridge.directory}"


@pytest.fixture
def pushed(bridge: Harness) -> Harness:
    """A running bridge: two hosts in the checkpoint, two pushes behind it."""
    bridge.push(HOST)
    bridge.push({**HOST, "name": "b"})
    bridge.checkpoint()
    bridge.push({**HOST, "cpuL": 20})
    bridge.push({**HOST, "name": "b", "cpuL": 30})
    return bridge


def test_help_tells_the_exit_codes_and_the_setting() -> None:
    assert "0 fine, 1 problems found, 3 the journal cannot be read" in run("--help").output
    for command in ("stats", "dump", "verify"):
        text = run(command, "--help").output
        assert "PUSHGATEWAY_BRIDGE_JOURNAL_DIRECTORY" in text
        assert "--config.file" in text


def test_the_folder_comes_from_flag_environment_and_file(pushed: Harness, tmp_path: Path) -> None:
    file = tmp_path / "bridge.yml"
    file.write_text(f"journal:\n  directory: {pushed.directory}\n")

    results = [
        run("verify", folder_of(pushed)),
        run("verify", PUSHGATEWAY_BRIDGE_JOURNAL_DIRECTORY=str(pushed.directory)),
        run("verify", "--config.file", file),
    ]
    assert [result.exit_code for result in results] == [0, 0, 0]
    assert len({result.stdout for result in results}) == 1


@pytest.mark.parametrize("command", ["stats", "dump", "verify"])
def test_what_cannot_be_read_is_one_line(command: str, tmp_path: Path) -> None:
    def message(*arguments: str | Path) -> str:
        result = run(command, *arguments)
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.count("\n") == 1
        return result.stderr

    folder = f"--journal.directory={tmp_path}"
    absent = tmp_path / "absent"
    assert message(f"--journal.directory={absent}") == (
        f"Error: journal.directory {absent}: No such file or directory\n"
    )
    assert (
        message(folder) == f"Error: journal.directory {tmp_path} holds no journal: there is no journal.db\n"
    )
    (tmp_path / "journal.db").write_bytes(b"no database" * 1000)
    assert message(folder) == f"Error: {tmp_path}/journal.db is no SQLite database\n"
    assert "configuration file" in message("--config.file", absent)


def test_a_file_whose_tables_are_damaged_cannot_be_told_but_verified(tmp_path: Path) -> None:
    bridge = Harness(tmp_path)
    bridge.push(HOST)
    bridge.close()
    file = tmp_path / "journal.db"
    content = bytearray(file.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 100] = b"\xff" * 100
    file.write_bytes(content)
    folder = folder_of(bridge)
    stats, verify = run("stats", folder), run("verify", folder)

    assert (stats.exit_code, stats.stdout) == (3, "")
    assert stats.stderr.endswith(
        "journal.db is damaged (database disk image is malformed); 'journal verify' says where\n"
    )
    assert verify.exit_code == 1
    assert "file: frames cannot be read: database disk image is malformed" in verify.stdout


# stats


def test_stats_for_people_and_for_programs(pushed: Harness) -> None:
    (pushed.directory / "journal.db.corrupt-5").touch()
    alter(pushed.directory, "INSERT INTO cursor (remote, position) VALUES ('mimir', 3)")
    text = run("stats", folder_of(pushed))
    document = json.loads(run("stats", folder_of(pushed), "--format", "json").stdout)

    assert text.exit_code == 0
    lines = dict(
        re.split(r"  +", line, maxsplit=1)
        for line in text.stdout.splitlines()
        if line[0] != " " and "  " in line
    )
    positions = document["positions"]
    assert lines["positions"] == (
        f"oldest {positions['oldest']}, newest {positions['newest']}, floor {positions['floor']}"
    )
    assert lines["families"] == str(document["families"]["rows"])
    assert lines["set aside"] == "journal.db.corrupt-5"
    assert lines["remote"] == "mimir: has all to 3, 2 records wait"
    assert "then 2 records that it does not cover" in lines["a restart reads"]
    assert document["uncovered"]["records"] == 2
    assert '2 series of pixeltracker {job="pixeltracker",instance="a"}' in text.stdout


def test_a_pushed_name_cannot_steer_the_terminal(bridge: Harness) -> None:
    bridge.push({**HOST, "name": "a\x1b[2J\u202e"})
    bridge.checkpoint()
    result = run("stats", folder_of(bridge))

    assert r'instance="a\x1b[2J\u202e"' in result.stdout
    assert printable("grüße 日本") == "grüße 日本"


def test_sizes_are_told_in_the_unit_that_fits() -> None:
    assert [size(count) for count in (0, 1023, 1024, 5 * 1024**2, 3 * 1024**5)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "5.0 MiB",
        "3072.0 TiB",
    ]


# dump


def test_dump_names_what_the_checkpoint_defines(pushed: Harness) -> None:
    first, second = dumped(folder_of(pushed))

    assert first["groups"][0]["group"] == {"job": "pixeltracker", "instance": "a"}
    assert first["groups"][0]["series"][0] == {**LOAD, "value": 2.0}
    assert second["groups"][0]["group"] == {"job": "pixeltracker", "instance": "b"}
    assert (first["kind"], first["time"]) == ("push", "2026-02-02T02:40:00.000Z")
    assert first["position"] < second["position"]


def test_dump_names_what_an_earlier_record_defines(bridge: Harness) -> None:
    for load in (1, 2, 3):
        bridge.push({**HOST, "cpuL": load * 25})

    (line,) = dumped(folder_of(bridge), "--from", "3")
    assert line["position"] == 3
    assert line["groups"][0]["series"][0] == {**LOAD, "value": 7.5}


def test_dump_gives_no_name_that_a_number_got_only_later(bridge: Harness) -> None:
    """A record that is kept for a remote outlives its definition; the series expires, and a restart gives its
    number to another one.
    """
    for load in (10, 20):
        bridge.push({"name": "a", "cpuL": load})
    alter(bridge.directory, "INSERT INTO cursor (remote, position) VALUES ('mimir', 1)")
    bridge.crash()
    bridge.checkpoint()
    alter(bridge.directory, "DELETE FROM frame WHERE position = 1")
    (before,) = dumped(folder_of(bridge))
    bridge.clock.pass_seconds(300)
    bridge.expire()
    bridge.checkpoint()
    bridge.crash()
    bridge.push({"name": "a", "tRam": 1000})
    bridge.checkpoint()
    after, *_ = dumped(folder_of(bridge))

    assert before["position"] == after["position"] == 2
    assert before["groups"][0]["series"] == [{**LOAD, "value": 2.0}]
    assert after["groups"][0]["group"] == {"job": "pixeltracker", "instance": "a"}
    assert after["groups"][0]["series"][0]["name"] != "node_memory_MemTotal_bytes"


def test_dump_prints_what_is_asked_for(bridge: Harness) -> None:
    for name in ("a", "b", "a", "b", "a"):
        bridge.push({**HOST, "name": name})

    def positions(*arguments: str) -> list[int]:
        return [line["position"] for line in dumped(folder_of(bridge), *arguments)]

    assert positions() == [1, 2, 3, 4, 5]
    assert positions("--from", "2", "--to", "4") == [2, 3, 4]
    assert positions("--limit", "2") == [1, 2]
    assert positions("--instance", "b") == [2, 4]
    assert positions("--job", "pixeltracker", "--instance", "a", "--from", "2") == [3, 5]
    assert positions("--job", "elsewhere") == []


def test_dump_tells_what_it_cannot_read_and_goes_on(pushed: Harness) -> None:
    statement = "INSERT INTO frame (position, written_ms, records, body) VALUES (?, 0, 1, ?)"
    alter(pushed.directory, statement, 100, pack_frame([b"\xc1"]))
    alter(pushed.directory, statement, 101, b"\x02")
    alter(pushed.directory, "UPDATE family SET body = x'c1'")
    alter(pushed.directory, "UPDATE checkpoint SET body = x'c1' WHERE group_id = 1")
    result = run("dump", folder_of(pushed))
    lines = [json.loads(line) for line in result.stdout.splitlines()]

    assert result.exit_code == 1
    assert [line["groups"][0]["series"][0]["name"] for line in lines] == [None, "node_load1"]
    problems = result.stderr.splitlines()
    assert problems[0].startswith("position 100: ")
    assert problems[1] == r"position 101: expected a frame of version 1, got b'\x02'"
    assert run("dump", folder_of(pushed), "--to", "99").exit_code == 0
    assert run("dump", folder_of(pushed), "--from", "102").exit_code == 0


# verify


def test_verify_ends_with_one_line(pushed: Harness) -> None:
    whole = run("verify", folder_of(pushed))
    alter(pushed.directory, "UPDATE frame SET records = 7 WHERE position = (SELECT max(position) FROM frame)")
    one = run("verify", folder_of(pushed))
    alter(pushed.directory, "UPDATE frame SET records = 7")
    two = run("verify", folder_of(pushed))

    counts = "2 frames, 2 records, 2 checkpoint rows, 2 families, 0 sketches"
    assert (whole.exit_code, whole.output) == (0, f"{counts}: no problems\n")
    assert one.exit_code == two.exit_code == 1
    assert re.fullmatch(r"position \d+: holds 1 records, but says 7\n" + counts + ": 1 problem\n", one.output)
    assert two.output.endswith(f"{counts}: 2 problems\n")


def test_progress_is_one_line_that_goes_away(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(shown=True)
    progress.tell("frames", 1, 10)
    progress._next = 0.0
    progress.tell("frames", 2, 10)
    progress._next = 0.0
    progress.tell("file", 0, 0)
    progress.clear()
    progress.clear()
    Progress(shown=False).tell("frames", 1, 10)

    shown = capsys.readouterr().err.split("\r\x1b[K")
    assert shown == ["", "checking frames: 2 of 10", "checking file: 0 s", ""]
