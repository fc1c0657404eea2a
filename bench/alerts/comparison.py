"""Both parts of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from bench.alerts import delivery, evaluation, targets
from bench.alerts.agents import agents
from bench.alerts.servers import running
from bench.noise import Noise
from bench.table import Row

PARTS = ("delivery", "rules")


class Settings(NamedTuple):
    """How many hosts, how long an alert holds, and where."""

    hosts: int
    quick: bool
    folder: Path
    programs: Mapping[str, Path]
    """Ours by part, Debian's by name."""
    say: Callable[[str], None]


def compare(settings: Settings, noise: Noise, parts: Iterable[str]) -> list[Row]:
    """The rows of *parts*. Raises ServerFailed or StackError: then there is no table."""
    chosen = set(parts)
    rows: list[Row] = []
    if "delivery" in chosen:
        noise.look()
        held = f"every hold shortened to {targets.QUICK_HOLD}" if settings.quick else "as it is shipped"
        with running(_own(settings.folder, "delivery"), settings.programs, quick=settings.quick) as stack:
            rows += delivery.measure(stack, agents(), settings.say, held)
    if "rules" in chosen:
        noise.look()
        fill = targets.QUICK_FILL_SECONDS if settings.quick else targets.FILL_SECONDS
        evaluations = targets.QUICK_EVALUATIONS if settings.quick else targets.EVALUATIONS
        directory = _own(settings.folder, "rules")
        rows += evaluation.measure(
            directory, settings.programs, (settings.hosts, fill, evaluations), settings.say
        )
    return rows


def _own(folder: Path, name: str) -> Path:
    directory = folder / name
    directory.mkdir()
    return directory
