from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.bridge.faults.hostile import KINDS, besiege, requests
from tests.bridge.faults.wire import Wire, resident_bytes
from tests.bridge.process import BridgeProcess

COUNT = 500


@pytest.mark.stack
def test_hostile_requests_are_refused_and_do_no_harm(tmp_path: Path) -> None:
    siege = besiege(tmp_path / "journal", tmp_path / "log", COUNT, seed=3)
    print(siege)

    assert {200, 400, 413, 415} <= siege.statuses.keys()
    assert siege.statuses.total() == COUNT + 10 * len(KINDS)


@pytest.mark.stack
def test_headers_without_an_end_do_not_fill_the_memory(tmp_path: Path) -> None:
    with BridgeProcess(tmp_path) as bridge, Wire(bridge.port) as wire:
        before = resident_bytes(bridge.process.pid)
        with contextlib.suppress(ConnectionError):
            wire.send(b"POST /api/telemetry HTTP/1.1\r\nHost: a\r\n")
            for number in range(16):
                wire.send(b"".join(b"X-%d-%d: %b\r\n" % (number, i, b"v" * 1000) for i in range(1000)))
        bridge.get("/-/ready")

        assert resident_bytes(bridge.process.pid) - before < 8 * 2**20


def test_the_same_seed_makes_the_same_requests() -> None:
    assert [one.request for one in requests(40, 1) if one.kind != "bomb"] == [
        one.request for one in requests(40, 1) if one.kind != "bomb"
    ]
    assert list(requests(40, 1)) != list(requests(40, 2))
