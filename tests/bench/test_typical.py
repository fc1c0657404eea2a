from __future__ import annotations

import pytest

from bench.bridge.dialects import series_of
from bench.bridge.events import parse_counts, refuse_uncounted
from bench.gauges import DIALECT as CORE
from bench.pushes import VARIANTS, core_kind
from bench.servers import ServerFailed
from bench.typical import EVENTS, HOSTS, MAPPED, NOW, Typical

hosts = pytest.mark.parametrize("typical", HOSTS, ids=lambda typical: typical.name)
everything = pytest.mark.parametrize("typical", [*HOSTS, *EVENTS, MAPPED], ids=lambda typical: typical.name)


@everything
def test_all_of_a_typical_push_is_taken(typical: Typical) -> None:
    for seed in range(64):
        report = typical.decode(seed)

        assert report.accepted >= typical.items
        assert (report.skipped, report.skipped_values, list(report.rejected)) == (0, 0, [])


@hosts
def test_the_core_is_sent_as_many_series(typical: Typical) -> None:
    series = series_of(typical)
    [group] = CORE.decode(core_kind(series).body("host-00007", 0, NOW), typical.context).groups

    assert len(group.values) == series


@hosts
def test_every_push_of_a_host_sets_the_same_series(typical: Typical) -> None:
    """Else the number in the table would be that of one seed."""
    shapes = [[group.shape for group in typical.decode(seed).groups] for seed in range(64)]

    assert all(shape == shapes[0] for shape in shapes)


@hosts
def test_measurements_differ_between_the_variants(typical: Typical) -> None:
    first, second = ([group.values for group in typical.decode(seed).groups] for seed in range(VARIANTS))
    changed = sum(
        one != other
        for ones, others in zip(first, second, strict=True)
        for one, other in zip(ones, others, strict=True)
    )

    assert changed >= series_of(typical) / 3


METRICS = """\
telemetry_events_total{dialect="minigem",result="accepted"} 1200.0
telemetry_events_total{dialect="minigem",result="skipped"} 0.0
telemetry_events_total{dialect="proxmoxve",result="accepted"} 7.0
telemetry_events_total{dialect="proxmoxve",result="deduplicated"} 2.0
"""


@pytest.mark.parametrize(
    ("dialect", "counts"),
    [
        ("minigem", {"accepted": 1200.0, "skipped": 0.0}),
        ("proxmoxve", {"accepted": 7.0, "deduplicated": 2.0}),
        ("statix", {}),
    ],
)
def test_what_became_of_events_is_read_from_the_metrics(dialect: str, counts: dict[str, float]) -> None:
    assert parse_counts(METRICS, dialect) == counts


def test_a_bridge_that_counted_everything_is_believed() -> None:
    """More than was measured, as there were a fill and a warm-up; sanitized ones are among the accepted."""
    refuse_uncounted("bridge", {"accepted": 1200.0, "skipped": 0.0, "sanitized": 90.0}, 1000)


@pytest.mark.parametrize(
    "counts",
    [
        {},
        {"accepted": 999.0},
        {"accepted": 1200.0, "skipped": 1.0},
        {"accepted": 1200.0, "deduplicated": 1.0},
    ],
    ids=["nothing", "too few", "skipped", "taken for a repetition"],
)
def test_a_bridge_that_did_not_count_everything_is_refused(counts: dict[str, float]) -> None:
    with pytest.raises(ServerFailed, match="at least 1000"):
        refuse_uncounted("bridge", counts, 1000)
