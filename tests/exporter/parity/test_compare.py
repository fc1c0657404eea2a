"""What counts as the same, before anything real is compared."""

from __future__ import annotations

from math import inf, nan

import pytest

from tests.exporter.parity.compare import Difference, differences, in_all, within
from tests.exporter.parity.exposition import Exposition, Header, parse

TEXT = """\
# HELP node_load1 1m load average.
# TYPE node_load1 gauge
node_load1 {load}
# HELP node_disk_reads_completed_total Reads.
# TYPE node_disk_reads_completed_total counter
node_disk_reads_completed_total{{device="sda"}} {reads}
# HELP node_build_info Not of the host, but not exempt.
# TYPE node_build_info gauge
node_build_info{{version="1",revision="2"}} 1
# HELP go_threads Of the exporter.
# TYPE go_threads gauge
go_threads {load}
"""


def scraped(load: float = 1, reads: float = 10) -> Exposition:
    return parse(TEXT.format(load=load, reads=reads))


def without(text: str) -> Exposition:
    """The same host by an exporter that leaves out the lines that hold *text*."""
    lines = TEXT.format(load=1, reads=10).splitlines(keepends=True)
    return parse("".join(line for line in lines if text not in line))


def changed(old: str, new: str) -> Exposition:
    return parse(TEXT.format(load=1, reads=10).replace(old, new))


def found(ours: Exposition, before: Exposition | None = None, after: Exposition | None = None) -> list[str]:
    return [
        f"{each.what}: {each.where}" for each in differences(before or scraped(), ours, after or scraped())
    ]


def test_an_exposition_is_read_without_what_tells_of_the_exporter() -> None:
    read = parse(TEXT.format(load=0.5, reads=3))

    assert read == Exposition(
        {
            "node_load1": Header("gauge", "1m load average."),
            "node_disk_reads_completed_total": Header("counter", "Reads."),
            "node_build_info": Header("gauge", "Not of the host, but not exempt."),
        },
        {
            ("node_load1", ()): 0.5,
            ("node_disk_reads_completed_total", (("device", "sda"),)): 3,
            ("node_build_info", (("revision", "2"), ("version", "1"))): 1,
        },
    )
    assert read.labels_of("node_build_info") == ("revision", "version")


def test_the_same_is_no_difference() -> None:
    assert found(scraped()) == []


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        pytest.param(without("node_load1"), ["missing family: node_load1"], id="no family"),
        pytest.param(
            changed("node_load1", "node_load2"),
            ["missing family: node_load1", "extra family: node_load2"],
            id="another name",
        ),
        pytest.param(changed("load1 gauge", "load1 untyped"), ["type: node_load1"], id="type"),
        pytest.param(changed("1m load average.", "Load."), ["help: node_load1"], id="help"),
        pytest.param(
            changed('device="sda"', 'disk="sda"'),
            ["label names: node_disk_reads_completed_total"],
            id="label names",
        ),
        pytest.param(
            changed('device="sda"', 'device="sdb"'),
            [
                'missing series: node_disk_reads_completed_total{device="sda"}',
                'extra series: node_disk_reads_completed_total{device="sdb"}',
            ],
            id="label value",
        ),
        pytest.param(scraped(reads=9), ['value: node_disk_reads_completed_total{device="sda"}'], id="value"),
        pytest.param(scraped(load=1.01), ["value: node_load1{}"], id="gauge that stands still"),
    ],
)
def test_what_is_not_the_same_is_found(ours: Exposition, expected: list[str]) -> None:
    assert found(ours) == expected


def test_what_only_one_of_the_peers_scrapes_shows_may_be_shown_or_not() -> None:
    assert found(scraped(), before=without("sda")) == []
    assert found(without("disk_reads"), after=without("disk_reads")) == []


def test_of_a_family_that_is_read_elsewhere_only_the_labels_names_are_compared() -> None:
    ours = changed('device="sda"', 'device="sdb"')

    assert list(differences(scraped(), ours, scraped(), ["node_disk_reads_completed_total"])) == []
    assert list(differences(scraped(), without("node_load1"), scraped(), ["node_load1"])) == []


def test_a_label_without_a_value_is_none() -> None:
    assert found(changed('device="sda"', 'device="sda",path=""')) == []


def test_what_only_one_exporter_can_say_is_not_compared() -> None:
    theirs = parse(
        "# TYPE node_filesystem_readonly gauge\n"
        'node_filesystem_readonly{mountpoint="/"} 0\n'
        "# TYPE node_disk_info gauge\n"
        'node_disk_info{device="sda",rotational="0"} 1\n'
        "# HELP node_scrape_collector_success A.\n"
        "# TYPE node_scrape_collector_success gauge\n"
        'node_scrape_collector_success{collector="cpu"} 1\n'
    )
    ours = parse(
        "# TYPE node_filesystem_readonly gauge\n"
        'node_filesystem_readonly{mountpoint="/"} 1\n'
        "# TYPE node_disk_info gauge\n"
        'node_disk_info{device="sda",rotational="1"} 1\n'
        "# HELP node_scrape_collector_success B.\n"
        "# TYPE node_scrape_collector_success gauge\n"
        'node_scrape_collector_success{collector="cpu"} 0\n'
    )

    assert found(ours, theirs, theirs) == ['value: node_scrape_collector_success{collector="cpu"}']


@pytest.mark.parametrize(
    ("first", "value", "last", "unsteady", "same"),
    [
        pytest.param(10, 12, 15, 0, True, id="a counter goes on"),
        pytest.param(10, 9, 15, 0, False, id="a counter is behind"),
        pytest.param(10, 16, 15, 0, False, id="a counter is ahead"),
        pytest.param(10, 10 + 1e-10, 10, 0, True, id="rounded"),
        pytest.param(10, 10.2, 10, 0.05, False, id="a gauge that stands still"),
        pytest.param(10, 9.6, 11, 0.05, True, id="a gauge that moves, a little below"),
        pytest.param(10, 9, 11, 0.05, False, id="a gauge that moves, far below"),
        pytest.param(15, 12, 10, 0, True, id="it went down"),
        pytest.param(nan, nan, nan, 0, True, id="not a number"),
        pytest.param(nan, 0, nan, 0.05, False, id="a number where there is none"),
        pytest.param(0, nan, 0, 0.05, False, id="no number where there is one"),
        pytest.param(inf, inf, inf, 0, True, id="infinite"),
        pytest.param(inf, 7, inf, 0.05, False, id="finite"),
    ],
)
def test_a_value_lies_between_two_of_the_peers(
    first: float, value: float, last: float, unsteady: float, same: bool
) -> None:
    assert within(first, value, last, unsteady) is same


def test_only_what_differs_in_every_round_counts() -> None:
    wrong = Difference("value", "node_a{}", "theirs 1.0, then 1.0; ours 2.0")
    again = Difference("value", "node_a{}", "theirs 3.0, then 3.0; ours 4.0")
    moved = Difference("value", "node_b{}")

    assert in_all([[wrong, moved], [again]]) == [wrong]
    assert in_all([[wrong], []]) == []
