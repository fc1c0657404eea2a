"""Label values that clients make up: the first so many of each label stand, all later ones are ``other``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pushgateway_bridge.model.family import Family
from pushgateway_bridge.model.labels import LabelSet

OTHER: Final = "other"
DEFAULT_CAP: Final = 500
"""Values of one label of one family."""


class Caps:
    """The values that each capped label has had.

    A value that was let in for a push that then failed stays: it takes room, and nothing else.
    """

    def __init__(self, caps: Mapping[tuple[str, str], int]) -> None:
        """*caps*: (family, label) → how many values it may have, ``other`` not among them."""
        self._caps = dict(caps)
        self._values: dict[tuple[str, str], set[str]] = {key: set() for key in caps}

    def restore(self, series: Iterable[tuple[Family, LabelSet]]) -> None:
        """Begin anew with the values that the labels of *series* have."""
        self._values = {key: set() for key in self._caps}
        for family, labels in series:
            for name, value in labels:
                values = self._values.get((family.name, name))
                if values is not None and value != OTHER:
                    values.add(value)

    def admit(self, family: str, label: str, value: str) -> str:
        """*value*, or ``other`` if the label of *family* has as many as it may."""
        values = self._values[family, label]
        if value in values:
            return value
        if value == OTHER or len(values) >= self._caps[family, label]:
            return OTHER
        values.add(value)
        return value
