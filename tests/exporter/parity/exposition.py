"""What an exporter's text says: its families with type and help, and the value of each series."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from prometheus_client.parser import text_string_to_metric_families

Series: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""A series' name and its labels in order."""

EXEMPT = ("go_", "process_", "promhttp_", "node_exporter_build_info", "host_")
"""Beginnings of names that tell of the exporter itself, or that only ours has."""


class Header(NamedTuple):
    """What the two comment lines before a family say."""

    kind: str
    help: str


class Exposition(NamedTuple):
    """One scrape, without what is exempt."""

    families: dict[str, Header]
    values: dict[Series, float]

    def series_of(self, family: str) -> set[Series]:
        """All series of *family*; none of these families has several names."""
        return {series for series in self.values if series[0] == family}

    def labels_of(self, family: str) -> tuple[str, ...]:
        """The names of all labels that a series of *family* has, in order."""
        return tuple(sorted({label for _, labels in self.series_of(family) for label, _ in labels}))


def parse(text: str) -> Exposition:
    """Read an exposition in the text format 0.0.4."""
    kinds: dict[str, str] = {}
    helps: dict[str, str] = {}
    for line in text.splitlines():
        comment, _, rest = line.partition(" ")
        if comment == "#":
            word, name, content = rest.split(" ", 2)
            (kinds if word == "TYPE" else helps)[name] = content
    return Exposition(
        {name: Header(kinds[name], helps.get(name, "")) for name in kinds if not name.startswith(EXEMPT)},
        {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if not sample.name.startswith(EXEMPT)
        },
    )
