"""docs/exporter-metrics.md says what the collectors declare."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from host_exporter import metric_reference
from host_exporter.collector import Collector, Setting, unset
from host_exporter.collectors import COLLECTORS
from host_exporter.config import environment_name
from host_exporter.family import Family

SECTION = """\
## fans

Off by default; `--collector.fans` (`HOST_EXPORTER_COLLECTOR_FANS=true`) switches it on.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
| `node_fan_rpm` | gauge | `chip`, `fan` | Turns \\| of &lt;a fan>, each minute. |
| `node_fan_turns` | histogram | each series' own | Turns. |

| Flag | Default | Meaning |
|---|---|---|
| `--collector.fans.chip-exclude REGEXP`<br>`HOST_EXPORTER_COLLECTOR_FANS_CHIP_EXCLUDE` | `^(a\\|b)$` | Chips. |
| `--collector.fans.path GLOB`<br>`HOST_EXPORTER_COLLECTOR_FANS_PATH` | empty | Where. *repeatable* |
| `--[no-]collector.fans.slow`<br>`HOST_EXPORTER_COLLECTOR_FANS_SLOW` | on | Slow ones too. |

"""


@pytest.fixture
def fans() -> Collector:
    """One of everything that a collector may declare."""
    return Collector(
        (
            Family("node_fan_rpm", "gauge", "Turns | of <a fan>,\neach minute.", ("chip", "fan")),
            Family("node_fan_turns", "histogram", "Turns.", free=True),
        ),
        unset(lambda _paths: ()),
        (
            Setting("chip-exclude", "^(a|b)$", "Chips."),
            Setting("path", "", "Where.", metavar="GLOB", repeatable=True),
            Setting("slow", True, "Slow ones too."),
        ),
        on_by_default=False,
    )


def test_the_page_of_metrics_is_what_the_code_says(repository: Path) -> None:
    written = (repository / "docs/exporter-metrics.md").read_text(encoding="utf-8")

    assert written == metric_reference.page(COLLECTORS), "make reference"


def test_a_section_has_all_that_is_declared(fans: Collector) -> None:
    page = metric_reference.page({"fans": fans})

    assert SECTION in page
    assert "| [fans](#fans) | off |  |\n" in page


def test_a_collector_that_declares_nothing_has_its_flag() -> None:
    page = metric_reference.page({"textual": Collector((), unset(lambda _paths: ()))})

    assert (
        "## textual\n\nOn by default; `--no-collector.textual` (`HOST_EXPORTER_COLLECTOR_TEXTUAL=false`) "
        "switches it off.\n\n## About each scrape\n"
    ) in page


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_collector_says_in_one_sentence_what_it_shows(name: str) -> None:
    [row] = [
        line for line in metric_reference.page(COLLECTORS).splitlines() if line.startswith(f"| [{name}](")
    ]

    assert row.split(" | ")[2].removesuffix(" |").endswith(".")


def test_no_two_flags_are_the_same_environment_variable() -> None:
    flags = [f"collector.{name}" for name in COLLECTORS] + [
        setting.flag(name) for name, collector in COLLECTORS.items() for setting in collector.settings
    ]

    assert [variable for variable, count in Counter(map(environment_name, flags)).items() if count > 1] == []
