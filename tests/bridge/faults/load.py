"""Sustained load on a real bridge, and how large its files get meanwhile."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Final, NamedTuple

from tests.bridge.faults.wire import Wire, post
from tests.bridge.padding import incompressible
from tests.bridge.process import BridgeProcess

PUSHERS: Final = 8
PADDING: Final = 5000
RECENT_ENTRIES: Final = 50
RECEIPT_BYTES: Final = 400
"""More than one takes with its index, in pages that are two thirds full."""
READ: Final = b"GET /api/telemetry HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Watched(NamedTuple):
    """What a run saw."""

    pushed_bytes: int
    largest_wal_bytes: int
    largest_file_bytes: int

    keyed_pushes: int

    @property
    def file_bound_bytes(self) -> int:
        """Room for the recent entries and the records since the last checkpoints, and for a day's receipts."""
        return 8 * 2**20 + self.keyed_pushes * RECEIPT_BYTES


def push_and_watch(directory: Path, pushed_bytes: int) -> Watched:
    """Push *pushed_bytes* over several connections, half of the pushes with keys, while another one reads back."""
    pushed = [0] * PUSHERS
    keyed = [0] * PUSHERS
    failures: list[str] = []

    def wanted() -> bool:
        return sum(pushed) < pushed_bytes and not failures

    def pusher(number: int) -> None:
        with Wire(bridge.port) as wire:
            count = 0
            while wanted():
                count += 1
                body = json.dumps(
                    {"name": f"host-{number}", "cpuC": count, "text": incompressible(PADDING)}
                ).encode()
                key = [f"Idempotency-Key: {number}-{count}"] if number % 2 else []
                answer = wire.ask(post("/api/telemetry", body, *key))
                if answer.status != 200:
                    failures.append(f"{answer.status} {answer.body!r}")
                pushed[number] += len(body)
                keyed[number] += len(key)

    def reader() -> None:
        with Wire(bridge.port) as wire:
            while wanted():
                status = wire.ask(READ).status
                if status != 200:
                    failures.append(f"read: {status}")

    arguments = ("--journal.checkpoint-interval-seconds=0.3", f"--journal.recent-entries={RECENT_ENTRIES}")
    with BridgeProcess(directory, *arguments) as bridge:
        threads = [threading.Thread(target=pusher, args=(number,)) for number in range(PUSHERS)]
        threads.append(threading.Thread(target=reader))
        for thread in threads:
            thread.start()
        wal, file = 0, 0
        while wanted():
            time.sleep(0.05)
            wal = max(wal, (directory / "journal.db-wal").stat().st_size)
            file = max(file, (directory / "journal.db").stat().st_size)
        for thread in threads:
            thread.join()
        assert failures == []
        assert bridge.terminate() == 0
        file = max(file, (directory / "journal.db").stat().st_size)
    return Watched(sum(pushed), wal, file, sum(keyed))
