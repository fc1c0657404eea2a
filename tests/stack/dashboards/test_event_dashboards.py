"""The dashboards about events: every query on the real Prometheus, over what the real bridge made of pushed events."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

import promql_parser
import pytest
import yaml

from pushgateway_bridge.model.family import Family
from pushgateway_bridge.tallies import minigem_families, proxmoxve_families
from stack import tools
from tests.bridge.process import BridgeProcess
from tests.stack.stores import Prometheus
from tests.stack.test_dashboards import result_query
from tests.stack.test_migration_pages import (
    AFTER,
    BEFORE,
    Figures,
    by,
    next_scrape_ms,
    of,
    push,
    wait_for_value,
)

REPOSITORY: Final = Path(__file__).resolve().parents[3]
JOBS: Final = {"events": "minigem", "installations": "proxmoxve"}
DOCUMENTS: Final[Mapping[str, Any]] = {
    uid: json.loads((REPOSITORY / f"grafana/dashboards/{uid}.json").read_text(encoding="utf-8"))
    for uid in JOBS
}
ALL: Final = frozenset[tuple[str, str]]()


class Query(NamedTuple):
    """One query of one panel, with its placeholders still in it."""

    uid: str
    panel: str
    ref_id: str
    expr: str

    @property
    def id(self) -> str:
        return f"{self.uid}-{self.panel}-{self.ref_id}".replace(" ", "_")

    def filled(self, range_seconds: int = 86_400, *, counted: bool = False) -> str:
        """As it is sent, for this time range; *counted* if the job was known when it began."""
        job = JOBS[self.uid]
        values = {
            "job": job,
            "counted": job if counted else "none",
            "estimated": "none" if counted else job,
            "__range": f"{range_seconds}s",
            "__range_s": str(range_seconds),
            "__rate_interval": "4m",
        }
        return re.sub(r"\$(\w+)", lambda match: values[match[1]], self.expr)


QUERIES: Final = [
    Query(uid, panel["title"], target["refId"], target["expr"])
    for uid, document in DOCUMENTS.items()
    for panel in document["panels"]
    for target in panel.get("targets", [])
]
HIDDEN: Final = {
    uid: {name: Query(uid, name, "", result_query(document, name)) for name in ("counted", "estimated")}
    for uid, document in DOCUMENTS.items()
}
"""Variables that nobody chooses."""
QUERY: Final = {(query.uid, query.panel, query.ref_id): query for query in QUERIES}

CHOSEN: Final = ('job="$job"', 'job="$counted"', 'job="$estimated"')

ON_THE_MINUTE: Final = {"Hours of the day", "Days of the week"}
"""They look at whole minutes, so they are asked at the next one."""

EMPTY: Final = {
    ("installations", "This week and the one before", "B"): "there is no week before",
}
"""Queries that these pushes give nothing to show, and why."""

EXPECTED: Final[Mapping[tuple[str, str, str], float | Figures]] = {
    ("events", "Alerts", "A"): 0,
    ("events", "Events", "A"): 14,
    ("events", "Users, 7 days", "A"): 3,
    ("events", "Active sessions", "A"): 1,
    ("events", "Runs without error", "A"): 0.25,
    ("events", "Compile errors", "A"): 0.25,
    ("events", "Runtime errors", "A"): 0.25,
    ("events", "Runs started", "A"): 4,
    ("events", "Runs completed", "A"): 4,
    ("events", "Median duration", "A"): 3,
    ("events", "Duration, 90 %", "A"): 48,
    ("events", "Wait for input", "A"): 1.5,
    ("events", "Exceptions, 7 days", "A"): 2,
    ("events", "Installs", "A"): 1,
    ("events", "Installs in all", "A"): 1,
    ("events", "Outcomes by the day", "A"): of(
        "exit_code", {"normal end": 1, "exception": 1, "Ctrl+C": 1, "terminated": 1}
    ),
    ("events", "Completed runs", "A"): 0.25,
    ("events", "Completed runs", "C"): 0.25,
    ("events", "Completed runs", "E"): 0,
    ("events", "Completed runs", "F"): 0.5,
    ("events", "Completed runs", "G"): 0.25,
    ("events", "Runs by duration", "A"): 0,
    ("events", "Runs by duration", "B"): 1,
    ("events", "Runs by duration", "C"): 1,
    ("events", "Runs by duration", "D"): 1,
    ("events", "Runs by duration", "E"): 0,
    ("events", "Runs by duration", "F"): 1,
    ("events", "Runs by duration", "G"): 0,
    ("events", "Runs by duration", "H"): 0,
    ("events", "Runs by output", "A"): of("bucket", {"1-10k": 3, "0-1k": 1}),
    ("events", "Events by name", "B"): of(
        "event",
        {
            "java.run.started": 4 / 14,
            "java.run.completed": 4 / 14,
            "java.run.error": 2 / 14,
            "install.created": 1 / 14,
            "lifecycle.activate": 1 / 14,
            "test.ping": 1 / 14,
            "other": 1 / 14,
        },
    ),
    ("events", "Countries", "A"): {
        frozenset({("country", "DE"), ("continent", "Europe")}): 4,
        frozenset({("country", "US"), ("continent", "North America")}): 9,
        frozenset({("country", "unknown"), ("continent", "unknown")}): 1,
    },
    ("events", "Systems", "A"): by("os", linux=2, windows=1, macos=9, unknown=2),
    ("events", "How many kinds", "A"): 4,
    ("events", "How many kinds", "B"): 3,
    ("events", "How many kinds", "D"): 3,
    ("events", "Skipped items", "A"): by("reason", not_an_object=1),
    ("installations", "Alerts", "A"): 0,
    ("installations", "Installations", "A"): 11,
    ("installations", "Success rate", "A"): 0.8,
    ("installations", "Failed", "A"): 2,
    ("installations", "Aborted", "A"): 1,
    ("installations", "In progress", "A"): 3,
    ("installations", "Stuck", "A"): 0,
    ("installations", "Started", "A"): 9,
    ("installations", "Failed of all", "A"): 2 / 11,
    ("installations", "Average duration", "A"): 755 / 7,
    ("installations", "Applications", "A"): 6,
    ("installations", "Tools", "A"): 1,
    ("installations", "Add-ons", "A"): 1,
    ("installations", "Installations in all", "A"): 11,
    ("installations", "Results by the day", "A"): by("status", success=8, failed=2, aborted=1),
    ("installations", "Types", "A"): by("type", lxc=8, addon=1, pve=1, unknown=1),
    ("installations", "Most installed", "C"): {
        frozenset({("app", app), ("type", "lxc")}): number
        for app, number in {"immich": 1, "gitea": 1}.items()
    },
    ("installations", "Most installed", "E"): {
        frozenset({("app", app), ("type", event_type)}): number
        for app, event_type, number in (
            ("immich", "lxc", 5 / 6),
            ("gitea", "lxc", 0),
            ("redis", "lxc", 0),
            ("netdata", "addon", 1),
            ("post-pve-install", "pve", 1),
            ("unknown", "unknown", 1),
        )
    },
    ("installations", "Highest failure rates", "A"): {frozenset({("app", "immich"), ("type", "lxc")}): 1 / 6},
    ("installations", "Highest failure rates", "B"): {frozenset({("app", "immich"), ("type", "lxc")}): 1},
    ("installations", "Categories", "A"): by("error_category", storage=1, command_not_found=1),
    ("installations", "Error patterns", "A"): of("pattern", {"disk full": 1, "not found": 1}),
    ("installations", "Proxmox VE versions", "A"): of("pve_version", {"8.4": 6, "9.0": 1, "unknown": 4}),
}
"""By dashboard, panel and query; worked out by hand from the pushes."""


class Running(NamedTuple):
    """Prometheus, and the time of a scrape that saw everything."""

    prometheus: Prometheus
    at_ms: int

    def ask(self, query: Query) -> Figures:
        """By labels, those left out that all series of a dialect have alike."""
        next_minute = (self.at_ms // 60_000 + 1) * 60_000
        at_ms = next_minute if query.panel in ON_THE_MINUTE else self.at_ms
        return {
            frozenset(
                (name, value)
                for name, value in series["metric"].items()
                if name not in {"__name__", "job", "instance"}
            ): float(series["value"][1])
            for series in self.prometheus.query(query.filled(), at_ms)
        }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    program = tools.find("prometheus")
    assert program is not None, "prometheus is missing: 'python -m stack tools' fetches it"
    if tools.version_number(tools.version(program)) < (3,):
        pytest.skip(f"{program} is older than 3: it does not count the first events of a new counter")
    folder = tmp_path_factory.mktemp("dashboards")
    bridge = BridgeProcess(
        folder / "journal", "--access.trusted-proxies=[127.0.0.1]", log=folder / "bridge.log"
    )
    prometheus = Prometheus(folder / "prometheus", program, REPOSITORY, bridge_port=bridge.port)
    prometheus.hurry()
    rules = next(prometheus.folder.rglob("rules/events.yml"))
    rules.write_text(rules.read_text().replace("interval: 1m", "interval: 1s"))
    with prometheus.running(), bridge:
        # Before the first push, so that what the bridge itself counts grows while Prometheus looks.
        wait_for_value(prometheus, 'up{job="bridge"}', 1)
        for event in (*BEFORE, *AFTER):
            push(bridge, event)
        wait_for_value(prometheus, "sum(minigem_events_total)", 14)
        wait_for_value(prometheus, "sum(proxmoxve_executions_total)", 11)
        wait_for_value(prometheus, "count(country:minigem_continent:info)", 3)
        wait_for_value(prometheus, "sum(exit_code:minigem_runs_completed:increase1d)", 4)
        wait_for_value(prometheus, "sum(status:proxmoxve_executions:increase1d)", 11)
        wait_for_value(prometheus, "count(repo_source:proxmoxve_executions_failed:ratio1d)", 1)
        yield Running(prometheus, next_scrape_ms(prometheus))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.id)
def test_a_query_parses_and_asks_for_the_chosen_job(query: Query) -> None:
    promql_parser.parse(query.filled())
    matchers = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*\{([^}]*)\}", query.expr)

    assert matchers
    assert all(one.startswith((*CHOSEN, 'job="bridge",dialect="')) for one in matchers)


def test_every_label_that_a_legend_or_column_names_is_asked_for() -> None:
    """A legend with a label that its query drops would be empty."""
    missing = [
        (query.id, label)
        for uid, document in DOCUMENTS.items()
        for panel in document["panels"]
        for target in panel.get("targets", [])
        for query in [QUERY[uid, panel["title"], target["refId"]]]
        for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))
        if not re.search(rf"\b{label}\b", query.expr)
    ]

    assert missing == []


@pytest.mark.parametrize(
    ("uid", "module"), [("events", minigem_families), ("installations", proxmoxve_families)]
)
def test_every_metric_of_a_dialect_is_shown(uid: str, module: ModuleType) -> None:
    names = {family.name for family in vars(module).values() if isinstance(family, Family)}
    asked = " ".join(query.expr for query in QUERIES if query.uid == uid)

    assert len(names) > 10
    assert {name for name in names if not re.search(rf"\b{name}(_bucket|_count)?\b", asked)} == set()


def test_the_reasons_for_empty_queries_and_the_expected_numbers_are_those_of_queries() -> None:
    assert QUERY.keys() >= EMPTY.keys() | EXPECTED.keys()
    assert len(QUERY) == len(QUERIES), "two panels of one dashboard have the same title"


@pytest.mark.stack
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.id)
def test_a_query_answers_with_what_was_pushed(running: Running, query: Query) -> None:
    key = (query.uid, query.panel, query.ref_id)
    found = running.ask(query)

    assert bool(found) is (key not in EMPTY)
    assert all(math.isfinite(number) for number in found.values())
    if (expected := EXPECTED.get(key)) is not None:
        assert found == pytest.approx(expected if isinstance(expected, dict) else {ALL: expected}, rel=1e-6)


@pytest.mark.stack
@pytest.mark.parametrize("panel", sorted(ON_THE_MINUTE))
def test_hours_and_days_have_what_was_pushed_within_this_minute(running: Running, panel: str) -> None:
    """Of counters that are seconds old an increase is stretched, by half at most."""
    found = running.ask(QUERY["events", panel, "A"])

    assert 14 <= sum(found.values()) <= 21


@pytest.mark.stack
@pytest.mark.parametrize("uid", JOBS)
def test_the_variable_offers_the_job(running: Running, uid: str) -> None:
    (variable,) = (one for one in DOCUMENTS[uid]["templating"]["list"] if one["name"] == "job")
    match = re.fullmatch(r"label_values\((.+), job\)", variable["query"]["query"])
    assert match, variable["query"]

    jobs = {series["metric"]["job"] for series in running.prometheus.query(f"group by (job) ({match[1]})")}
    assert jobs == {JOBS[uid]}


@pytest.mark.stack
@pytest.mark.parametrize("uid", JOBS)
def test_events_that_came_within_the_range_are_estimated(running: Running, uid: str) -> None:
    """As `Query.filled` has it: the page would ask so, too."""
    jobs = {
        name: [series["metric"]["job"] for series in running.prometheus.query(query.filled(), running.at_ms)]
        for name, query in HIDDEN[uid].items()
    }

    assert jobs == {"counted": ["none"], "estimated": [JOBS[uid]]}


def promtool_answers(folder: Path, series: Mapping[str, str], interval: str, questions: list[object]) -> None:
    """Fail with what promtool says if it answers one of *questions* otherwise."""
    tests = [
        {
            "interval": interval,
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": questions,
        }
    ]
    file = folder / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": interval, "tests": tests}))
    promtool = tools.find("promtool")
    assert promtool is not None, "promtool is missing: 'python -m stack tools' fetches it"

    tested = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)

    assert tested.returncode == 0, tested.stdout + tested.stderr


def answer(expr: str, at: str, **rows: float) -> object:
    """A question of promtool: *expr* has these values, by its label job."""
    samples = [{"labels": f'{{job="{job}"}}', "value": value} for job, value in rows.items()]
    return {"expr": expr, "eval_time": at, "exp_samples": samples}


@pytest.mark.stack
@pytest.mark.parametrize("uid", JOBS)
def test_a_job_is_counted_if_it_was_known_at_both_ends_of_the_range(tmp_path: Path, uid: str) -> None:
    job, hour = JOBS[uid], 3600
    counted, estimated = HIDDEN[uid]["counted"].filled(hour), HIDDEN[uid]["estimated"].filled(hour)
    promtool_answers(
        tmp_path,
        # Silent for a while, which is not asked about, and gone in the end.
        {
            f'telemetry_last_report_timestamp_seconds{{job="{job}",instance=""}}': "_x10 1x20 stale _x20 1x60 stale"
        },
        "1m",
        [
            answer(counted, "75m", **{job: 1}),
            answer(estimated, "75m", none=1),
            # It was not there yet, was silent just then, and is not there any more.
            *(answer(counted, at, none=1) for at in ("65m", "100m", "120m")),
            *(answer(estimated, at, **{job: 1}) for at in ("65m", "100m", "120m")),
        ],
    )


@pytest.mark.stack
def test_what_is_counted_is_exact_however_few_or_many_there_were(tmp_path: Path) -> None:
    def of_app(app: str, status: str) -> str:
        return f'proxmoxve_app_executions_total{{job="proxmoxve",app="{app}",type="lxc",status="{status}"}}'

    def apps(**numbers: int) -> list[dict[str, object]]:
        return [{"labels": f'{{app="{app}", type="lxc"}}', "value": value} for app, value in numbers.items()]

    most, failed = (QUERY["installations", "Most installed", ref_id] for ref_id in "AC")
    failures, worst = (
        QUERY["installations", panel, "A"] for panel in ("Applications", "Highest failure rates")
    )
    promtool_answers(
        tmp_path,
        {
            # From 1000 to 1007 while it is looked at, in the end of it; always 5; one that is new; one that began anew.
            of_app("many", "success"): "1000x70 1007x60",
            of_app("many", "failed"): "1000x130",
            of_app("old", "success"): "5x130",
            of_app("new", "failed"): "_x100 1x30",
            of_app("wiped", "success"): "100x90 3x40",
        },
        "1m",
        [
            {
                "expr": most.filled(3600, counted=True),
                "eval_time": "2h",
                "exp_samples": apps(many=7, new=1, wiped=3),
            },
            {
                "expr": failed.filled(3600, counted=True),
                "eval_time": "2h",
                "exp_samples": apps(new=1, many=0),
            },
            {
                "expr": failures.filled(3600, counted=True),
                "eval_time": "2h",
                "exp_samples": [{"labels": "{}", "value": 3}],
            },
            {"expr": worst.filled(3600, counted=True), "eval_time": "2h", "exp_samples": []},
            # Of a series that is new without Prometheus knowing when it began, the first event is missed.
            {"expr": most.filled(3600), "eval_time": "2h", "exp_samples": apps(many=7, wiped=3)},
        ],
    )


@pytest.mark.stack
def test_a_duration_is_that_of_the_runs_within_the_range(tmp_path: Path) -> None:
    """Before it all took less than half a second; within it, four took from 1 to 3 seconds."""
    name = "minigem_java_run_duration_seconds_bucket"
    steps = {"0.5": "1000x130", "1": "1000x130", "3": "1000x90 1004x40", "+Inf": "1000x90 1004x40"}
    median = QUERY["events", "Median duration", "A"].filled(3600, counted=True)
    up_to_3 = QUERY["events", "Runs by duration", "C"].filled(3600, counted=True)
    promtool_answers(
        tmp_path,
        {f'{name}{{job="minigem",le="{le}"}}': values for le, values in steps.items()},
        "1m",
        [
            {"expr": median, "eval_time": "2h", "exp_samples": [{"labels": "{}", "value": 2}]},
            {"expr": up_to_3, "eval_time": "2h", "exp_samples": [{"labels": "{}", "value": 4}]},
        ],
    )


def test_what_is_counted_is_estimated_where_it_cannot_be() -> None:
    """Each selector of one is beside the same of the other."""
    for query in QUERIES:
        exact = re.findall(r'(\w+\{job="\$)counted("[^}]*\})', query.expr)
        estimate = re.findall(r'increase\((\w+\{job="\$)estimated("[^}]*\})\[\$__range\]\)', query.expr)

        assert query.expr.count("$estimated") == len(estimate)
        assert exact == [one for one in estimate for _ in range(3)], query.id


@pytest.mark.stack
def test_hours_and_days_are_those_of_utc_when_events_came(tmp_path: Path) -> None:
    """Promtool's time begins on Thursday, the first of January 1970."""
    came = {(22, 30): 10, (23, 59): 1, (24, 30): 20, (25, 10): 5}
    steps = [0] * (27 * 60)
    for (hour, minute), number in came.items():
        steps[hour * 60 + minute] = number
    hours, days = (
        QUERY["events", panel, "A"].filled(4 * 3600) for panel in ("Hours of the day", "Days of the week")
    )
    promtool_answers(
        tmp_path,
        {'minigem_events_by_os_total{job="minigem",os="linux"}': " ".join(map(str, accumulate(steps)))},
        "1m",
        [
            {
                "expr": f"{hours} > 0",
                "eval_time": "26h",
                "exp_samples": [
                    {"labels": f'{{hour="{hour}"}}', "value": number}
                    for hour, number in (("22", 10), ("23", 1), ("00", 20), ("01", 5))
                ],
            },
            {
                "expr": f"{days} > 0",
                "eval_time": "26h",
                "exp_samples": [
                    {"labels": '{day_of_week="4 Thursday"}', "value": 11},
                    {"labels": '{day_of_week="5 Friday"}', "value": 25},
                ],
            },
        ],
    )


@pytest.mark.stack
@pytest.mark.parametrize(("days", "enough"), [(1, 5), (7, 15), (30, 40), (31, 100)])
def test_a_failure_rate_needs_more_installations_in_a_longer_range(
    tmp_path: Path, days: int, enough: int
) -> None:
    def results(app: str, status: str, number: int) -> tuple[str, str]:
        return (
            f'proxmoxve_app_executions_total{{job="proxmoxve",app="{app}",type="lxc",status="{status}"}}',
            f"0 {number}x9",
        )

    expr = QUERY["installations", "Highest failure rates", "A"].filled(days * 86_400)
    promtool_answers(
        tmp_path,
        dict(
            [
                results("enough", "failed", 1),
                results("enough", "success", enough - 1),
                results("few", "failed", 1),
                results("few", "success", enough - 2),
                results("well", "success", 1000),
            ]
        ),
        "1m",
        [
            {
                "expr": f"group by (app) ({expr})",
                "eval_time": "9m",
                "exp_samples": [{"labels": '{app="enough"}', "value": 1}],
            }
        ],
    )
