"""Alerts: what the dashboard says of a history that is known to the minute, and of stack and bridge beside it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from stack import tools
from tests.stack.test_dashboards import result_query

REPOSITORY: Final = Path(__file__).resolve().parents[3]
DOCUMENTS: Final = {
    uid: json.loads((REPOSITORY / f"grafana/dashboards/{uid}.json").read_text(encoding="utf-8"))
    for uid in ("alerts", "bridge", "stack")
}
EXPRESSIONS: Final = {
    (uid, panel["title"], target["refId"]): target["expr"]
    for uid, document in DOCUMENTS.items()
    for panel in document["panels"]
    for target in panel.get("targets", [])
}
RULES: Final = REPOSITORY / "prometheus/rules"
RECORDED_HISTORY: Final = RULES / "history.yml"
ALL: Final = dict.fromkeys(("severity", "alertname", "job", "instance"), ".*") | {"unrecorded": "_none"}
"""What Grafana puts for All, where there are records."""
UNRECORDED: Final = {"unrecorded": "()"}
ONE: Final = {
    "bridge": {"job": "bridge", "instance": "here"},
    "stack": {"job": "prometheus", "instance": "here"},
}
MINUTE: Final = 60
NOW: Final = 60 * MINUTE
PART: Final = 'job="prometheus",instance="here"'
BRIDGE: Final = 'job="bridge",instance="here"'

GONE: Final = 'alertname="HostDown",severity="critical",job="node",instance="gone"'
FULL: Final = (
    'alertname="HostFilesystemFull",severity="warning",job="node",instance="full",'
    'mountpoint="/srv",device="sdb"'
)
FAILING: Final = 'alertname="InstallFailureRateHigh",severity="warning",job="proxmoxve",repo_source="fork"'
BUSY: Final = 'alertname="HostCpuHigh",severity="warning",job="node",instance="busy"'

HISTORY: Final = {
    # Twice within the hour, and still.
    f'ALERTS{{{GONE},alertstate="firing"}}': "_x10 1x9 stale _x19 1x20",
    f'ALERTS{{{GONE},alertstate="pending"}}': "_x9 1 stale _x28 1 stale",
    f"ALERTS_FOR_STATE{{{GONE}}}": f"_x9 {9 * MINUTE}x10 stale _x18 {39 * MINUTE}x21",
    # From before the hour until its half.
    f'ALERTS{{{FULL},alertstate="firing"}}': "1x30 stale",
    f"ALERTS_FOR_STATE{{{FULL}}}": "-600x30 stale",
    # About no host, for ten minutes.
    f'ALERTS{{{FAILING},alertstate="firing"}}': "_x50 1x10",
    f"ALERTS_FOR_STATE{{{FAILING}}}": f"_x50 {50 * MINUTE}x10",
    # Not yet.
    f'ALERTS{{{BUSY},alertstate="pending"}}': "_x55 1x5",
    f"ALERTS_FOR_STATE{{{BUSY}}}": f"_x55 {55 * MINUTE}x5",
    # No news.
    'ALERTS{alertname="Watchdog",severity="none",alertstate="firing"}': "1x60",
    'ALERTS_FOR_STATE{alertname="Watchdog",severity="none"}': "0x60",
    'alertmanager_alerts{state="suppressed",job="alertmanager",instance="here"}': "2x60",
    'alertmanager_alerts{state="active",job="alertmanager",instance="here"}': "3x60",
}

Rows = Mapping[str, float]
"""Value by labels, as PromQL writes them."""


def row(*labels: str) -> str:
    return f"{{{','.join(labels)}}}"


HOST_PAGE, INSTALLATIONS = 'page="host"', 'page="installations"'
CRITICAL, WARNING = 'severity="critical"', 'severity="warning"'
DOWN: Final = row(CRITICAL, 'alertname="HostDown"')
FILLED: Final = row(WARNING, 'alertname="HostFilesystemFull"')
RATE: Final = row(WARNING, 'alertname="InstallFailureRateHigh"')
DOWN_ROW: Final = row(CRITICAL, 'alertname="HostDown"', 'job="node"', 'instance="gone"', HOST_PAGE)
FILLED_ROW: Final = row(
    WARNING, 'alertname="HostFilesystemFull"', 'job="node"', 'instance="full"', 'about="/srv sdb"', HOST_PAGE
)
RATE_ROW: Final = row(
    WARNING, 'alertname="InstallFailureRateHigh"', 'job="proxmoxve"', 'about="fork"', INSTALLATIONS
)
OF_GONE, GONE_ROW = (row('job="node"', 'instance="gone"', *page) for page in ((), (HOST_PAGE,)))
FULL_ROW: Final = row('job="node"', 'instance="full"', HOST_PAGE)
INSTALLS_ROW: Final = row('job="proxmoxve"', INSTALLATIONS)
OF_INSTALLS: Final = row('job="proxmoxve"')

EXPECTED: Final[Mapping[tuple[str, str], Rows]] = {
    ("Critical", "A"): {"{}": 1},
    ("Warnings", "A"): {"{}": 1},
    ("Pending", "A"): {"{}": 1},
    ("Hosts affected", "A"): {"{}": 2},
    ("Longest", "A"): {"{}": NOW - 39 * MINUTE},
    ("Fired in this time", "A"): {"{}": 3},
    ("Nobody is told", "A"): {"{}": 2},
    ("Rules", "A"): {"{}": 1},
    ("Firing now", "A"): {DOWN_ROW: NOW - 39 * MINUTE, RATE_ROW: NOW - 50 * MINUTE},
    ("Firing", "A"): {"{}": 1},
    ("Firing", "B"): {"{}": 1},
    ("Firing", "C"): {"{}": 1},
    ("When each alert fired", "A"): {
        row('alertname="HostDown"'): 2,
        row('alertname="InstallFailureRateHigh"'): 1,
    },
    ("When each host had alerts", "A"): {OF_GONE: 2, OF_INSTALLS: 1},
    ("By alert", "A"): {DOWN: 2, FILLED: 0, RATE: 1},
    ("By alert", "B"): {DOWN: 1, FILLED: 0, RATE: 1},
    ("By alert", "C"): {DOWN: NOW - 39 * MINUTE, FILLED: 40 * MINUTE, RATE: NOW - 50 * MINUTE},
    ("By alert", "D"): {DOWN: 1, FILLED: 1, RATE: 1},
    ("By host", "A"): {GONE_ROW: 2, FULL_ROW: 0, INSTALLS_ROW: 1},
    ("By host", "B"): {GONE_ROW: 1, FULL_ROW: 0, INSTALLS_ROW: 1},
    ("By host", "C"): {GONE_ROW: NOW - 39 * MINUTE, FULL_ROW: 40 * MINUTE, INSTALLS_ROW: NOW - 50 * MINUTE},
    ("Every alert", "A"): {DOWN_ROW: 2, FILLED_ROW: 0, RATE_ROW: 1},
    ("Every alert", "B"): {DOWN_ROW: (10 + 21) * MINUTE, FILLED_ROW: 30 * MINUTE, RATE_ROW: 11 * MINUTE},
    ("Every alert", "C"): {
        DOWN_ROW: NOW - 39 * MINUTE,
        FILLED_ROW: 40 * MINUTE,
        RATE_ROW: NOW - 50 * MINUTE,
    },
    ("Every alert", "D"): {DOWN_ROW: 1000 * NOW, FILLED_ROW: 30_000 * MINUTE, RATE_ROW: 1000 * NOW},
}
"""Of `HISTORY` after an hour, for the range of that hour."""

TROUBLE: Final = {
    f'telemetry_pushes_total{{{BRIDGE},dialect="statix"}}': "0+60x120",
    f'telemetry_pushes_rejected_total{{{BRIDGE},dialect="statix",reason="malformed_body"}}': "0+6x120",
    f'telemetry_pushes_rejected_total{{{BRIDGE},dialect="statix",reason="forbidden"}}': "0x120",
    f'telemetry_events_total{{{BRIDGE},dialect="statix",result="skipped"}}': "0+2x120",
    f'telemetry_items_rejected_total{{{BRIDGE},dialect="samples",reason="bad_name"}}': "0+1x120",
    f'telemetry_values_skipped_total{{{BRIDGE},dialect="statix"}}': "0x120",
    f"telemetry_journal_files_set_aside_total{{{BRIDGE}}}": "1x120",
    f"telemetry_journal_failed_groups_total{{{BRIDGE}}}": "0+3x120",
    f"process_start_time_seconds{{{BRIDGE}}}": "5x90 5400x30",
    f'telemetry_remote_write_samples_dropped_total{{{BRIDGE},remote="far",reason="refused"}}': "0+10x120",
    f'telemetry_remote_write_lag_seconds{{{BRIDGE},remote="far"}}': "300x120",
    f'telemetry_remote_write_lag_seconds{{{BRIDGE},remote="near"}}': "0x120",
    'up{job="node",instance="gone"}': "1x90 0x29",
    'up{job="node",instance="fine"}': "1x120",
    f"prometheus_notifications_dropped_total{{{PART}}}": "0+1x120",
    'alertmanager_notifications_failed_total{integration="email",receiver_name="email",reason="other"}': "0+2x120",
    'alertmanager_notifications_failed_total{integration="email",receiver_name="email",reason="clientError"}': (
        "0x120"
    ),
    f"prometheus_tsdb_compactions_failed_total{{{PART}}}": "0+1x120",
    f"prometheus_config_last_reload_successful{{{PART}}}": "0x120",
    f'prometheus_rule_group_last_duration_seconds{{{PART},rule_group="/etc/prometheus/rules/hosts.yml;hosts"}}': (
        "9x120"
    ),
    f'prometheus_rule_group_interval_seconds{{{PART},rule_group="/etc/prometheus/rules/hosts.yml;hosts"}}': (
        "15x120"
    ),
    'node_scrape_collector_success{job="node",instance="fine",collector="cpu"}': "1x120",
    'node_scrape_collector_success{job="node",instance="old",collector="cpu"}': "0x120",
}
WHAT_IS_WRONG: Final[Mapping[tuple[str, str, str], Rows]] = {
    ("bridge", "Refused", "A"): {"{}": 0.1},
    ("bridge", "What was refused", "A"): {row('dialect="statix"', 'reason="malformed_body"'): 360},
    ("bridge", "What was refused", "B"): {row('dialect="statix"', 'reason="malformed_body"'): 0.1},
    ("bridge", "Refused pushes by reason", "A"): {"{}": 0.1},
    ("bridge", "Refused pushes by reason", "B"): {row(BRIDGE, 'reason="malformed_body"'): 0.1},
    ("bridge", "What accepted pushes did not bring", "A"): {
        row('dialect="samples"', 'what="refused: bad_name"'): 60,
        row('dialect="statix"', 'what="items with nothing to store"'): 120,
    },
    ("bridge", "Faults", "A"): {
        row('what="journal files set aside"'): 1,
        row('what="group commits failed"'): 180,
        row('what="restarts"'): 1,
    },
    ("bridge", "Remote write lag", "A"): {"{}": 300},
    ("bridge", "Samples dropped", "A"): {"{}": 600},
    ("stack", "Targets down", "A"): {"{}": 1},
    ("stack", "Targets", "A"): {"{}": 1},
    ("stack", "Targets", "B"): {"{}": 1},
    ("stack", "Targets that do not answer", "A"): {row('job="node"', 'instance="gone"'): 0.5},
    ("stack", "Not told", "A"): {"{}": 60 + 120},
    ("stack", "Rules", "A"): {"{}": 0},
    ("stack", "Slowest rules", "A"): {"{}": 0.6},
    ("stack", "Groups of rules", "B"): {row('group="hosts.yml;hosts"'): 0.6},
    ("stack", "Why notifications were given up", "A"): {
        row('integration="email"', 'receiver_name="email"', 'reason="other"'): 120
    },
    ("stack", "Faults", "A"): {
        row('what="compactions failed"'): 60,
        row('what="Prometheus\' configuration refused"'): 1,
    },
    ("stack", "Collectors", "A"): {row('collector="cpu"'): 2},
    ("stack", "Collectors", "B"): {row('collector="cpu"'): 1},
}
"""Of `TROUBLE` after two hours, for the range of the last one."""


def filled(expr: str, variables: Mapping[str, str], step: str = "1m") -> str:
    """*expr* as Grafana sends it for the range of an hour. What is no variable stays, as PromQL's own ``$1``."""
    values = {**variables, "__range": "1h", "__range_s": "3600", "__interval": step, "__rate_interval": "4m"}
    return re.sub(r"\$(\w+)", lambda match: values.get(match[1], match[0]), expr)


def question(expr: str, rows: Rows, at: str) -> dict[str, Any]:
    """What promtool is to ask, and what it must be told. Rates are rounded, as they are sums of floats."""
    samples = [{"labels": labels, "value": value} for labels, value in rows.items()]
    return {"expr": f"round({expr}, 0.001)", "eval_time": at, "exp_samples": samples}


def check(
    folder: Path, series: Mapping[str, str], questions: Sequence[Any], rules: Sequence[Path] = ()
) -> None:
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": questions,
    }
    path = folder / "tests.yml"
    document = {"evaluation_interval": "1m", "rule_files": [str(rule) for rule in rules], "tests": [case]}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    promtool = tools.find("promtool")
    assert promtool is not None, "promtool is missing: 'python -m stack tools' fetches it"

    done = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_query_about_alerts_has_an_answer_that_is_known() -> None:
    assert {(uid, *query) for uid in ("alerts",) for query in EXPECTED} == {
        key for key in EXPRESSIONS if key[0] == "alerts"
    }


@pytest.mark.stack
@pytest.mark.parametrize("step", ["1m", "15m", "1h"])
def test_the_history_of_alerts_is_told_as_it_was_whatever_the_step(tmp_path: Path, step: str) -> None:
    """As it was recorded, once a minute."""
    questions = [
        question(filled(EXPRESSIONS["alerts", *query], ALL, step), rows, "1h")
        for query, rows in EXPECTED.items()
    ]

    check(tmp_path, HISTORY, questions, [RECORDED_HISTORY])


@pytest.mark.stack
def test_history_that_was_not_recorded_is_looked_up_at_each_step(tmp_path: Path) -> None:
    questions = [
        question(filled(EXPRESSIONS["alerts", *query], ALL | UNRECORDED), rows, "1h")
        for query, rows in EXPECTED.items()
    ]

    check(tmp_path, HISTORY, questions)


@pytest.mark.stack
@pytest.mark.parametrize(
    ("hours", "rules", "unrecorded"),
    [(1, (), "()"), (1, (RECORDED_HISTORY,), "_none"), (3, (RECORDED_HISTORY,), "_none")],
)
def test_history_is_looked_up_where_nothing_was_recorded(
    tmp_path: Path, hours: int, rules: Sequence[Path], unrecorded: str
) -> None:
    query = result_query(DOCUMENTS["alerts"], "unrecorded")
    asked = query.replace("$__range", f"{hours}h")

    check(tmp_path, HISTORY, [question(asked, {row(f'unrecorded="{unrecorded}"'): 1}, "1h")], rules)


@pytest.mark.stack
def test_an_alert_that_has_just_begun_to_fire_is_told_before_it_is_recorded(tmp_path: Path) -> None:
    new = f'ALERTS{{{GONE},alertstate="firing"}}'
    since = f"ALERTS_FOR_STATE{{{GONE}}}"
    values = {"Fired in this time": 1, "By alert": 1, "By host": 1}
    rows = {"Fired in this time": "{}", "By alert": DOWN, "By host": GONE_ROW}

    check(
        tmp_path,
        {new: "_x59 1", since: f"_x59 {59 * MINUTE}"},
        [
            *(
                question(filled(EXPRESSIONS["alerts", title, "A"], ALL), {rows[title]: value}, "59m")
                for title, value in values.items()
            ),
            *(
                question(filled(EXPRESSIONS["alerts", "Every alert", ref_id], ALL), {DOWN_ROW: value}, "59m")
                for ref_id, value in {"A": 1, "B": 0, "C": 0, "D": 59_000 * MINUTE}.items()
            ),
        ],
    )


@pytest.mark.stack
@pytest.mark.parametrize("rules", [(), (RECORDED_HISTORY,)], ids=["looked up", "recorded"])
def test_only_the_chosen_alerts_are_told(tmp_path: Path, rules: Sequence[Path]) -> None:
    chosen = {**ALL, **({} if rules else UNRECORDED), "instance": "gone", "severity": "critical"}

    def of(title: str, rows: Rows) -> Any:
        return question(filled(EXPRESSIONS["alerts", title, "A"], chosen), rows, "1h")

    check(
        tmp_path,
        HISTORY,
        [
            of("Critical", {"{}": 1}),
            of("Warnings", {"{}": 0}),
            of("Fired in this time", {"{}": 2}),
            of("By alert", {DOWN: 2}),
            of("By host", {GONE_ROW: 2}),
            of("Every alert", {DOWN_ROW: 2}),
        ],
        rules,
    )


@pytest.mark.stack
def test_without_an_alert_there_are_zeros_and_no_rows(tmp_path: Path) -> None:
    zeros = ("Critical", "Warnings", "Pending", "Hosts affected", "Fired in this time", "Rules", "Firing")
    questions = [
        question(filled(expr, ALL), {"{}": 0} if title in zeros else {}, "1h")
        for (uid, title, _), expr in EXPRESSIONS.items()
        if uid == "alerts"
    ]

    check(tmp_path, {'up{job="node",instance="fine"}': "1x60"}, questions)


@pytest.mark.stack
def test_what_is_wrong_with_bridge_and_stack_is_counted(tmp_path: Path) -> None:
    questions = [
        question(filled(EXPRESSIONS[query], ONE[query[0]]), rows, "2h")
        for query, rows in WHAT_IS_WRONG.items()
    ]

    check(tmp_path, TROUBLE, questions, [RULES / "bridge.yml", RULES / "targets.yml"])


def test_whatever_a_message_names_stands_in_the_column_about() -> None:
    """Else two alerts of one name and one host would be one row."""
    rules = "\n".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "prometheus/rules").glob("*.yml")
    )
    named = set(re.findall(r"\$labels\.(\w+)", rules)) - {"job", "instance"}
    (joined,) = set(
        re.findall(r'label_join\(.*?"about", " ", ([^)]*)\)', EXPRESSIONS["alerts", "Firing now", "A"])
    )

    assert named
    assert named <= set(re.findall(r'"(\w+)"', joined))
