"""The pages for whoever comes from another system: no figure is forgotten, every query is one, every name is there.

That the queries give what they say is tested with a real Prometheus, in tests/stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import promql_parser
import pytest
import yaml

from pushgateway_bridge.config import ALIASES
from pushgateway_bridge.model.family import Family
from pushgateway_bridge.tallies import minigem_families, proxmoxve_families
from pushgateway_bridge.tallies.continents import CONTINENT_OF
from pushgateway_bridge.tallies.minigem_counts import Counts
from pushgateway_bridge.tallies.minigem_stats import Range, stats_document
from tests.bridge.migration_pages import EMPTY_UNTIL, NOT_KEPT, PAGES, ROWS, Row, row_id

OLD_PROXMOXVE = {
    "Of `/api/dashboard`": """
        total_installs total_all_time sample_size success_count failed_count aborted_count installing_count success_rate
        top_apps os_distribution method_stats pve_versions type_stats error_analysis pattern count unique_apps apps
        failed_apps recent_records daily_stats gpu_stats error_categories top_tools top_addons avg_install_duration
        total_tools total_addons repo_slugs""",
    "Of `/api/scripts`": """
        total_scripts total_installs top_scripts app type total success failed aborted installing success_rate days_old
        installs_per_day recent_scripts""",
    "Of `/api/errors`": """
        total_errors total_installs overall_fail_rate exit_code_stats exit_code count description category percentage
        category_stats top_apps app_errors app type total_count failed_count aborted_count failure_rate top_exit_code
        top_error top_category recent_errors stuck_installing error_timeline""",
    "Of the other reads": """
        /api/records records page limit total total_pages /api/repo-slugs /api/exit-codes /api/alerts enabled history
        /api/alerts/test /api/cleanup/status stuck_count stuck_after_hours check_interval /api/cleanup/run
        /api/github/create-issue /metrics telemetry_installs_total telemetry_installs_success_total
        telemetry_installs_failed_total telemetry_installs_aborted_total telemetry_installs_pending
        telemetry_success_rate /healthz""",
}
"""By headline: the keys of the documents that the old service answers with, and its other paths."""
OF_OTHERS = {"up", "ALERTS"}
"""Series that Prometheus itself makes."""
QUERIES = [row for row in ROWS if row.promql]
RULES = Path(__file__).resolve().parents[2] / "prometheus/rules"
RUNBOOKS = RULES.parents[1] / "docs/runbooks"
METRIC = re.compile(r"\b(?:minigem|proxmoxve)_\w+|\b\w+:\w+:\w+")
DISTINCT = {minigem_families.USERS.name, minigem_families.EXCEPTIONS.name}


def rules_of(file: str) -> list[Mapping[str, str]]:
    groups = yaml.safe_load((RULES / file).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def series_names() -> set[str]:
    """All names that the two dialects' series have, and those that rules record of them."""
    families = [
        value
        for module in (minigem_families, proxmoxve_families)
        for value in vars(module).values()
        if isinstance(value, Family)
    ]
    names = {
        f"{family.name}{suffix}"
        for family in families
        for suffix in (("_bucket", "_count", "_sum") if family.type == "histogram" else ("",))
    }
    return names | {rule["record"] for rule in rules_of("events.yml") if "record" in rule}


def selected(node: object) -> Iterator[promql_parser.VectorSelector]:
    """Every series selector below *node* of a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
        return
    children = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector", "param")]
    for child in (*children, *getattr(node, "args", ())):
        if child is not None:
            yield from selected(child)


def keys_of(document: Mapping[str, object], before: str = "") -> Iterator[str]:
    """The names of all values in *document*: ``runs.started``. What is listed by values has one name."""
    for key, value in document.items():
        if isinstance(value, dict) and value:
            yield from keys_of(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"


def names_in(queries: Iterable[str]) -> set[str]:
    """Of all series that *queries* ask for."""
    return {selector.name or "" for query in queries for selector in selected(promql_parser.parse(query))}


def figures(page: str, section: str) -> set[str]:
    return {name for row in ROWS if (row.page, row.section) == (page, section) for name in row.names}


def test_every_key_of_minigems_statistics_has_a_row() -> None:
    nothing = Counts({}, {}, {}, {}, 0)
    keys = set(keys_of(stats_document(nothing, [], Range(20_000, 20_006), 0, 7, 0)))
    # These two have parts that are named for all values alike.
    keys = {re.sub(r"^(durations\.hist|dailyLearningOutcomes)\..*", r"\1", key) for key in keys}

    assert {name.partition("[")[0] for name in figures("minigem", "Of `/stats`")} == keys


@pytest.mark.parametrize("section", OLD_PROXMOXVE)
def test_every_key_of_the_proxmoxve_services_reads_has_a_row(section: str) -> None:
    assert set(OLD_PROXMOXVE[section].split()) - figures("proxmoxve", section) == set()


@pytest.mark.parametrize("row", [row for row in ROWS if row.now == NOT_KEPT], ids=row_id)
def test_what_is_not_kept_has_a_reason(row: Row) -> None:
    assert len(row.note.split()) > 3


@pytest.mark.parametrize("row", QUERIES, ids=row_id)
def test_query_of_a_migration_page_parses_and_asks_for_series_that_are_there(row: Row) -> None:
    names = names_in([row.promql])

    assert names
    assert names - OF_OTHERS <= series_names()


@pytest.mark.parametrize("row", QUERIES, ids=row_id)
def test_query_of_a_migration_page_asks_for_a_window_where_there_are_several(row: Row) -> None:
    """Without it, figures of an hour and of a month would be one line beside the other."""
    for selector in selected(promql_parser.parse(row.promql)):
        windows = [matcher.value for matcher in selector.matchers.matchers if matcher.name == "window"]
        assert len(windows) == (selector.name in DISTINCT)
        assert set(windows) <= {"1h", "1d", "7d", "30d"}


def test_few_rows_may_be_empty() -> None:
    """A note that excuses emptiness must not become the easy way."""
    excused = [row.figure for row in ROWS if row.may_be_empty]

    assert excused == [
        "`hourly[9]`",
        "`dow[0]`",
        "`/api/alerts`: `enabled`, `history`",
        "rows that the cleanup marked",
        "weekly report: the week before",
    ]
    assert all(row.note.count(EMPTY_UNTIL) == 1 for row in ROWS if row.may_be_empty)


@pytest.mark.parametrize(
    ("page", "aliases"),
    [
        ("minigem", {"PORT", "RATE_LIMIT_MAX", "STATS_WINDOW_DAYS", "STATS_SECRET", "GEO_MMDB", "GEO_DB"}),
        ("proxmoxve", {"PORT", "RATE_LIMIT"}),
    ],
)
def test_page_names_the_old_settings_that_are_understood(page: str, aliases: set[str]) -> None:
    section = PAGES[page].read_text(encoding="utf-8").split("\n## Settings\n")[1].split("\n## ")[0]
    rows: dict[str, str] = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            first, second = line.split("|")[1:3]
            rows.update(dict.fromkeys(re.findall(r"`(\w+)`", first), second))

    assert aliases <= ALIASES.keys()
    for name in aliases:
        assert f"`{ALIASES[name].setting}`" in rows[name]


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_migration_page_lead_somewhere(page: str) -> None:
    file = PAGES[page]
    targets = re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", file.read_text(encoding="utf-8"))

    assert targets
    assert [target for target in targets if not (file.parent / target).is_file()] == []


def test_readme_links_the_migration_pages(repository: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")

    for file in PAGES.values():
        assert f"({file.relative_to(repository)})" in text


# Rules about events


@pytest.mark.parametrize("rule", rules_of("events.yml"), ids=lambda rule: rule.get("record") or rule["alert"])
def test_rules_about_events_ask_for_series_that_the_dialects_make(rule: Mapping[str, str]) -> None:
    names = names_in([rule["expr"]])

    assert {name for name in names if METRIC.fullmatch(name)} - series_names() == set()


@pytest.mark.parametrize("alert", [rule["alert"] for rule in rules_of("events.yml") if "alert" in rule])
def test_runbooks_about_events_ask_for_series_that_the_dialects_make(alert: str) -> None:
    page = (RUNBOOKS / f"{alert}.md").read_text(encoding="utf-8")
    queries = re.findall(r"```promql\n(.*?)```", page, flags=re.DOTALL)
    names = names_in(queries)

    assert {name for name in names if METRIC.fullmatch(name)} - series_names() == set()


def test_rule_tests_about_events_feed_only_series_that_the_dialects_make() -> None:
    tests = yaml.safe_load((RULES / "tests/events.yml").read_text(encoding="utf-8"))["tests"]
    fed = {series["series"].partition("{")[0] for test in tests for series in test["input_series"]}

    assert {name for name in fed if METRIC.fullmatch(name)} - series_names() == set()


def test_the_rule_has_every_country_on_the_continent_that_the_statistics_have_it_on() -> None:
    rule = next(
        rule for rule in rules_of("events.yml") if rule.get("record") == "country:minigem_continent:info"
    )
    pairs = re.findall(r'"continent", "([A-Z]{2})", "country",\s*"([^"]+)"', rule["expr"])
    patterns = {continent: re.compile(pattern) for continent, pattern in pairs}
    letters = [chr(letter) for letter in range(ord("A"), ord("Z") + 1)]
    found = {
        country: [continent for continent, pattern in patterns.items() if pattern.fullmatch(country)]
        for country in (first + second for first in letters for second in letters)
    }

    assert {country: continents for country, continents in found.items() if continents} == {
        country: [continent] for country, continent in CONTINENT_OF.items()
    }
    assert not any(pattern.fullmatch(word) for pattern in patterns.values() for word in ("unknown", "other"))
