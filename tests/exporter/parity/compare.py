"""What two exporters say differently of one host. Pure: the scrapes are made elsewhere."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from tests.exporter.parity.exposition import Exposition, Header, Series

ROUNDING = 1e-9
"""Share of a value: both exporters compute with binary fractions, in another order."""
UNSTEADY_GAUGE = 0.05
"""Share of a gauge that it may be outside of what was seen before and after, if it moved meanwhile."""
OWN_HELP = ("node_scrape_collector_duration_seconds", "node_scrape_collector_success")
"""Families about the exporter itself: node_exporter's help begins with its name."""
OWN_VALUES = ("node_scrape_collector_duration_seconds", "node_filesystem_readonly")
"""Families whose series are compared, but not their values: how long the exporter itself took; and the read-only
flag, which node_exporter 1.11.1 overlooks unless ``ro`` is the only option, as it joins the options without commas."""
OWN_LABELS = {("node_disk_info", "rotational")}
"""node_exporter 1.11.1 says 0 of every disk of which it cannot read one of 33 unrelated attributes."""


class Difference(NamedTuple):
    """One thing that is not the same; the same thing in another round has the same first two."""

    what: str
    where: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.where} {self.detail}".rstrip()


def differences(
    before: Exposition, ours: Exposition, after: Exposition, elsewhere: Collection[str] = ()
) -> Iterator[Difference]:
    """How *ours* differs from what the peer said *before* and *after* it.

    A value is the same if it lies between the two: so a counter may go on and a gauge may move. What the peer
    shows in one of the two only is not asked for. A label without a value is none, as for Prometheus. Families
    that are read *elsewhere* need not be in both, and only their label names are compared.
    """
    before, ours, after = (comparable(scrape) for scrape in (before, ours, after))
    yield from _headers(before, ours, after, elsewhere)
    common = before.families.keys() & ours.families.keys() & after.families.keys()
    for family in sorted(common):
        theirs, own = (before.labels_of(family) or after.labels_of(family)), ours.labels_of(family)
        if theirs and own and theirs != own:
            yield Difference("label names", family, f"theirs {theirs} ours {own}")
        elif family not in elsewhere:
            yield from _series(family, before, ours, after)


def comparable(scrape: Exposition) -> Exposition:
    """*scrape* without labels that have no value, or that are not compared."""
    return Exposition(
        scrape.families,
        {
            (name, tuple(pair for pair in labels if pair[1] and (name, pair[0]) not in OWN_LABELS)): value
            for (name, labels), value in scrape.values.items()
        },
    )


def _headers(
    before: Exposition, ours: Exposition, after: Exposition, elsewhere: Collection[str]
) -> Iterator[Difference]:
    either, both = before.families | after.families, before.families.keys() & after.families.keys()
    for name in sorted(both - ours.families.keys() - set(elsewhere)):
        yield Difference("missing family", name, _shown(before.families[name]))
    for name in sorted(ours.families.keys() - either.keys() - set(elsewhere)):
        yield Difference("extra family", name, _shown(ours.families[name]))
    for name in sorted(either.keys() & ours.families.keys()):
        theirs, own = either[name], ours.families[name]
        if theirs.kind != own.kind:
            yield Difference("type", name, f"theirs {theirs.kind} ours {own.kind}")
        if theirs.help != own.help and name not in OWN_HELP:
            yield Difference("help", name, f"theirs {theirs.help!r} ours {own.help!r}")


def _series(family: str, before: Exposition, ours: Exposition, after: Exposition) -> Iterator[Difference]:
    earlier, own, later = (scrape.series_of(family) for scrape in (before, ours, after))
    for series in sorted(earlier & later - own):
        yield Difference("missing series", _named(series), f"theirs {before.values[series]:g}")
    for series in sorted(own - earlier - later):
        yield Difference("extra series", _named(series), f"ours {ours.values[series]:g}")
    if family in OWN_VALUES:
        return
    gauge = before.families[family].kind == "gauge"
    for series in sorted(earlier & own & later):
        first, value, last = (scrape.values[series] for scrape in (before, ours, after))
        if not within(first, value, last, UNSTEADY_GAUGE if gauge else 0):
            yield Difference("value", _named(series), f"theirs {first!r}, then {last!r}; ours {value!r}")


def within(first: float, value: float, last: float, unsteady: float = 0) -> bool:
    """Whether *value* lies between *first* and *last*, or beside them by the share *unsteady* if they differ."""
    if math.isnan(first) or math.isnan(last) or math.isinf(first) or math.isinf(last):
        return any(value == end or (math.isnan(value) and math.isnan(end)) for end in (first, last))
    share = ROUNDING if first == last else max(ROUNDING, unsteady)
    slack = share * max(abs(first), abs(last))
    return min(first, last) - slack <= value <= max(first, last) + slack


def in_all(rounds: Iterable[Iterable[Difference]]) -> list[Difference]:
    """Those of the first round that are in every other as well.

    What moves lies between two scrapes of the peer sooner or later; what is wrong never does.
    """
    first, *others = ({(found.what, found.where): found for found in each} for each in rounds)
    return [found for key, found in first.items() if all(key in other for other in others)]


def _shown(header: Header) -> str:
    return f"({header.kind}) {header.help}"


def _named(series: Series) -> str:
    name, labels = series
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in labels) + "}"
