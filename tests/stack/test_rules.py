"""Recording and alerting rules: what each must carry, that each is tested, and that promtool agrees."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import pytest
import yaml

from host_exporter import scrape
from host_exporter.collectors import COLLECTORS
from stack import tools
from tests.exporter.parity import families

REPOSITORY = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((REPOSITORY / "prometheus/rules").glob("*.yml"))
TEST_FILES = sorted((REPOSITORY / "prometheus/rules/tests").glob("*.yml"))
RUNBOOKS = REPOSITORY / "docs/runbooks"
BRIDGE_README = REPOSITORY / "pushgateway-bridge/README.md"
DIALECT_CASES = REPOSITORY / "tests/bridge/dialects/cases"
PUSHED_JOBS = ("pixeltracker", "statusmonitor", "statix")

LESS_COLLECTING = {"GOGC": "400"}
"""A quarter of promtool's work on the rules is to collect garbage, of which it has little."""

SEVERITIES = {"critical", "warning", "none"}
ALWAYS_FIRING = {"Watchdog"}
"""Alerts whose silence is the news: they have no case that does not fire and none that resolves."""
RUNBOOK_SECTIONS = ["Meaning", "Likely causes", "What to check", "Threshold"]
RECORDED_NAME = re.compile(r"[a-z]+(_[a-z]+)*:[a-z]+(_[a-z]+)*:[a-z0-9]+(_(avg|min|max)1[mh])?")
ROLLUP = re.compile(r"(.+)_(avg|min|max)(1m|1h)")
BRIDGE_METRIC = re.compile(r"\btelemetry_\w+")
HOST_METRIC = re.compile(r"\bnode_\w+")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rule_id(rule: Any) -> str:
    return str(rule.get("record") or severity_id(rule))


RULES = [rule for path in RULE_FILES for group in load(path)["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDINGS = [rule["record"] for rule in RULES if "record" in rule]
RECORDINGS_ASKED_FOR = sorted({name for rule in ALERTS for name in re.findall(r"\w+:\w+:\w+", rule["expr"])})
ALERT_NAMES = sorted({rule["alert"] for rule in ALERTS})
TEST_GROUPS = [group for path in TEST_FILES for group in load(path)["tests"]]


def severity_id(alert: Any) -> str:
    return f"{alert['alert']}-{alert['labels']['severity']}"


class Expectation(NamedTuple):
    """What one test group says of one alert at one time."""

    seconds: int
    severities: frozenset[str]
    """Those that fire then; empty if the alert does not."""


def seconds_of(duration: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


def expectations(alert: str) -> Iterator[list[Expectation]]:
    """For each test group that asks about *alert*: what it expects, in order of time."""
    for group in TEST_GROUPS:
        asked = [test for test in group.get("alert_rule_test", []) if test["alertname"] == alert]
        if asked:
            yield sorted(
                Expectation(
                    seconds_of(test["eval_time"]),
                    frozenset(expected["exp_labels"]["severity"] for expected in test["exp_alerts"]),
                )
                for test in asked
            )


def test_there_are_rules_and_tests_of_rules() -> None:
    assert [path.name for path in RULE_FILES] == [path.name for path in TEST_FILES]


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_expression_parses(rule: Any) -> None:
    promql_parser.parse(rule["expr"])


def test_recorded_names_are_unique() -> None:
    """Two rules of one name would write one series twice where a host has both sources."""
    assert sorted(RECORDINGS) == sorted(set(RECORDINGS))


@pytest.mark.parametrize("name", RECORDINGS)
def test_recorded_name_says_level_metric_and_operation(name: str) -> None:
    assert RECORDED_NAME.fullmatch(name)


def test_every_name_of_the_vocabulary_about_hosts_has_its_rollups() -> None:
    about_hosts = [name for name in RECORDINGS if name.startswith("instance:")]
    rolled_up = {name for name in about_hosts if ROLLUP.fullmatch(name)}

    assert rolled_up == {
        f"{name}_{operation}{window}"
        for name in set(about_hosts) - rolled_up
        for operation in ("avg", "min", "max")
        for window in ("1m", "1h")
    }


@pytest.mark.parametrize("name", RECORDINGS)
def test_recorded_name_has_a_test(name: str) -> None:
    asked = [test["expr"] for group in TEST_GROUPS for test in group.get("promql_expr_test", [])]

    assert any(name in expression for expression in asked)


@pytest.mark.parametrize(
    "name", sorted({found for rule in ALERTS for found in re.findall(r"\w+:\w+:\w+", rule["expr"])})
)
def test_alerts_ask_only_for_names_that_are_recorded(name: str) -> None:
    assert name in RECORDINGS


@pytest.mark.parametrize("alert", ALERTS, ids=severity_id)
def test_alert_carries_what_messages_show(alert: Any) -> None:
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in SEVERITIES
    assert alert["annotations"].keys() == {"summary", "description", "runbook", "dashboard"}
    assert "{{ $value" in alert["annotations"]["description"]


@pytest.mark.parametrize("alert", ALERTS, ids=severity_id)
def test_alert_links_are_paths_that_lead_somewhere(alert: Any) -> None:
    """A base address belongs to the message templates: it differs from place to place."""
    annotations = alert["annotations"]
    uids = {
        json.loads(path.read_text(encoding="utf-8"))["uid"]
        for path in (REPOSITORY / "grafana/dashboards").glob("*.json")
    }
    link = annotations["dashboard"]
    either = re.search(r"\{\{ if [^}]+ \}\}([\w-]+)\{\{ else \}\}([\w-]+)\{\{ end \}\}", link)

    assert annotations["runbook"] == f"docs/runbooks/{alert['alert']}.md"
    assert (REPOSITORY / annotations["runbook"]).is_file()
    assert link == "/dashboards" or link.startswith("/d/")
    assert {*(either.groups() if either else re.findall(r"^/d/([\w-]+)", link))} <= uids


def test_severity_tells_alerts_of_one_name_apart() -> None:
    names = [severity_id(alert) for alert in ALERTS]

    assert sorted(names) == sorted(set(names))


def test_every_runbook_belongs_to_an_alert() -> None:
    assert sorted(path.stem for path in RUNBOOKS.glob("*.md")) == ALERT_NAMES


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_runbook_has_its_sections_and_queries_that_parse(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    queries = re.findall(r"```promql\n(.*?)```", text, flags=re.DOTALL)

    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == RUNBOOK_SECTIONS
    assert queries
    for query in queries:
        promql_parser.parse(query)


def metrics_of_the_bridge() -> set[str]:
    """What its README lists, with the names that a histogram's samples have."""
    rows = re.findall(
        r"^\| `(telemetry_\w+)`.*?\| (\w+) \|", BRIDGE_README.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return {
        f"{name}{suffix}"
        for name, kind in rows
        for suffix in (("_bucket", "_count", "_sum") if kind == "histogram" else ("",))
    }


def unknown_metrics(text: str) -> set[str]:
    return set(BRIDGE_METRIC.findall(text)) - metrics_of_the_bridge()


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_rule_asks_only_for_metrics_that_the_bridge_has(rule: Any) -> None:
    """A rule about a name that nobody exposes never fires, and nobody notices."""
    assert unknown_metrics(rule["expr"]) == set()


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_rule_tests_feed_only_metrics_that_the_bridge_has(path: Path) -> None:
    fed = [series["series"] for group in load(path)["tests"] for series in group.get("input_series", [])]

    assert unknown_metrics("\n".join(fed)) == set()


def metrics_of_both_exporters() -> set[str]:
    """What our exporter and node_exporter have in common."""
    declared = {family.name for collector in COLLECTORS.values() for family in collector.families}
    return (declared | {family.name for family in scrape.FAMILIES}) & families.read().keys()


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_rule_asks_only_for_metrics_that_both_exporters_have(rule: Any) -> None:
    assert set(HOST_METRIC.findall(rule["expr"])) <= metrics_of_both_exporters()


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_runbook_asks_only_for_metrics_that_both_exporters_have(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    queries = re.findall(r"```promql\n(.*?)```", text, flags=re.DOTALL)

    assert set(HOST_METRIC.findall("\n".join(queries))) <= metrics_of_both_exporters()


class Form(NamedTuple):
    """A series without what differs from host to host."""

    metric: str
    labels: frozenset[str]
    """Their names."""


def forms_of(job: str, text: str) -> set[Form]:
    """Of every series of *job* that stands at the beginning of a line of *text*."""
    found = re.findall(rf'^(\w+)\{{(.*\bjob="{job}".*)\}}', text, flags=re.MULTILINE)
    return {Form(metric, frozenset(re.findall(r'(\w+)="', labels))) for metric, labels in found}


@pytest.mark.parametrize("job", PUSHED_JOBS)
@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_rule_tests_feed_only_what_the_dialect_of_a_pushed_host_makes(path: Path, job: str) -> None:
    """Rules that are right about series which no agent sends would be of no use."""
    fed = [series["series"] for group in load(path)["tests"] for series in group.get("input_series", [])]
    made = [case.read_text(encoding="utf-8") for case in (DIALECT_CASES / job).glob("*.prom")]
    about_sources = {form for form in forms_of(job, "\n".join(fed)) if form.metric.startswith("telemetry_")}

    assert made
    assert forms_of(job, "\n".join(fed)) - about_sources <= forms_of(job, "\n".join(made))


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_runbook_asks_only_for_metrics_that_the_bridge_has(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    queries = re.findall(r"```promql\n(.*?)```", text, flags=re.DOTALL)

    assert unknown_metrics("\n".join(queries)) == set()


def test_alerting_page_lists_every_alert_with_its_severities() -> None:
    page = (REPOSITORY / "docs/alerting.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| ([\w, ]+) \|", page, flags=re.MULTILINE)
    severities = {
        name: {alert["labels"]["severity"] for alert in ALERTS if alert["alert"] == name}
        for name in ALERT_NAMES
    }

    assert all(name == linked for name, linked, _ in listed)
    assert len(listed) == len(ALERT_NAMES)
    assert {name: set(told.split(", ")) for name, _, told in listed} == severities


def test_limits_of_a_scrape_of_the_bridge_are_those_it_is_scraped_with() -> None:
    jobs = load(REPOSITORY / "prometheus/prometheus.yml")["scrape_configs"]
    bridge = next(job for job in jobs if job["job_name"] == "bridge")
    expression = next(alert["expr"] for alert in ALERTS if alert["alert"] == "BridgeScrapeNearLimit")

    assert f'scrape_samples_scraped{{job="bridge"}} / {bridge["sample_limit"]},' in expression
    assert (
        f'scrape_duration_seconds{{job="bridge"}}[5m]) / {seconds_of(bridge["scrape_timeout"])},'
        in expression
    )


def test_limit_of_a_scrape_of_a_host_is_the_one_it_is_scraped_with() -> None:
    jobs = load(REPOSITORY / "prometheus/prometheus.yml")["scrape_configs"]
    hosts = next(job for job in jobs if job["job_name"] == "node")
    expressions = {alert["alert"]: alert["expr"] for alert in ALERTS}
    seconds = seconds_of(hosts["scrape_timeout"])

    assert f'scrape_duration_seconds{{job="node"}}[10m]) / {seconds} >' in expressions["ExporterScrapeSlow"]
    assert (
        f"abs(node_time_seconds - timestamp(node_time_seconds)) > {seconds}\n" in expressions["HostClockSkew"]
    )


@pytest.mark.parametrize("alert", ALERTS, ids=severity_id)
def test_alert_has_a_case_that_fires(alert: Any) -> None:
    severity = alert["labels"]["severity"]

    assert any(
        severity in expected.severities for group in expectations(alert["alert"]) for expected in group
    )


@pytest.mark.parametrize(
    "alert",
    [alert for alert in ALERTS if alert["alert"] not in ALWAYS_FIRING],
    ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}",
)
def test_alert_has_a_case_that_resolves(alert: Any) -> None:
    """In one group: fires, and later does not."""
    severity = alert["labels"]["severity"]

    assert any(
        severity in earlier.severities and severity not in later.severities
        for group in expectations(alert["alert"])
        for earlier in group
        for later in group
        if later.seconds > earlier.seconds
    )


@pytest.mark.parametrize("name", [name for name in ALERT_NAMES if name not in ALWAYS_FIRING])
def test_alert_has_a_case_that_does_not_fire(name: str) -> None:
    """A whole group near the threshold in which it stays quiet."""
    assert any(not any(expected.severities for expected in group) for group in expectations(name))


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    path = tools.find("promtool")
    assert path is not None, "promtool is missing: 'python -m stack tools' fetches it"
    return subprocess.run(
        [path, *arguments], env={**os.environ, **LESS_COLLECTING}, capture_output=True, text=True, check=False
    )


@pytest.mark.stack
def test_promtool_finds_nothing_to_complain_about() -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.stack
@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_rules_behave_as_their_tests_say(path: Path) -> None:
    tested = promtool("test", "rules", path)

    assert tested.returncode == 0, tested.stdout + tested.stderr
