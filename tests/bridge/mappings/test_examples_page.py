"""Each mapping of docs/mapping-examples.md makes of its body what the page shows, also when it is pushed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import promql_parser
import pytest

from pushgateway_bridge.cli_mapping import shown
from pushgateway_bridge.dialects.dialect import PushContext
from pushgateway_bridge.mappings.compiled import Mappings
from pushgateway_bridge.mappings.load import parse_mapping
from pushgateway_bridge.mappings.pushes import MappedPushes
from tests.bridge.harness import FakeClock, Harness

PAGE = (Path(__file__).parents[3] / "docs/mapping-examples.md").read_text()
NOW_MS = 1_769_932_860_000


class Example(NamedTuple):
    name: str
    mapping: str
    body: str
    series: list[str]
    queries: list[str]


def examples() -> list[Example]:
    found = []
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        file = re.search(r"`(\w+)\.yml`", section)
        blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```", section, re.DOTALL | re.MULTILINE))
        assert file is not None
        lines = (blocks["text"].splitlines(), blocks["promql"].splitlines())
        found.append(Example(file[1], blocks["yaml"], blocks["json"], *lines))
    return found


def pushes(example: Example) -> MappedPushes:
    mapping = parse_mapping(example.mapping, example.name)
    return MappedPushes(Mappings({example.name: mapping}), lambda: b"x" * 32)


def test_there_are_five() -> None:
    assert len(examples()) == 5


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.name)
def test_a_mapping_makes_what_the_page_shows(example: Example) -> None:
    context = PushContext(NOW_MS, "application/json")
    explained = pushes(example).explain(example.name, example.body.encode(), context)

    assert [shown(one) for one in explained.series] == example.series
    assert explained.refused == []
    assert explained.unmatched == []


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.name)
def test_a_push_shows_it_and_a_restart_keeps_it(example: Example, tmp_path: Path) -> None:
    bridge = Harness(tmp_path, FakeClock(NOW_MS))
    try:
        path = f"/api/v1/push/{example.name}"
        context = PushContext(NOW_MS, "application/json", path=path)
        bridge.run(bridge.ingest.push(pushes(example).dialect, example.body.encode(), context))
        bridge.crash()
        series = bridge.series()
    finally:
        bridge.close()

    for line in example.series:
        name, _, value = line.rpartition(" ")
        if value == "seen":
            assert series[name.replace("}", ',window="1h"}')] == 1
        elif name.startswith("shop_event_duration"):
            assert series[name.replace("_seconds{", "_seconds_sum{")] == float(value)
        else:
            assert series[name] == float(value)


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.name)
def test_every_query_is_promql_over_names_of_its_mapping(example: Example) -> None:
    named = set(re.findall(r"name: (\w+)", example.mapping))
    for query in example.queries:
        promql_parser.parse(query)
        asked = {re.sub(r"_bucket$", "", name) for name in re.findall(r"(\w+)\{", query)}
        assert asked
        assert asked <= named, query
