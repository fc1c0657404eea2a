"""Whatever a default node_exporter 1.11.1 can show, one of our collectors declares or shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from host_exporter.collectors import COLLECTORS
from tests.exporter.parity import families
from tests.exporter.parity.compare import Difference
from tests.exporter.parity.exposition import parse
from tests.exporter.parity.families import Listed

GOLDEN = Path(__file__).resolve().parents[1] / "golden"

NAMED_BY_THE_KERNEL = ("node_bcachefs_", "node_hwmon_", "node_zfs_")
"""Beginnings of families that are named after what a driver has, which no tree has all of. Of each such beginning,
and each type and labels, the trees have some."""


def shown() -> dict[str, Listed]:
    """What the golden expositions hold."""
    return families.listed(parse(path.read_text(encoding="utf-8")) for path in sorted(GOLDEN.glob("*.prom")))


def declared() -> dict[str, Listed]:
    """What the collectors declare."""
    return {
        family.name: Listed(family.kind, tuple(sorted(family.labels)))
        for collector in COLLECTORS.values()
        for family in collector.families
    }


def fits(family: Listed, ours: Listed | None) -> bool:
    """Whether *ours* can stand for *family*: a label more is one that node_exporter leaves out where it is empty."""
    return ours is not None and family.kind == ours.kind and set(family.labels) <= set(ours.labels)


def alike(name: str, family: Listed, ours: Iterable[tuple[str, Listed]]) -> bool:
    """Whether *ours* has a family that is named by the kernel in the same way."""
    beginning = next((each for each in NAMED_BY_THE_KERNEL if name.startswith(each)), None)
    return beginning is not None and any(
        other.startswith(beginning) and fits(family, like) for other, like in ours
    )


def test_every_family_of_the_list_is_ours() -> None:
    seen = shown()
    ours = declared() | seen

    missing = {
        name: family
        for name, family in families.read().items()
        if not fits(family, ours.get(name)) and not alike(name, family, seen.items())
    }

    assert missing == {}


def test_the_list_is_read_as_it_is_written(tmp_path: Path) -> None:
    known = families.read()
    copy = tmp_path / "list.txt"
    copy.write_text(families.text_of(known, "A header.\n\nOf three lines."), encoding="utf-8")

    assert families.read(copy) == known
    assert copy.read_text(encoding="utf-8").startswith("# A header.\n#\n# Of three lines.\nnode_arp_entries ")


@pytest.mark.parametrize(
    ("what", "where", "newer"),
    [
        pytest.param("missing family", "node_new", True, id="it has one more"),
        pytest.param("missing family", "node_load1", False, id="ours lacks one"),
        pytest.param("extra family", "node_load1", True, id="it has one less"),
        pytest.param("extra family", "node_own", False, id="ours has one too many"),
        pytest.param("help", "node_load1", True, id="it explains another way"),
        pytest.param("missing series", "node_load1{}", False, id="a series"),
        pytest.param("value", "node_load1{}", False, id="a value"),
    ],
)
def test_what_a_newer_node_exporter_changed_is_told_from_our_faults(
    what: str, where: str, newer: bool
) -> None:
    known = {"node_load1": Listed("gauge", ())}

    assert families.changed_since(Difference(what, where), known) is newer
