"""How much memory many sources and series take in a real bridge."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Final, NamedTuple

from tests.bridge.faults.served import Served
from tests.bridge.faults.wire import Wire, post, resident_bytes
from tests.bridge.process import BridgeProcess

PUSHERS: Final = 4


class Size(NamedTuple):
    """Physical memory: of a bridge that holds nothing, that holds all, and after all was pushed and read again."""

    series: int
    empty_bytes: int
    held_bytes: int
    again_bytes: int
    restarted_bytes: int
    journal_bytes: int

    @property
    def bytes_a_series(self) -> float:
        return (self.held_bytes - self.empty_bytes) / self.series

    def __str__(self) -> str:
        numbers = ", ".join(
            f"{name} {getattr(self, f'{name}_bytes') / 2**20:.0f} MiB"
            for name in ("empty", "held", "again", "restarted", "journal")
        )
        return f"{self.series} series: {numbers}; {self.bytes_a_series:.0f} bytes a series"


def fill(directory: Path, sources: int, values: int, rounds: int) -> Size:
    """Push *values* gauges of each of *sources* once, then *rounds* times more with scrapes between; then restart.

    Whatever is left out or wrong fails an assertion.
    """
    with Served(directory, "--journal.checkpoint-interval-seconds=1") as bridge:
        empty = resident_bytes(bridge.process.pid)
        push_all(bridge.port, sources, values, 0)
        held = resident_bytes(bridge.process.pid)
        for number in range(1, rounds + 1):
            push_all(bridge.port, sources, values, number)
            check(bridge, sources, values, number)
        again = resident_bytes(bridge.process.pid)
        bridge.kill()
        bridge.start()
        check(bridge, sources, values, rounds)
        restarted = resident_bytes(bridge.process.pid)
        journal = round(bridge.series()["telemetry_journal_size_bytes"])
    return Size(sources * values, empty, held, again, restarted, journal)


def push_all(port: int, sources: int, values: int, number: int) -> None:
    """One push of every source, over several connections; all values are *number*."""
    refused: list[int] = []

    def pusher(first: int) -> None:
        with Wire(port) as wire:
            for source in range(first, sources, PUSHERS):
                body = {"host": f"host-{source:05d}", "values": [number] * values}
                status = wire.ask(post("/wide", json.dumps(body).encode())).status
                if status != 200:
                    refused.append(status)

    pushers = [threading.Thread(target=pusher, args=(first,)) for first in range(PUSHERS)]
    for one in pushers:
        one.start()
    for one in pushers:
        one.join()
    assert refused == []


def check(bridge: BridgeProcess, sources: int, values: int, number: int) -> None:
    """Every value is *number*."""
    shown = [value for name, value in bridge.series().items() if name.startswith("app_value_")]
    assert len(shown) == sources * values
    assert set(shown) == {float(number)}
