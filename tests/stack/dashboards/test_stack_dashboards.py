"""Alerts, Bridge and Stack health: every query answers on the real stack, which takes and refuses pushes."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import promql_parser
import pytest
import requests

from tests.stack.test_dashboards import result_query

if TYPE_CHECKING:
    from tests.stack.conftest import Stack

REPOSITORY: Final = Path(__file__).resolve().parents[3]
UIDS: Final = ("alerts", "bridge", "stack")
DOCUMENTS: Final[Mapping[str, Any]] = {
    uid: json.loads((REPOSITORY / f"grafana/dashboards/{uid}.json").read_text(encoding="utf-8"))
    for uid in UIDS
}
WAIT_SECONDS: Final = 120
"""Prometheus scrapes itself every 15 s and rules are as slow; an increase needs two scrapes."""

REPORT: Final = {
    "source": {"hostname": "my-server", "platform": "linux", "arch": "x64"},
    "cpu": {"cores": 8, "load1m": 6.3},
    "memory": {"totalMB": 31387, "usedMB": 16382},
}
SAMPLES: Final = [
    {"name": "room_celsius", "value": 21.5, "labels": {"job": "rooms", "instance": "kitchen"}},
    {"name": "0 celsius", "value": 21.5, "labels": {"job": "rooms", "instance": "kitchen"}},
]
JSON: Final = {"Content-Type": "application/json"}
NOBODYS_TOKEN: Final = {"Authorization": "Bearer nobodys"}

EMPTY: Final = {
    ("bridge", "Certificate", "A"): "this bridge speaks no TLS",
    ("stack", "Targets that do not answer", "A"): "all of them answer",
    ("stack", "Why notifications were given up", "A"): "none was",
}
"""Queries that answer nothing here, and why; `test_alerts_dashboard` has what the last two are for."""


class Query(NamedTuple):
    """One query of one panel, with its placeholders still in it."""

    uid: str
    panel: str
    ref_id: str
    expr: str
    instant: bool

    @property
    def id(self) -> str:
        return f"{self.uid}-{self.panel}-{self.ref_id}".replace(" ", "_")

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.uid, self.panel, self.ref_id)


QUERIES: Final = [
    Query(uid, panel["title"], target["refId"], target["expr"], bool(target.get("instant")))
    for uid, document in DOCUMENTS.items()
    for panel in document["panels"]
    for target in panel.get("targets", [])
]
VARIABLES: Final = {
    (uid, variable["name"]): variable
    for uid, document in DOCUMENTS.items()
    for variable in document["templating"]["list"]
    if variable["type"] == "query"
}


def filled(text: str, variables: Mapping[str, str]) -> str:
    """*text* as Grafana sends it for the range of an hour. What is no variable stays, as PromQL's own ``$1``."""
    values = {**variables, "__range": "1h", "__range_s": "3600", "__interval": "1m", "__rate_interval": "4m"}
    return re.sub(r"\$(\w+)", lambda match: values.get(match[1], match[0]), text)


def values_of(stack: Stack, uid: str, name: str, chosen: Mapping[str, str]) -> set[str]:
    """What the variable *name* offers."""
    query = VARIABLES[uid, name]["query"]["query"]
    if query.startswith("query_result("):
        expr = filled(result_query(DOCUMENTS[uid], name), chosen)
        pattern = VARIABLES[uid, name]["regex"].strip("/")
        series = instant(stack, expr)
        labels = (",".join(f'{label}="{value}"' for label, value in one["metric"].items()) for one in series)
        return {found[1] for one in labels if (found := re.search(pattern, one))}
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert match
    address = f"{stack.prometheus}/api/v1/label/{match[2]}/values"
    answer = requests.get(address, params={"match[]": filled(match[1], chosen)}, timeout=10)
    assert answer.ok, answer.text
    return set(answer.json()["data"])


def chosen_for(stack: Stack, uid: str) -> dict[str, str]:
    """Everything where that may be chosen, else the one value that is offered."""
    chosen: dict[str, str] = {}
    for owner, name in VARIABLES:
        if owner == uid and VARIABLES[uid, name].get("includeAll"):
            chosen[name] = VARIABLES[uid, name]["allValue"]
        elif owner == uid:
            (chosen[name],) = values_of(stack, uid, name, chosen)
    return chosen


def ask(stack: Stack, query: Query, expr: str) -> list[Any]:
    """The answer, as a dashboard asks: for now, or for each minute of the hour before."""
    parameters: dict[str, str | float] = {"query": expr}
    if not query.instant:
        now = time.time()
        parameters |= {"start": now - 3600, "end": now, "step": 60}
    path = "/api/v1/query" if query.instant else "/api/v1/query_range"
    answer = requests.get(f"{stack.prometheus}{path}", params=parameters, timeout=10)
    assert answer.ok, answer.text
    result: list[Any] = answer.json()["data"]["result"]
    return result


def instant(stack: Stack, expr: str) -> list[Any]:
    answer = requests.get(f"{stack.prometheus}/api/v1/query", params={"query": expr}, timeout=10)
    assert answer.ok, answer.text
    result: list[Any] = answer.json()["data"]["result"]
    return result


def push(stack: Stack) -> None:
    """What the bridge takes, part of which it leaves out; what it refuses; and a word of a false Alertmanager."""
    requests.post(f"{stack.bridge}/api/telemetry", json=REPORT, timeout=10)
    requests.post(f"{stack.bridge}/metrics", data="{", headers=JSON, timeout=10)
    requests.post(f"{stack.bridge}/api/v1/samples", json=SAMPLES, timeout=10)
    requests.post(f"{stack.bridge}/api/v1/alerts/webhook", json={}, headers=NOBODYS_TOKEN, timeout=10)


@pytest.fixture(scope="module")
def pushed(running_stack: Stack) -> Iterator[Stack]:
    """The running stack, to which is pushed every two seconds."""
    done = threading.Event()

    def report() -> None:
        while not done.is_set():
            push(running_stack)
            done.wait(2)

    agent = threading.Thread(target=report)
    agent.start()
    yield running_stack
    done.set()
    agent.join(timeout=45)
    assert not agent.is_alive()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.id)
def test_a_query_parses(query: Query) -> None:
    promql_parser.parse(filled(query.expr, {name: "x" for _, name in VARIABLES}))


@pytest.mark.parametrize("query", [one for one in QUERIES if one.uid == "bridge"], ids=lambda query: query.id)
def test_what_the_bridge_shows_is_about_the_chosen_one(query: Query) -> None:
    """But for sources: their series carry the job and instance of the pusher."""
    selectors = re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*\{([^}]*)\}", query.expr)

    assert selectors
    if query.panel != "Busiest sources":
        assert all(selector.startswith('job="$job",instance="$instance"') for selector in selectors)


@pytest.mark.parametrize("query", [one for one in QUERIES if one.uid == "alerts"], ids=lambda query: query.id)
def test_what_fires_is_about_the_chosen_alerts(query: Query) -> None:
    selectors = re.findall(r"ALERTS(?:_FOR_STATE)?(?:\{|\$unrecorded\",)([^}]*)\}", query.expr)

    if query.panel not in {"Nobody is told", "Rules"}:
        assert selectors
    assert {selector.partition(",alertstate")[0] for selector in selectors if "Watchdog" not in selector} <= {
        'severity!="none",severity=~"$severity",alertname=~"$alertname",job=~"$job",instance=~"$instance"'
    }


@pytest.mark.parametrize("uid", UIDS)
def test_links_lead_to_dashboards_that_are_there(uid: str) -> None:
    there = {path.stem for path in (REPOSITORY / "grafana/dashboards").glob("*.json")}
    text = json.dumps(DOCUMENTS[uid])
    linked = {*re.findall(r'"/d/([\w-]+)', text), *re.findall(r'\\"page\\", \\"([\w-]+)', text)}

    assert len(linked) > (5 if uid == "alerts" else 1)
    assert linked <= there


@pytest.mark.parametrize("uid", ["bridge", "stack"])
def test_alerts_of_the_rules_lead_here(uid: str) -> None:
    rules = (REPOSITORY / f"prometheus/rules/{uid}.yml").read_text(encoding="utf-8")
    pages = set(re.findall(r"dashboard: \"?(/\S*?)[\"?\s]", rules))

    assert pages <= {f"/d/{uid}", "/d/host"}
    assert f"/d/{uid}" in pages


@pytest.mark.stack
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.id)
def test_a_query_answers(pushed: Stack, query: Query) -> None:
    end = time.monotonic() + (0 if query.key in EMPTY else WAIT_SECONDS)
    while True:
        try:
            found = ask(pushed, query, filled(query.expr, chosen_for(pushed, query.uid)))
        except ValueError:
            found = []  # A variable has nothing to offer yet.
        if found or time.monotonic() > end:
            break
        time.sleep(1)

    assert bool(found) != (query.key in EMPTY)


@pytest.mark.stack
def test_variables_offer_the_parts_and_what_fires(pushed: Stack) -> None:
    assert values_of(pushed, "bridge", "job", {}) == {"bridge"}
    assert values_of(pushed, "stack", "job", {}) == {"prometheus"}
    assert values_of(pushed, "bridge", "instance", {"job": "bridge"}) == {pushed.bridge.partition("//")[2]}
    assert values_of(pushed, "stack", "instance", {"job": "prometheus"}) == {
        pushed.prometheus.partition("//")[2]
    }


@pytest.mark.stack
def test_an_alert_about_the_bridge_is_told_on_all_three(pushed: Stack) -> None:
    """The false Alertmanager: AlertHistoryFailing fires at once."""
    counts = {
        query.uid: query for query in QUERIES if query.panel in {"Alerts", "Warnings"} and query.ref_id == "A"
    }
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        found = {
            uid: ask(pushed, query, filled(query.expr, chosen_for(pushed, uid)))
            for uid, query in counts.items()
        }
        if all(float(series[0]["value"][1]) >= 1 for series in found.values()):
            break
        time.sleep(1)

    assert found.keys() == set(UIDS)
    assert all(float(series[0]["value"][1]) >= 1 for series in found.values())
