"""Alerts: what fires, since when, and what fired in the time range, by alert and by host.

From Prometheus' own series ``ALERTS`` and ``ALERTS_FOR_STATE``: whether anybody was told is not in them. What fired in
the time range is read from the samples that prometheus/rules/history.yml makes of them, one a minute: to look up every
alert at each minute of a month would take seconds. Where there are none, it is looked up at each step of the page.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import QueryVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.statetimeline import Panel as Timeline
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Graph
from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue

from telemetry_dashboards.panels import CALM, CRITICAL, WARNING, Column, coloured, graph, stat, table
from telemetry_dashboards.panels_states import (
    Words,
    in_words,
    mapped,
    or_zero,
    timeline,
)
from telemetry_dashboards.panels_tables import linked, sized, tinted
from telemetry_dashboards.promql import as_rows, now, over_time
from telemetry_dashboards.shell import (
    dashboard,
    finished,
    hidden_variable,
    label_variable,
    link_to,
    with_panels,
)

NEWS = 'severity!="none"'
"""Watchdog always fires, which is no news."""

CHOSEN = f'{NEWS},severity=~"$severity",alertname=~"$alertname",job=~"$job",instance=~"$instance"'

FIRING = f'ALERTS{{{CHOSEN},alertstate="firing"}}'
PENDING = f'ALERTS{{{CHOSEN},alertstate="pending"}}'
URGENT = f'ALERTS{{{CHOSEN},alertstate="firing",severity="critical"}}'
LESS_URGENT = f'ALERTS{{{CHOSEN},alertstate="firing",severity!="critical"}}'

AGE = f"time() - ALERTS_FOR_STATE{{{CHOSEN}}} and ignoring (alertstate) {FIRING}"
"""Seconds since what an alert tells of began: from then on it was pending, and later fired."""

SINCE = f"alert:firing:since{{{CHOSEN}}}"
AGED = f"alert:firing:age{{{CHOSEN}}}"
"""Recorded once a minute while an alert fires: when what it tells of began, and how many seconds ago that was."""

AT_STEPS = "[$__range:$__interval]"
"""At each step of the page: that is a minute in an hour, and longer in longer ranges."""
LOOKED_UP = f'{{__name__=~"ALERTS$unrecorded",{CHOSEN},alertstate="firing"}}'
AGE_LOOKED_UP = (
    f'time() - {{__name__=~"ALERTS_FOR_STATE$unrecorded",{CHOSEN}}} and ignoring (alertstate) {LOOKED_UP}'
)
"""What fires, if nothing was recorded in the range; else nothing."""

TIMES = (
    f"((changes({SINCE}[$__range]) + 1 unless {SINCE} offset $__range or changes({SINCE}[$__range]))"
    f" or ignoring (alertstate) count_over_time(({LOOKED_UP} unless {LOOKED_UP} offset $__interval){AT_STEPS})"
    f" or ignoring (alertstate) {FIRING})"
)
"""How often each alert began to fire in the range: one time less than it fired if it did so when the range began.

The last part, here and below, is of what began to fire less than a minute ago.
"""

LONGEST = f"(max_over_time({AGED}[$__range]) or max_over_time(({AGE_LOOKED_UP}){AT_STEPS}) or {AGE})"

LAST = (
    f"(last_over_time({SINCE}[$__range]) + last_over_time({AGED}[$__range])"
    f" or ignoring (alertstate) max_over_time(timestamp({LOOKED_UP}){AT_STEPS})"
    f" or ignoring (alertstate) timestamp({FIRING}))"
)
"""When each alert fired last, in Unix seconds."""

ALERT = ("severity", "alertname", "job", "instance", "about", "page")

PAGES = {
    ".*": "host",
    "bridge": "bridge",
    "prometheus": "stack",
    "alertmanager|grafana": "alerts",
    "minigem": "events",
    "proxmoxve": "installations",
}
"""Where more is to be seen, by job; a later one wins. Host for all but what has no page as a host."""

ABOUT = (
    "mountpoint",
    "device",
    "direction",
    "chip",
    "sensor",
    "collector",
    "dialect",
    "reason",
    "remote",
    "limit",
    "operation",
    "integration",
    "rule_group",
    "repo_source",
    "metric",
)
"""Labels that tell alerts of one name and one host apart."""

MOST_ROWS = 100
MOST_BARS = 20

SEVERITIES: Words = {"critical": ("critical", CRITICAL), "warning": ("warning", WARNING)}
STATES: Words = {"1": ("warning", WARNING), "2": ("critical", CRITICAL)}

OF_ROW = "/d/${__data.fields.Page}?var-job=${__data.fields.Job}&var-instance=${__data.fields.Host}&${__url_time_range}"

NONE_FIRES = "No alert fires."
NONE_FIRED = "No alert fired in this time."


def alerts() -> Dashboard:
    """The dashboard with uid ``alerts``."""
    builder = dashboard(
        "alerts",
        "Alerts",
        "What fires now and since when, and what fired before: which alert, which host, how often, how long.",
        tags=["alerts"],
    )
    for uid, title in {"fleet": "Fleet", "stack": "Stack health"}.items():
        builder = builder.link(link_to(title, uid))
    for variable in variables():
        builder = builder.with_variable(variable)
    builder = with_panels(builder, (*counts(), firing_now(), over_the_range()))
    builder = with_panels(builder.with_row(Row("History")), history())
    return finished(builder)


def variables() -> tuple[QueryVariable, ...]:
    """Which alerts to look at; all of them to begin with."""
    return (
        label_variable(
            "severity", "Severity", "How urgent.", f"label_values(ALERTS{{{NEWS}}}, severity)", many=True
        ),
        label_variable(
            "alertname",
            "Alert",
            "Which alerts.",
            f'label_values(ALERTS{{{NEWS},severity=~"$severity"}}, alertname)',
            many=True,
        ),
        label_variable(
            "job",
            "Job",
            "Where what they are about comes from.",
            f"label_values(ALERTS{{{NEWS}}}, job)",
            many=True,
        ),
        label_variable(
            "instance",
            "Host",
            "What they are about.",
            f'label_values(ALERTS{{{NEWS},job=~"$job"}}, instance)',
            many=True,
        ),
        hidden_variable(
            "unrecorded",
            'label_replace(vector(1), "unrecorded", "_none", "", "")'
            " and on () count_over_time(alert:firing:since[$__range])"
            ' or on () label_replace(vector(1), "unrecorded", "()", "", "")',
            "unrecorded",
        ).description("Whether what fired has to be looked up, as nothing was recorded in the time range."),
    )


def counts() -> tuple[Stat, ...]:
    """Is there anything to do?"""
    return (
        stat(
            "Critical",
            "Alerts that fire and that somebody should see to at once.",
            "short",
            now(or_zero(f"count({URGENT})")),
            limits=(1, 1),
        ),
        stat(
            "Warnings",
            "All other alerts that fire.",
            "short",
            now(or_zero(f"count({LESS_URGENT})")),
            limits=(1, 10),
        ),
        stat(
            "Pending",
            "Alerts whose condition holds, but not for long enough to fire.",
            "short",
            now(or_zero(f"count({PENDING})")),
        ),
        stat(
            "Hosts affected",
            "Hosts and parts of the stack that an alert fires about.",
            "short",
            now(or_zero(f"count(count by (job, instance) ({FIRING}))")),
        ),
        stat(
            "Longest",
            "How long what fires has lasted, of the alert for which that is longest.",
            "s",
            now(f"max({AGE})"),
            missing="none fires",
            decimals=1,
        ),
        stat(
            "Fired in this time",
            "How many times an alert began to fire in the time range; what fired and ended within a minute may be"
            " missing.",
            "short",
            now(or_zero(f"sum({TIMES})")),
        ),
        stat(
            "Nobody is told",
            "Alerts that Alertmanager holds back, as they are silenced or inhibited by others; of all alerts,"
            " whatever is chosen above. Here they fire all the same.",
            "short",
            now('sum(alertmanager_alerts{state="suppressed"})'),
            missing="unknown",
        ),
        in_words(
            stat(
                "Rules",
                "Whether Prometheus evaluates alerts at all: Watchdog is one that always fires.",
                "short",
                now(or_zero('group(ALERTS{alertname="Watchdog",alertstate="firing"})')),
                limits=(0, 0),
            ),
            {"0": ("do not run", CRITICAL), "1": ("run", CALM)},
        ),
    )


def firing_now() -> Table:
    """One row for each alert that fires."""
    return _of_alerts(
        table(
            "Firing now",
            "Every alert that fires, and how long what it tells of has lasted. Those that are silenced or inhibited"
            f" are here too. At most {MOST_ROWS}.",
            [as_rows(f"topk({MOST_ROWS}, max by ({', '.join(ALERT)}) ({about(AGE)}))", "A")],
            [*_alert_columns(), Column("Value", "Lasts", unit="s")],
            sort_by="Lasts",
            height=8,
        ).no_value(NONE_FIRES)
    )


def over_the_range() -> Graph:
    """How many fired at each time."""
    return coloured(
        graph(
            "Firing",
            "How many alerts fired, by how urgent they are, and how many were pending.",
            "short",
            [
                over_time(or_zero(f"count({URGENT})"), "critical", "A"),
                over_time(or_zero(f"count({LESS_URGENT})"), "warning", "B"),
                over_time(or_zero(f"count({PENDING})"), "pending", "C"),
            ],
            stacked=True,
            width=24,
        ),
        {"critical": CRITICAL, "warning": WARNING, "pending": "#8e8e8e"},
    )


def history() -> tuple[Timeline | Table, ...]:
    """What fired in the time range: when, what most, where most, and each alert."""
    return (
        timeline(
            "When each alert fired",
            f"The {MOST_BARS} alerts that fired longest in the time range, of any host.",
            over_time(_states("alertname"), "{{alertname}}"),
            STATES,
            missing=NONE_FIRED,
            height=10,
        ),
        timeline(
            "When each host had alerts",
            f"The {MOST_BARS} hosts and parts of the stack for which alerts fired longest in the time range.",
            over_time(_states("job, instance"), "{{instance}} ({{job}})"),
            STATES,
            missing=NONE_FIRED,
            height=10,
        ),
        _with_severity(
            table(
                "By alert",
                "Each alert that fired in the time range, the most frequent first: how many hosts it was about, how"
                " often it began to fire, and how long the longest of them lasted, from its beginning on.",
                _summaries("severity, alertname"),
                [
                    Column("severity", "Severity"),
                    Column("alertname", "Alert"),
                    *_summary_columns("Hosts"),
                ],
                sort_by="Times",
                width=12,
                height=9,
            ).no_value(NONE_FIRED)
        ),
        _leading_on(
            table(
                "By host",
                "Each host or part of the stack that alerts fired about in the time range, the most frequent first.",
                _of_places(),
                [
                    Column("job", "Job"),
                    Column("instance", "Host"),
                    *_summary_columns(),
                    Column("page", "Page"),
                ],
                sort_by="Times",
                width=12,
                height=9,
            ).no_value(NONE_FIRED)
        ),
        _of_alerts(
            table(
                "Every alert",
                "Each alert of each host that fired in the time range: how often it began to fire, for how long in"
                f" all, how long the longest lasted, and when it last fired. At most {MOST_ROWS}: those that fired"
                " longest.",
                _details(),
                [
                    *_alert_columns(),
                    Column("Value #A", "Times", unit="short"),
                    Column("Value #B", "Fired for", unit="s"),
                    Column("Value #C", "Longest", unit="s"),
                    Column("Value #D", "Last", unit="dateTimeFromNow"),
                ],
                sort_by="Last",
                height=10,
            ).no_value(NONE_FIRED)
        ),
    )


def about(expr: str) -> str:
    """*expr* with a label ``about`` of what else tells its alerts apart, and ``page``."""
    names = ", ".join(f'"{name}"' for name in ABOUT)
    joined = f'label_join({expr}, "about", " ", {names})'
    return placed(f'label_replace({joined}, "about", "$1", "about", " *(.*?) *")')


def placed(expr: str) -> str:
    """*expr* with a label ``page``: the uid of the dashboard that has more about this job."""
    for job, page in PAGES.items():
        expr = f'label_replace({expr}, "page", "{page}", "job", "{job}")'
    return expr


def fired_for(at: str = "") -> str:
    """For how many seconds of the range each alert fired; *at* is where the range ends."""
    steps = f"scalar($__range_s / count_over_time(vector(1){AT_STEPS}{at}))"
    return (
        f"(60 * count_over_time({SINCE}[$__range]{at})"
        f" or ignoring (alertstate) {steps} * sum_over_time({LOOKED_UP}{AT_STEPS}{at})"
        f" or ignoring (alertstate) 0 * {FIRING}{at})"
    )


def _states(by: str) -> str:
    """1 while an alert fires, 2 while a critical one does, of those that fired longest."""
    fired = f"sum by ({by}) ({fired_for(' @ end()')})"
    return f"max by ({by}) ({URGENT} * 2 or {LESS_URGENT}) and topk({MOST_BARS}, {fired})"


def _summaries(by: str) -> list[Dataquery]:
    """How many fire now, began to fire in the range, and how long the longest lasted, and how many hosts had it."""
    fired = f"0 * group by ({by}) (count_over_time({FIRING}[$__range]))"
    places = f"group by ({by}, job, instance) (count_over_time({FIRING}[$__range]))"
    return [
        as_rows(f"sum by ({by}) ({TIMES}) or {fired}", "A"),
        as_rows(f"count by ({by}) ({FIRING}) or {fired}", "B"),
        as_rows(f"max by ({by}) ({LONGEST})", "C"),
        as_rows(f"count by ({by}) ({places})", "D"),
    ]


def _of_places() -> list[Dataquery]:
    return [query.expr(placed(query.build().expr)) for query in _summaries("job, instance")[:3]]


def _summary_columns(last: str = "") -> list[Column]:
    return [
        Column("Value #A", "Times", unit="short"),
        Column("Value #B", "Now", unit="short"),
        Column("Value #C", "Longest", unit="s"),
        *([Column("Value #D", last, unit="short")] if last else []),
    ]


def _details() -> list[Dataquery]:
    """Of each alert that fired in the range: times, seconds in all, the longest, and when last, in milliseconds."""
    labels = ", ".join(ALERT)
    lasting = f"topk({MOST_ROWS}, {fired_for()})"

    def each(operation: str, expr: str) -> str:
        return f"{operation} by ({labels}) ({about(expr)})"

    shown = f"group by ({labels}) ({about(lasting)})"
    return [
        as_rows(f"({each('sum', TIMES)} or 0 * {shown}) and {shown}", "A"),
        as_rows(each("sum", lasting), "B"),
        as_rows(f"{each('max', LONGEST)} and {shown}", "C"),
        as_rows(f"1000 * {each('max', LAST)} and {shown}", "D"),
    ]


def _alert_columns() -> list[Column]:
    headings = ("Severity", "Alert", "Job", "Host", "About", "Page")
    return [Column(label, heading) for label, heading in zip(ALERT, headings, strict=True)]


def _of_alerts(panel: Table) -> Table:
    return _leading_on(_with_severity(panel))


def _leading_on(panel: Table) -> Table:
    """*panel* whose hosts, and pages for what is about no host, are links."""
    for heading in ("Host", "Page"):
        panel = linked(panel, heading, "Open its page", OF_ROW)
    return panel


def _with_severity(panel: Table) -> Table:
    words = DynamicConfigValue("mappings", [mapped(SEVERITIES)])
    return sized(tinted(panel.override_by_name("Severity", [words]), "Severity"), {"Severity": 90})
