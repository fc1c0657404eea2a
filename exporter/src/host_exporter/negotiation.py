"""What the scraper accepts → what it gets. Who accepts nothing that we have gets the text format."""

from __future__ import annotations

from functools import lru_cache

from host_exporter.render import OPENMETRICS, TEXT, Format


@lru_cache(maxsize=64)
def choose_format(accept: str) -> Format:
    """OpenMetrics if the ``Accept`` header names version 1.0.0 of it and nothing we have is wanted more."""
    weights = {OPENMETRICS: 0.0, TEXT: 0.0}
    for media_type, parameters in _entries(accept):
        version = parameters.get("version")
        weight = _weight(parameters)
        if media_type == "application/openmetrics-text" and version in {None, "1.0.0"}:
            weights[OPENMETRICS] = max(weights[OPENMETRICS], weight)
        elif media_type in {"text/plain", "text/*", "*/*"} and version in {None, "0.0.4"}:
            weights[TEXT] = max(weights[TEXT], weight)
    return OPENMETRICS if weights[OPENMETRICS] > 0 and weights[OPENMETRICS] >= weights[TEXT] else TEXT


@lru_cache(maxsize=64)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the ``Accept-Encoding`` header names gzip and does not forbid it by a weight of 0."""
    return any(
        coding == "gzip" and _weight(parameters) > 0 for coding, parameters in _entries(accept_encoding)
    )


def _entries(header: str) -> list[tuple[str, dict[str, str]]]:
    """``a;q=1;v=2, b`` → ``[("a", {"q": "1", "v": "2"}), ("b", {})]``"""
    entries = []
    for entry in header.lower().split(","):
        value, *parameters = (part.strip() for part in entry.split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        entries.append((value, {name.strip(): text.strip().strip('"') for name, _, text in pairs}))
    return entries


def _weight(parameters: dict[str, str]) -> float:
    """1 where none is given; 0, which means never, where it is not a number."""
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
