from __future__ import annotations

from host_exporter.procfs.powercap import metric_part, zone_name


def test_zones_of_one_name_are_numbered() -> None:
    used: dict[str, int] = {}
    names = ["package-0\n", "dram\n", "package-1", "dram", "core", "package-0-die-1", "psys--1"]

    assert [zone_name(name, used) for name in names] == [
        ("package", 0),
        ("dram", 0),
        ("package", 1),
        ("dram", 1),
        ("core", 0),
        ("package-0-die-1", 0),
        ("psys--1", 0),
    ]


def test_what_a_metrics_name_may_not_have_is_one_underscore() -> None:
    assert [metric_part(name) for name in ("package-0-die-1", "a_ b", "core")] == [
        "package_0_die_1",
        "a_b",
        "core",
    ]
