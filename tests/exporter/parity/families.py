"""The committed list of what a default node_exporter 1.11.1 can show on Linux."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.exporter.parity.compare import Difference
from tests.exporter.parity.exposition import Exposition

VERSION = (1, 11, 1)
LIST = Path(__file__).resolve().parent / "node_exporter_1.11.1.txt"


class Listed(NamedTuple):
    """Type and label names of a family."""

    kind: str
    labels: tuple[str, ...]


def read(path: Path = LIST) -> dict[str, Listed]:
    """The families of the list, by name."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {words[0]: Listed(words[1], tuple(words[2:])) for words in lines if words and words[0] != "#"}


def listed(scrapes: Iterable[Exposition]) -> dict[str, Listed]:
    """The families of all *scrapes*, each with the labels that it has in any of them, in order of their names."""
    found: dict[str, Listed] = {}
    for scrape in scrapes:
        for name, header in scrape.families.items():
            labels = {*scrape.labels_of(name), *(found[name].labels if name in found else ())}
            found[name] = Listed(header.kind, tuple(sorted(labels)))
    return dict(sorted(found.items()))


def changed_since(found: Difference, known: Mapping[str, Listed]) -> bool:
    """Whether a newer node_exporter may be why something differs: *known* is what the listed one has."""
    match found.what:
        case "missing family":
            return found.where not in known
        case "extra family":
            return found.where in known
        case what:
            return what in {"type", "help", "label names"}


def text_of(families: Mapping[str, Listed], header: str) -> str:
    """The list as it is committed."""
    comments = [f"# {line}".rstrip() for line in header.splitlines()]
    lines = [" ".join((name, family.kind, *family.labels)) for name, family in families.items()]
    return "\n".join([*comments, *lines]) + "\n"
