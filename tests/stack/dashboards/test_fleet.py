"""Fleet: who counts as a host and as silent, one row for each, and every query answers on the real Prometheus."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import promql_parser
import pytest
import requests
import yaml

from stack import tools
from tests.stack.test_dashboards import (
    DOCUMENTS,
    GRAFANA,
    QUERIES,
    Query,
    answers,
    ask,
    filled,
    query_id,
    result_query,
)

if TYPE_CHECKING:
    from tests.stack.conftest import Stack

DOCUMENT = DOCUMENTS["fleet"]
OF_FLEET = [query for query in QUERIES if query.uid == "fleet"]
TABLE = next(panel for panel in DOCUMENT["panels"] if panel["type"] == "table")

HOST_VARIABLES = [
    variable["name"] for variable in DOCUMENTS["host"]["templating"]["list"] if variable["type"] == "query"
]

EVERYTHING = {"job": ".*", "instance": ".*"}
"""What Grafana puts for All."""

SERIES = {
    # Scraped, and fine.
    'up{job="node",instance="fine"}': "1x60",
    'node_load1{job="node",instance="fine"}': "1x60",
    'instance:cpu_utilisation:ratio{job="node",instance="fine"}': "0.9x60",
    'node_uname_info{job="node",instance="fine",nodename="after"}': "1x60",
    'node_uname_info{job="node",instance="fine",nodename="before"}': "1x60",
    # Scraped until half an hour ago, and never reached at all.
    'up{job="node",instance="gone"}': "1x30 0x30",
    'instance:cpu_utilisation:ratio_avg1h{job="node",instance="gone"}': "0.5x30",
    'up{job="node",instance="never"}': "0x60",
    # Pushes every 10 s, and did so until 5 minutes ago.
    'telemetry_last_report_timestamp_seconds{job="pixeltracker",instance="fine"}': "0+60x60",
    'telemetry_report_interval_seconds{job="pixeltracker",instance="fine"}': "10x60",
    'node_load1{job="pixeltracker",instance="fine"}': "1x60",
    'telemetry_last_report_timestamp_seconds{job="pixeltracker",instance="gone"}': "0+60x55 3300x5",
    'telemetry_report_interval_seconds{job="pixeltracker",instance="gone"}': "10x60",
    'instance:memory_utilisation:ratio_avg1h{job="pixeltracker",instance="gone"}': "0.5x55",
    # Of statix four minutes without a push are none too many.
    'telemetry_last_report_timestamp_seconds{job="statix",instance="late"}': "0+60x56 3360x4",
    'telemetry_report_interval_seconds{job="statix",instance="late"}': "5x60",
    'instance:memory_utilisation:ratio_avg1h{job="statix",instance="late"}': "0.5x56",
    # What is held, nobody expects again.
    'telemetry_last_report_timestamp_seconds{job="batch",instance="held"}': "0x60",
    'node_load1{job="batch",instance="held"}': "1x60",
    # Was there for a minute only, too short for any roll-up.
    'telemetry_last_report_timestamp_seconds{job="pixeltracker",instance="brief"}': "0+60x2 120x58",
    'telemetry_report_interval_seconds{job="pixeltracker",instance="brief"}': "10x60",
    # No hosts: an application that pushes, events, the bridge, and a source that was deleted.
    'telemetry_last_report_timestamp_seconds{job="shop",instance="app"}': "0+60x60",
    'telemetry_report_interval_seconds{job="shop",instance="app"}': "60x60",
    'telemetry_last_report_timestamp_seconds{job="minigem",instance=""}': "0+60x60",
    'up{job="bridge",instance="local"}': "1x60",
    'instance:memory_utilisation:ratio_avg1h{job="own",instance="deleted"}': "0.5x55",
    # What fires, and what does not.
    'ALERTS{alertname="SourceSilent",alertstate="firing",severity="warning",'
    'job="pixeltracker",instance="gone"}': "1x60",
    'ALERTS{alertname="HostDown",alertstate="firing",severity="critical",job="node",instance="gone"}': "1x60",
    'ALERTS{alertname="HostDown",alertstate="firing",severity="critical",job="node",instance="never"}': "1x60",
    'ALERTS{alertname="HostCpuHigh",alertstate="pending",severity="warning",'
    'job="node",instance="fine"}': "1x60",
    'ALERTS{alertname="BridgeDown",alertstate="firing",severity="critical",'
    'job="bridge",instance="local"}': "1x60",
    'ALERTS{alertname="Watchdog",alertstate="firing",severity="none"}': "1x60",
}
STATES = {
    ("node", "fine"): 1,
    ("node", "gone"): 0,
    ("node", "never"): 0,
    ("pixeltracker", "fine"): 1,
    ("pixeltracker", "gone"): 0,
    ("pixeltracker", "brief"): 0,
    ("statix", "late"): 1,
    ("batch", "held"): 1,
}
FIRING = {**dict.fromkeys(STATES, 0), ("node", "gone"): 1, ("node", "never"): 1, ("pixeltracker", "gone"): 1}

CASES = Path(__file__).resolve().parents[2] / "bridge/dialects/cases"


def expr(panel: str, ref_id: str = "A") -> str:
    (found,) = (query.expr for query in OF_FLEET if (query.panel, query.ref_id) == (panel, ref_id))
    return found


def number(value: float) -> dict[str, float]:
    return {"{}": value}


def by_host(values: dict[tuple[str, str], int]) -> dict[str, float]:
    return {f'{{job="{job}", instance="{instance}"}}': value for (job, instance), value in values.items()}


def check(folder: Path, series: dict[str, str], questions: list[tuple[str, str, dict[str, float]]]) -> None:
    """Let promtool compare what expressions give at a time, by labels, with what is expected."""
    asked = [
        {
            "expr": expression,
            "eval_time": at,
            "exp_samples": [{"labels": labels, "value": value} for labels, value in expected.items()],
        }
        for expression, at, expected in questions
    ]
    inputs = [{"series": one, "values": values} for one, values in series.items()]
    tests = {"tests": [{"interval": "1m", "input_series": inputs, "promql_expr_test": asked}]}
    (folder / "fleet.yml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    promtool = tools.find("promtool")
    assert promtool is not None, "promtool is missing: 'python -m stack tools' fetches it"

    tested = subprocess.run(
        [promtool, "test", "rules", folder / "fleet.yml"], capture_output=True, text=True, check=False
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.stack
@pytest.mark.parametrize(
    ("panel", "ref_id", "expected"),
    [
        ("All hosts", "A", by_host(STATES)),
        ("All hosts", "B", by_host(FIRING)),
        ("Hosts", "A", number(8)),
        ("Silent", "A", number(4)),
        ("Critical alerts", "A", number(3)),
        ("Warnings", "A", number(1)),
    ],
)
def test_who_counts_as_a_host_and_as_silent_and_which_alerts_count(
    tmp_path: Path, panel: str, ref_id: str, expected: dict[str, float]
) -> None:
    check(tmp_path, SERIES, [(filled(expr(panel, ref_id), EVERYTHING), "60m", expected)])


@pytest.mark.stack
def test_a_choice_of_jobs_and_hosts_holds_for_all_numbers(tmp_path: Path) -> None:
    def asked(panel: str, expected: float, **chosen: str) -> tuple[str, str, dict[str, float]]:
        return filled(expr(panel), {**EVERYTHING, **chosen}), "60m", number(expected)

    check(
        tmp_path,
        SERIES,
        [
            asked("Hosts", 4, job="(pixeltracker|statix)"),
            asked("Silent", 2, job="(pixeltracker|statix)"),
            asked("Critical alerts", 0, job="(pixeltracker|statix)"),
            asked("Warnings", 1, job="(pixeltracker|statix)"),
            asked("Hosts", 2, instance="fine"),
        ],
    )


@pytest.mark.stack
def test_a_host_that_fell_silent_is_shown_for_a_day(tmp_path: Path) -> None:
    series = {
        'telemetry_last_report_timestamp_seconds{job="statix",instance="agent"}': "0x1600",
        'telemetry_report_interval_seconds{job="statix",instance="agent"}': "10x1600",
        'instance:cpu_utilisation:ratio_avg1h{job="own",instance="script"}': "0.5x1",
        'telemetry_last_report_timestamp_seconds{job="own",instance="script"}': "0x1600",
        'telemetry_report_interval_seconds{job="own",instance="script"}': "10x1600",
    }
    state = filled(expr("All hosts", "A"), EVERYTHING)
    silent = by_host({("statix", "agent"): 0, ("own", "script"): 0})

    check(tmp_path, series, [(state, "23h", silent), (state, "25h", {})])


@pytest.mark.stack
def test_pushed_hosts_do_not_vanish_with_the_bridge(tmp_path: Path) -> None:
    series = {
        'up{job="bridge",instance="local"}': "1x30 0x30",
        'instance:cpu_utilisation:ratio_avg1h{job="statix",instance="agent"}': "0.5x30",
    }
    state = filled(expr("All hosts", "A"), EVERYTHING)

    check(tmp_path, series, [(state, "60m", by_host({("statix", "agent"): 0}))])


@pytest.mark.stack
def test_a_host_with_two_names_has_one_row(tmp_path: Path) -> None:
    names = filled(expr("All hosts", "J"), EVERYTHING)

    check(tmp_path, SERIES, [(f"count({names})", "60m", number(1))])


@pytest.mark.stack
def test_charts_keep_to_the_hosts_that_are_busiest_at_the_end(tmp_path: Path) -> None:
    rising = {
        f'instance:cpu_utilisation:ratio{{job="node",instance="h{index}"}}': f"{1 - index / 10}+{index / 100}x20"
        for index in range(8)
    }
    chart = filled(expr("CPU of the busiest hosts"), EVERYTHING)
    at_start = chart.replace("@ end()", "@ 1200")

    check(
        tmp_path,
        rising,
        [
            (f"count({chart})", "20m", number(5)),
            (f'group(({at_start}) and on (instance) {{instance=~"h[3-7]"}})', "0m", number(1)),
            (f'({at_start}) and on (instance) {{instance=~"h[0-2]"}}', "0m", {}),
        ],
    )


@pytest.mark.stack
@pytest.mark.parametrize(
    ("hours", "recorded", "rollup"),
    [
        (1, True, "()"),
        (6, True, "()"),
        (12, True, "_avg1m"),
        (48, True, "_avg1m"),
        (49, True, "_avg1h"),
        (12, False, "()"),
        (49, False, "()"),
    ],
)
def test_long_ranges_read_means_once_there_are_some(
    tmp_path: Path, hours: int, recorded: bool, rollup: str
) -> None:
    endings = ("", "_avg1m", "_avg1h") if recorded else ("",)
    names = [f"instance:{what}_utilisation:ratio" for what in ("cpu", "memory")]
    host = '{job="node",instance="a"}'
    # The means are told from what they are of by their numbers.
    series = {
        f"{name}{ending}{host}": f"{number}x10"
        for name in names
        for number, ending in enumerate(endings, start=1)
    }
    chart, median = (
        filled(expr("CPU of the busiest hosts", ref_id), {**EVERYTHING, "rollup": rollup}) for ref_id in "AB"
    )
    reporting = filled(expr("Hosts that report"), {**EVERYTHING, "rollup": rollup})
    shown = f'instance:cpu_utilisation:ratio{rollup.strip("()")}{{job="node", instance="a"}}'
    read = float(endings.index(rollup.strip("()")) + 1)

    check(
        tmp_path,
        series,
        [
            (
                filled(result_query(DOCUMENT, "rollup"), {"__range_s": str(hours * 3600)}),
                "10m",
                {f'{{rollup="{rollup}"}}': 1},
            ),
            (chart, "10m", {shown: read}),
            (median, "10m", number(read)),
            (reporting, "10m", {'{job="node"}': 1}),
        ],
    )


@pytest.mark.parametrize("query", OF_FLEET, ids=query_id)
def test_a_query_parses_and_asks_for_the_chosen_hosts(query: Query) -> None:
    promql_parser.parse(filled(query.expr, EVERYTHING))
    selectors = set(re.findall(r"\{([^}]*)\}", query.expr)) - {'job="bridge"'}

    assert selectors
    assert [one for one in selectors if 'job=~"$job",instance=~"$instance"' not in one] == []


def test_every_link_to_host_fills_its_variables_from_what_the_panel_has() -> None:
    headings = {
        heading
        for transformation in TABLE["transformations"]
        for heading in transformation["options"].get("renameByName", {}).values()
    }
    links = re.findall(r'"(/d/host\?[^"]*)"', json.dumps(DOCUMENT))

    assert len(links) == 5
    for link in links:
        assert re.findall(r"var-(\w+)=", link) == HOST_VARIABLES
        assert set(re.findall(r"__data\.fields\.(\w+)", link)) <= headings


def test_the_home_page_of_grafana_is_fleet() -> None:
    assert "/fleet.json" in (GRAFANA / "grafana.ini").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pushed_host(running_stack: Stack) -> Iterator[Stack]:
    """The running stack, to which the host `attic-pi` reports every two seconds."""
    body = (CASES / "statix/agent_full.json").read_bytes()
    done = threading.Event()

    def report() -> None:
        while not done.is_set():
            pushed = requests.post(
                f"{running_stack.bridge}/sx/metrics",
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=10,
            )
            assert pushed.ok, pushed.text
            done.wait(2)

    agent = threading.Thread(target=report)
    agent.start()
    yield running_stack
    done.set()
    agent.join(timeout=15)
    assert not agent.is_alive()


@pytest.mark.stack
@pytest.mark.parametrize("query", OF_FLEET, ids=query_id)
def test_a_query_answers(pushed_host: Stack, query: Query) -> None:
    assert answers(pushed_host, filled(query.expr, EVERYTHING))


@pytest.mark.stack
def test_scraped_and_pushed_hosts_stand_side_by_side(pushed_host: Stack) -> None:
    state = filled(expr("All hosts", "A"), EVERYTHING)
    assert answers(pushed_host, 'instance:memory_utilisation:ratio{job="statix",instance="attic-pi"}')
    assert answers(pushed_host, 'instance:memory_utilisation:ratio{job="node",instance="local"}')

    found = {
        (row["metric"]["job"], row["metric"]["instance"]): row["value"][1] for row in ask(pushed_host, state)
    }

    assert (found["statix", "attic-pi"], found["node", "local"]) == ("1", "1")
