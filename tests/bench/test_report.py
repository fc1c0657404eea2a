from __future__ import annotations

import datetime as dt
import gzip
import json

import msgspec
import pytest

from bench.bridge.replay import parse_ready
from bench.machine import Machine
from bench.report import Conditions, describe, summarise, to_json
from bench.scraper import Scrape, check_groups
from bench.servers import ServerFailed
from bench.summary import spread
from bench.table import Row, Target

CONDITIONS = Conditions(
    machine=Machine(cpu_model="Some CPU", cores=2, kernel="6.18", python="3.11.7", fsync_ms=0.152),
    peer="pushgateway, version 1.11.2, nothing on disk",
    rounds=2,
    seconds=3.0,
    connections=64,
    load_before=(0.1, 0.2, 0.3),
    load_after=(1.1, 1.2, 1.3),
    loop_seconds=[0.018, 0.020, 0.022],
    other_cores=[0.1, 0.2, 0.4],
    generator_cpu_us=[9.0, 10.0, 11.0],
)
HELD = Row("held", "/s", spread([2.0]), must=Target("≥", 1.0))
MISSED = Row("missed", "/s", spread([0.5, 0.7]), must=Target("≥", 1.0))
SKIPPED = Row("skipped", "/s", None, must=Target("≥", 1.0), note="why")


def test_conditions_name_machine_peer_method_and_noise() -> None:
    text = describe(CONDITIONS)

    for fact in ("Some CPU, 2 cores", "0.15 ms", "version 1.11.2", "2 interleaved rounds of 3 s", "20.0 ms"):
        assert fact in text
    assert "range 20% of it" in text
    assert "load 0.1/0.2/0.3 before, 1.1/1.2/1.3 after" in text
    assert "0.20 (0.10–0.40)" in text
    assert "10.0 µs" in text


def test_a_peer_that_was_not_measured_is_not_named() -> None:
    text = describe(msgspec.structs.replace(CONDITIONS, peer=""))

    assert "Peer" in describe(CONDITIONS)
    assert "Peer" not in text


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([HELD], "Every must that was measured holds.\n"),
        ([HELD, SKIPPED], "Every must that was measured holds, 1 not measured.\n"),
        ([HELD, MISSED, SKIPPED], "1 of 3 musts do not hold, 1 not measured.\n"),
    ],
)
def test_the_last_line_says_whether_everything_holds(rows: list[Row], line: str) -> None:
    assert summarise(rows) == line


def test_json_holds_every_round_and_verdict() -> None:
    document = json.loads(
        to_json(CONDITIONS, [MISSED, SKIPPED], dt.datetime(2026, 2, 1, 8, 0, tzinfo=dt.UTC))
    )

    missed, skipped = document["rows"]
    assert document["measured_at"] == "2026-02-01T08:00:00+00:00"
    assert document["conditions"]["machine"]["cores"] == 2
    assert missed["ours"]["rounds"] == [0.5, 0.7]
    assert missed["must"] == {"relation": "≥", "value": 1.0}
    assert (missed["verdict"], skipped["verdict"], skipped["ours"]) == ("NO", "skipped", None)


def test_a_scrape_without_every_group_is_refused() -> None:
    body = gzip.compress(
        b'node_load1{instance="a"} 1\nnode_load15{instance="a"} 1\nnode_load1{instance="b"} 1\n'
    )
    scrape = Scrape(0.1, 0.1, body)

    check_groups(scrape, "node_load1{", 2, "bridge")
    with pytest.raises(ServerFailed, match=r"bridge: expected 3 lines .* got 2"):
        check_groups(scrape, "node_load1{", 3, "bridge")


def test_what_was_replayed_is_read_from_the_log() -> None:
    log = "level=INFO listening address=127.0.0.1:1\nlevel=INFO ready records=12 samples=120 sources=3 seconds=0.001\n"

    assert parse_ready(log) == (12, 120)


@pytest.mark.parametrize("log", ["", "ready records=0 samples=0 sources=0"])
def test_a_replay_of_nothing_is_refused(log: str) -> None:
    with pytest.raises(ServerFailed, match="replayed nothing"):
        parse_ready(log)
