"""Dashboards keep to the rules of Grafana's public linter, and read back through the SDK as the same document.

The rules are those of https://github.com/grafana/dashboard-linter, under their names there; what is exempt from one
stands in `EXEMPT` with the reason. They are written anew over an independent PromQL parser, not run from there.
"""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

REPOSITORY = Path(__file__).resolve().parents[2]
GRAFANA = REPOSITORY / "grafana"
DOCUMENTS: dict[str, Any] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((GRAFANA / "dashboards").glob("*.json"))
}

EXEMPT: dict[str, dict[str, str]] = {
    "template-instance-rule": {
        "events": "what the bridge counts of events is of no instance",
        "installations": "what the bridge counts of installations is of no instance",
    },
    "target-instance-rule": {
        "events": "what the bridge counts of events is of no instance",
        "installations": "what the bridge counts of installations is of no instance",
        "bridge": "its alerts and what is known of sources are of other instances than the bridge",
        "stack": "one page for all parts: each is one target, and only Prometheus is chosen",
    },
    "target-job-rule": {
        "bridge": "its alerts and what is known of sources are of other jobs than the bridge's",
        "stack": "one page for all parts: each has its job, and only Prometheus is chosen",
    },
}
"""Rule → dashboard → why it does not hold there. A dashboard that keeps to the rule may not stand here."""

COUNTED = {"$counted", "$estimated"}
"""Of a job that is asked for so, a counter is what it grew by: tests/stack/dashboards/test_event_dashboards.py."""

CHOSEN = {"job": {"$job", *COUNTED}, "instance": {"$instance"}}
"""Variables that are the chosen job or host: of those that nobody chooses, at most one is."""

BESIDE: dict[tuple[str, str], str] = {
    ("installations", "telemetry_events_total"): "what the bridge says of itself has the bridge's job",
    ("events", "country:minigem_continent:info"): "a recorded table of names: of no job",
    ("fleet", "up"): "while the bridge does not answer, nobody's silence means anything",
    ("fleet", "telemetry_report_interval_seconds"): "hosts of some jobs are silent later than others",
    ("fleet", "telemetry_last_report_timestamp_seconds"): "only these jobs are of hosts",
    ("alerts", "alertmanager_alerts"): "Alertmanager counts alerts of all jobs together",
    ("alerts", "ALERTS{Watchdog}"): "Watchdog is of no job: it says that alerts are told at all",
}
"""Dashboard and metric of a selector that need not ask for what is chosen → why."""

BARE_COUNTERS: dict[tuple[str, str], str] = {
    ("bridge", "Pushes by dialect"): "its number alone says which dialects were ever spoken",
    ("bridge", "Bytes by dialect"): "its number alone says which dialects were ever spoken",
    ("bridge", "Faults"): "found at a start, before there is a first sample to grow from",
    ("stack", "Faults"): "found at a start, before there is a first sample to grow from",
    ("host", "Load"): "counts processors by their series",
    ("host", "Disk operations"): "a pusher's own sum falls when a disk goes, which rate takes for a restart",
    ("host", "Packets"): "a pusher's own sum falls when an interface goes, which rate takes for a restart",
    ("host", "Network errors and drops"): "the same",
    ("events", "Hours of the day"): "says 0 for hours in which nothing happened",
    ("events", "Days of the week"): "says 0 for days on which nothing happened",
}
"""Dashboard and panel in which a counter stands outside rate and increase → why."""

TEMPLATED_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

MACROS = {"__rate_interval": "4m", "__interval": "1m", "__range": "1h", "__range_s": "3600"}
RATE_INTERVAL = "$__rate_interval"
UNITS = frozenset(
    (
        *("none", "string", "short", "percent", "percentunit", "locale", "bytes", "decbytes", "bits"),
        *("Bps", "binBps", "bps", "binbps", "pps", "iops", "ops", "reqps", "rps", "mps", "eps"),
        *("wps", "cps", "hertz", "rotrpm", "celsius", "s", "ms", "µs", "ns"),
        *("m", "h", "d", "dtdurations", "dthms", "dtdhms", "watt", "volt", "amp"),
        *(
            "joule",
            "bool",
            "bool_yes_no",
            "bool_on_off",
            "dateTimeAsIso",
            "dateTimeFromNow",
            "dateTimeAsLocal",
        ),
    )
)
"""Those of Grafana's that a dashboard here may ask for."""
WITH_UNITS = {"stat", "timeseries", "table", "bargauge", "barchart", "gauge", "heatmap", "piechart"}
WITHOUT_DATA = {"row", "text"}
RATE_WINDOW = re.compile(r"\bi?rate\([^[]*\[([^\]:]+)\]")
ZERO_TIMES = re.compile(r"\b0 \* (?:sum|count|max|group)[^(]*\((\w+)")
WHOLE_LIFE = re.compile(r"\bin all\b|\btotal\b", re.IGNORECASE)
VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{(\w+)(?::\w+)?\})")


NODES = (
    promql_parser.AggregateExpr,
    promql_parser.BinaryExpr,
    promql_parser.Call,
    promql_parser.MatrixSelector,
    promql_parser.ParenExpr,
    promql_parser.SubqueryExpr,
    promql_parser.UnaryExpr,
    promql_parser.VectorSelector,
)


class Selector(NamedTuple):
    """What one selector of a query asks for."""

    metric: str
    matchers: dict[str, str]
    """Label → value, with placeholders still in it."""

    @property
    def name(self) -> str:
        """The metric; of one alert alone, with the alert's name."""
        alert = self.matchers.get("alertname", "")
        return f"{self.metric}{{{alert}}}" if alert.isalpha() else self.metric


class Target(NamedTuple):
    """One query of one panel."""

    uid: str
    panel: Any
    target: Any

    @property
    def expr(self) -> str:
        text: str = self.target["expr"]
        return text

    def __str__(self) -> str:
        return f"{self.panel['title']}, {self.target['refId']}"


def _panels() -> Iterator[tuple[str, Any]]:
    for uid, document in DOCUMENTS.items():
        for panel in document["panels"]:
            yield uid, panel
            for inner in panel.get("panels") or []:  # of a collapsed row
                yield uid, inner


PANELS = [(uid, panel) for uid, panel in _panels() if panel["type"] not in WITHOUT_DATA]
TARGETS = [Target(uid, panel, target) for uid, panel in PANELS for target in panel["targets"]]


def variables(uid: str) -> dict[str, Any]:
    return {variable["name"]: variable for variable in DOCUMENTS[uid]["templating"]["list"]}


@lru_cache(maxsize=4096)
def parsed(expr: str) -> Any:
    """*expr* as an expression. A variable within quotes stays as it is; a duration is given a length."""

    def value(found: re.Match[str]) -> str:
        return MACROS.get(found[1] or found[2], found[0])

    return promql_parser.parse(VARIABLE.sub(value, expr))


def below(node: Any) -> list[Any]:
    """What *node* consists of."""
    names = ("expr", "lhs", "rhs", "param", "vector_selector")
    parts = [getattr(node, name, None) for name in names]
    return [part for part in [*parts, *(getattr(node, "args", None) or [])] if isinstance(part, NODES)]


def walk(node: Any) -> Iterator[Any]:
    """*node* and all below it, each before what it has in it."""
    yield node
    for part in below(node):
        yield from walk(part)


def selectors(expr: str) -> list[Selector]:
    found = [node for node in walk(parsed(expr)) if isinstance(node, promql_parser.VectorSelector)]
    return [
        Selector(node.name or "", {matcher.name: matcher.value for matcher in node.matchers.matchers})
        for node in found
    ]


def reason(rule: str, uid: str) -> str | None:
    return EXEMPT.get(rule, {}).get(uid)


# Whole dashboards


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_template_datasource_rule(uid: str) -> None:
    sources = [one for one in variables(uid).values() if one["type"] == "datasource"]

    assert [(one["name"], one["label"], one["query"]) for one in sources] == [
        ("datasource", "Data source", "prometheus")
    ]


def templated(uid: str, name: str) -> bool:
    """Whether *name* is a variable as the linter wants it: asked of the templated source, and with a label."""
    variable = variables(uid).get(name)
    return (
        variable is not None
        and variable["type"] == "query"
        and variable["datasource"]["uid"] == "${datasource}"
        and bool(variable["label"])
    )


@pytest.mark.parametrize("uid", DOCUMENTS)
@pytest.mark.parametrize("name", ["job", "instance"])
def test_template_job_and_instance_rule(uid: str, name: str) -> None:
    if reason(f"template-{name}-rule", uid) is None:
        assert templated(uid, name)


QUERY_VARIABLES = [
    pytest.param(variable, id=f"{uid}-{name}")
    for uid in DOCUMENTS
    for name, variable in variables(uid).items()
    if variable["type"] == "query"
]


@pytest.mark.parametrize("variable", QUERY_VARIABLES)
def test_template_label_promql_rule(variable: Any) -> None:
    asked = variable["query"]["query"] if isinstance(variable["query"], dict) else variable["query"]
    found = re.fullmatch(r"label_values\((.+), *\w+\)|query_result\((.+)\)", asked)

    assert found, asked
    parsed(found[1] or found[2])


@pytest.mark.parametrize("variable", QUERY_VARIABLES)
def test_template_on_time_change_reload_rule(variable: Any) -> None:
    assert variable["refresh"] == 2


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_a_dashboard_has_a_title_a_description_and_tags(uid: str) -> None:
    document = DOCUMENTS[uid]

    assert document["title"]
    assert document["description"].endswith(".")
    assert "telemetry" in document["tags"]


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_a_link_to_a_dashboard_leads_to_one_of_ours(uid: str) -> None:
    linked = set(re.findall(r'"/d/([\w-]+)', json.dumps(DOCUMENTS[uid])))

    assert linked <= DOCUMENTS.keys()


# Panels


def panels_of(uid: str) -> list[Any]:
    return [panel for of, panel in PANELS if of == uid]


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_panel_datasource_rule(uid: str) -> None:
    sources = {panel["title"]: panel["datasource"] for panel in panels_of(uid)}

    assert {title: one for title, one in sources.items() if one != TEMPLATED_SOURCE} == {}


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_panel_title_description_rule(uid: str) -> None:
    assert [one for one in panels_of(uid) if not one["title"].strip() or not one["description"].strip()] == []


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_panel_units_rule(uid: str) -> None:
    strange = {
        panel["title"]: units
        for panel in panels_of(uid)
        if not (units := units_of(panel)) <= UNITS or (panel["type"] in WITH_UNITS and not units)
    }

    assert strange == {}


def units_of(panel: Any) -> set[str]:
    """Units of a panel and of what it overrides; a suffix of one's own is none of Grafana's and needs no list."""
    defaults, overrides = panel["fieldConfig"]["defaults"], panel["fieldConfig"].get("overrides", [])
    changes = [change for one in overrides for change in one["properties"] if change["id"] == "unit"]
    units = {*(change["value"] for change in changes), *([defaults["unit"]] if "unit" in defaults else [])}
    return {unit for unit in units if not unit.startswith("suffix:")}


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_panel_no_targets_rule(uid: str) -> None:
    assert [panel["title"] for panel in panels_of(uid) if not panel["targets"]] == []


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_panels_of_a_dashboard_have_titles_of_their_own(uid: str) -> None:
    """Links and tests name a panel by its title."""
    titles = [panel["title"] for panel in panels_of(uid)]

    assert sorted(set(titles)) == sorted(titles)


# Queries


def targets_of(uid: str) -> list[Target]:
    return [target for target in TARGETS if target.uid == uid]


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_target_promql_rule(uid: str) -> None:
    assert [f"{target}: {why}" for target in targets_of(uid) if (why := unparsable(target.expr))] == []


def unparsable(expr: str) -> str:
    """Why *expr* is no PromQL; empty if it is."""
    try:
        parsed(expr)
    except ValueError as error:
        return f"{error} in {expr}"
    return ""


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_a_query_uses_variables_that_are_there(uid: str) -> None:
    known = variables(uid).keys() | MACROS.keys()
    unknown = {
        str(target): {one or other for one, other in VARIABLE.findall(target.expr)} - known
        for target in targets_of(uid)
    }

    assert {name: names for name, names in unknown.items() if names} == {}


@pytest.mark.parametrize("uid", DOCUMENTS)
@pytest.mark.parametrize("name", ["job", "instance"])
def test_target_job_and_instance_rule(uid: str, name: str) -> None:
    if reason(f"target-{name}-rule", uid) is None:
        found = {str(target): unmatched(target, name) for target in targets_of(uid)}

        assert {target: metrics for target, metrics in found.items() if metrics} == {}


def unmatched(target: Target, name: str) -> list[str]:
    """Selectors that do not ask for the chosen *name*."""
    return [
        str(selector)
        for selector in selectors(target.expr)
        if selector.matchers.get(name) not in CHOSEN[name] and (target.uid, selector.name) not in BESIDE
    ]


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_target_rate_interval_rule(uid: str) -> None:
    """A rate over a fixed window shows nothing where a step is longer, and skips samples.

    ``increase`` is a sum over a window that the title names, which the linter lets pass.
    """
    windows = {str(target): set(RATE_WINDOW.findall(target.expr)) for target in targets_of(uid)}

    assert {target: found for target, found in windows.items() if not found <= {RATE_INTERVAL}} == {}


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_target_counter_agg_rule(uid: str) -> None:
    """A counter is shown by how it grows; its number alone only as all there ever was, which a title says."""
    bare = {target.panel["title"]: names for target in targets_of(uid) if (names := bare_counters(target))}
    exempt = {panel for dashboard, panel in BARE_COUNTERS if dashboard == uid}

    assert {panel: names for panel, names in bare.items() if panel not in exempt} == {}
    assert exempt <= bare.keys(), "an exemption has outlived its reason"


def bare_counters(target: Target) -> list[str]:
    """Counters whose number alone is shown, though the panel does not say that it is all there ever was."""
    names = counters_without_growth(parsed(target.expr))
    spoken_of = WHOLE_LIFE.search(target.panel["title"]) or only_as_zero(target.expr, names)
    return [] if spoken_of else names


def counters_without_growth(node: Any, *, grows: bool = False) -> list[str]:
    """Names of counters outside rate, irate and increase."""
    if isinstance(node, promql_parser.VectorSelector):
        name = node.name or ""
        grown = any(matcher.name == "job" and matcher.value in COUNTED for matcher in node.matchers.matchers)
        return [name] if name.endswith("_total") and not (grows or grown) else []
    if isinstance(node, promql_parser.Call):
        grows = node.func.name in {"rate", "irate", "increase"}
    return [name for one in below(node) for name in counters_without_growth(one, grows=grows)]


def only_as_zero(expr: str, names: list[str]) -> bool:
    """Whether the counters stand only in ``0 * …``, which says 0 where nothing of a kind has happened yet."""
    return set(names) <= set(ZERO_TIMES.findall(expr))


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_lines_of_a_panel_have_names_that_tell_them_apart(uid: str) -> None:
    for panel in panels_of(uid):
        if panel["type"] == "timeseries":
            names = [target["legendFormat"].strip() for target in panel["targets"]]

            assert all(names), panel["title"]
            assert sorted(set(names)) == sorted(names), panel["title"]


# The rules themselves, and what is exempt from them


def test_each_exemption_is_of_a_rule_that_would_not_hold() -> None:
    """Exemptions do not outlive their reason."""

    def holds(rule: str, uid: str) -> bool:
        kind, name, _ = rule.split("-")
        if kind == "template":
            return templated(uid, name)
        return all(unmatched(target, name) == [] for target in TARGETS if target.uid == uid)

    assert [
        (rule, uid) for rule, of in EXEMPT.items() for uid in of if uid in DOCUMENTS and holds(rule, uid)
    ] == []


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("sum(rate(a_total[4m]))", []),
        ("sum by (x) (increase(a_total[1h])) / sum(b)", []),
        ("sum(a_total)", ["a_total"]),
        ("rate(a_total[4m]) or delta(b_total[4m])", ["b_total"]),
        ("topk(3, a_total)", ["a_total"]),
    ],
)
def test_a_counter_without_growth_is_found(expr: str, found: list[str]) -> None:
    assert counters_without_growth(parsed(expr)) == found


def test_selectors_are_found_wherever_they_stand() -> None:
    expr = 'a{x="1"} + on (x) max_over_time(rate(b{y=~"$job"}[4m])[1h:]) unless -(c or topk(scalar(d), e{z!="2"}))'

    assert [(one.metric, one.matchers) for one in selectors(expr)] == [
        ("a", {"x": "1"}),
        ("b", {"y": "$job"}),
        ("c", {}),
        ("e", {"z": "2"}),
        ("d", {}),
    ]


# What Grafana makes of the files, as far as that can be known without it


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_the_sdk_decodes_every_panel_into_its_own_kind_and_gives_the_same_document(uid: str) -> None:
    decoded = Dashboard.from_json(DOCUMENTS[uid])

    assert json.loads(json.dumps(decoded, cls=JSONEncoder)) == DOCUMENTS[uid]
    assert [panel.title for panel in decoded.panels or []] == [
        panel["title"] for panel in DOCUMENTS[uid]["panels"]
    ]


def provisioned(kind: str) -> list[Any]:
    return [
        yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted((GRAFANA / "provisioning" / kind).glob("*.yml"))
    ]


def test_the_data_source_is_the_default_one_under_the_uid_that_dashboards_have_as_current() -> None:
    (document,) = provisioned("datasources")
    (source,) = document["datasources"]
    chosen = {variables(uid)["datasource"]["current"]["value"] for uid in DOCUMENTS}

    assert document["apiVersion"] == 1
    assert source["type"] == "prometheus"
    assert source["isDefault"] is True
    assert source["editable"] is False
    assert chosen == {source["uid"]}


def test_dashboards_are_put_into_a_folder_that_the_browser_cannot_change() -> None:
    (document,) = provisioned("dashboards")
    (provider,) = document["providers"]

    assert document["apiVersion"] == 1
    assert (provider["type"], provider["folder"], provider["folderUid"]) == ("file", "Telemetry", "telemetry")
    assert provider["disableDeletion"] is True
    assert provider["allowUiUpdates"] is False


def grafana_settings() -> configparser.ConfigParser:
    settings = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#", ";"))
    settings.read(GRAFANA / "grafana.ini", encoding="utf-8")
    return settings


def test_grafana_lets_nobody_in_without_a_name_and_calls_nowhere() -> None:
    settings = grafana_settings()

    assert settings.getboolean("auth.anonymous", "enabled") is False
    assert settings.getboolean("users", "allow_sign_up") is False
    assert {name: settings.getboolean("analytics", name) for name in settings["analytics"]} == {
        "reporting_enabled": False,
        "check_for_updates": False,
        "check_for_plugin_updates": False,
    }
    assert settings.getboolean("news", "news_feed_enabled") is False


def test_the_home_page_is_fleet() -> None:
    path = grafana_settings().get("dashboards", "default_home_dashboard_path")

    assert path == "$__env{GRAFANA_DASHBOARDS_DIR}/fleet.json"
    assert DOCUMENTS["fleet"]["uid"] == "fleet"


def test_the_admin_password_comes_from_a_secret_where_others_can_reach_grafana() -> None:
    production = (REPOSITORY / "docker-compose.production.yml").read_text(encoding="utf-8")
    local = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))["services"][
        "grafana"
    ]
    password = local["environment"]["GF_SECURITY_ADMIN_PASSWORD"]

    assert not grafana_settings().has_option("security", "admin_password")
    assert "GF_SECURITY_ADMIN_PASSWORD__FILE: /run/secrets/grafana-admin-password" in production
    assert "GF_SECURITY_ADMIN_PASSWORD:" not in production
    assert password == "${GRAFANA_ADMIN_PASSWORD:-admin}"
    assert all(port.startswith("${GRAFANA_ADDRESS:-127.0.0.1:") for port in local["ports"])
