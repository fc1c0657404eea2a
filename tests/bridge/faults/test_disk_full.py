"""A disk that is really full: pushes get 503, nothing accepted is lost, and it goes on by itself."""

from __future__ import annotations

import contextlib
from pathlib import Path

import apsw
import pytest

from pushgateway_bridge.errors import JournalFull
from tests.bridge.faults.fill_and_free import Hosts, fill_and_free
from tests.bridge.faults.small_disk import MEBIBYTE, SmallDisk
from tests.bridge.faults.wire import Wire
from tests.bridge.harness import Harness
from tests.bridge.padding import incompressible
from tests.bridge.process import BridgeProcess


@pytest.mark.stack
def test_full_disk_refuses_and_goes_on_by_itself_when_there_is_room(
    tmp_path: Path, small_disk: SmallDisk
) -> None:
    fill_and_free(small_disk, tmp_path / "log", rounds=3)


@pytest.mark.stack
@pytest.mark.parametrize("graceful", [True, False], ids=["stopped", "killed"])
def test_bridge_that_ends_while_the_disk_is_full_has_everything_afterwards(
    tmp_path: Path, small_disk: SmallDisk, graceful: bool
) -> None:
    """And a bridge that was killed starts even before there is room: what it holds can still be scraped."""
    log = tmp_path / "log"
    with BridgeProcess(small_disk.folder / "journal", log=log) as bridge:
        hosts = Hosts(bridge)
        with Wire(bridge.port) as wire:
            for _ in range(20):
                assert hosts.push(wire, 2000).status == 200
            small_disk.fill()
            hosts.push_until_full(wire, padding=5000)
        if graceful:
            assert bridge.terminate() == 0
            small_disk.free()
            bridge.start()
        else:
            bridge.kill()
            bridge.start()
            hosts.check()
            with Wire(bridge.port) as wire:
                assert hosts.push(wire, 50_000).status == 503
            small_disk.free()
        hosts.check()
        with Wire(bridge.port) as wire:
            hosts.push_until_accepted(wire)
        hosts.check()
    assert "Traceback" not in log.read_text()


def test_disk_that_fills_up_while_the_log_is_copied_into_the_file_loses_nothing(
    small_disk: SmallDisk,
) -> None:
    bridge = Harness(small_disk.folder / "journal")
    connection = bridge.journal._connection
    pushed = 0
    for pushed in range(1, 31):  # some 3 MiB of pages that are not in the file yet
        bridge.push({"name": f"host-{pushed % 7}", "cpuC": pushed, "text": incompressible(90_000)})
    expected = bridge.series()
    small_disk.fill(left_bytes=MEBIBYTE)

    with pytest.raises(apsw.FullError):
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    late = [
        bridge.begin({"name": "late", "cpuC": number, "text": incompressible(90_000)}) for number in range(50)
    ]
    with contextlib.suppress(JournalFull):
        bridge.drain()
    assert isinstance(late[-1].result(), JournalFull)
    shown = bridge.series()
    assert {name: value for name, value in shown.items() if "late" not in name} == expected

    small_disk.free()
    bridge.push({"name": "later", "cpuC": 1})
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    expected = bridge.series()
    bridge.crash()
    assert bridge.series() == expected
    assert bridge.journal._connection.execute("PRAGMA integrity_check").get == "ok"
    assert bridge.fatal == []
    bridge.close()
