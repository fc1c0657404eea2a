"""All parts of the table in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bench.exporter import idle, life, paced, scrapes
from bench.exporter.contenders import Settings
from bench.noise import Noise
from bench.table import Row

PARTS: dict[str, Callable[[Settings, Noise], list[Row]]] = {
    "same-collectors": scrapes.shared_scrapes,
    "defaults": scrapes.default_scrapes,
    "paced": paced.paced,
    "idle": idle.idle,
    "life": life.life,
}


def compare(settings: Settings, noise: Noise, parts: Iterable[str]) -> list[Row]:
    """The rows of *parts*, in the order of PARTS. Raises ServerFailed: then there is no table."""
    chosen = set(parts)
    return [row for name, part in PARTS.items() if name in chosen for row in part(settings, noise)]
