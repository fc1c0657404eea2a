"""Dashboards: the files equal their sources, are well made, and every query answers on the real Prometheus."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import promql_parser
import pytest
import requests
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from stack import tools

if TYPE_CHECKING:
    from tests.stack.conftest import Stack

REPOSITORY = Path(__file__).resolve().parents[2]
GRAFANA = REPOSITORY / "grafana"
CASES = REPOSITORY / "tests/bridge/dialects/cases"
"""Bodies as agents send them, and the series that their dialects make of them."""
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
UIDS = {"alerts", "bridge", "events", "fleet", "host", "installations", "stack"}
"""They are part of links: a dashboard may be added, but none may change its own."""

PUSHED = {
    "source": {"hostname": "my-server", "platform": "linux", "arch": "x64"},
    "cpu": {"cores": 8, "load1m": 6.3},
    "memory": {"totalMB": 31387, "usedMB": 16382},
}
PUSHED_HOST_SENDS: dict[str, dict[str, str]] = {
    "pixeltracker/a_current_agent": {
        "Machine": "A",
        "Memory": "A",
        "Load per core": "A",
        "Last report": "A",
        "Load": "AD",
        "Memory use": "ABC",
        "Memory utilisation": "A",
        "Alerts": "A",
    },
    "statusmonitor/headless_agent": {
        "Machine": "B",
        "CPU": "A",
        "Memory": "A",
        "Fullest disk": "A",
        "Load per core": "A",
        "Last report": "A",
        "CPU utilisation": "A",
        "Load": "ABCD",
        "CPU by core": "A",
        "CPU frequency": "ABC",
        "Memory use": "ABC",
        "Memory utilisation": "A",
        "Filesystem use": "A",
        "Disk throughput": "AB",
        "Filesystems": "ABC",
        "Network throughput": "AB",
        "Alerts": "A",
        "Disk operations": "AB",
        "Disk latency": "AB",
        "Packets": "AB",
        "Network errors and drops": "ABCD",
    },
    "statusmonitor/gui_agent": {
        "Machine": "B",
        "CPU": "A",
        "Memory": "A",
        "Last report": "A",
        "CPU utilisation": "A",
        "Load": "D",
        "CPU by core": "A",
        "CPU frequency": "AC",
        "Memory use": "ABC",
        "Memory utilisation": "A",
        "Network throughput": "AB",
        "Alerts": "A",
        "Packets": "AB",
    },
    "statix/agent_full": {
        "Machine": "A",
        "Uptime": "A",
        "CPU": "A",
        "Memory": "A",
        "Fullest disk": "A",
        "Last report": "A",
        "CPU utilisation": "A",
        "Load": "D",
        "CPU frequency": "ABC",
        "Memory use": "ABCD",
        "Memory utilisation": "A",
        "Filesystem use": "A",
        "Disk throughput": "AB",
        "Filesystems": "ABC",
        "Network throughput": "AB",
        "Alerts": "A",
        "Packets": "AB",
        "Network errors and drops": "ABCD",
    },
    "statix/rates_without_details": {
        "CPU": "A",
        "Memory": "A",
        "Fullest disk": "A",
        "Last report": "A",
        "CPU utilisation": "A",
        "Memory utilisation": "A",
        "Filesystem use": "A",
        "Disk throughput": "AB",
        "Filesystems": "C",
        "Alerts": "A",
    },
}
"""For a body in `CASES`: panels and those of their queries that answer for a host which pushes it; no others do."""

SCRAPED_HOST_LACKS = {"Machine": "B"}
"""Panels and those of their queries that answer nothing for what the exporter shows."""
MACHINE_MAY_LACK = {
    "CPU frequency": "ABC",
    "Pressure: some tasks wait": "ABC",
    "Pressure: all tasks wait": "ABC",
    "Temperatures": "ABC",
}
"""Panels and those of their queries that answer if the kernel of the machine under test has their metric."""


class Query(NamedTuple):
    """One query of one panel, with its placeholders still in it."""

    uid: str
    panel: str
    ref_id: str
    expr: str

    def for_host(self, job: str, instance: str) -> str:
        return filled(self.expr, {"job": job, "instance": instance})


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


DOCUMENTS = {path.stem: load(path) for path in FILES}
PANELS = [
    pytest.param(panel, id=f"{uid}-{panel['id']}")
    for uid, document in DOCUMENTS.items()
    for panel in document["panels"]
    if panel["type"] != "row"
]
QUERIES = [
    Query(uid, panel["title"], target["refId"], target["expr"])
    for uid, document in DOCUMENTS.items()
    for panel in document["panels"]
    for target in panel.get("targets", [])
]
OF_HOST = [query for query in QUERIES if query.uid == "host"]


def filled(text: str, variables: dict[str, str]) -> str:
    """*text* as Grafana sends it: a one-minute step and an hour's range, for which there is no roll-up."""
    macros = {"__rate_interval": "4m", "__interval": "1m", "__range": "1h", "rollup": "()"}
    return re.sub(r"\$(\w+)", lambda match: {**macros, **variables}[match[1]], text)


def query_id(query: Query) -> str:
    return f"{query.uid}-{query.panel}-{query.ref_id}".replace(" ", "_")


def label_query(document: Any, name: str) -> tuple[str, str]:
    """Selector and label of the query variable *name*."""
    found = next(variable for variable in document["templating"]["list"] if variable["name"] == name)
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", found["query"]["query"])
    assert match, found["query"]
    return match[1], match[2]


def result_query(document: Any, name: str) -> str:
    """What the query variable *name*, which nobody chooses, asks for."""
    found = next(variable for variable in document["templating"]["list"] if variable["name"] == name)
    match = re.fullmatch(r"query_result\((.+)\)", found["query"]["query"])
    assert match, found["query"]
    return match[1]


def write_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "telemetry_dashboards", *arguments]
    return subprocess.run(command, cwd=GRAFANA, capture_output=True, text=True, check=False, timeout=60)


def test_every_file_equals_its_python_source() -> None:
    checked = write_command("--check")

    assert (checked.returncode, checked.stderr) == (0, "")


def test_check_names_what_is_changed_missing_or_left_over(tmp_path: Path) -> None:
    assert write_command("--target", str(tmp_path)).returncode == 0
    (tmp_path / "host.json").write_text("{}", encoding="utf-8")
    (tmp_path / "old.json").write_text("{}", encoding="utf-8")

    checked = write_command("--check", "--target", str(tmp_path))

    assert checked.returncode == 1
    assert [line.split()[0] for line in checked.stderr.splitlines()] == ["host.json", "old.json"]


def test_uids_stay_and_name_the_files() -> None:
    assert DOCUMENTS.keys() >= UIDS
    assert {name: document["uid"] for name, document in DOCUMENTS.items()} == {
        name: name for name in DOCUMENTS
    }


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_the_sdk_reads_the_same_document(uid: str) -> None:
    decoded = Dashboard.from_json(DOCUMENTS[uid])

    assert json.loads(json.dumps(decoded, cls=JSONEncoder)) == DOCUMENTS[uid]


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_nothing_names_a_fixed_data_source(uid: str) -> None:
    document = DOCUMENTS[uid]
    queries = [target for panel in document["panels"] for target in panel.get("targets", [])]
    variables = [one for one in document["templating"]["list"] if one["type"] == "query"]
    sources = [part["datasource"] for part in [*queries, *variables]]

    assert "__inputs" not in document
    assert sources == [{"type": "prometheus", "uid": "${datasource}"}] * len(sources)
    assert DOCUMENTS[uid]["templating"]["list"][0]["type"] == "datasource"


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_panels_have_their_own_numbers_and_places(uid: str) -> None:
    panels = DOCUMENTS[uid]["panels"]
    cells = [
        (x, y)
        for position in (panel["gridPos"] for panel in panels)
        for x in range(position["x"], position["x"] + position["w"])
        for y in range(position["y"], position["y"] + position["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells), "two panels overlap"
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit(panel: Any) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["noValue"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_for_each_minute_where_it_computes_over_a_window_and_else_for_what_is_newest(
    panel: Any,
) -> None:
    lines = [target for target in panel["targets"] if target.get("range")]
    windows = [target for target in panel["targets"] if "[" in target["expr"]]
    steps = {target["interval"] for target in lines}

    assert {target["interval"] for target in windows} <= {"1m"}
    assert steps == ({panel["interval"]} if lines else set())
    assert len(steps) <= 1
    if lines:
        assert panel["maxDataPoints"] <= 300
        assert steps == {"1m" if any("[" in target["expr"] for target in lines) else "15s"}


@pytest.mark.parametrize("query", OF_HOST, ids=query_id)
def test_a_query_parses_and_asks_for_the_chosen_host(query: Query) -> None:
    promql_parser.parse(query.for_host("node", "local"))
    selectors = re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*\{([^}]*)\}", query.expr)

    assert selectors
    assert all(selector.startswith('job="$job",instance="$instance"') for selector in selectors)


def test_recorded_names_are_recorded() -> None:
    recorded = {
        rule["record"]
        for path in (REPOSITORY / "prometheus/rules").glob("*.yml")
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    asked = {name for query in QUERIES for name in re.findall(r"\b[a-z]+:\w+:\w+\b", query.expr)}

    assert asked
    assert asked <= recorded


def test_provisioning_points_at_the_data_source_and_folder_by_environment() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/telemetry.yml").read_text())["providers"]
    variable = DOCUMENTS["host"]["templating"]["list"][0]

    assert (source["uid"], source["url"]) == (variable["current"]["value"], "$PROMETHEUS_URL")
    assert provider["options"]["path"] == "$GRAFANA_DASHBOARDS_DIR"


def test_the_home_dashboard_is_there() -> None:
    (home,) = re.findall(
        r"default_home_dashboard_path = \$__env\{GRAFANA_DASHBOARDS_DIR\}/(\S+)",
        (GRAFANA / "grafana.ini").read_text(encoding="utf-8"),
    )

    assert (GRAFANA / "dashboards" / home).is_file()


def series_of(case: str) -> dict[str, float]:
    """The series that a body in `CASES` becomes."""
    lines = (CASES / f"{case}.prom").read_text(encoding="utf-8").splitlines()
    found = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {series: float(value) for series, _, value in found}


def held(series: str, value: float) -> dict[str, str]:
    """*series* at *value* for a quarter of an hour, as promtool reads it; a counter rises."""
    step = "600" if series.partition("{")[0].endswith("_total") else "0"
    return {"series": series, "values": f"{value!r}+{step}x15"}


def asked(expr: str, *, answers: bool) -> dict[str, Any]:
    """A question of promtool: whether *expr* gives series after ten minutes."""
    samples = [{"labels": "{}", "value": 1}] if answers else []
    return {"expr": f"group({expr})", "eval_time": "10m", "exp_samples": samples}


@pytest.mark.stack
@pytest.mark.parametrize("case", PUSHED_HOST_SENDS)
def test_every_kind_of_pushed_host_can_be_chosen_and_has_the_panels_for_which_it_sends_numbers(
    tmp_path: Path, case: str
) -> None:
    series = series_of(case)
    identity = re.search(r'\{job="([^"]+)",instance="([^"]+)"', next(iter(series)))
    assert identity
    job, instance = identity.groups()
    last_report = f'telemetry_last_report_timestamp_seconds{{job="{job}",instance="{instance}"}}'
    sends = PUSHED_HOST_SENDS[case]
    variables = [label_query(DOCUMENTS["host"], name)[0] for name in ("job", "instance")]
    questions = [
        *(asked(filled(selector, {"job": job}), answers=True) for selector in variables),
        *(
            asked(query.for_host(job, instance), answers=query.ref_id in sends.get(query.panel, ""))
            for query in OF_HOST
        ),
    ]
    tests = {
        "rule_files": [str(REPOSITORY / "prometheus/rules/vocabulary.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    *(held(one, value) for one, value in series.items()),
                    {"series": last_report, "values": "0+60x15"},
                ],
                "promql_expr_test": questions,
            }
        ],
    }
    (tmp_path / "host.yml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    promtool = tools.find("promtool")
    assert promtool is not None, "promtool is missing: 'python -m stack tools' fetches it"

    tested = subprocess.run(
        [promtool, "test", "rules", tmp_path / "host.yml"], capture_output=True, text=True, check=False
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_panels_that_pushed_hosts_have_are_there() -> None:
    panels = {query.panel: "" for query in OF_HOST}
    for query in OF_HOST:
        panels[query.panel] += query.ref_id

    for sends in (*PUSHED_HOST_SENDS.values(), SCRAPED_HOST_LACKS, MACHINE_MAY_LACK):
        assert {
            panel for panel, refs in sends.items() if not set(refs) <= set(panels.get(panel, ""))
        } == set()


@pytest.fixture(scope="module")
def pushed_host(running_stack: Stack) -> Iterator[Stack]:
    """The running stack, to which the host `my-server` reports every two seconds."""
    done = threading.Event()

    def report() -> None:
        while not done.is_set():
            requests.post(f"{running_stack.bridge}/api/telemetry", json=PUSHED, timeout=10)
            done.wait(2)

    agent = threading.Thread(target=report)
    agent.start()
    yield running_stack
    done.set()
    agent.join(timeout=15)
    assert not agent.is_alive()


def ask(stack: Stack, expr: str) -> list[Any]:
    answer = requests.get(f"{stack.prometheus}/api/v1/query", params={"query": expr}, timeout=10)
    assert answer.status_code == 200, answer.text
    result: list[Any] = answer.json()["data"]["result"]
    return result


def answers(stack: Stack, expr: str, within_seconds: float = 90) -> bool:
    """Whether *expr* gives a series before long: rules need two scrapes and an evaluation."""
    end = time.monotonic() + within_seconds
    while not (found := ask(stack, expr)) and time.monotonic() < end:
        time.sleep(1)
    return bool(found)


def exposed(stack: Stack, query: Query) -> bool:
    """Whether the exporter shows the metric that *query* asks for first."""
    (first, *_) = re.findall(r"\bnode_\w+", query.expr)
    text = requests.get(f"{stack.exporter}/metrics", timeout=10).text
    return any(line.startswith((f"{first} ", f"{first}{{")) for line in text.splitlines())


@pytest.mark.stack
@pytest.mark.parametrize("query", OF_HOST, ids=query_id)
def test_a_query_answers_for_the_scraped_host(running_stack: Stack, query: Query) -> None:
    expr = query.for_host("node", "local")
    lacks = SCRAPED_HOST_LACKS.get(query.panel, "")
    if query.ref_id in MACHINE_MAY_LACK.get(query.panel, "") and not exposed(running_stack, query):
        lacks += query.ref_id
    if query.ref_id in lacks:
        assert ask(running_stack, expr) == []
    else:
        assert answers(running_stack, expr)


@pytest.mark.stack
@pytest.mark.parametrize("query", OF_HOST, ids=query_id)
def test_a_query_answers_for_a_pushed_host_what_it_sends(pushed_host: Stack, query: Query) -> None:
    assert answers(pushed_host, 'instance:load_per_core:ratio{job="pixeltracker"}'), "the host is not there"
    expr = query.for_host("pixeltracker", "my-server")
    if query.ref_id in PUSHED_HOST_SENDS["pixeltracker/a_current_agent"].get(query.panel, ""):
        assert answers(pushed_host, expr)
    else:
        assert ask(pushed_host, expr) == []


@pytest.mark.stack
def test_the_pushed_numbers_arrive_in_base_units(pushed_host: Stack) -> None:
    used = next(query for query in OF_HOST if (query.panel, query.ref_id) == ("Memory use", "A"))
    expr = used.for_host("pixeltracker", "my-server")
    assert answers(pushed_host, expr)

    assert [float(series["value"][1]) for series in ask(pushed_host, expr)] == [16382 * 2**20]


@pytest.mark.stack
@pytest.mark.parametrize("uid", ["fleet", "host"])
def test_the_variables_offer_scraped_and_pushed_hosts(pushed_host: Stack, uid: str) -> None:
    assert answers(pushed_host, 'node_load1{job="pixeltracker"}')
    assert answers(pushed_host, 'node_load1{job="node"}')

    def values(name: str, **chosen: str) -> set[str]:
        selector, label = label_query(DOCUMENTS[uid], name)
        address = f"{pushed_host.prometheus}/api/v1/label/{label}/values"
        answer = requests.get(address, params={"match[]": filled(selector, chosen)}, timeout=10)
        return set(answer.json()["data"])

    assert values("job") >= {"node", "pixeltracker"}
    assert values("instance", job="node") == {"local"}
    assert "my-server" in values("instance", job="pixeltracker")
