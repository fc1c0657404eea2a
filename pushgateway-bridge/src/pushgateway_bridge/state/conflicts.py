"""Would this push contradict what is held? It is refused then, so that a scrape never is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pushgateway_bridge.errors import (
    ClassConflict,
    NameConflict,
    OwnerConflict,
    ReservedJob,
    ReservedName,
    TypeConflict,
)
from pushgateway_bridge.model.family import Family, SeriesClass

RESERVED_JOBS: Final = frozenset({"node", "bridge", "prometheus", "alertmanager", "grafana"})
"""Jobs that the shipped Prometheus scrapes: a pushed series of theirs would have two writers."""

_KEPT: Final = {
    SeriesClass.AGGREGATE: "one that is counted here",
    SeriesClass.HELD: "one that stays (time to live above 240 s)",
    SeriesClass.POINT: "one that expires soon (time to live up to 240 s)",
}

RESERVED_PREFIXES: Final = ("telemetry_", "host_exporter_")
"""How names of metrics about this stack itself begin."""
RESERVED_NAMES: Final = frozenset({"minigem_store_up", "proxmoxve_store_up"})
"""Names of metrics about the bridge that other systems' servers have."""

LINE_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
}
"""What the lines of a family of each type are named beside the family itself."""

OwnerOf = Callable[[str], str | None]
"""Name of a line → the family that has such lines, ``None`` if none has."""


def check_job(job: str) -> None:
    """Raises ReservedJob."""
    if job in RESERVED_JOBS:
        raise ReservedJob(f"job {job!r} is scraped by this stack; push under another")


def check_owner(labels: str, owner: str, dialect: str) -> None:
    """Raises OwnerConflict if the push group *labels* belongs to another dialect than the one that pushes."""
    if owner != dialect:
        raise OwnerConflict(f"{{{labels}}} is pushed by {owner}; {dialect} cannot push it too")


def check_class(name: str, held: SeriesClass, pushed: SeriesClass) -> None:
    """Raises ClassConflict if a series that is *held* was *pushed* as one of another class."""
    if held is not pushed:
        raise ClassConflict(
            f"this series of {name} is held as {_KEPT[held]}; as {_KEPT[pushed]} it can come when it is gone"
        )


def check_family(family: Family, known: Family | None, owner_of: OwnerOf) -> None:
    """Raises TypeConflict, ReservedName or NameConflict if *family* cannot stand beside those that are held.

    *known* is the held family of the same name. Another help text is no conflict: the first one is shown.
    """
    if known is not None:
        if not is_same_kind(known, family):
            raise TypeConflict(f"{family.name} is held as a {known.type}, and was pushed as a {family.type}")
        return
    if family.name in RESERVED_NAMES:
        raise ReservedName(f"{family.name} is a metric of the bridge itself")
    if family.name.startswith(RESERVED_PREFIXES):
        raise ReservedName(
            f"{family.name}: names that begin with {' or '.join(RESERVED_PREFIXES)} are this stack's own"
        )
    for name in line_names_of(family):
        owner = owner_of(name)
        if owner is not None:
            raise NameConflict(f"{family.name} would have lines named {name}, as {owner} has")


def is_same_kind(one: Family, other: Family) -> bool:
    """Whether series of both can stand in one family."""
    return one.type == other.type and one.buckets == other.buckets


def possible_owners(line: str) -> list[str]:
    """The families that may have lines of this name, by their own names."""
    suffixes = LINE_SUFFIXES["histogram"]
    return [line, *(line.removesuffix(suffix) for suffix in suffixes if line.endswith(suffix))]


def possible_counters(line: str) -> list[str]:
    """The families of which this may be the ``created_name_of``."""
    base = line.removesuffix("_created")
    return [] if base == line else [base, f"{base}_total"]


def line_names_of(family: Family) -> list[str]:
    """Every name that a line of *family* may have, but for ``created_name_of``."""
    return [family.name, *(f"{family.name}{suffix}" for suffix in LINE_SUFFIXES.get(family.type, ()))]


def created_name_of(family: Family) -> str:
    """The name of the lines that say since when a counter or histogram is counted here.

    What was counted elsewhere has no such lines: its clients push them as a family of their own.
    """
    return f"{family.name.removesuffix('_total')}_created"


def check_counted(family: Family, owner_of: OwnerOf) -> None:
    """Raises NameConflict if *family* cannot be counted here, since another has lines of ``created_name_of``."""
    name = created_name_of(family)
    owner = owner_of(name)
    if owner not in (None, family.name):
        raise NameConflict(f"{family.name} would have lines named {name}, as {owner} has")
