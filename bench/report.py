"""What a run says: to a person, and as JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from bench.machine import Machine
from bench.summary import relative_range, spread
from bench.table import Row, failed, render


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures hold for."""

    machine: Machine
    peer: str
    """Version and mode; empty if it was not measured."""
    rounds: int
    seconds: float
    """Of one measurement; 0 where it lasts as long as it takes."""
    connections: int
    load_before: tuple[float, float, float]
    load_after: tuple[float, float, float]
    loop_seconds: list[float]
    other_cores: list[float]
    generator_cpu_us: list[float]


def describe(conditions: Conditions) -> str:
    """The conditions in sentences."""
    machine = conditions.machine
    loop = spread(conditions.loop_seconds)
    lasting = f" of {conditions.seconds:g} s" if conditions.seconds else ""
    lines = [
        f"{machine.cpu_model}, {machine.cores} cores, Linux {machine.kernel}, Python {machine.python}; "
        f"one fsync of an appended page {machine.fsync_ms:.2f} ms.",
        *([f"Peer: {conditions.peer}."] if conditions.peer else []),
        f"{conditions.rounds} interleaved rounds{lasting}, {conditions.connections} "
        f"connection{'s' if conditions.connections != 1 else ''}; medians, ratios paired round by round.",
        f"Noise: a fixed piece of work took {loop.median * 1000:.1f} ms before a round "
        f"(range {relative_range(conditions.loop_seconds):.0%} of it); "
        f"load {_load(conditions.load_before)} before, {_load(conditions.load_after)} after.",
    ]
    if conditions.generator_cpu_us:
        others = spread(conditions.other_cores)
        lines += [
            f"CPUs busy beside server and load generator: {others.median:.2f} ({others.low:.2f}–{others.high:.2f}).",
            f"Load generator: {spread(conditions.generator_cpu_us).median:.1f} µs CPU a request.",
        ]
    return "".join(f"- {line}\n" for line in lines)


def _load(averages: tuple[float, float, float]) -> str:
    return "/".join(f"{average:.1f}" for average in averages)


def summarise(rows: Sequence[Row]) -> str:
    """One line: does everything hold that must?"""
    missed = failed(rows)
    unmeasured = sum(row.judged is None for row in rows)
    skipped = f", {unmeasured} not measured" if unmeasured else ""
    if not missed:
        return f"Every must that was measured holds{skipped}.\n"
    return f"{len(missed)} of {sum(row.must is not None for row in rows)} musts do not hold{skipped}.\n"


def to_text(conditions: Conditions, rows: Sequence[Row]) -> str:
    """All of it, as plain text that is also Markdown."""
    return f"{describe(conditions)}\n{render(rows)}\n{summarise(rows)}"


def to_json(conditions: Conditions, rows: Sequence[Row], now: dt.datetime) -> bytes:
    """All of it, with each row's verdict."""
    document = {
        "measured_at": now.isoformat(timespec="seconds"),
        "conditions": conditions,
        "rows": [{**_row(row), "verdict": str(row.verdict)} for row in rows],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _row(row: Row) -> dict[str, object]:
    def plain(value: object) -> object:
        return value._asdict() if isinstance(value, tuple) and hasattr(value, "_asdict") else value

    return {name: plain(value) for name, value in row._asdict().items()}
