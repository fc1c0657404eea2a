"""The executions of installers that are not over, or were lately: what is remembered to count each of them once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final

import msgspec

from pushgateway_bridge.dialects.proxmoxve_event import TYPES

HOUR_MS: Final = 3_600_000
STUCK_AFTER_MS: Final = HOUR_MS
"""Without a result for so long, an execution is stuck."""
REMEMBERED_MS: Final = 48 * HOUR_MS
"""Without a result for so long, an execution ended in an unknown way; its end is remembered for as long again."""
MAX_EXECUTIONS: Final = 200_000


class Execution(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of one execution. Its end needs no labels: they are counted by then."""

    begun_ms: int
    """When it was first heard of (Unix)."""
    ended_ms: int = 0
    """When its result was counted; 0: it has none."""
    started: bool = False
    """Whether its start was counted."""
    generation: str = ""
    type: str = ""
    app: str = ""
    repo_source: str = ""
    repo_slug: str = ""
    os_type: str = ""
    os_version: str = ""
    pve_version: str = ""
    method: str = ""
    gpu_vendor: str = ""
    gpu_passthrough: str = ""
    cpu_vendor: str = ""
    arch: str = ""
    disk_gigabytes: int = 0
    cores: int = 0
    memory_megabytes: int = 0


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Execution)


def encode_execution(execution: Execution) -> bytes:
    """*execution* as it is kept on disk."""
    return _encoder.encode(execution)


def decode_execution(body: bytes) -> Execution:
    """The execution in *body*. Raises msgspec.DecodeError."""
    execution = _decoder.decode(body)
    if execution.type and execution.type not in TYPES:
        raise msgspec.ValidationError(f"expected one of {', '.join(TYPES)}, got {execution.type!r}")
    return execution


class Executions:
    """All that are remembered, by the keyed hash of their id; oldest first."""

    def __init__(self) -> None:
        self._fresh: dict[bytes, Execution] = {}
        self._stuck: dict[bytes, Execution] = {}
        self._ended: dict[bytes, Execution] = {}
        self._fresh_by_type: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._fresh) + len(self._stuck) + len(self._ended)

    @property
    def stuck(self) -> int:
        """How many are stuck."""
        return len(self._stuck)

    def fresh_of(self, event_type: str) -> int:
        """How many of *event_type* (empty: of none that is known) run, and are not stuck."""
        return self._fresh_by_type.get(event_type, 0)

    def get(self, key: bytes) -> Execution | None:
        """What is known of one."""
        return self._fresh.get(key) or self._stuck.get(key) or self._ended.get(key)

    def is_fresh(self, key: bytes) -> bool:
        """Whether it runs and is not stuck."""
        return key in self._fresh

    def is_stuck(self, key: bytes) -> bool:
        """Whether it is stuck."""
        return key in self._stuck

    def put(self, key: bytes, execution: Execution) -> None:
        """Remember *execution*. Whoever was stuck stays so until the end."""
        if execution.ended_ms:
            if key not in self._ended:
                self.drop(key)
            self._ended[key] = execution
        elif key in self._stuck:
            self._stuck[key] = execution
        else:
            old = self._fresh.get(key)
            if old is not None:
                self._count(old, -1)
            self._fresh[key] = execution
            self._count(execution, 1)

    def drop(self, key: bytes) -> None:
        """Forget one, if it is known."""
        execution = self._fresh.pop(key, None)
        if execution is not None:
            self._count(execution, -1)
        elif self._stuck.pop(key, None) is None:
            self._ended.pop(key, None)

    def set_stuck(self, key: bytes) -> None:
        """Move one that is fresh among those that are stuck."""
        execution = self._fresh.pop(key)
        self._count(execution, -1)
        self._stuck[key] = execution

    def oldest(self, most: int) -> list[bytes]:
        """Which to forget if there is no room for another: first those that ended."""
        return list(islice(chain(self._ended, self._stuck, self._fresh), most))

    def running(self) -> Iterator[Execution]:
        """All without a result."""
        yield from self._stuck.values()
        yield from self._fresh.values()

    # Those whose time has come. Each dict has its oldest first, unless the clock has jumped.

    def to_be_stuck(self, now_ms: int, most: int) -> list[bytes]:
        """Those that are fresh and have run for STUCK_AFTER_MS."""
        return [key for key, _ in _older(self._fresh, now_ms - STUCK_AFTER_MS, now_ms, most)]

    def overdue(self, now_ms: int, most: int) -> list[tuple[bytes, Execution]]:
        """Those without a result for REMEMBERED_MS."""
        return _older(self._stuck, now_ms - REMEMBERED_MS, now_ms, most)

    def to_be_forgotten(self, now_ms: int, most: int) -> list[bytes]:
        """Those that ended REMEMBERED_MS ago."""
        return [key for key, _ in _older(self._ended, now_ms - REMEMBERED_MS, now_ms, most)]

    def restore(self, executions: Iterable[tuple[bytes, Execution]], now_ms: int) -> None:
        """Begin anew with *executions*, in any order."""
        self._fresh.clear()
        self._stuck.clear()
        self._ended.clear()
        self._fresh_by_type.clear()
        for key, execution in sorted(executions, key=lambda one: _time_of(one[1])):
            self.put(key, execution)
            if not execution.ended_ms and execution.begun_ms <= now_ms - STUCK_AFTER_MS:
                self.set_stuck(key)

    def _count(self, execution: Execution, change: int) -> None:
        counts = self._fresh_by_type
        counts[execution.type] = counts.get(execution.type, 0) + change


def _time_of(execution: Execution) -> int:
    return execution.ended_ms or execution.begun_ms


def _older(
    executions: dict[bytes, Execution], than_ms: int, now_ms: int, most: int
) -> list[tuple[bytes, Execution]]:
    """At most *most* of *executions* whose time is *than_ms* or before, oldest first."""
    if not executions:
        return []
    first = next(iter(executions.values()))
    if _time_of(first) > now_ms:  # the clock was set back: those behind the first may be older
        behind = ((key, one) for key, one in executions.items() if _time_of(one) <= than_ms)
        return list(islice(behind, most))
    found: list[tuple[bytes, Execution]] = []
    for key, execution in executions.items():
        if _time_of(execution) > than_ms or len(found) == most:
            break
        found.append((key, execution))
    return found
